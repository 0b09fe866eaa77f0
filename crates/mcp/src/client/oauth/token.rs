//! A token that was given to us, and how long it is used.

use cmcp_json::Value;
use http::{HeaderValue, StatusCode};

use super::{CredentialError, bearer_header};
use crate::fetch::Fetched;

/// A token in use.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    /// When it was asked for.
    given: i64,
    /// Seconds.
    life: i64,
}

impl Token {
    /// Reads the answer of a token endpoint (RFC 6749, 5.1 and 5.2).
    pub(super) fn read(answer: &Fetched, asked: i64) -> Result<Self, CredentialError> {
        let document = &answer.document;
        if answer.status != StatusCode::OK {
            let code = document.get("error").and_then(Value::as_str);
            return Err(CredentialError::Refused {
                code: word(code.unwrap_or_default()),
                status: answer.status.as_u16(),
            });
        }
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        let header = text("access_token").and_then(bearer_header);
        let life = match document.get("expires_in") {
            None => USUAL,
            Some(seconds) => seconds.as_i64().ok_or(CredentialError::Answer)?,
        };
        match header {
            Some(header) if bearer => Ok(Self {
                header,
                given: asked,
                life: life.clamp(0, LONGEST),
            }),
            Some(_) | None => Err(CredentialError::Answer),
        }
    }

    /// Whether the server still takes it, as far as we were told.
    pub(super) fn is_good(&self, now: i64) -> bool {
        self.age(now) < self.life
    }

    /// Whether it is time for the next one: a tenth of its life is left, or a minute.
    pub(super) fn is_due(&self, now: i64) -> bool {
        let early = (self.life / 10).min(MINUTE);
        self.age(now) >= self.life.saturating_sub(early)
    }

    /// Whether it was given only just now: then another one would be refused as well.
    pub(super) fn is_new(&self, now: i64) -> bool {
        self.age(now) < NEW
    }

    /// A clock that is set back makes nothing younger than new.
    fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.given).max(0)
    }
}

/// A code of RFC 6749, with nothing else in it.
fn word(code: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_' || *c == '-' || *c == '.';
    let word: String = code.chars().filter(plain).take(64).collect();
    if word.is_empty() {
        "no error code".to_owned()
    } else {
        word
    }
}

/// Life of a token whose answer says nothing, in seconds.
const USUAL: i64 = 300;
/// No token is kept for longer, whatever was said.
const LONGEST: i64 = 86_400;
const MINUTE: i64 = 60;
const NEW: i64 = 5;
