//! Arguments as Cedar values, by their approved types or not at all.

use std::fmt;

use cedar_policy::RestrictedExpression;
use cmcp_json::{Form, Number, Object, Value, canonical};

use super::{decimal, string};
use crate::schema::{ArgumentType, Nullable, Others, Parameter, Shape};

/// Why an argument keeps a call from being judged. It is denied; the argument's value is not told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArgumentFault {
    /// The argument's path, without `$`; empty for the arguments as a whole.
    pub path: String,
    /// What is wrong with it.
    pub error: ArgumentError,
}

/// What is wrong with an argument.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ArgumentError {
    /// More digits behind the point than policy can compare.
    #[error("it has more than 4 digits behind the point, which policy cannot compare: round it")]
    Digits,
    /// An integer given with point or exponent.
    #[error("it is spelled with a point or an exponent where an integer is expected")]
    Fraction,
    /// `null` where the schema has none.
    #[error("it is null: leave it out instead")]
    Null,
    /// A number that policy cannot hold.
    #[error(
        "it is beyond the range that policy can compare (integers of 64 bits, numbers up to 9.2e14)"
    )]
    Range,
    /// Not a value that Cedar takes.
    #[error("it cannot be given to policy")]
    Refused,
    /// A value of another type.
    #[error("it is {found} where the approved schema has {expected}")]
    Type {
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Not in the approved schema.
    #[error("the approved schema does not declare it")]
    Undeclared,
}

impl ArgumentFault {
    pub(super) fn whole(error: ArgumentError) -> Self {
        Self {
            path: String::new(),
            error,
        }
    }
}

impl fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "arguments: {}", self.error),
            path => write!(f, "argument `{path}`: {}", self.error),
        }
    }
}

/// What policy sees of the arguments.
#[derive(Debug)]
pub(super) struct Arguments {
    /// `context.arguments`.
    pub(super) record: RestrictedExpression,
    /// Paths of those given as `null`.
    pub(super) nulls: Vec<String>,
}

/// Arguments by their approved types.
pub(super) fn typed(shape: &Shape, arguments: &Value) -> Result<Arguments, Vec<ArgumentFault>> {
    let mut typing = Typing::default();
    let record = match arguments {
        Value::Object(members) => typing.record(shape, members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let (found, expected) = (kind(arguments), "an object");
            typing.fault(ArgumentError::Type { found, expected })
        }
    };
    match record {
        Some(record) if typing.faults.is_empty() => Ok(Arguments {
            record,
            nulls: typing.nulls,
        }),
        _ => Err(typing.faults),
    }
}

/// No arguments, of what takes none.
pub(super) fn none() -> Result<Arguments, Vec<ArgumentFault>> {
    let record = RestrictedExpression::new_record([])
        .map_err(|_| vec![ArgumentFault::whole(ArgumentError::Refused)])?;
    Ok(Arguments {
        record,
        nulls: Vec::new(),
    })
}

#[derive(Default)]
struct Typing {
    path: Vec<String>,
    nulls: Vec<String>,
    faults: Vec<ArgumentFault>,
}

impl Typing {
    fn record(&mut self, shape: &Shape, members: &Object) -> Option<RestrictedExpression> {
        let mut pairs = Vec::with_capacity(members.len());
        for (name, value) in members.iter() {
            self.path.push(shorten(name));
            match (shape.members.get(name), shape.others) {
                (Some(Parameter::Typed { ty, null }), _) => {
                    let value = self.nullable(ty, *null, value);
                    pairs.extend(value.map(|value| (name.to_owned(), value)));
                }
                // Invisible to policy: no policy that names it was loaded.
                (Some(Parameter::Untyped(_)), _) | (None, Others::Allowed) => {}
                (None, Others::Refused) => {
                    self.fault(ArgumentError::Undeclared);
                }
            }
            self.path.pop();
        }
        RestrictedExpression::new_record(pairs)
            .ok()
            .or_else(|| self.fault(ArgumentError::Refused))
    }

    fn nullable(
        &mut self,
        ty: &ArgumentType,
        null: Nullable,
        value: &Value,
    ) -> Option<RestrictedExpression> {
        match (value, null) {
            (Value::Null, Nullable::Yes) => {
                self.nulls.push(self.path.join("."));
                None
            }
            (Value::Null, Nullable::No) => self.fault(ArgumentError::Null),
            _ => self.value(ty, value),
        }
    }

    fn value(&mut self, ty: &ArgumentType, value: &Value) -> Option<RestrictedExpression> {
        match (ty, value) {
            (ArgumentType::Bool, Value::Bool(bool)) => Some(RestrictedExpression::new_bool(*bool)),
            (ArgumentType::String, Value::String(text)) => Some(string(text)),
            (ArgumentType::Long, Value::Number(number)) => self.long(number),
            (ArgumentType::Decimal, Value::Number(number)) => match decimal::spell(number) {
                Ok(spelled) => Some(RestrictedExpression::new_decimal(spelled)),
                Err(error) => self.fault(error),
            },
            (ArgumentType::Record(shape), Value::Object(members)) => self.record(shape, members),
            (ArgumentType::Set(element), Value::Array(values)) => self.set(element, values),
            (
                ArgumentType::Bool
                | ArgumentType::Decimal
                | ArgumentType::Long
                | ArgumentType::Record(_)
                | ArgumentType::Set(_)
                | ArgumentType::String,
                _,
            ) => self.fault(ArgumentError::Type {
                found: kind(value),
                expected: expected(ty),
            }),
        }
    }

    fn long(&mut self, number: &Number) -> Option<RestrictedExpression> {
        match number.as_i64() {
            Some(integer) => Some(RestrictedExpression::new_long(integer)),
            None if number.is_integer_spelling() => self.fault(ArgumentError::Range),
            None => self.fault(ArgumentError::Fraction),
        }
    }

    fn set(&mut self, element: &ArgumentType, values: &[Value]) -> Option<RestrictedExpression> {
        let mut elements = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            self.path.push(index.to_string());
            elements.extend(self.nullable(element, Nullable::No, value));
            self.path.pop();
            if self.faults.len() >= MAX_FAULTS {
                break;
            }
        }
        Some(RestrictedExpression::new_set(elements))
    }

    fn fault(&mut self, error: ArgumentError) -> Option<RestrictedExpression> {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(ArgumentFault {
                path: self.path.join("."),
                error,
            });
        }
        None
    }
}

/// Arguments as the Python cMCP gave them to Cedar: by the types of their values, fractions as
/// text, nulls dropped.
pub(super) fn loose(arguments: &Value) -> Result<Arguments, Vec<ArgumentFault>> {
    let record = match arguments {
        Value::Object(_) => loose_value(arguments),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(ArgumentError::Type {
                found: kind(arguments),
                expected: "an object",
            })
        }
    };
    match record {
        Ok(record) => Ok(Arguments {
            record,
            nulls: Vec::new(),
        }),
        Err(error) => Err(vec![ArgumentFault::whole(error)]),
    }
}

fn loose_value(value: &Value) -> Result<RestrictedExpression, ArgumentError> {
    Ok(match value {
        Value::Null => return Err(ArgumentError::Null),
        Value::Bool(bool) => RestrictedExpression::new_bool(*bool),
        Value::Number(number) if number.is_integer_spelling() => {
            RestrictedExpression::new_long(number.as_i64().ok_or(ArgumentError::Range)?)
        }
        Value::Number(_) => {
            let text = canonical(value, Form::Pyj).map_err(|_| ArgumentError::Refused)?;
            RestrictedExpression::new_string(String::from_utf8_lossy(&text).into_owned())
        }
        Value::String(text) => string(text),
        Value::Array(values) => {
            let elements = values
                .iter()
                .filter(|value| !value.is_null())
                .map(loose_value);
            RestrictedExpression::new_set(elements.collect::<Result<Vec<_>, _>>()?)
        }
        Value::Object(members) => {
            let pairs = members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| Ok((name.to_owned(), loose_value(value)?)))
                .collect::<Result<Vec<_>, ArgumentError>>()?;
            RestrictedExpression::new_record(pairs).map_err(|_| ArgumentError::Refused)?
        }
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn expected(ty: &ArgumentType) -> &'static str {
    match ty {
        ArgumentType::Bool => "a boolean",
        ArgumentType::Decimal => "a number",
        ArgumentType::Long => "an integer",
        ArgumentType::Record(_) => "an object",
        ArgumentType::Set(_) => "an array",
        ArgumentType::String => "a string",
    }
}

/// A name the caller chose, short enough to be logged.
fn shorten(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
    }
}

/// Faults told of one call.
const MAX_FAULTS: usize = 8;
/// Characters told of a name.
const MAX_NAME: usize = 64;
