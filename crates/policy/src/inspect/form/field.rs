use std::cmp::Ordering;

use cmcp_json::{Number, Object, Value};

use super::{FormError, MAX_CHOICES, format::Format};

/// A field of a form.
#[derive(Debug)]
pub(super) enum Field<'a> {
    Boolean,
    /// One of these.
    Choice(Vec<&'a str>),
    /// Some of these.
    Choices {
        of: Vec<&'a str>,
        count: Length,
    },
    Number {
        whole: Whole,
        least: Option<&'a Number>,
        most: Option<&'a Number>,
    },
    Text {
        length: Length,
        format: Option<Format>,
    },
}

/// Whether a number has to be a whole one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// How many characters, or how many choices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    least: u64,
    most: u64,
}

/// Why a value does not fit its field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misfit {
    /// A value of another type.
    #[error("it is not {0}")]
    Type(&'static str),
    /// None of the choices.
    #[error("it is none of the choices")]
    Choice,
    /// Too few or too many characters or choices.
    #[error("it is too short or too long")]
    Length,
    /// The same choice twice.
    #[error("it has one choice twice")]
    Twice,
    /// A number outside the bounds.
    #[error("it is out of bounds")]
    Bounds,
    /// A text that is not what it should be.
    #[error("it is not {0}")]
    Format(&'static str),
}

/// What is wrong with a field, before its name is known.
pub(super) enum Fault {
    Field,
    Long,
    Default(Misfit),
}

impl Fault {
    pub(super) fn of(self, field: String) -> FormError {
        match self {
            Self::Field => FormError::Field(field),
            Self::Long => FormError::Long,
            Self::Default(misfit) => FormError::Default { field, misfit },
        }
    }
}

impl<'a> Field<'a> {
    pub(super) fn of(schema: &'a Value) -> Result<Self, Fault> {
        let members = schema.as_object().ok_or(Fault::Field)?;
        if has_any(members, &NESTED) {
            return Err(Fault::Field);
        }
        let field = match members.get("type").and_then(Value::as_str) {
            Some("string") if !has_any(members, &["anyOf", "const"]) => Self::text(members)?,
            Some("number") if !has_any(members, &CHOICES) => Self::number(members, Whole::No)?,
            Some("integer") if !has_any(members, &CHOICES) => Self::number(members, Whole::Yes)?,
            Some("boolean") if !has_any(members, &CHOICES) => Self::Boolean,
            Some("array") => Self::choices(members)?,
            Some(_) | None => return Err(Fault::Field),
        };
        if let Some(default) = members.get("default") {
            field.check(default).map_err(Fault::Default)?;
        }
        Ok(field)
    }

    fn text(members: &'a Object) -> Result<Self, Fault> {
        if let Some(choices) = choices(members, "oneOf")? {
            return Ok(Self::Choice(choices));
        }
        let format = match members.get("format") {
            None => None,
            Some(format) => Some(format.as_str().and_then(Format::of).ok_or(Fault::Field)?),
        };
        let length = Length::of(members, "minLength", "maxLength")?;
        Ok(Self::Text { length, format })
    }

    fn number(members: &'a Object, whole: Whole) -> Result<Self, Fault> {
        let bound = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(value) => value.as_number().map(Some).ok_or(Fault::Field),
        };
        Ok(Self::Number {
            whole,
            least: bound("minimum")?,
            most: bound("maximum")?,
        })
    }

    fn choices(members: &'a Object) -> Result<Self, Fault> {
        let items = members.get("items").and_then(Value::as_object);
        let of = choices(items.ok_or(Fault::Field)?, "anyOf")?.ok_or(Fault::Field)?;
        let count = Length::of(members, "minItems", "maxItems")?;
        Ok(Self::Choices { of, count })
    }

    pub(super) fn check(&self, value: &Value) -> Result<(), Misfit> {
        match self {
            Self::Boolean => match value.as_bool() {
                Some(_) => Ok(()),
                None => Err(Misfit::Type("a boolean")),
            },
            Self::Choice(of) => choice(of, value).map(drop),
            Self::Choices { of, count } => {
                let values = value.as_array().ok_or(Misfit::Type("an array"))?;
                count.check(values.len())?;
                let mut taken = Vec::new();
                for value in values {
                    let one = choice(of, value)?;
                    if taken.contains(&one) {
                        return Err(Misfit::Twice);
                    }
                    taken.push(one);
                }
                Ok(())
            }
            Self::Number { whole, least, most } => {
                let number = value.as_number().ok_or(Misfit::Type("a number"))?;
                if *whole == Whole::Yes && !is_whole(number) {
                    return Err(Misfit::Type("a whole number"));
                }
                let above = least.is_none_or(|least| order(number, least) != Some(Ordering::Less));
                let below = most.is_none_or(|most| order(number, most) != Some(Ordering::Greater));
                match above && below {
                    true => Ok(()),
                    false => Err(Misfit::Bounds),
                }
            }
            Self::Text { length, format } => {
                let text = value.as_str().ok_or(Misfit::Type("a string"))?;
                length.check(text.chars().count())?;
                match format {
                    Some(format) if !format.fits(text) => Err(Misfit::Format(format.name())),
                    Some(_) | None => Ok(()),
                }
            }
        }
    }
}

fn has_any(members: &Object, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| members.contains_key(keyword))
}

fn choice<'c>(of: &[&'c str], value: &Value) -> Result<&'c str, Misfit> {
    let text = value.as_str().ok_or(Misfit::Type("a string"))?;
    of.iter()
        .find(|known| **known == text)
        .copied()
        .ok_or(Misfit::Choice)
}

/// The values of a choice: an `enum`, or constants with titles.
fn choices<'a>(members: &'a Object, titled: &str) -> Result<Option<Vec<&'a str>>, Fault> {
    let (values, constants) = match (members.get("enum"), members.get(titled)) {
        (None, None) => return Ok(None),
        (Some(values), None) => (values, None),
        (None, Some(values)) => (values, Some("const")),
        (Some(_), Some(_)) => return Err(Fault::Field),
    };
    let values = values.as_array().ok_or(Fault::Field)?;
    if values.len() > MAX_CHOICES {
        return Err(Fault::Long);
    }
    let text = |value: &'a Value| match constants {
        None => value.as_str(),
        Some(name) => value.get(name)?.as_str(),
    };
    let texts = values.iter().map(|value| text(value).ok_or(Fault::Field));
    texts.collect::<Result<Vec<_>, _>>().map(Some)
}

impl Length {
    fn of(members: &Object, least: &str, most: &str) -> Result<Self, Fault> {
        let bound = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(Fault::Field),
        };
        Ok(Self {
            least: bound(least)?.unwrap_or(0),
            most: bound(most)?.unwrap_or(u64::MAX),
        })
    }

    fn check(self, length: usize) -> Result<(), Misfit> {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        match (self.least..=self.most).contains(&length) {
            true => Ok(()),
            false => Err(Misfit::Length),
        }
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_integer_spelling() || number.as_f64().fract() == 0.0
}

/// How two numbers compare: exactly where both are integers of 64 bits.
fn order(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        (Some(_) | None, _) => one.as_f64().partial_cmp(&other.as_f64()),
    }
}

/// Keywords with which a field would be more than one value.
const NESTED: [&str; 7] = [
    "$ref",
    "allOf",
    "not",
    "if",
    "properties",
    "additionalProperties",
    "prefixItems",
];
/// Keywords with which a value is one of several; only texts are.
const CHOICES: [&str; 4] = ["enum", "oneOf", "anyOf", "const"];
