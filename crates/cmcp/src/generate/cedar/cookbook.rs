//! Policies to copy, with calls and what becomes of them. A test asks the engine about each.

mod recipes;

use std::fmt::Write;

use cmcp_policy::catalog::{Effect, ItemKind};

pub(crate) use recipes::RECIPES;

/// A policy that answers one wish.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) cases: &'static [Case],
}

/// A call, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) call: Call,
    pub(crate) given: &'static [Given],
    pub(crate) answer: Answer,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// A tool is called with these arguments.
    Tool(&'static str, &'static str),
    /// A server's resources are listed.
    List(&'static str),
    /// A resource is read.
    Read(&'static str),
    /// A prompt is got with these arguments.
    Prompt(&'static str, &'static str),
    /// An argument of a prompt is completed.
    Complete(&'static str, &'static str),
    /// A server asks a person while that is called, by a form or a link.
    Elicit(&'static str, &'static str, &'static str),
}

/// What else is so.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    /// Who calls, where it is not `anonymous`.
    Caller(&'static str),
    /// The session has had a response with the marks of an injection.
    Injected,
    /// The question is about a response of that size, with these labels.
    Response(u64, &'static [&'static str]),
    /// The session has seen that label.
    Seen(&'static str),
    /// What the caller says it works on.
    Workflow(&'static str),
}

/// What policy says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// No, by these policies; by none where nothing permits.
    Denied(&'static [&'static str]),
    /// Yes, by these policies.
    Permitted(&'static [&'static str]),
    /// Yes, without what is at these paths.
    Redacted(&'static [&'static str], &'static [&'static str]),
    /// No, and a person could say yes.
    StepUp(&'static [&'static str]),
}

/// A tool of the cookbook's catalog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) server: &'static str,
    pub(crate) effect: Effect,
    pub(crate) sensitivity: &'static str,
    pub(crate) domain: &'static str,
    /// Name and JSON type of each.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

pub(crate) const TOOLS: [Sample; 5] = [
    Sample {
        name: "list_orders",
        server: "shop",
        effect: READS,
        sensitivity: "public",
        domain: "internal",
        parameters: &[("customer_id", "string"), ("limit", "integer")],
    },
    Sample {
        name: "refund_order",
        server: "shop",
        effect: WRITES,
        sensitivity: "public",
        domain: "internal",
        parameters: &[("order_id", "string"), ("amount", "integer")],
    },
    Sample {
        name: "lookup_customer",
        server: "shop",
        effect: WRITES,
        sensitivity: "pii",
        domain: "internal",
        parameters: &[("customer_id", "string")],
    },
    Sample {
        name: "send_mail",
        server: "mail",
        effect: WRITES,
        sensitivity: "public",
        domain: "external",
        parameters: &[
            ("to", "string"),
            ("text", "string"),
            ("attachment", "object"),
        ],
    },
    Sample {
        name: "search_web",
        server: "web",
        effect: READS,
        sensitivity: "public",
        domain: "external",
        parameters: &[("query", "string")],
    },
];

/// What the cookbook's catalog has beside tools.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Other {
    pub(crate) kind: ItemKind,
    /// Its URI, its template or its name.
    pub(crate) name: &'static str,
    pub(crate) server: &'static str,
    pub(crate) sensitivity: &'static str,
    pub(crate) domain: &'static str,
    /// Of a prompt.
    pub(crate) arguments: &'static [&'static str],
}

pub(crate) const OTHERS: [Other; 4] = [
    Other {
        kind: ItemKind::Resource,
        name: "handbook://travel",
        server: "shop",
        sensitivity: "public",
        domain: "internal",
        arguments: &[],
    },
    Other {
        kind: ItemKind::Resource,
        name: "news://today",
        server: "web",
        sensitivity: "public",
        domain: "external",
        arguments: &[],
    },
    Other {
        kind: ItemKind::ResourceTemplate,
        name: "orders://{id}/invoice",
        server: "shop",
        sensitivity: "pii",
        domain: "internal",
        arguments: &[],
    },
    Other {
        kind: ItemKind::Prompt,
        name: "draft_reply",
        server: "mail",
        sensitivity: "public",
        domain: "external",
        arguments: &["customer", "tone"],
    },
];

/// Callers and their roles.
pub(crate) const CALLERS: [(&str, &str); 2] = [("helpdesk", "support"), ("nightly", "batch")];

/// What the cookbook adds to the built-in sensitivity labels.
pub(crate) const LABEL: (&str, u32) = ("contract", 2);

const READS: Effect = Effect::Reads;
const WRITES: Effect = Effect::Writes;

pub(crate) fn tools() -> String {
    let mut table =
        "| tool | server | confirmed as only reading | sensitivity | domain | parameters |\n\
                     |---|---|---|---|---|---|\n"
            .to_owned();
    for tool in TOOLS {
        let reads = if tool.effect == READS { "yes" } else { "no" };
        let parameters = tool.parameters.iter();
        let parameters = parameters.map(|(name, ty)| format!("`{name}` {ty}"));
        let _infallible = writeln!(
            table,
            "| `{}` | `{}` | {reads} | `{}` | `{}` | {} |",
            tool.name,
            tool.server,
            tool.sensitivity,
            tool.domain,
            parameters.collect::<Vec<_>>().join(", ")
        );
    }
    table
}

pub(crate) fn others() -> String {
    let mut table =
        "| | server | sensitivity | domain | arguments |\n|---|---|---|---|---|\n".to_owned();
    for other in OTHERS {
        let arguments = other.arguments.iter().map(|name| format!("`{name}`"));
        let _infallible = writeln!(
            table,
            "| {} `{}` | `{}` | `{}` | `{}` | {} |",
            other.kind,
            other.name,
            other.server,
            other.sensitivity,
            other.domain,
            arguments.collect::<Vec<_>>().join(", ")
        );
    }
    table
}

pub(crate) fn configuration() -> String {
    let (label, rank) = LABEL;
    let mut text =
        format!("```yaml\nsensitivity:\n  vocabulary: {{{label}: {rank}}}\nprincipals:\n");
    for (name, role) in CALLERS {
        let _infallible = write!(
            text,
            "  - name: {name}\n    token_sha256: \"…\"\n    attributes: {{role: {role}}}\n"
        );
    }
    text.push_str("```\n");
    text
}

pub(crate) fn recipes() -> String {
    let mut text = String::new();
    for (
        number,
        Recipe {
            title,
            text: said,
            policy,
            cases,
        },
    ) in (1..).zip(RECIPES)
    {
        let policy = policy.trim();
        let _infallible = write!(
            text,
            "### {number}. {title}\n\n{said}\n\n```cedar\n{policy}\n```\n\n\
             | call | given | |\n|---|---|---|\n"
        );
        for case in cases {
            let _infallible = writeln!(
                text,
                "| {} | {} | {} |",
                case.call.told(),
                case.circumstances(),
                case.answer.told()
            );
        }
        text.push('\n');
    }
    text
}

impl Call {
    fn told(&self) -> String {
        match self {
            Self::Tool(name, arguments) => format!("`{name} {arguments}`"),
            Self::List(server) => format!("the resources of `{server}` are listed"),
            Self::Read(uri) => format!("`{uri}` is read"),
            Self::Prompt(name, arguments) => format!("prompt `{name} {arguments}`"),
            Self::Complete(name, arguments) => format!("`complete` of `{name}`: `{arguments}`"),
            Self::Elicit(server, by, mode) => {
                format!("`{server}` asks a person, by a {mode}, during `{by}`")
            }
        }
    }
}

impl Case {
    fn circumstances(&self) -> String {
        let told = self.given.iter().map(|given| match given {
            Given::Caller(name) => format!("caller `{name}`"),
            Given::Injected => "an earlier response was labelled `suspicious`".to_owned(),
            Given::Response(bytes, []) => format!("its response has {bytes} bytes"),
            Given::Response(bytes, labels) => {
                let labels = labels.join("`, `");
                format!("its response has {bytes} bytes and the label `{labels}`")
            }
            Given::Seen(label) => format!("the session has seen `{label}`"),
            Given::Workflow(name) => format!("workflow `{name}`"),
        });
        match told.collect::<Vec<_>>().join("; ") {
            nothing if nothing.is_empty() => "–".to_owned(),
            told => told,
        }
    }
}

impl Answer {
    fn told(&self) -> String {
        let by = |ids: &[&str]| format!("`{}`", ids.join("`, `"));
        match self {
            Self::Denied([]) => "denied: nothing permits it".to_owned(),
            Self::Denied(ids) => format!("denied by {}", by(ids)),
            Self::Permitted(ids) => format!("permitted by {}", by(ids)),
            Self::Redacted(ids, paths) => {
                format!("permitted by {}, without {}", by(ids), by(paths))
            }
            Self::StepUp(ids) => format!("denied by {}, `step_up`", by(ids)),
        }
    }
}
