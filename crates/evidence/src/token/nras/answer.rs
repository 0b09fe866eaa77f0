use cmcp_json::{Object, Value};

use crate::{Sha256Digest, jose::LIMITS, reader::Malformed, token::common::shown};

/// NRAS's answer in its parts: `[["JWT", overall], {"GPU-0": token, …}]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    overall: String,
    devices: Vec<(String, String)>,
}

impl Answer {
    /// Takes an answer apart.
    ///
    /// # Errors
    ///
    /// It is not JSON that every parser reads alike, or not of that form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let fault = |found: String| Malformed::new("answer", 0, FORM, found);
        let document =
            cmcp_json::parse(bytes, &LIMITS).map_err(|error| fault(error.to_string()))?;
        let (overall, devices) = match document.as_array() {
            Some([overall, devices]) => (overall, devices),
            Some(_) | None => return Err(fault(shown(Some(&document)))),
        };
        let overall = match overall.as_array() {
            Some([kind, token]) if kind.as_str() == Some("JWT") => token.as_str(),
            Some(_) | None => None,
        };
        let overall = overall.ok_or_else(|| fault("no token over all devices".to_owned()))?;
        let devices = devices
            .as_object()
            .ok_or_else(|| fault("no devices".to_owned()))?;
        let read = |(name, token): (&str, &Value)| match token.as_str() {
            Some(token) => Ok((name.to_owned(), token.to_owned())),
            None => Err(fault(format!("a device's token that is {}", token.kind()))),
        };
        let devices: Result<Vec<(String, String)>, Malformed> = devices.iter().map(read).collect();
        Ok(Self {
            overall: overall.to_owned(),
            devices: devices?,
        })
    }

    /// The token over all devices.
    #[must_use]
    pub fn overall(&self) -> &str {
        &self.overall
    }

    /// The devices' tokens by their names.
    pub fn devices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.devices
            .iter()
            .map(|(name, token)| (name.as_str(), token.as_str()))
    }
}

/// The devices that an overall token lists, with the digests of their tokens.
pub(super) fn listed(overall: &Object) -> Result<Vec<(String, Sha256Digest)>, String> {
    let submodules = overall.get("submods").and_then(Value::as_object);
    let submodules = submodules.ok_or("an overall token without `submods`")?;
    submodules
        .iter()
        .map(|(name, value)| match digest(value) {
            Some(digest) => Ok((name.to_owned(), digest)),
            None => Err(format!("{} for a device", shown(Some(value)))),
        })
        .collect()
}

/// `["DIGEST", ["SHA-256", digits]]`; later releases write `SHA256`.
fn digest(value: &Value) -> Option<Sha256Digest> {
    let [kind, digest] = value.as_array()? else {
        return None;
    };
    let [name, digits] = digest.as_array()? else {
        return None;
    };
    let known = matches!(name.as_str()?, "SHA-256" | "SHA256");
    if kind.as_str()? != "DIGEST" || !known {
        return None;
    }
    Sha256Digest::from_hex(digits.as_str()?).ok()
}

const FORM: &str = r#"[["JWT", overall], {"GPU-0": token}]"#;
