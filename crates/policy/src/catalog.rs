//! What a person approved of what servers offer: tools, resources, templates of resources, prompts;
//! which server offers each, what exactly was approved, and what the rest of the gateway may assume
//! about it.
//!
//! Two documents are read: our own (an object, `"cmcp_catalog": 1`) and the array of the Python
//! cMCP. Everything that can be wrong with one is reported at once.

mod approved;
mod array;
mod document;
mod error;
mod item;
mod name;
mod reader;
mod server;
mod template;

use std::{collections::HashMap, sync::Arc};

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Limits, Value, parse};

pub use self::{
    approved::{Approved, Baa, Effect, OfferError, Offered},
    document::{Approval, Document, Tool},
    error::{CatalogError, CatalogErrorKind},
    item::ItemKind,
    server::{ServerSpec, TlsPin, Transport},
    template::{Template, TemplateError},
};
use crate::{Compat, sensitivity::Vocabulary};

/// An approved catalog, checked as a whole.
#[derive(Clone, Debug)]
pub struct Catalog {
    hash: Sha256Digest,
    servers: Vec<ServerSpec>,
    items: Items,
    index: Index,
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
                items,
            }) if reader.faults.is_empty() => Ok(Self {
                hash,
                servers,
                index: Index::of(&items),
                items,
                document: Arc::new(document),
            }),
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
        &self.items.tools
    }

    /// Everything of one kind that is approved, in the catalog's order.
    pub fn items(&self, kind: ItemKind) -> std::slice::Iter<'_, Approved> {
        self.items.of(kind).iter()
    }

    /// Everything that is approved: tools, resources, templates, prompts.
    pub fn all(&self) -> impl Iterator<Item = &Approved> {
        ItemKind::ALL.into_iter().flat_map(|kind| self.items(kind))
    }

    /// The tool that callers know by exactly that name, byte for byte.
    #[must_use]
    pub fn tool(&self, exposed_name: &str) -> Option<&Approved> {
        self.items.tools.get(*self.index.tools.get(exposed_name)?)
    }

    /// The prompt that callers know by exactly that name, byte for byte.
    #[must_use]
    pub fn prompt(&self, exposed_name: &str) -> Option<&Approved> {
        let at = self.index.prompts.get(exposed_name)?;
        self.items.prompts.get(*at)
    }

    /// What approves the reading of a URI: the resource that lists it, byte for byte, else the one
    /// template that it is of. A URI of two templates has no owner.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<&Approved> {
        self.listed(uri).or_else(|| {
            let mut owners = self.items.templates.iter().filter(|item| item.covers(uri));
            owners.next().filter(|_| owners.next().is_none())
        })
    }

    /// The resource that is listed under exactly that URI.
    #[must_use]
    pub fn listed(&self, uri: &str) -> Option<&Approved> {
        let at = self.index.resources.get(uri)?;
        self.items.resources.get(*at)
    }

    /// The template that is written exactly so.
    #[must_use]
    pub fn template(&self, uri_template: &str) -> Option<&Approved> {
        let at = self.index.templates.get(uri_template)?;
        self.items.templates.get(*at)
    }

    /// Every server, in the catalog's order; [`Approved::server`] is an index into these.
    #[must_use]
    pub fn servers(&self) -> &[ServerSpec] {
        &self.servers
    }

    /// The server of an item of this catalog.
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
        let entries = |kind| {
            let items = self.items(kind);
            items
                .map(|item| document::entry_of(item, &self.servers))
                .collect()
        };
        Document {
            servers: self.servers.clone(),
            tools: entries(ItemKind::Tool),
            resources: entries(ItemKind::Resource),
            resource_templates: entries(ItemKind::ResourceTemplate),
            prompts: entries(ItemKind::Prompt),
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
        self.with_exceptions(server, ItemKind::Tool, names, approval)
    }

    /// The same for items of any kind: names of prompts, URIs of resources, templates.
    ///
    /// # Errors
    ///
    /// Names that are illegal or taken.
    pub fn with_exceptions(
        &self,
        server: ServerSpec,
        kind: ItemKind,
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
            let item = name::legal_of(kind, name)
                .and_then(|()| Approved::exception((kind, name), at, approval));
            match item {
                Ok(item) => next.items.of_mut(kind).push(item),
                Err(fault) => reader.fault(&format!("tool_names[{index}]"), 0, fault),
            }
        }
        let names = next.items(kind).enumerate();
        let names = names.map(|(index, item)| name::Exposed {
            place: format!("{}[{index}]", kind.member()),
            offset: 0,
            name: item.name.clone(),
        });
        let names = names.collect::<Vec<_>>();
        match kind {
            ItemKind::Tool | ItemKind::Prompt => name::distinct(&mut reader, &names),
            ItemKind::Resource | ItemKind::ResourceTemplate => {
                name::owned_once(&mut reader, &names);
            }
        }
        if !reader.faults.is_empty() {
            return Err(reader.faults);
        }
        next.index = Index::of(&next.items);
        Ok(next)
    }
}

/// What is approved, by its kind.
#[derive(Clone, Debug, Default)]
struct Items {
    tools: Vec<Approved>,
    resources: Vec<Approved>,
    templates: Vec<Approved>,
    prompts: Vec<Approved>,
}

impl Items {
    fn of(&self, kind: ItemKind) -> &[Approved] {
        match kind {
            ItemKind::Tool => &self.tools,
            ItemKind::Resource => &self.resources,
            ItemKind::ResourceTemplate => &self.templates,
            ItemKind::Prompt => &self.prompts,
        }
    }

    fn of_mut(&mut self, kind: ItemKind) -> &mut Vec<Approved> {
        match kind {
            ItemKind::Tool => &mut self.tools,
            ItemKind::Resource => &mut self.resources,
            ItemKind::ResourceTemplate => &mut self.templates,
            ItemKind::Prompt => &mut self.prompts,
        }
    }
}

/// Where each item is, by the name that callers use.
#[derive(Clone, Debug)]
struct Index {
    tools: HashMap<String, usize>,
    resources: HashMap<String, usize>,
    templates: HashMap<String, usize>,
    prompts: HashMap<String, usize>,
}

impl Index {
    fn of(items: &Items) -> Self {
        let of = |kind| {
            let items = items.of(kind).iter().enumerate();
            items.map(|(at, item)| (item.name.clone(), at)).collect()
        };
        Self {
            tools: of(ItemKind::Tool),
            resources: of(ItemKind::Resource),
            templates: of(ItemKind::ResourceTemplate),
            prompts: of(ItemKind::Prompt),
        }
    }
}

/// What both forms of the document come to.
struct Parts {
    hash: Sha256Digest,
    servers: Vec<ServerSpec>,
    items: Items,
}

/// What reading a catalog depends on besides its bytes.
struct Context<'a> {
    vocabulary: &'a Vocabulary,
    compat: Compat,
}

#[cfg(test)]
mod tests;
