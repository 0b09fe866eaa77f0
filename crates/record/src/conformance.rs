//! The public vectors' interface: one JSON object in, one out.

use cmcp_evidence::{Timestamp, b64};
use cmcp_json::{Limits, Object, Value};

use crate::code::Code;

mod anchor;
mod depth;
mod families;
mod policy;

/// Answers one vector: `{"family", "input"}`. A family that is not implemented answers
/// `{"unsupported": family}`, an input that cannot be read `{"error", "detail"}`.
#[must_use]
pub fn answer(input: &[u8]) -> Vec<u8> {
    let answer = read(input).and_then(|(family, input)| {
        let input = Input(&input);
        match family.as_str() {
            "bytes" => families::bytes(&input),
            "canon" => families::canon(&input),
            "vercompat" => families::vercompat(&input),
            "revocation" => families::revocation(&input),
            "citation" => families::citation(&input),
            "repro" => families::repro(&input),
            "evidence" => families::evidence(&input),
            "policy" => policy::answer(&input),
            "anchor" => anchor::answer(&input),
            "depth" => depth::answer(&input),
            _ => Ok(Object::from([("unsupported", family.as_str())])),
        }
    });
    let answer = answer.unwrap_or_else(|error| {
        Object::from([
            ("error", "input_invalid".to_owned()),
            ("detail", error.to_string()),
        ])
    });
    Value::Object(answer).to_vec()
}

fn read(input: &[u8]) -> Result<(String, Value), InputError> {
    let mut request = cmcp_json::parse(input, &Limits::RESPONSE)?;
    let family = request.get("family").and_then(Value::as_str);
    let family = family.ok_or(InputError::Member("family"))?.to_owned();
    let input = request
        .as_object_mut()
        .and_then(|request| request.remove("input"))
        .ok_or(InputError::Member("input"))?;
    Ok((family, input))
}

/// Why an input is no vector of its family.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum InputError {
    #[error(transparent)]
    Json(#[from] cmcp_json::ParseError),
    #[error("`{0}` is absent or of another type")]
    Member(&'static str),
}

/// The input of one vector.
struct Input<'a>(&'a Value);

impl<'a> Input<'a> {
    fn optional(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn value(&self, name: &'static str) -> Result<&'a Value, InputError> {
        self.optional(name).ok_or(InputError::Member(name))
    }

    fn object(&self, name: &'static str) -> Result<Input<'a>, InputError> {
        let value = self.value(name)?;
        value.as_object().ok_or(InputError::Member(name))?;
        Ok(Input(value))
    }

    fn text(&self, name: &'static str) -> Result<&'a str, InputError> {
        self.value(name)?.as_str().ok_or(InputError::Member(name))
    }

    fn time(&self, name: &'static str) -> Result<Timestamp, InputError> {
        let seconds = self.value(name)?.as_i64();
        seconds
            .map(Timestamp::from_unix_seconds)
            .ok_or(InputError::Member(name))
    }

    /// An age in seconds; `None` when it is left out, and an error of the verifier's when it is no
    /// whole number that is not negative.
    fn age(&self, name: &str) -> Result<Option<std::time::Duration>, AgeError> {
        match self.optional(name) {
            None => Ok(None),
            Some(age) => match age.as_u64() {
                Some(seconds) => Ok(Some(std::time::Duration::from_secs(seconds))),
                None => Err(AgeError),
            },
        }
    }
}

/// A verifier was configured with an age that is none.
#[derive(Clone, Copy, Debug)]
struct AgeError;

/// Why a vector's record was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    Age,
    Code(Code),
}

impl Refusal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age_invalid",
            Self::Code(code) => code.as_str(),
        }
    }
}

/// Base64 of either alphabet, padded or not: vectors carry bytes in the standard one.
fn base64(text: &str) -> Option<Vec<u8>> {
    let url: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            c => c,
        })
        .collect();
    b64::decode(&url).ok()
}

#[cfg(test)]
mod tests;
