mod de;
mod ser;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::de::FromValueError;
use crate::parse::parse_without_spans;
use crate::{Limits, ParseError, Value};

/// Reads a typed document out of a value.
///
/// # Errors
///
/// What the type does not accept, and at which place.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, FromValueError> {
    T::deserialize(de::Reader(value))
}

/// The value that `serde_json` would write for this; at most 64 levels, no member twice.
///
/// # Errors
///
/// What has no JSON form.
pub fn to_value<T: Serialize + ?Sized>(document: &T) -> Result<Value, ToValueError> {
    let bytes = serde_json::to_vec(document)?;
    Ok(parse_without_spans(&bytes, &Limits::RESPONSE)?)
}

/// Why a typed document has no value.
#[derive(Debug, thiserror::Error)]
pub enum ToValueError {
    /// It cannot be written as JSON.
    #[error("cannot write the document as JSON: {0}")]
    Write(#[from] serde_json::Error),
    /// What it writes is not strict JSON.
    #[error("the document does not write strict JSON: {0}")]
    Parse(#[from] ParseError),
}

impl<'de> Deserialize<'de> for Value {
    /// Works inside [`from_value`] only: another reader would lose the spelling of numbers.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(de::WHOLE_VALUE, de::WholeValue)
    }
}

#[cfg(test)]
mod tests;
