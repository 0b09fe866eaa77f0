//! What servers ask of clients, and who is asked.

use super::{items::*, *};

const ASKED: [Action; 3] = [Action::Sample, Action::Elicit, Action::ListRoots];

#[test]
fn e12_what_servers_ask_is_permitted_only_by_a_policy_that_names_it() {
    let all_but_asked = [
        "call_tool",
        "read_resource",
        "list_resources",
        "get_prompt",
        "complete",
        "subscribe",
    ];
    assert_eq!(permitted(ALL), all_but_asked);
    for unnamed in [
        "permit(principal, action, resource) when { action == Action::\"sample\" };",
        "permit(principal, action, resource is Server);",
        "permit(principal, action, resource == Server::\"files\");",
        "permit(principal, action, resource) when { context.asked_by == \"\" };",
    ] {
        for asked in ASKED {
            assert!(
                !permitted(unnamed).contains(&asked.as_str()),
                "{asked}: {unnamed}"
            );
        }
    }
    let named = "permit(principal, action in [Action::\"sample\", Action::\"elicit\", Action::\"list_roots\"], resource);";
    assert_eq!(permitted(named), ["sample", "elicit", "list_roots"]);
}

#[test]
fn a_forbid_counts_whatever_it_names() {
    let named = "permit(principal, action in [Action::\"sample\", Action::\"elicit\", Action::\"list_roots\"], resource);";
    for forbid in [
        "forbid(principal, action, resource);",
        "forbid(principal, action, resource) when { resource.server == \"files\" };",
        "forbid(principal, action, resource is Server);",
        "forbid(principal, action, resource) when { resource.kind == \"server\" };",
    ] {
        let policies = format!("{ALL}\n{named}\n{forbid}");
        let left = permitted(&policies);
        assert!(
            ASKED.iter().all(|asked| !left.contains(&asked.as_str())),
            "{forbid}: {left:?}"
        );
    }
    let policies =
        format!("{ALL}\n{named}\nforbid(principal, action == Action::\"elicit\", resource);");
    assert!(!permitted(&policies).contains(&"elicit"));
    assert!(permitted(&policies).contains(&"sample"));
}

#[test]
fn a_server_may_ask_what_could_ever_be_permitted() {
    let may = |policies: &str| {
        let world = whole(policies);
        let server = &world.catalog.servers()[0];
        let may = |action: &Action| world.engine.may(&Principal::anonymous(), *action, server);
        let actions = Action::ALL.into_iter().filter(may);
        actions.map(Action::as_str).collect::<Vec<_>>()
    };
    assert_eq!(may(""), Vec::<&str>::new());
    assert!(
        !may(ALL)
            .iter()
            .any(|action| ["sample", "elicit", "list_roots"].contains(action))
    );
    assert_eq!(
        may(
            "permit(principal, action == Action::\"elicit\", resource) when { context.elicit_mode == \"form\" };"
        ),
        ["elicit"]
    );
    assert_eq!(
        may(
            "permit(principal, action == Action::\"sample\", resource) when { context.asked_by == \"pay\" };"
        ),
        ["sample"]
    );
    // Only elicitation has a mode.
    assert_eq!(
        may(
            "permit(principal, action in [Action::\"sample\", Action::\"elicit\"], resource) when { context.elicit_mode == \"url\" };"
        ),
        ["elicit"]
    );
    assert_eq!(
        may("permit(principal, action == Action::\"elicit\", resource);
            forbid(principal, action, resource) when { resource.server == \"files\" };"),
        Vec::<&str>::new()
    );
    assert_eq!(
        may("permit(principal, action == Action::\"get_prompt\", resource == Prompt::\"plan\");"),
        ["get_prompt"]
    );
    let world = whole(ALL);
    let mut other = world.catalog.servers()[0].clone();
    "other".clone_into(&mut other.name);
    assert!(
        !world
            .engine
            .may(&Principal::anonymous(), Action::CallTool, &other)
    );
}

#[test]
fn policy_sees_who_asks_and_how() {
    let world = whole(
        r#"permit(principal, action == Action::"elicit", resource)
           when { context.elicit_mode == "url" && context.asked_by == "pay" && resource.tool_name == "files" };"#,
    );
    let (anonymous, arguments) = (Principal::anonymous(), json("{}"));
    let decide = |mode: &str, by: &str| {
        let mut facts = world.about(&anonymous, (Action::Elicit, "files"), &arguments);
        (facts.elicit_mode, facts.asked_by) = (mode, by);
        world.engine.decide(&facts).is_permit()
    };
    assert!(decide("url", "pay"));
    assert!(!decide("form", "pay"));
    assert!(!decide("url", "read"));
    assert!(!decide("", ""));
}

#[test]
fn a_stranger_is_judged_like_anybody() {
    let policies = "permit(principal == Agent::\"zed\", action == Action::\"read_resource\", resource);
         permit(principal, action == Action::\"elicit\", resource) when { principal has team && principal.team == \"ops\" };";
    let team = AttributeValue::String("care".to_owned());
    let known = [principal("bob", &[("team", team)])];
    let world = load(policies, catalog_of(document()), &known, Compat::Off).unwrap();
    let arguments = json("{}");
    let ops = AttributeValue::String("ops".to_owned());
    for (who, reads, asked) in [
        (principal("zed", &[]), true, false),
        (principal("zed", &[("team", ops)]), true, true),
        (Principal::anonymous(), false, false),
    ] {
        for uri in ["notes://all", "notes://a/text"] {
            let facts = world.about(&who, (Action::ReadResource, uri), &arguments);
            assert_eq!(
                world.engine.decide(&facts).is_permit(),
                reads,
                "{}",
                who.name
            );
        }
        let facts = world.about(&who, (Action::Elicit, "files"), &arguments);
        assert_eq!(
            world.engine.decide(&facts).is_permit(),
            asked,
            "{}",
            who.name
        );
        let server = &world.catalog.servers()[0];
        assert_eq!(world.engine.may(&who, Action::Elicit, server), asked);
    }
}

#[test]
fn labels_of_what_is_passed_on_reach_the_policies_of_every_action() {
    let policies = format!(
        "{ALL} permit(principal, action == Action::\"elicit\", resource);
         forbid(principal, action, resource) when {{ context.labels.contains(\"secret\") }};"
    );
    let world = whole(&policies);
    let (anonymous, arguments) = (Principal::anonymous(), json("{}"));
    for (action, target) in [
        (Action::ReadResource, "notes://a/text"),
        (Action::GetPrompt, "greet"),
        (Action::Elicit, "files"),
    ] {
        for (label, expected) in [("email", true), ("secret", false)] {
            let labels = BTreeSet::from([label.to_owned()]);
            let mut facts = world.about(&anonymous, (action, target), &arguments);
            facts.phase = Phase::Egress {
                response_size_bytes: 3,
                labels: &labels,
            };
            assert_eq!(
                world.engine.decide(&facts).is_permit(),
                expected,
                "{action}"
            );
        }
    }
}

#[test]
fn what_was_made_for_strangers_is_bounded_and_right() {
    let policies =
        "permit(principal, action, resource) when { principal has level && principal.level > 500 };
        forbid(principal == Agent::\"s700\", action, resource);
        forbid(principal, action in Action::\"call_tool\", resource == Resource::\"pay\");
        permit(principal, action == Action::\"pay\", resource);";
    let known = [principal("s0", &[("level", AttributeValue::Long(0))])];
    let world = load(policies, catalog_of(document()), &known, Compat::Off).unwrap();
    for round in 0..2 {
        for n in 1..1_000_i64 {
            let who = principal(&format!("s{n}"), &[("level", AttributeValue::Long(n))]);
            let permitted = world.decide_as(&who, "read", "{}").is_permit();
            assert_eq!(permitted, n > 500 && n != 700, "s{n} in round {round}");
            // A tool's own action is in the general one for strangers too.
            assert!(!world.decide_as(&who, "pay", "{}").is_permit());
        }
    }
    // Another token of the same name is somebody else.
    let low = principal("s999", &[("level", AttributeValue::Long(1))]);
    assert!(!world.decide_as(&low, "read", "{}").is_permit());
}

#[test]
fn a_permit_that_speaks_of_what_servers_ask_only_in_its_conditions_is_warned_of() {
    let world = whole(
        "permit(principal, action, resource) when { action == Action::\"sample\" };
         forbid(principal, action, resource) when { action == Action::\"elicit\" };",
    );
    assert_eq!(
        told(&world.warnings),
        "`p.cedar`, line 1, policy `p.cedar:0`: it permits no `sample`, for its scope does not name that: write `action == Action::\"sample\"` there"
    );
}
