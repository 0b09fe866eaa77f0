use std::sync::Arc;

use cmcp_evidence::Sha256Digest;
use cmcp_json::{CanonError, Form, Object, Value, canonical};

use super::{CatalogErrorKind, ItemKind, Template, document::Approval, name};
use crate::{
    path::JsonPath,
    schema_check::{Bare, Schema, SchemaError, SchemaViolation, ViolatedRule},
    sensitivity::Sensitivity,
};

/// A tool, resource, template or prompt as a person approved it.
#[derive(Clone, Debug)]
pub struct Approved {
    /// What it is.
    pub kind: ItemKind,
    /// The name callers use, fixed when the catalog was loaded; of a resource its URI, of a template
    /// the template.
    pub name: String,
    /// The name its server uses: another one than [`Approved::name`] for tools and prompts alone.
    pub upstream_name: String,
    /// Which of the catalog's servers offers it.
    pub server: usize,
    /// The definition as received from the server, or built from a 0.7.1 entry.
    pub definition: Value,
    /// The digest of the definition, in this entry's way: see [`Approved::offered_digest`].
    pub digest: Sha256Digest,
    /// What a person confirmed about its effects.
    pub effect: Effect,
    /// The least sensitivity of what it returns.
    pub sensitivity: Sensitivity,
    /// The compliance domain its server belongs to.
    pub compliance_domain: String,
    /// Whether a business associate agreement covers its server.
    pub baa: Baa,
    /// What is taken out of its results.
    pub redact: Vec<JsonPath>,
    /// Who approved it, and when.
    pub approval: Approval,
    pub(super) checks: Checks,
    pub(super) origin: Origin,
}

/// What a person confirmed about an item's effects; a server's own hints never count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It may change something, or nobody said that it does not.
    Writes,
}

/// Whether a business associate agreement covers a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Baa {
    /// It does.
    Covered,
    /// It does not, or nobody said so.
    NotCovered,
}

/// Which kind of entry approves an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// An entry of a 0.7.1 array.
    Array,
    /// The same, marked there as an exception.
    ArrayException,
    /// An entry of our document.
    Document,
    /// An operator, at run time; there is no approved definition.
    Exception,
}

/// What was compiled from the definition.
#[derive(Clone, Debug)]
pub(super) enum Checks {
    /// The schemas of a tool.
    Tool {
        arguments: Arc<Schema>,
        output: Option<Arc<Schema>>,
    },
    /// The arguments of a prompt, as a schema.
    Prompt {
        written: Arc<Value>,
        arguments: Arc<Schema>,
    },
    /// A template.
    Template(Arc<Template>),
    /// A resource that is listed.
    Resource,
}

impl Checks {
    /// Arguments of a prompt: strings, those that are declared and no others.
    pub(super) fn prompt<'n>(
        declared: impl Iterator<Item = (&'n str, bool)>,
    ) -> Result<Self, SchemaError> {
        let string = || Value::from(Object::from([("type", "string")]));
        let mut properties = Object::new();
        let mut required = Vec::new();
        for (name, is_required) in declared {
            properties.insert(name, string());
            required.extend(is_required.then(|| Value::from(name)));
        }
        Self::prompt_of(Object::from([
            ("type", Value::from("object")),
            ("properties", properties.into()),
            ("required", Value::Array(required)),
            ("additionalProperties", Value::from(false)),
        ]))
    }

    fn prompt_of(schema: Object) -> Result<Self, SchemaError> {
        let written = Value::from(schema);
        Ok(Self::Prompt {
            arguments: Arc::new(Schema::compile(&written, Bare::Closed)?),
            written: Arc::new(written),
        })
    }
}

/// Why a definition that a server offers has no digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OfferError {
    /// It has no canonical form.
    #[error("the offered definition has no canonical form: {0}")]
    Canonical(#[from] CanonError),
    /// Its `description` is not a string.
    #[error("the offered definition's `description` is {0}, not a string")]
    Description(&'static str),
}

/// A place where an offered definition differs from the approved one; never what is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offered {
    /// The place, as a JSON Pointer into the definition.
    pub pointer: String,
    /// How it differs: `added`, `changed` or `removed`.
    pub change: &'static str,
}

impl Approved {
    /// Whether a person confirmed that it only reads.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.effect == Effect::Reads
    }

    /// Whether a business associate agreement covers its server.
    #[must_use]
    pub fn baa_covered(&self) -> bool {
        self.baa == Baa::Covered
    }

    /// Whether it is an exception from approval rather than approved.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        matches!(self.origin, Origin::ArrayException | Origin::Exception)
    }

    /// The approved schema of a tool's arguments.
    #[must_use]
    pub fn input_schema(&self) -> Option<&Value> {
        self.of_tool("inputSchema")
    }

    /// The approved schema of a tool's structured output.
    #[must_use]
    pub fn output_schema(&self) -> Option<&Value> {
        self.of_tool("outputSchema")
            .filter(|schema| !schema.is_null())
    }

    fn of_tool(&self, member: &str) -> Option<&Value> {
        self.definition
            .get(member)
            .filter(|_| self.kind == ItemKind::Tool)
    }

    /// What policy types the arguments by: a tool's input schema, or what a prompt declares.
    pub(crate) fn argument_schema(&self) -> Option<&Value> {
        match &self.checks {
            Checks::Prompt { written, .. } => Some(written),
            Checks::Tool { .. } | Checks::Template(_) | Checks::Resource => self.input_schema(),
        }
    }

    /// The template whose URIs this entry approves.
    #[must_use]
    pub fn template(&self) -> Option<&Template> {
        match &self.checks {
            Checks::Template(template) => Some(template),
            Checks::Tool { .. } | Checks::Prompt { .. } | Checks::Resource => None,
        }
    }

    /// Whether a URI is this resource's own, or one of this template's.
    #[must_use]
    pub fn covers(&self, uri: &str) -> bool {
        match &self.checks {
            Checks::Template(template) => template.matches(uri),
            Checks::Resource => self.name == uri,
            Checks::Tool { .. } | Checks::Prompt { .. } => false,
        }
    }

    /// Whether callers were shown an output schema, so that a result without structured output breaks
    /// a promise. What an array of 0.7.1 approves was never shown.
    #[must_use]
    pub fn promises_structure(&self) -> bool {
        self.origin == Origin::Document && self.output_schema().is_some()
    }

    /// Holds arguments against the approved definition: a tool's input schema, or the strings that a
    /// prompt declares. What it does not declare is refused; resources take none.
    ///
    /// # Errors
    ///
    /// The first place where they differ.
    pub fn check_arguments(&self, arguments: &Value) -> Result<(), SchemaViolation> {
        match arguments {
            Value::Object(members) => match &self.checks {
                Checks::Tool {
                    arguments: ours, ..
                }
                | Checks::Prompt {
                    arguments: ours, ..
                } => ours.check(arguments),
                Checks::Template(_) | Checks::Resource if members.is_empty() => Ok(()),
                Checks::Template(_) | Checks::Resource => Err(SchemaViolation {
                    rule: ViolatedRule::Undeclared(String::new()),
                    instance: String::new(),
                }),
            },
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(SchemaViolation::not_an_object()),
        }
    }

    /// Holds structured output against the approved schema, where there is one.
    ///
    /// # Errors
    ///
    /// The first place where it differs.
    pub fn check_output(&self, structured: &Value) -> Result<(), SchemaViolation> {
        match &self.checks {
            Checks::Tool {
                output: Some(schema),
                ..
            } => schema.check(structured),
            Checks::Tool { output: None, .. }
            | Checks::Prompt { .. }
            | Checks::Template(_)
            | Checks::Resource => Ok(()),
        }
    }

    /// The digest of a definition as its server offers it now, taken the way [`Approved::digest`]
    /// was: over every member for entries of our document, over description and schemas for those of
    /// a 0.7.1 array. Drift is any difference between the two.
    ///
    /// # Errors
    ///
    /// A definition that has no digest; it differs from any that was approved.
    pub fn offered_digest(&self, offered: &Value) -> Result<Sha256Digest, OfferError> {
        match self.origin {
            Origin::Document => Ok(definition_digest(offered)?),
            Origin::Array | Origin::ArrayException => drift_digest(offered),
            Origin::Exception => Ok(self.digest),
        }
    }

    /// Where an offered definition differs from the approved one: at most 64 places.
    #[must_use]
    pub fn differences(&self, offered: &Value) -> Vec<Offered> {
        let mut places = Vec::new();
        differ("", &self.definition, offered, &mut places);
        places
    }

    /// What a list of its kind shows: the approved definition under the exposed name. An entry of a
    /// 0.7.1 array shows what 0.7.1 showed.
    #[must_use]
    pub fn listing(&self) -> Value {
        let mut shown = self.definition.clone();
        if let Some(definition) = shown.as_object_mut() {
            definition.insert(self.kind.identity(), self.name.as_str());
            match self.origin {
                Origin::Array | Origin::ArrayException => {
                    definition.remove("outputSchema");
                }
                Origin::Document | Origin::Exception => {}
            }
        }
        shown
    }

    /// What an operator lets through without an approved definition. `name` is a legal one of its
    /// kind.
    pub(super) fn exception(
        (kind, name): (ItemKind, &str),
        server: usize,
        approval: &Approval,
    ) -> Result<Self, CatalogErrorKind> {
        let anything = || Value::from(Object::from([("type", "object")]));
        let mut definition = Object::from([
            ("name", Value::from(name)),
            ("description", Value::from(UNAPPROVED)),
        ]);
        let checks = match kind {
            ItemKind::Tool => {
                definition.insert("inputSchema", anything());
                Checks::Tool {
                    arguments: Arc::new(Schema::any()),
                    output: None,
                }
            }
            ItemKind::Prompt => Checks::prompt_of(Object::from([
                ("type", Value::from("object")),
                (
                    "additionalProperties",
                    Object::from([("type", "string")]).into(),
                ),
            ]))
            .map_err(|error| CatalogErrorKind::Schema {
                which: "arguments",
                error,
            })?,
            ItemKind::Resource => Checks::Resource,
            ItemKind::ResourceTemplate => Checks::Template(Arc::new(name::template(name)?)),
        };
        definition.insert(kind.identity(), name);
        Ok(Self {
            kind,
            name: name.to_owned(),
            upstream_name: name.to_owned(),
            server,
            digest: Sha256Digest::of(b"cmcp/definition/none\0"),
            definition: definition.into(),
            effect: Effect::Writes,
            sensitivity: Sensitivity::public(),
            compliance_domain: "external".to_owned(),
            baa: Baa::NotCovered,
            redact: Vec::new(),
            approval: approval.clone(),
            checks,
            origin: Origin::Exception,
        })
    }
}

/// The digest over every member of a definition, as received.
pub(super) fn definition_digest(definition: &Value) -> Result<Sha256Digest, CanonError> {
    let canonical = canonical(definition, Form::Verbatim)?;
    Ok(Sha256Digest::of_parts(&[
        b"cmcp/definition/v1\0",
        &canonical,
    ]))
}

/// The digest that the Python cMCP 0.7.1 compares: description and schemas, whichever of the two
/// spellings of their names the server uses.
pub(super) fn drift_digest(offered: &Value) -> Result<Sha256Digest, OfferError> {
    let description = match offered.get("description") {
        None => "",
        Some(Value::String(description)) => description,
        Some(other) => return Err(OfferError::Description(other.kind())),
    };
    let schema = |camel: &str, snake: &str| {
        let schema = offered.get(camel).or_else(|| offered.get(snake));
        schema
            .filter(|schema| schema.as_object().is_some())
            .cloned()
    };
    let triple = Object::from([
        ("description", Value::from(description)),
        (
            "input_schema",
            schema("inputSchema", "input_schema").unwrap_or_else(|| Object::new().into()),
        ),
        (
            "output_schema",
            schema("outputSchema", "output_schema").unwrap_or(Value::Null),
        ),
    ]);
    Ok(Sha256Digest::of(&canonical(&triple.into(), Form::Pyj)?))
}

fn differ(pointer: &str, approved: &Value, offered: &Value, places: &mut Vec<Offered>) {
    if places.len() >= 64 {
        return;
    }
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match (approved, offered) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours.iter() {
                match theirs.get(name) {
                    Some(other) => differ(&below(name), value, other, places),
                    None => places.push(Offered {
                        pointer: below(name),
                        change: "removed",
                    }),
                }
            }
            for name in theirs.keys().filter(|name| !ours.contains_key(name)) {
                places.push(Offered {
                    pointer: below(name),
                    change: "added",
                });
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (value, other)) in ours.iter().zip(theirs).enumerate() {
                differ(&format!("{pointer}/{index}"), value, other, places);
            }
        }
        (ours, theirs) => {
            if ours != theirs {
                places.push(Offered {
                    pointer: pointer.to_owned(),
                    change: "changed",
                });
            }
        }
    }
}

const UNAPPROVED: &str = "Allowed by an operator for now; its definition was not approved.";
