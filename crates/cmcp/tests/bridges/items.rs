//! What servers offer, and the gateway before them with a catalog that approves it.

use cmcp_json::Value;
use cmcp_policy::{
    catalog::{Approval, Baa, Document, Effect, ServerSpec, TlsPin, Tool as Entry, Transport},
    path::JsonPath,
};

use crate::{
    support::{Gateway, Setup, json},
    upstream::Upstream,
};

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tool,
    Resource,
    Template,
    Prompt,
}

/// One item: what its server offers, and what the catalog says of it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) definition: Value,
    effect: Effect,
    sensitivity: &'static str,
    redact: Vec<JsonPath>,
}

impl Kind {
    /// The member of a listing.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::Template => "resourceTemplates",
            Self::Prompt => "prompts",
        }
    }
}

impl Item {
    pub(crate) fn new(kind: Kind, definition: &str) -> Self {
        Self {
            kind,
            definition: json(definition),
            effect: Effect::Reads,
            sensitivity: "public",
            redact: Vec::new(),
        }
    }

    /// A tool that takes one text.
    pub(crate) fn tool(name: &str) -> Self {
        Self::new(
            Kind::Tool,
            &format!(
                r#"{{"name":"{name}","description":"Does something.","inputSchema":{{"type":"object","properties":{{"text":{{"type":"string"}}}},"additionalProperties":false}}}}"#
            ),
        )
    }

    pub(crate) fn resource(uri: &str) -> Self {
        Self::new(
            Kind::Resource,
            &format!(r#"{{"uri":"{uri}","name":"a document","mimeType":"text/plain"}}"#),
        )
    }

    pub(crate) fn template(template: &str) -> Self {
        Self::new(
            Kind::Template,
            &format!(r#"{{"uriTemplate":"{template}","name":"documents"}}"#),
        )
    }

    /// A prompt with one required argument, `to`.
    pub(crate) fn prompt(name: &str) -> Self {
        Self::new(
            Kind::Prompt,
            &format!(
                r#"{{"name":"{name}","description":"A text.","arguments":[{{"name":"to","required":true}},{{"name":"tone"}}]}}"#
            ),
        )
    }

    /// The same with one member of the definition replaced or added.
    pub(crate) fn with(mut self, member: &str, value: &str) -> Self {
        let definition = self.definition.as_object_mut().unwrap();
        definition.insert(member, json(value));
        self
    }

    pub(crate) fn labelled(self, sensitivity: &'static str) -> Self {
        Self {
            sensitivity,
            ..self
        }
    }

    pub(crate) fn redacting(mut self, path: &str) -> Self {
        self.redact.push(path.parse().unwrap());
        self
    }

    fn entry(&self, server: &str) -> Entry {
        Entry {
            server: server.to_owned(),
            alias: None,
            definition: self.definition.clone(),
            effect: self.effect,
            sensitivity: self.sensitivity.to_owned(),
            compliance_domain: "external".to_owned(),
            baa: Baa::NotCovered,
            redact: self.redact.clone(),
            approval: Approval::default(),
        }
    }
}

/// A gateway before these servers, with all that each offers now approved.
pub(crate) fn before(upstreams: &[(&str, &Upstream)]) -> Setup {
    let approved: Vec<_> = upstreams
        .iter()
        .map(|(name, upstream)| (http(name, &upstream.url), upstream.items()))
        .collect();
    approving(&approved)
}

/// A gateway before these servers, with these items approved.
pub(crate) fn approving(approved: &[(ServerSpec, Vec<Item>)]) -> Setup {
    let mut document = Document::default();
    for (server, items) in approved {
        document.servers.push(server.clone());
        for item in items {
            let list = match item.kind {
                Kind::Tool => &mut document.tools,
                Kind::Resource => &mut document.resources,
                Kind::Template => &mut document.resource_templates,
                Kind::Prompt => &mut document.prompts,
            };
            list.push(item.entry(&server.name));
        }
    }
    Setup::empty()
        .catalog(&document.to_text().unwrap())
        .policy(ALL)
}

pub(crate) fn http(name: &str, url: &str) -> ServerSpec {
    ServerSpec {
        name: name.to_owned(),
        display_name: None,
        transport: Transport::Http {
            url: url.to_owned(),
            pin: TlsPin::WebPki,
        },
    }
}

/// A server with the usual items, and the gateway before it.
pub(crate) fn usual(era: crate::upstream::Era) -> (Upstream, Setup) {
    let upstream = Upstream::start(era, &[Item::tool("echo"), Item::tool("work")]);
    let setup = before(&[("up", &upstream)]);
    (upstream, setup)
}

/// The same, started.
pub(crate) fn started(era: crate::upstream::Era, policy: &str) -> (Upstream, Gateway) {
    let (upstream, setup) = usual(era);
    (upstream, setup.policy(policy).start())
}

/// Everything a client asks for is permitted, and nothing that a server asks.
pub(crate) const ALL: &str = r#"@id("all") permit(principal, action, resource);"#;
/// What servers ask is permitted too.
pub(crate) const ASKS: &str = r#"
@id("all") permit(principal, action, resource);
@id("asks") permit(principal, action in [Action::"sample", Action::"elicit", Action::"list_roots"], resource);
"#;
