mod read;
mod servers;
mod write;

use cmcp_evidence::Timestamp;
use cmcp_json::{CanonError, Value};

pub(super) use self::read::{Labels, harmless, read, schema};
use super::{Approved, Baa, Effect, ServerSpec};
use crate::path::JsonPath;

/// Our catalog document, version 1, before it is written or after it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// The servers, in order.
    pub servers: Vec<ServerSpec>,
    /// The tools, in order.
    pub tools: Vec<Tool>,
}

/// One approved tool of the document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tool {
    /// The name of its server.
    pub server: String,
    /// The name callers are to use.
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

/// Who approved a tool, and when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Approval {
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

impl Document {
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

/// The entry of our document for a tool of whichever catalog. It keeps its exposed name.
pub(super) fn tool_of(tool: &Approved, servers: &[ServerSpec]) -> Tool {
    let server = servers
        .get(tool.server)
        .map(|server| server.name.clone())
        .unwrap_or_default();
    let unaliased = super::name::exposed(None, &server, &tool.upstream_name, servers.len());
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
