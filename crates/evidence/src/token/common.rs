//! What the three services' tokens have in common: pinned keys, times, nonces.

use std::time::Duration;

use cmcp_json::{Object, Value};

use crate::{
    About, Proved, Sha256Digest, Timestamp,
    appraise::Binding,
    b64,
    check::{Check, Checks},
    hex,
    jose::{Alg, Jwk, Jws, KeySet},
    policy::{Fields, Pin, PolicyFault},
};

/// How long a token counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetime {
    /// By how much the service's clock may differ; at most a minute.
    pub skew: Duration,
    /// How long after it was made a token counts, whatever it says itself.
    pub max_age: Duration,
}

impl Lifetime {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let skew = fields.number("skew_seconds", MAX_SKEW);
        let max_age = fields.number("max_age_seconds", MAX_AGE);
        Some(Self {
            skew: Duration::from_secs(skew?),
            max_age: Duration::from_secs(max_age?),
        })
    }
}

/// How a challenge is written where a token has a text for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NonceForm {
    /// base64url without padding.
    Base64Url,
    /// Hexadecimal digits in lower case.
    Hex,
    /// The challenge is itself a text.
    Text,
}

impl NonceForm {
    /// Reads the field.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.word(
            "nonce",
            &[
                ("base64url", Self::Base64Url),
                ("hex", Self::Hex),
                ("text", Self::Text),
            ],
        )
    }

    /// The challenge as a token has it; none if it is no text.
    #[must_use]
    pub fn write(self, challenge: &[u8]) -> Option<String> {
        match self {
            Self::Base64Url => Some(b64::encode(challenge)),
            Self::Hex => Some(hex::encode(challenge)),
            Self::Text => String::from_utf8(challenge.to_vec()).ok(),
        }
    }
}

/// Whether something says which machine or operator it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// Something that only one operator or machine has is pinned.
    Pinned,
    /// Any machine that runs the measurement is taken for the one that was meant.
    DangerAnyMachine,
}

impl Identity {
    /// Reads the field, which must agree with the pins that `pins` names.
    pub(crate) fn read(fields: &mut Fields<'_>, pinned: Option<bool>, pins: &str) -> Option<Self> {
        let identity = fields.word(
            "identity",
            &[
                ("pinned", Self::Pinned),
                ("danger-any-machine", Self::DangerAnyMachine),
            ],
        )?;
        match (identity, pinned?) {
            (Self::Pinned, false) => {
                let what = format!("is `pinned`, and all of {pins} are `any`: pin one of them");
                fields.fault("identity", what);
                None
            }
            (Self::DangerAnyMachine, true) => {
                let what =
                    format!("is `danger-any-machine`, and one of {pins} is pinned: write `pinned`");
                fields.fault("identity", what);
                None
            }
            (Self::Pinned | Self::DangerAnyMachine, _) => Some(identity),
        }
    }

    /// Decides the check: of what says whose machine it is, something was compared, or policy says that
    /// nothing need be. `free` says of each whether it was left free.
    pub(crate) fn decide(self, free: &[bool], check: &'static Check, checks: &mut Checks) {
        match self {
            Self::Pinned => {
                let pinned = free.contains(&false);
                checks.expect(check, pinned, "something that is pinned", "nothing is");
            }
            Self::DangerAnyMachine => {
                let why = "the reference values take any machine (danger-any-machine)";
                checks.not_applicable(check, why);
            }
        }
    }
}

/// Whether whoever starts a container may change what it runs with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overrides {
    /// Nothing may be changed.
    Refused,
    /// Anything may.
    Allowed,
}

impl Overrides {
    /// Reads the field.
    pub(crate) fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        fields.word(
            name,
            &[("refused", Self::Refused), ("allowed", Self::Allowed)],
        )
    }
}

/// A list that is not empty.
pub(super) fn some_of<'a, T>(
    fields: &mut Fields<'a>,
    name: &'static str,
    mut read: impl FnMut(&'a Value) -> Result<T, String>,
) -> Option<Vec<T>> {
    fields.read(name, |value| match value.as_array() {
        None => Err("must be a list".to_owned()),
        Some([]) => Err("is an empty list: write what is accepted".to_owned()),
        Some(list) => list.iter().map(&mut read).collect(),
    })
}

/// A mapping inside a list.
pub(super) fn mapping<T>(
    value: &Value,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, String> {
    let mut faults: Vec<PolicyFault> = Vec::new();
    let found = Fields::open(value, "", &mut faults).and_then(|mut fields| {
        let found = read(&mut fields);
        fields.close();
        found
    });
    match found {
        Some(found) if faults.is_empty() => Ok(found),
        Some(_) | None => {
            let texts: Vec<String> = faults.iter().map(PolicyFault::to_string).collect();
            Err(texts.join("; "))
        }
    }
}

/// The RFC 7638 thumbprint of a key, as RFC 7638 writes it.
pub(super) fn thumbprint(value: &Value) -> Result<Sha256Digest, String> {
    let text = value.as_str().and_then(|text| b64::decode_array(text).ok());
    text.map(Sha256Digest::from_bytes)
        .ok_or_else(|| "must be an RFC 7638 thumbprint: 43 characters of base64url".to_owned())
}

/// The address of an issuer, without a full stop or slash at its end.
pub(super) fn issuer_name(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if text.starts_with("https://") && !text.ends_with('/') => Ok(text.to_owned()),
        Some(_) | None => Err(
            "must be an address that begins with `https://` and has no `/` at its end".to_owned(),
        ),
    }
}

/// The token as text.
pub(super) fn token_text(bytes: Option<&[u8]>) -> Result<&str, String> {
    let bytes = bytes.ok_or("none, or several")?;
    let text = str::from_utf8(bytes).map_err(|_| "bytes that are no text")?;
    // One line end is what an editor leaves behind; nothing else is cut off.
    Ok(text.strip_suffix('\n').unwrap_or(text))
}

/// The key of a pinned thumbprint that the token names, among all key sets that came.
pub(super) fn pinned_key(
    jws: &Jws<'_>,
    key_sets: &[Vec<u8>],
    pins: &[Sha256Digest],
    alg: Alg,
) -> Result<Jwk, String> {
    let kid = jws.header_text("kid").ok_or("a header without `kid`")?;
    let mut notes = Vec::new();
    let mut named = false;
    for bytes in key_sets {
        let set = match KeySet::parse(bytes) {
            Ok(set) => set,
            Err(error) => {
                notes.push(error.to_string());
                continue;
            }
        };
        if let Some((_, error)) = set.unused.iter().find(|(name, _)| name == kid) {
            notes.push(error.to_string());
        }
        let Some(key) = set.by_kid(kid) else { continue };
        named = true;
        if pins.contains(&key.thumbprint()) && key.is_for(alg) {
            return Ok(key.clone());
        }
        notes.push(format!(
            "its thumbprint is {}",
            b64::encode(key.thumbprint().as_bytes())
        ));
    }
    let what = match (named, key_sets) {
        (true, _) => "a key that is not pinned",
        (false, []) => "no key set",
        (false, _) => "no key of that name in the key sets",
    };
    let kid = quoted(kid);
    if notes.is_empty() {
        Err(format!("{what} (kid {kid})"))
    } else {
        Err(format!("{what} (kid {kid}; {})", notes.join("; ")))
    }
}

/// The times of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Times {
    issued: Timestamp,
    not_before: Option<Timestamp>,
    expires: Timestamp,
}

impl Times {
    /// Reads `iat`, `exp` and, where it is there, `nbf`.
    pub(super) fn read(claims: &Object) -> Result<Self, String> {
        let time = |name: &str| match claims.get(name) {
            None => Err(format!("no `{name}`")),
            Some(value) => match value.as_i64() {
                Some(seconds @ 0..=MAX_SECONDS) => Ok(Timestamp::from_unix_seconds(seconds)),
                Some(_) | None => Err(format!("`{name}` is {}", shown(Some(value)))),
            },
        };
        let not_before = match claims.get("nbf") {
            None => None,
            Some(_) => Some(time("nbf")?),
        };
        Ok(Self {
            issued: time("iat")?,
            not_before,
            expires: time("exp")?,
        })
    }

    /// What is wrong with them at a time.
    fn fault(self, lifetime: Lifetime, at: Timestamp) -> Option<String> {
        let Self {
            issued,
            not_before,
            expires,
        } = self;
        let begins = not_before.map_or(issued, |begins| begins.max(issued));
        let later = |time: Timestamp, by| time.checked_add(by).unwrap_or(Timestamp::MAX);
        let oldest = later(issued, lifetime.max_age.saturating_add(lifetime.skew));
        if expires <= begins {
            Some(format!(
                "valid from {begins} to {expires}, which is no time at all"
            ))
        } else if begins > later(at, lifetime.skew) {
            Some(format!("valid from {begins}, and it is {at}"))
        } else if at >= later(expires, lifetime.skew) {
            Some(format!("expired at {expires}, and it is {at}"))
        } else if at >= oldest {
            Some(format!(
                "made at {issued}, which is older than policy takes at {at}"
            ))
        } else {
            None
        }
    }
}

/// Decides whether a token counts at a time.
pub(super) fn check_times(
    claims: &Object,
    lifetime: Lifetime,
    at: Timestamp,
    check: &'static Check,
    checks: &mut Checks,
) -> Option<Times> {
    let expected = "a token that was made, has begun and has not expired";
    let times = match Times::read(claims) {
        Ok(times) => times,
        Err(fault) => {
            checks.fail(check, expected, fault);
            return None;
        }
    };
    match times.fault(lifetime, at) {
        None => checks.met(check),
        Some(fault) => checks.fail(check, expected, fault),
    }
    Some(times)
}

/// Says when a token was made and until when it counts.
pub(super) fn claim_times(times: Times, lifetime: Lifetime, proved: &mut Proved) {
    proved.claim(About::When, "issued-at", times.issued);
    proved.until(times.expires);
    if let Some(oldest) = times.issued.checked_add(lifetime.max_age) {
        proved.until(oldest);
    }
}

/// Decides whether a text is among those that are pinned.
pub(super) fn check_pin(
    pin: &Pin<String>,
    found: Option<&Value>,
    check: &'static Check,
    checks: &mut Checks,
) {
    match pin {
        Pin::Any => checks.not_applicable(check, "the reference values take any"),
        Pin::OneOf(list) => {
            let text = found.and_then(Value::as_str);
            let met = text.is_some_and(|text| list.iter().any(|pinned| pinned == text));
            checks.expect(check, met, one_of(list), shown(found));
        }
    }
}

/// Decides whether hexadecimal digits are among the values that are pinned.
pub(super) fn check_hex_pin(
    pin: &Pin<Vec<u8>>,
    found: Option<&Value>,
    check: &'static Check,
    checks: &mut Checks,
) {
    match pin {
        Pin::Any => checks.not_applicable(check, "the reference values take any"),
        Pin::OneOf(list) => {
            let bytes = found
                .and_then(Value::as_str)
                .and_then(|text| hex::decode(text).ok());
            let met = bytes.is_some_and(|bytes| list.contains(&bytes));
            let list: Vec<String> = list.iter().map(|bytes| hex::encode(bytes)).collect();
            checks.expect(check, met, one_of(&list), shown(found));
        }
    }
}

/// Decides whether a claim is true: its spelling as a text is another thing.
pub(super) fn check_true(
    claims: &Object,
    name: &str,
    check: &'static Check,
    checks: &mut Checks,
) -> bool {
    check_value(claims, name, &Value::Bool(true), check, checks)
}

/// Decides whether a claim is false: that it is not there, or a text, is another thing.
pub(super) fn check_false(
    claims: &Object,
    name: &str,
    check: &'static Check,
    checks: &mut Checks,
) -> bool {
    check_value(claims, name, &Value::Bool(false), check, checks)
}

fn check_value(
    claims: &Object,
    name: &str,
    expected: &Value,
    check: &'static Check,
    checks: &mut Checks,
) -> bool {
    let found = claims.get(name);
    let met = found == Some(expected);
    checks.expect(
        check,
        met,
        format_args!("`{name}` is {expected}"),
        shown(found),
    )
}

/// Decides that nothing can be said about a binding, if so, and else gives the challenge as a text.
pub(super) fn challenge_text(
    binding: &Binding,
    form: NonceForm,
    check: &'static Check,
    checks: &mut Checks,
) -> Option<String> {
    let Some(challenge) = binding.challenge() else {
        checks.not_applicable(check, "no binding was named");
        return None;
    };
    let text = form.write(challenge);
    if text.is_none() {
        checks.fail(check, "a challenge that is a text", "one that is not UTF-8");
    }
    text
}

/// Notes what a token says beyond what is looked at.
pub(super) fn note_beyond(what: &str, claims: &Object, known: &[&str], proved: &mut Proved) {
    let beyond: Vec<String> = claims
        .keys()
        .filter(|name| !known.contains(name))
        .take(MAX_NAMES)
        .map(quoted)
        .collect();
    if !beyond.is_empty() {
        proved.note(format!(
            "{what} that are not looked at: {}",
            beyond.join(", ")
        ));
    }
}

/// A claim for a message.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => quoted(text),
        Some(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            let text: String = value.to_string().chars().take(MAX_SHOWN).collect();
            text.escape_debug().to_string()
        }
    }
}

/// A text for a message: in quotation marks, shortened, without control characters.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(MAX_SHOWN).collect();
    format!("`{}`", short.escape_debug())
}

/// A list for a message.
pub(super) fn one_of(list: &[String]) -> String {
    match list {
        [one] => one.clone(),
        [..] => format!("one of {}", list.join(", ")),
    }
}

/// What clocks that are kept may differ by.
const MAX_SKEW: u64 = 60;
/// A year: nobody's token lives longer.
const MAX_AGE: u64 = 366 * 86_400;
/// The end of the year 9999.
const MAX_SECONDS: i64 = 253_402_300_799;
const MAX_SHOWN: usize = 160;
const MAX_NAMES: usize = 40;

#[cfg(test)]
mod tests;
