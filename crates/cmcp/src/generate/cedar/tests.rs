use std::collections::{BTreeMap, BTreeSet};

use cmcp_json::{Limits, Object, Value, parse};
use cmcp_policy::{
    Compat,
    bundle::{PolicyBundle, PolicyError},
    catalog::{
        Approval, Approved, Baa, Catalog, Document, Effect, ItemKind, ServerSpec, TlsPin, Tool,
        Transport,
    },
    decide::{Action, Decision, Escalation, Facts, Phase},
    engine::{AttributeValue, Engine, EngineInput, Principal},
    sensitivity::Vocabulary,
    session::SessionState,
};

use super::{
    cookbook::{Answer, CALLERS, Call, Case, Given, LABEL, OTHERS, Other, RECIPES, Sample, TOOLS},
    page,
    refused::REFUSED,
};

/// As the page has it.
const EVERYTHING: &str = "@id(\"everything\") permit (principal, action, resource);";

#[test]
fn every_recipe_decides_as_the_cookbook_says() {
    let world = World::new();
    for recipe in RECIPES {
        let policies = if recipe.policy.contains("permit (") {
            recipe.policy.to_owned()
        } else {
            format!("{EVERYTHING}\n{}", recipe.policy)
        };
        let engine = world.load(&policies).unwrap();
        for case in recipe.cases {
            let decision = world.decide(&engine, case);
            assert_eq!(
                answer(&decision),
                said(&case.answer),
                "{}: {:?}",
                recipe.title,
                case.call
            );
        }
    }
}

#[test]
fn the_recipes_fit_into_one_bundle() {
    let all: String = RECIPES.map(|recipe| recipe.policy).concat();
    assert!(World::new().load(&all).is_ok());
}

#[test]
fn what_is_refused_at_load_is_refused_with_these_words() {
    let world = World::new();
    for refused in REFUSED {
        let policies = format!(
            "{EVERYTHING}\nforbid (principal, action, resource) when {{ {} }};",
            refused.written
        );
        let errors = world.load(&policies).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(
            texts.iter().any(|text| text.ends_with(refused.said)),
            "{}: {texts:?}",
            refused.written
        );
    }
}

#[test]
fn a_permit_that_its_own_answer_outgrows_is_written_as_the_reference_says() {
    let world = World::new();
    let pii = Case {
        call: Call::Tool("lookup_customer", r#"{"customer_id": "C-1001"}"#),
        given: &[Given::Seen("pii"), Given::Response(10, &[])],
        answer: Answer::Permitted(&[]),
    };
    let narrow = "permit (principal, action, resource)\nwhen { context.sensitivity_level == 0";
    let stays = format!("{narrow} || context.egress }};");
    assert!(page().contains(&stays));
    assert!(world.decide(&world.load(&stays).unwrap(), &pii).is_permit());
    let outgrown = world.load(&format!("{narrow} }};")).unwrap();
    assert!(!world.decide(&outgrown, &pii).is_permit());
}

#[test]
fn the_first_example_loads_and_decides() {
    let (page, world) = (page(), World::new());
    let example = page.split("```cedar\n").nth(1).unwrap();
    let engine = world.load(example.split("```").next().unwrap()).unwrap();
    let small = Case {
        call: Call::Tool("refund_order", r#"{"order_id": "O-5001", "amount": 10000}"#),
        given: &[Given::Caller("helpdesk")],
        answer: Answer::Permitted(&["small-refunds"]),
    };
    assert_eq!(answer(&world.decide(&engine, &small)), said(&small.answer));
}

#[test]
fn nothing_is_left_to_fill_in() {
    let page = page();
    assert!(!page.contains("{{"), "a part without a table");
    for text in [
        EVERYTHING,
        "2000 policies",
        "4194304 bytes",
        "300 operators",
        "32 brackets",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

/// Whether yes or no, by which policies, escalated or not, without what.
type Answered = (bool, Vec<String>, Option<Escalation>, Vec<String>);

fn answer(decision: &Decision) -> Answered {
    let redact = if decision.is_permit() {
        decision.redact.iter().map(ToString::to_string).collect()
    } else {
        Vec::new()
    };
    (
        decision.is_permit(),
        decision.policies.clone(),
        decision.escalation,
        redact,
    )
}

fn said(answer: &Answer) -> Answered {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match answer {
        Answer::Denied(ids) => (false, owned(ids), None, Vec::new()),
        Answer::Permitted(ids) => (true, owned(ids), None, Vec::new()),
        Answer::Redacted(ids, paths) => (true, owned(ids), None, owned(paths)),
        Answer::StepUp(ids) => (false, owned(ids), Some(Escalation::StepUp), Vec::new()),
    }
}

struct World {
    catalog: Catalog,
    principals: Vec<Principal>,
    vocabulary: Vocabulary,
}

impl World {
    fn new() -> Self {
        let label = (LABEL.0.to_owned(), LABEL.1);
        let vocabulary = Vocabulary::extended([label], []).unwrap();
        let servers: BTreeSet<&str> = TOOLS.iter().map(|tool| tool.server).collect();
        let document = Document {
            servers: servers.into_iter().map(server).collect(),
            tools: TOOLS.iter().map(tool).collect(),
            resources: others(ItemKind::Resource),
            resource_templates: others(ItemKind::ResourceTemplate),
            prompts: others(ItemKind::Prompt),
        };
        let text = document.to_text().unwrap();
        let role = |role: &str| AttributeValue::String(role.to_owned());
        Self {
            catalog: Catalog::parse(text.as_bytes(), &vocabulary, Compat::Off).unwrap(),
            principals: CALLERS
                .map(|(name, is)| Principal {
                    name: name.to_owned(),
                    attributes: BTreeMap::from([("role".to_owned(), role(is))]),
                })
                .to_vec(),
            vocabulary,
        }
    }

    fn load(&self, policies: &str) -> Result<Engine, Vec<PolicyError>> {
        let manifest =
            r#"{"version": "1", "authored_at": "t", "author_identity": "a", "commit_sha": "0"}"#;
        let files = [
            ("manifest.json", manifest),
            ("schema.cedarschema", ""),
            ("p.cedar", policies),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let bundle = PolicyBundle::parse(&files, Compat::Off).unwrap();
        let input = EngineInput {
            bundle: &bundle,
            catalog: &self.catalog,
            principals: &self.principals,
            vocabulary: &self.vocabulary,
            compat: Compat::Off,
        };
        Engine::load(input).map(|(engine, warnings)| {
            assert!(warnings.is_empty(), "{warnings:?}");
            engine
        })
    }

    fn server(&self, name: &str) -> &ServerSpec {
        let mut servers = self.catalog.servers().iter();
        servers.find(|server| server.name == name).unwrap()
    }

    /// The action, what it is done with, by which name, and the arguments.
    fn subject(&self, call: &Call) -> (Action, Option<&Approved>, &'static str, &'static str) {
        let catalog = &self.catalog;
        match *call {
            Call::Tool(name, arguments) => (Action::CallTool, catalog.tool(name), name, arguments),
            Call::List(server) => (Action::ListResources, None, server, "{}"),
            Call::Read(uri) => (Action::ReadResource, catalog.resource(uri), uri, "{}"),
            Call::Prompt(name, arguments) => {
                (Action::GetPrompt, catalog.prompt(name), name, arguments)
            }
            Call::Complete(name, arguments) => {
                (Action::Complete, catalog.prompt(name), name, arguments)
            }
            Call::Elicit(server, _, _) => (Action::Elicit, None, server, "{}"),
        }
    }

    fn decide(&self, engine: &Engine, case: &Case) -> Decision {
        let (action, item, target, arguments) = self.subject(&case.call);
        let arguments = json(arguments);
        if matches!(action, Action::CallTool | Action::GetPrompt) {
            item.unwrap().check_arguments(&arguments).unwrap();
        }
        let (asked_by, elicit_mode) = match case.call {
            Call::Elicit(_, by, mode) => (by, mode),
            Call::Tool(..)
            | Call::List(_)
            | Call::Read(_)
            | Call::Prompt(..)
            | Call::Complete(..) => ("", ""),
        };
        let mut principal = Principal::anonymous();
        let mut session = SessionState::default();
        let mut response = None;
        let mut workflow = "default";
        for given in case.given {
            match given {
                Given::Caller(name) => {
                    let known = self.principals.iter().find(|known| known.name == *name);
                    principal = known.unwrap().clone();
                }
                Given::Injected => session.note_injection(),
                Given::Response(size, labels) => {
                    let labels = labels.iter().map(|label| (*label).to_owned());
                    response = Some((*size, labels.collect::<BTreeSet<_>>()));
                }
                Given::Seen(label) => {
                    session.raise(&self.vocabulary.sensitivity(label).unwrap());
                }
                Given::Workflow(name) => workflow = name,
            }
        }
        let phase = match &response {
            None => Phase::Ingress,
            Some((response_size_bytes, labels)) => Phase::Egress {
                response_size_bytes: *response_size_bytes,
                labels,
            },
        };
        engine.decide(&Facts {
            action,
            phase,
            principal: &principal,
            item,
            target,
            asked_by,
            elicit_mode,
            server: match item {
                Some(item) => self.catalog.server_of(item).unwrap(),
                None => self.server(target),
            },
            arguments: &arguments,
            session: &session.view(),
            workflow_id: workflow,
            attestation_platform: "software",
        })
    }
}

fn server(name: &str) -> ServerSpec {
    ServerSpec {
        name: name.to_owned(),
        display_name: None,
        transport: Transport::Http {
            url: format!("https://{name}.example/mcp"),
            pin: TlsPin::WebPki,
        },
    }
}

fn tool(sample: &Sample) -> Tool {
    let Sample {
        name,
        server,
        effect,
        sensitivity,
        domain,
        parameters,
    } = sample;
    let properties: Object = parameters
        .iter()
        .map(|(name, ty)| {
            (
                (*name).to_owned(),
                Value::from(Object::from([("type", *ty)])),
            )
        })
        .collect();
    let schema = Object::from([
        ("type", Value::from("object")),
        ("properties", properties.into()),
    ]);
    let definition = Object::from([("name", Value::from(*name)), ("inputSchema", schema.into())]);
    Tool {
        server: (*server).to_owned(),
        alias: Some((*name).to_owned()),
        definition: definition.into(),
        effect: *effect,
        sensitivity: (*sensitivity).to_owned(),
        compliance_domain: (*domain).to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: Approval::default(),
    }
}

fn others(kind: ItemKind) -> Vec<Tool> {
    let others = OTHERS.iter().filter(|other| other.kind == kind);
    others.map(other).collect()
}

fn other(other: &Other) -> Tool {
    let mut definition = Object::from([("name", other.name), (other.kind.identity(), other.name)]);
    if other.kind == ItemKind::Prompt {
        let arguments = other.arguments.iter();
        let arguments = arguments.map(|name| Value::from(Object::from([("name", *name)])));
        definition.insert("arguments", Value::Array(arguments.collect()));
    }
    Tool {
        server: other.server.to_owned(),
        alias: (other.kind == ItemKind::Prompt).then(|| other.name.to_owned()),
        definition: definition.into(),
        effect: Effect::Reads,
        sensitivity: other.sensitivity.to_owned(),
        compliance_domain: other.domain.to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: Approval::default(),
    }
}

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}
