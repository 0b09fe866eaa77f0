use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::parse::parse_without_spans;
use crate::value::Member;
use crate::{Limits, Number, Value};

/// Why a value is not the document that was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FromValueError {
    /// Members and indices from the fault outward.
    path: Vec<String>,
    cause: String,
}

impl fmt::Display for FromValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        if !self.path.is_empty() {
            let path: String = self.path.iter().rev().map(String::as_str).collect();
            write!(f, " at `${path}`")?;
        }
        Ok(())
    }
}

impl std::error::Error for FromValueError {}

impl Error for FromValueError {
    fn custom<T: fmt::Display>(cause: T) -> Self {
        Self {
            path: Vec::new(),
            cause: cause.to_string(),
        }
    }
}

impl FromValueError {
    fn within(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

pub(super) struct Reader<'de>(pub(super) &'de Value);

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = FromValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromValueError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(string) => visitor.visit_borrowed_str(string),
            Value::Array(elements) => {
                let mut elements = Elements {
                    elements: elements.iter().enumerate(),
                };
                let value = visitor.visit_seq(&mut elements)?;
                match elements.elements.len() {
                    0 => Ok(value),
                    left => Err(Error::custom(format_args!(
                        "{left} array elements too many"
                    ))),
                }
            }
            Value::Object(object) => visitor.visit_map(Members::of(object.members())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FromValueError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FromValueError> {
        match self.0 {
            Value::String(string) => {
                BorrowedStrDeserializer::new(string).deserialize_enum(name, variants, visitor)
            }
            Value::Object(object) if object.len() == 1 => {
                MapAccessDeserializer::new(Members::of(object.members()))
                    .deserialize_enum(name, variants, visitor)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => Err(Error::custom(format_args!(
                "expected one of {variants:?}, as a string or as the one member of an object"
            ))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FromValueError> {
        if name == WHOLE_VALUE {
            return visitor.visit_byte_buf(self.0.to_vec());
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn visit_number<'de, V: Visitor<'de>>(
    number: &Number,
    visitor: V,
) -> Result<V::Value, FromValueError> {
    match (number.as_u64(), number.as_i64()) {
        (Some(integer), _) => visitor.visit_u64(integer),
        (None, Some(integer)) => visitor.visit_i64(integer),
        (None, None) => visitor.visit_f64(number.as_f64()),
    }
}

struct Elements<'de> {
    elements: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
}

impl<'de> SeqAccess<'de> for &mut Elements<'de> {
    type Error = FromValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FromValueError> {
        let Some((place, element)) = self.elements.next() else {
            return Ok(None);
        };
        seed.deserialize(Reader(element))
            .map(Some)
            .map_err(|error| error.within(format!("[{place}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

struct Members<'de> {
    members: std::slice::Iter<'de, Member>,
    current: Option<&'de Member>,
}

impl<'de> Members<'de> {
    fn of(members: &'de [Member]) -> Self {
        Self {
            members: members.iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = FromValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FromValueError> {
        self.current = self.members.next();
        let Some(member) = self.current else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(&member.name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, FromValueError> {
        let member = self
            .current
            .ok_or_else(|| FromValueError::custom("a member's value was read twice"))?;
        seed.deserialize(Reader(&member.value))
            .map_err(|error| error.within(format!(".{}", member.name)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

pub(super) struct WholeValue;

impl Visitor<'_> for WholeValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value read by `cmcp_json::from_value`")
    }

    fn visit_byte_buf<E: Error>(self, text: Vec<u8>) -> Result<Value, E> {
        let limits = Limits {
            depth: Limits::MAX_DEPTH,
            ..Limits::RESPONSE
        };
        parse_without_spans(&text, &limits).map_err(E::custom)
    }
}

/// The name by which [`Reader`] knows that a whole value is asked for.
pub(super) const WHOLE_VALUE: &str = "$cmcp_json::Value";
