//! What the tests of all three services share.

use std::path::Path;

use cmcp_json::{Limits, Object, Value};

use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    Timestamp, appraise, b64,
    check::{Checks, Outcome},
    forge::{self, Key},
    policy::{Fields, Freshness, PolicyFault},
    x509::VerifyingKey,
};

pub(super) const NOW: &str = "2026-06-05T00:10:00Z";
/// Ten minutes before [`NOW`].
pub(super) const ISSUED: i64 = 1_780_617_600;

pub(super) fn at(time: &str) -> Timestamp {
    Timestamp::parse_rfc3339(time).unwrap()
}

pub(super) fn json(text: &str) -> Value {
    cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

/// Sets a member, by its path with slashes; none removes it.
pub(super) fn set(value: &mut Value, path: &str, new: Option<&str>) {
    let (last, parents) = match path.rsplit_once('/') {
        Some((parents, last)) => (last, parents.split('/').collect()),
        None => (path, Vec::new()),
    };
    let mut object = value.as_object_mut().unwrap();
    for parent in parents {
        object = object.get_mut(parent).unwrap().as_object_mut().unwrap();
    }
    match new {
        Some(new) => {
            object.insert(last, json(new));
        }
        None => {
            object.remove(last).unwrap();
        }
    }
}

/// The document with members changed.
pub(super) fn changed(text: &str, changes: &[(&str, Option<&str>)]) -> String {
    let mut value = json(text);
    for (path, new) in changes {
        set(&mut value, path, *new);
    }
    value.to_string()
}

pub(super) fn object(text: &str) -> Object {
    json(text).as_object().unwrap().clone()
}

/// Reads a policy's section.
pub(super) fn read<T>(
    text: &str,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, Vec<String>> {
    let value = json(text);
    let mut faults: Vec<PolicyFault> = Vec::new();
    let found = Fields::open(&value, "", &mut faults).and_then(|mut fields| {
        let found = read(&mut fields);
        fields.close();
        found
    });
    let faults: Vec<String> = faults.iter().map(PolicyFault::to_string).collect();
    match found {
        Some(found) if faults.is_empty() => Ok(found),
        _ => Err(faults),
    }
}

/// The thumbprint of a key as a policy has it.
pub(super) fn pin(key: &Key) -> String {
    let key = VerifyingKey::from_spki_der(&key.spki()).unwrap();
    b64::encode(crate::jose::thumbprint(&key).as_bytes())
}

/// A key of a set.
pub(super) fn jwk(kid: &str, key: &Key) -> String {
    match key {
        Key::Rsa(_) => {
            let (n, e) = key.modulus_and_exponent();
            let (n, e) = (forge::b64u(n), forge::b64u(e));
            format!(r#"{{"kty":"RSA","use":"sig","kid":"{kid}","n":"{n}","e":"{e}"}}"#)
        }
        Key::P256(_) | Key::P384(_) => {
            let point = key.point();
            let half = point.len() / 2 + 1;
            let (x, y) = (forge::b64u(&point[1..half]), forge::b64u(&point[half..]));
            let crv = if half == 33 { "P-256" } else { "P-384" };
            format!(r#"{{"kty":"EC","use":"sig","kid":"{kid}","crv":"{crv}","x":"{x}","y":"{y}"}}"#)
        }
    }
}

pub(super) fn key_set(keys: &[String]) -> Vec<u8> {
    format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes()
}

/// Appraises a token under reference values that accept what `accept` adds to them.
pub(super) fn appraise_token(
    platform: Platform,
    token: &[u8],
    key_set: &[u8],
    binding: &Binding,
    accept: impl FnOnce(&mut ReferenceValues),
) -> AttestationResult {
    let evidence = Evidence::new(platform).with(Part::Token, token);
    let endorsements = Endorsements {
        key_sets: vec![key_set.to_vec()],
        ..Endorsements::default()
    };
    let mut policy = ReferenceValues::refusing_all(Freshness::Unproven);
    accept(&mut policy);
    appraise(&Input {
        evidence: &evidence,
        endorsements: &endorsements,
        binding,
        policy: &policy,
        at: at(NOW),
    })
}

/// The codes of the checks that failed or were not done, each once.
pub(super) fn failed(result: &AttestationResult) -> Vec<&'static str> {
    let mut codes: Vec<&str> = result
        .failures()
        .map(|checked| checked.check.code)
        .collect();
    codes.dedup();
    codes
}

/// The codes of the checks that failed or were not done, each once.
pub(super) fn failed_checks(checks: Checks) -> Vec<&'static str> {
    let mut codes: Vec<&str> = checks
        .finish()
        .iter()
        .filter(|checked| matches!(checked.outcome, Outcome::Failed { .. } | Outcome::NotDone))
        .map(|checked| checked.check.code)
        .collect();
    codes.dedup();
    codes
}

/// The bytes of a captured file, when the shared folder is here.
pub(super) fn vector(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}
