//! The verifier where there is no operating system: one question in, one answer out, both JSON.
//!
//! Two modules are built of it for `wasm32-unknown-unknown` (`examples/`), one for evidence and one for trust
//! records. They import nothing: they cannot read a clock, a file or a network, and a page that loads one can
//! be cut off before it asks. What is asked is asked whole; no member may be left out.
//!
//! ```json
//! {"evidence": {"format": "cmcp-evidence/v1", …}, "reference_values": {…}, "binding": {"challenge": "…"},
//!  "at": "2026-06-05T00:00:00Z"}
//! ```
//!
//! ```json
//! {"record": "…", "trusted_key": {"kty": "OKP", …}, "challenge": "not-pinned", "measurements": ["sha384:…"],
//!  "max_age_seconds": 86400, "profiles": "v0.2", "at": "2026-06-05T00:00:00Z"}
//! ```

mod evidence;
mod host;
mod question;
mod record;

use cmcp_json::{Limits, Object, Value};

pub use host::Host;
pub use question::QuestionError;

/// Judges evidence in its container. The answer is the result, or has one member, `error`.
#[must_use]
pub fn evidence(question: &[u8]) -> Vec<u8> {
    answer(question, evidence::verify)
}

/// Judges a trust record, or a claim of the older form. The answer is the report, or has one member, `error`.
#[must_use]
pub fn record(question: &[u8]) -> Vec<u8> {
    answer(question, record::verify)
}

fn answer(
    question: &[u8],
    verify: impl FnOnce(question::Question<'_>) -> Result<Object, QuestionError>,
) -> Vec<u8> {
    let answer = match cmcp_json::parse(question, &LIMITS) {
        Ok(document) => question::Question::open(&document).and_then(verify),
        Err(error) => Err(error.into()),
    };
    let answer = answer.unwrap_or_else(|error| Object::from([("error", error.to_string())]));
    Value::Object(answer).to_vec()
}

/// Evidence of sixteen megabytes, in base64.
const LIMITS: Limits = Limits {
    bytes: 32 << 20,
    string_bytes: 24 << 20,
    ..Limits::DOCUMENT
};

#[cfg(test)]
mod tests;
