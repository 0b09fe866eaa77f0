//! Approved JSON Schemas, compiled once, and values held against them.
//!
//! The draft is the schema's own (`$schema`), 2020-12 when it names none. No reference leaves the
//! document, `pattern` is matched in linear time, and one check costs at most a fixed multiple of
//! the value's size: a schema is written by the server that is being governed.
//!
//! # What a schema does not declare
//!
//! JSON Schema lets every object have more members than it declares, and few servers say otherwise.
//! Here the rule is the reverse. An object has only what its schema declares,
//!
//! - unless the schema speaks for itself: where `additionalProperties` or `unevaluatedProperties`
//!   stands, it counts as it stands;
//! - unless, below the root, it declares no property at all: `{"type": "object"}` as the schema of
//!   an argument is how servers write "any object" (a filter, a payload, a map of labels).
//!
//! The root of the *arguments* is closed even when it declares nothing, for a tool without declared
//! parameters takes none ([`Bare::Closed`]); the root of an *output* schema follows the rule for
//! places below the root ([`Bare::Open`]).
//!
//! "Declares" looks through `$ref`, `allOf`, `anyOf`, `oneOf`, `then`, `else` and
//! `dependentSchemas`. From draft 2019-09 on, a property that only a failing branch declares is
//! refused; before it, JSON Schema cannot tell, and a property that any branch declares is taken.

mod bounds;
mod close;
mod draft;
mod keyword;
mod view;

use std::fmt;

use cmcp_json::Value;
use jsonschema::{PatternOptions, Validator};

pub use self::bounds::SchemaError;
use self::{
    draft::Dialect,
    view::{Budget, Node, View},
};

/// An approved schema, ready to hold values against.
pub struct Schema {
    /// As approved when closing it could let something through (`not`, `oneOf`, …), then closed.
    validators: Vec<Validator<View>>,
}

/// What the root of a schema means when it declares no property.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bare {
    /// There are none.
    Closed,
    /// There may be any.
    Open,
}

/// A value that does not satisfy its approved schema.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{rule}")]
pub struct SchemaViolation {
    /// Which rule of the approved schema. It holds nothing of the value, so it may be logged.
    pub rule: ViolatedRule,
    /// Where in the value, as a JSON Pointer. It may hold names that only the value has: for the
    /// one who sent the value, never for a log.
    pub instance: String,
}

/// Which rule a value breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ViolatedRule {
    /// Checking it takes more steps than a value of that size is worth.
    #[error("it takes too many steps to hold the value against the approved schema")]
    Cost,
    /// The rule at this JSON Pointer.
    #[error("`{0}` of the approved schema is not satisfied")]
    Keyword(String),
    /// Arguments are an object or absent.
    #[error("it is not an object")]
    Object,
    /// The schema does not declare this member, and does not allow undeclared ones.
    #[error("the approved schema does not declare every member that is there (`{0}`)")]
    Undeclared(String),
}

impl Schema {
    /// Compiles a schema as a server wrote it.
    ///
    /// # Errors
    ///
    /// A schema that is none, that is too large or too deep, that refers outside itself or in
    /// circles, or whose patterns cannot be matched in linear time.
    pub fn compile(schema: &Value, bare: Bare) -> Result<Self, SchemaError> {
        let dialect = Dialect::of(schema)?;
        bounds::check(schema)?;
        let closed = close::close(schema, dialect, bare);
        let mut validators = Vec::new();
        if closed.may_admit_more {
            validators.push(build(schema, dialect)?);
        }
        validators.push(build(&closed.schema, dialect)?);
        Ok(Self { validators })
    }

    /// A schema that any value satisfies.
    #[must_use]
    pub fn any() -> Self {
        Self {
            validators: Vec::new(),
        }
    }

    /// Holds a value against the schema.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn check(&self, value: &Value) -> Result<(), SchemaViolation> {
        self.validators
            .iter()
            .try_for_each(|validator| check(validator, value))
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("validators", &self.validators.len())
            .finish()
    }
}

impl SchemaViolation {
    /// Arguments that are no object.
    #[must_use]
    pub fn not_an_object() -> Self {
        Self {
            rule: ViolatedRule::Object,
            instance: String::new(),
        }
    }
}

fn check(validator: &Validator<View>, value: &Value) -> Result<(), SchemaViolation> {
    let budget = Budget::for_value(value);
    let valid = validator.is_valid(Node::new(value, &budget));
    if budget.is_spent() {
        return Err(SchemaViolation {
            rule: ViolatedRule::Cost,
            instance: String::new(),
        });
    }
    if valid {
        return Ok(());
    }
    let budget = Budget::for_value(value);
    let (keyword, instance) = match validator.validate(Node::new(value, &budget)) {
        Err(error) => (
            error.schema_path().to_string(),
            error.instance_path().to_string(),
        ),
        Ok(()) => (String::new(), String::new()),
    };
    let last = keyword.rsplit('/').next().unwrap_or_default();
    let rule = if matches!(last, "additionalProperties" | "unevaluatedProperties") {
        ViolatedRule::Undeclared(keyword)
    } else {
        ViolatedRule::Keyword(keyword)
    };
    Err(SchemaViolation { rule, instance })
}

fn build(schema: &Value, dialect: Dialect) -> Result<Validator<View>, SchemaError> {
    jsonschema::options_for::<View>()
        .offline()
        .with_draft(dialect.draft())
        .should_validate_formats(false)
        .with_pattern_options(
            PatternOptions::regex()
                .size_limit(PATTERN_BYTES)
                .dfa_size_limit(PATTERN_BYTES),
        )
        .build(&schema.to_serde())
        .map_err(|error| bounds::rejection(&error))
}

/// What one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
