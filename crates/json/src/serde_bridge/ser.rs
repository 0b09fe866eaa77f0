use serde::ser::{Error, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Number, Object, Value};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Number(number) => number.serialize(serializer),
            Self::String(string) => serializer.serialize_str(string),
            Self::Array(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    sequence.serialize_element(element)?;
                }
                sequence.end()
            }
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Number {
    /// Verbatim; what is not the usual spelling of a 64-bit integer goes through `serde_json` alone.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.as_i64(), self.as_u64()) {
            _ if self.as_str() == "-0" => {}
            (Some(integer), _) => return serializer.serialize_i64(integer),
            (None, Some(integer)) => return serializer.serialize_u64(integer),
            (None, None) => {}
        }
        RawValue::from_string(self.to_string())
            .map_err(Error::custom)?
            .serialize(serializer)
    }
}

impl Value {
    /// The same value for `serde_json`, for schema validation only: numbers that are not 64-bit
    /// integers become doubles, and spellings are lost.
    #[must_use]
    pub fn to_serde(&self) -> serde_json::Value {
        use serde_json::Value as Serde;
        match self {
            Self::Null => Serde::Null,
            Self::Bool(bool) => Serde::Bool(*bool),
            Self::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => integer.into(),
                (None, Some(integer)) => integer.into(),
                (None, None) => number.as_f64().into(),
            },
            Self::String(string) => Serde::String(string.clone()),
            Self::Array(elements) => elements.iter().map(Self::to_serde).collect(),
            Self::Object(object) => object
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_serde()))
                .collect(),
        }
    }
}
