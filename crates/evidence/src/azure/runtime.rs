//! The paravisor's runtime data: the keys of the vTPM and how the machine was configured.

use cmcp_json::{Limits, Nul, Object, Value};

use crate::{b64, hex};

/// Why runtime data was not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuntimeError {
    /// It is not JSON that has one reading.
    #[error("runtime data is not strict JSON: {0}")]
    Json(#[from] cmcp_json::ParseError),
    /// A member is missing, or is not what it has to be.
    #[error("`{0}` of the runtime data {1}")]
    Member(&'static str, &'static str),
    /// Two keys go by one name: which of them signed could not be told.
    #[error("key `{0}` is there twice in the runtime data")]
    Twice(String),
}

/// An RSA key as the runtime data states it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RsaKey {
    /// Modulus, big endian.
    pub n: Vec<u8>,
    /// Public exponent, big endian.
    pub e: Vec<u8>,
}

/// What the runtime data states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Runtime {
    /// `HCLAkPub`: the vTPM's attestation key.
    pub attestation_key: RsaKey,
    /// `HCLEkPub`: the vTPM's endorsement key; old reports have none.
    pub endorsement_key: Option<RsaKey>,
    /// Whether the firmware checked what it started.
    pub secure_boot: Switch,
    /// Whether the host can see and type into the console.
    pub console: Switch,
    /// The 64 bytes that the guest had put in; old reports have none.
    pub user_data: Option<Vec<u8>>,
    /// The number that Azure gives the machine.
    pub vm_id: Option<String>,
    /// Members that are not known here.
    pub unknown: Vec<String>,
}

/// A switch of the machine's configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Switch {
    /// Stated to be on.
    On,
    /// Stated to be off.
    Off,
    /// Not stated.
    Unstated,
}

impl Switch {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unstated => "not stated",
        }
    }
}

impl Runtime {
    /// Reads the document.
    ///
    /// # Errors
    ///
    /// See [`RuntimeError`].
    pub fn parse(json: &[u8]) -> Result<Self, RuntimeError> {
        let document = cmcp_json::parse(json, &LIMITS)?;
        let document = document
            .as_object()
            .ok_or(RuntimeError::Member("", "is not an object"))?;
        let mut unknown = others(document, "", &["keys", "vm-configuration", "user-data"]);
        let keys = keys(document, &mut unknown)?;
        let configuration = document
            .get("vm-configuration")
            .and_then(Value::as_object)
            .ok_or(RuntimeError::Member(
                "vm-configuration",
                "is not there or not an object",
            ))?;
        unknown.extend(others(configuration, "vm-configuration.", CONFIGURATION));
        let vm_id = configuration.get("vmUniqueId").and_then(Value::as_str);
        Ok(Self {
            attestation_key: key(&keys, "HCLAkPub")?
                .ok_or(RuntimeError::Member("HCLAkPub", "is not among the keys"))?,
            endorsement_key: key(&keys, "HCLEkPub")?,
            secure_boot: switch(configuration, "secure-boot")?,
            console: switch(configuration, "console-enabled")?,
            user_data: user_data(document)?,
            vm_id: vm_id.map(str::to_owned),
            unknown,
        })
    }
}

fn keys<'a>(
    document: &'a Object,
    unknown: &mut Vec<String>,
) -> Result<Vec<(&'a str, &'a Object)>, RuntimeError> {
    let wrong = RuntimeError::Member("keys", "is not a list of keys with a `kid` each");
    let list = document.get("keys").and_then(Value::as_array);
    let mut keys: Vec<(&str, &Object)> = Vec::new();
    for key in list.ok_or_else(|| wrong.clone())? {
        let key = key.as_object().ok_or_else(|| wrong.clone())?;
        let kid = key.get("kid").and_then(Value::as_str);
        let kid = kid.ok_or_else(|| wrong.clone())?;
        if keys.iter().any(|(known, _)| *known == kid) {
            return Err(RuntimeError::Twice(kid.to_owned()));
        }
        unknown.extend(others(key, "keys.", &["kid", "key_ops", "kty", "e", "n"]));
        if kid != "HCLAkPub" && kid != "HCLEkPub" {
            unknown.push(format!("key `{kid}`"));
        }
        keys.push((kid, key));
    }
    Ok(keys)
}

fn key(keys: &[(&str, &Object)], name: &'static str) -> Result<Option<RsaKey>, RuntimeError> {
    let Some((_, key)) = keys.iter().find(|(kid, _)| *kid == name) else {
        return Ok(None);
    };
    let number = |member| {
        let text = key.get(member).and_then(Value::as_str)?;
        b64::decode(text).ok()
    };
    let rsa = key.get("kty").and_then(Value::as_str) == Some("RSA");
    match (rsa, number("n"), number("e")) {
        (true, Some(n), Some(e)) => Ok(Some(RsaKey { n, e })),
        (true | false, _, _) => Err(RuntimeError::Member(
            name,
            "is not an RSA key with `n` and `e` in base64url",
        )),
    }
}

fn switch(configuration: &Object, name: &'static str) -> Result<Switch, RuntimeError> {
    match configuration.get(name).map(Value::as_bool) {
        Some(Some(true)) => Ok(Switch::On),
        Some(Some(false)) => Ok(Switch::Off),
        Some(None) => Err(RuntimeError::Member(name, "is neither true nor false")),
        None => Ok(Switch::Unstated),
    }
}

fn user_data(document: &Object) -> Result<Option<Vec<u8>>, RuntimeError> {
    let Some(value) = document.get("user-data") else {
        return Ok(None);
    };
    let digits = value.as_str().unwrap_or_default().to_ascii_lowercase();
    match hex::decode(&digits) {
        Ok(bytes) if bytes.len() == 64 => Ok(Some(bytes)),
        Ok(_) | Err(_) => Err(RuntimeError::Member(
            "user-data",
            "is not 64 bytes in hexadecimal digits",
        )),
    }
}

fn others(object: &Object, prefix: &str, known: &[&str]) -> Vec<String> {
    let unknown = object.keys().filter(|name| !known.contains(name));
    unknown.map(|name| format!("{prefix}{name}")).collect()
}

const CONFIGURATION: &[&str] = &[
    "console-enabled",
    "current-time",
    "filtered-vpci-devices-allowed",
    "root-cert-thumbprint",
    "secure-boot",
    "tpm-enabled",
    "tpm-persisted",
    "vmUniqueId",
];

// Captured documents have about 1,200 bytes, in an NV index of 2,600.
const LIMITS: Limits = Limits {
    bytes: 64 << 10,
    depth: 8,
    members: 256,
    members_per_object: 64,
    elements: 64,
    string_bytes: 8 << 10,
    number_bytes: 64,
    nul: Nul::Refuse,
};

#[cfg(test)]
mod tests;
