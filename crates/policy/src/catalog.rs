//! The tools that a person approved: which server offers them, what exactly was approved, and what
//! the rest of the gateway may assume about them.
//!
//! Two documents are read: our own (an object, `"cmcp_catalog": 1`) and the array of the Python
//! cMCP. Everything that can be wrong with one is reported at once.

mod approved;
mod array;
mod document;
mod error;
mod name;
mod reader;
mod server;

use std::{collections::HashMap, sync::Arc};

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Limits, Value, parse};

pub use self::{
    approved::{Approved, Baa, Effect, OfferError, Offered},
    document::{Approval, Document, Tool},
    error::{CatalogError, CatalogErrorKind},
    server::{ServerSpec, TlsPin, Transport},
};
use crate::{Compat, sensitivity::Vocabulary};

/// An approved catalog, checked as a whole.
#[derive(Clone, Debug)]
pub struct Catalog {
    hash: Sha256Digest,
    servers: Vec<ServerSpec>,
    tools: Vec<Approved>,
    by_name: HashMap<String, usize>,
    document: Arc<Value>,
}

impl Catalog {
    /// Reads a catalog of either form.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place and what to do about it.
    pub fn parse(
        bytes: &[u8],
        vocabulary: &Vocabulary,
        compat: Compat,
    ) -> Result<Self, Vec<CatalogError>> {
        let document = parse(bytes, &Limits::DOCUMENT).map_err(|error| {
            let kind = CatalogErrorKind::Parse(error.kind);
            vec![CatalogError {
                place: "$".to_owned(),
                line: error.position(bytes).0,
                kind,
            }]
        })?;
        let mut reader = reader::Reader::new(bytes);
        let context = Context { vocabulary, compat };
        let read = match &document {
            Value::Array(entries) => array::read(&mut reader, entries, &context),
            Value::Object(_) => document::read(&mut reader, &document, &context),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let found = document.kind();
                reader.fault(
                    "$",
                    0,
                    CatalogErrorKind::Shape {
                        expected: "an object or an array",
                        found,
                    },
                );
                None
            }
        };
        match read {
            Some(Parts {
                hash,
                servers,
                tools,
            }) if reader.faults.is_empty() => {
                let by_name = index(&tools);
                Ok(Self {
                    hash,
                    servers,
                    tools,
                    by_name,
                    document: Arc::new(document),
                })
            }
            Some(_) | None => Err(reader.faults),
        }
    }

    /// The digest that measurements, records and pins name.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        self.hash
    }

    /// Every approved tool, in the catalog's order.
    #[must_use]
    pub fn tools(&self) -> &[Approved] {
        &self.tools
    }

    /// The tool that callers know by exactly that name, byte for byte.
    #[must_use]
    pub fn tool(&self, exposed_name: &str) -> Option<&Approved> {
        self.tools.get(*self.by_name.get(exposed_name)?)
    }

    /// Every server, in the catalog's order; [`Approved::server`] is an index into these.
    #[must_use]
    pub fn servers(&self) -> &[ServerSpec] {
        &self.servers
    }

    /// The server of a tool of this catalog.
    #[must_use]
    pub fn server_of(&self, tool: &Approved) -> Option<&ServerSpec> {
        self.servers.get(tool.server)
    }

    /// The document as it was read, whichever form it had.
    #[must_use]
    pub fn as_read(&self) -> &Value {
        &self.document
    }

    /// This catalog in our own form: what was an array of the Python cMCP becomes a document with
    /// definitions built from it.
    #[must_use]
    pub fn to_document(&self) -> Document {
        Document {
            servers: self.servers.clone(),
            tools: self
                .tools
                .iter()
                .map(|tool| document::tool_of(tool, &self.servers))
                .collect(),
        }
    }

    /// This catalog with tools that an operator lets through without an approved definition
    /// (break-glass). The hash stays that of the approved catalog; the tools are marked.
    ///
    /// # Errors
    ///
    /// Names that are illegal or taken.
    pub fn with_exception(
        &self,
        server: ServerSpec,
        names: &[String],
        approval: &Approval,
    ) -> Result<Self, Vec<CatalogError>> {
        let mut next = self.clone();
        let mut reader = reader::Reader::new(&[]);
        let at = match next.servers.iter().position(|known| *known == server) {
            Some(at) => at,
            None => {
                next.servers.push(server);
                next.servers.len().saturating_sub(1)
            }
        };
        for (index, name) in names.iter().enumerate() {
            if let Err(kind) = name::legal(name) {
                reader.fault(&format!("tool_names[{index}]"), 0, kind);
            } else {
                next.tools.push(Approved::exception(name, at, approval));
            }
        }
        let names = next
            .tools
            .iter()
            .enumerate()
            .map(|(index, tool)| name::Exposed {
                place: format!("tools[{index}]"),
                offset: 0,
                name: tool.name.clone(),
            });
        name::distinct(&mut reader, &names.collect::<Vec<_>>());
        if !reader.faults.is_empty() {
            return Err(reader.faults);
        }
        next.by_name = index(&next.tools);
        Ok(next)
    }
}

/// What both forms of the document come to.
struct Parts {
    hash: Sha256Digest,
    servers: Vec<ServerSpec>,
    tools: Vec<Approved>,
}

/// What reading a catalog depends on besides its bytes.
struct Context<'a> {
    vocabulary: &'a Vocabulary,
    compat: Compat,
}

fn index(tools: &[Approved]) -> HashMap<String, usize> {
    tools
        .iter()
        .enumerate()
        .map(|(index, tool)| (tool.name.clone(), index))
        .collect()
}

#[cfg(test)]
mod tests;
