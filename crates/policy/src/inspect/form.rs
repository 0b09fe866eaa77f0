//! Forms that servers ask people to fill in: flat, of texts, numbers, booleans and choices. Written
//! by the server that asks and filled in by somebody else, so both are held against the protocol.

mod field;
mod format;

use std::collections::BTreeSet;

use cmcp_json::{Object, Value};

use self::field::Field;
pub use self::field::Misfit;

/// A form.
#[derive(Debug)]
pub(super) struct Form<'a> {
    fields: Vec<(&'a str, Field<'a>)>,
    required: BTreeSet<&'a str>,
}

/// What is wrong with a form, or with what was filled in. It holds no value of either.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormError {
    /// It is no object that declares its members.
    #[error("`requestedSchema` is not an object of `type: object` with `properties`")]
    Shape,
    /// More than a person can be asked for.
    #[error("the form has more than {MAX_FIELDS} fields, or a choice of more than {MAX_CHOICES}")]
    Long,
    /// A field that no form has.
    #[error(
        "field `{0}` of the form is not a string, number, integer, boolean or choice of strings: forms are flat"
    )]
    Field(String),
    /// A default that its own field does not take.
    #[error("the default of field `{field}` does not fit it: {misfit}")]
    Default {
        /// The field.
        field: String,
        /// Why.
        misfit: Misfit,
    },
    /// A field that is required and not there.
    #[error("`required` names `{0}`, which is no field of the form")]
    RequiredUnknown(String),
    /// What was filled in is no object.
    #[error("what was filled in is not an object")]
    Content,
    /// A field that must be filled in and is not.
    #[error("field `{0}` is required and missing")]
    Missing(String),
    /// Something that the form does not ask for.
    #[error("something was filled in that the form does not ask for")]
    Undeclared,
    /// A value that does not fit its field.
    #[error("field `{field}`: {misfit}")]
    Misfit {
        /// The field.
        field: String,
        /// Why.
        misfit: Misfit,
    },
}

impl<'a> Form<'a> {
    /// Reads a `requestedSchema`.
    pub(super) fn of(schema: &'a Value) -> Result<Self, FormError> {
        let members = schema.as_object().ok_or(FormError::Shape)?;
        if members.get("type").and_then(Value::as_str) != Some("object") {
            return Err(FormError::Shape);
        }
        let properties = members.get("properties").and_then(Value::as_object);
        let properties = properties.ok_or(FormError::Shape)?;
        // What would make it more than a flat list of fields.
        if ELSEWHERE
            .iter()
            .any(|keyword| members.contains_key(keyword))
        {
            return Err(FormError::Shape);
        }
        if properties.len() > MAX_FIELDS {
            return Err(FormError::Long);
        }
        let mut fields = Vec::new();
        for (name, field) in properties.iter() {
            let field = Field::of(field).map_err(|error| error.of(shown(name)))?;
            fields.push((name, field));
        }
        let required = required(members, properties)?;
        Ok(Self { fields, required })
    }

    /// Holds what was filled in against the form.
    pub(super) fn check(&self, content: &Value) -> Result<(), FormError> {
        let content = content.as_object().ok_or(FormError::Content)?;
        for name in &self.required {
            if !content.contains_key(name) {
                return Err(FormError::Missing(shown(name)));
            }
        }
        for (name, value) in content.iter() {
            let field = self.fields.iter().find(|(known, _)| *known == name);
            let (_, field) = field.ok_or(FormError::Undeclared)?;
            field.check(value).map_err(|misfit| FormError::Misfit {
                field: shown(name),
                misfit,
            })?;
        }
        Ok(())
    }
}

fn required<'a>(members: &'a Object, properties: &Object) -> Result<BTreeSet<&'a str>, FormError> {
    let Some(required) = members.get("required") else {
        return Ok(BTreeSet::new());
    };
    let names = required.as_array().ok_or(FormError::Shape)?.iter();
    let names = names.map(|name| name.as_str().ok_or(FormError::Shape));
    let names = names.collect::<Result<BTreeSet<_>, _>>()?;
    match names.iter().find(|name| !properties.contains_key(name)) {
        Some(unknown) => Err(FormError::RequiredUnknown(shown(unknown))),
        None => Ok(names),
    }
}

/// A field's name, short and plain enough to be told.
fn shown(name: &str) -> String {
    let name = name.chars().take(MAX_SHOWN);
    name.flat_map(char::escape_default).collect()
}

const ELSEWHERE: [&str; 11] = [
    "$ref",
    "$defs",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "patternProperties",
    "propertyNames",
    "dependentSchemas",
    "unevaluatedProperties",
];

/// Fields of a form.
const MAX_FIELDS: usize = 100;
/// Values of a choice.
const MAX_CHOICES: usize = 1_000;
/// Characters told of a name.
const MAX_SHOWN: usize = 64;
