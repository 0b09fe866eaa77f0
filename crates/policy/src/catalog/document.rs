mod items;
mod read;
mod servers;
mod write;

use cmcp_evidence::Timestamp;
use cmcp_json::{CanonError, Value};

pub(super) use self::read::{Labels, harmless, read, schema};
use super::{Approved, Baa, Effect, ItemKind, ServerSpec};
use crate::path::JsonPath;

/// Our catalog document, version 1, before it is written or after it was read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Document {
    /// The servers, in order.
    pub servers: Vec<ServerSpec>,
    /// The tools, in order.
    pub tools: Vec<Tool>,
    /// The resources, in order.
    pub resources: Vec<Tool>,
    /// The resource templates, in order.
    pub resource_templates: Vec<Tool>,
    /// The prompts, in order.
    pub prompts: Vec<Tool>,
}

/// One approved item of the document: a tool, or one of the others, which are written alike.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tool {
    /// The name of its server.
    pub server: String,
    /// The name callers are to use; resources and templates have none but their own.
    pub alias: Option<String>,
    /// The definition exactly as received.
    pub definition: Value,
    /// What a person confirmed about its effects.
    pub effect: Effect,
    /// The least sensitivity of what it returns.
    pub sensitivity: String,
    /// The compliance domain its server belongs to.
    pub compliance_domain: String,
    /// Whether a business associate agreement covers its server.
    pub baa: Baa,
    /// What is taken out of its results.
    pub redact: Vec<JsonPath>,
    /// Who approved it, and when.
    pub approval: Approval,
}

/// Who approved an item, and when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Approval {
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

impl Document {
    /// The items of one kind, in order.
    #[must_use]
    pub fn items(&self, kind: ItemKind) -> &[Tool] {
        match kind {
            ItemKind::Tool => &self.tools,
            ItemKind::Resource => &self.resources,
            ItemKind::ResourceTemplate => &self.resource_templates,
            ItemKind::Prompt => &self.prompts,
        }
    }

    /// The items of one kind, to be changed.
    pub fn items_mut(&mut self, kind: ItemKind) -> &mut Vec<Tool> {
        match kind {
            ItemKind::Tool => &mut self.tools,
            ItemKind::Resource => &mut self.resources,
            ItemKind::ResourceTemplate => &mut self.resource_templates,
            ItemKind::Prompt => &mut self.prompts,
        }
    }

    /// The document as JSON, with the digest of every definition; nobody computes one by hand.
    ///
    /// # Errors
    ///
    /// A definition that has no canonical form.
    pub fn to_value(&self) -> Result<Value, CanonError> {
        write::value(self)
    }

    /// The document as text for people: indented, one member per line.
    ///
    /// # Errors
    ///
    /// A definition that has no canonical form.
    pub fn to_text(&self) -> Result<String, CanonError> {
        self.to_value().map(|value| write::text(&value))
    }
}

/// The entry of our document for an item of whichever catalog. It keeps its exposed name.
pub(super) fn entry_of(tool: &Approved, servers: &[ServerSpec]) -> Tool {
    let server = servers
        .get(tool.server)
        .map(|server| server.name.clone())
        .unwrap_or_default();
    let unaliased = match tool.kind {
        ItemKind::Tool | ItemKind::Prompt => {
            super::name::exposed(None, &server, &tool.upstream_name, servers.len())
        }
        ItemKind::Resource | ItemKind::ResourceTemplate => tool.name.clone(),
    };
    Tool {
        alias: Some(tool.name.clone()).filter(|name| *name != unaliased),
        server,
        definition: tool.definition.clone(),
        effect: tool.effect,
        sensitivity: tool.sensitivity.name().to_owned(),
        compliance_domain: tool.compliance_domain.clone(),
        baa: tool.baa,
        redact: tool.redact.clone(),
        approval: tool.approval.clone(),
    }
}
