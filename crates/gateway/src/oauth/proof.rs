//! Proofs that a caller holds the key which its token is bound to (RFC 9449).

use cmcp_json::{Object, Value};
use cmcp_mcp::{
    fetch::Url,
    jose::{self, Algorithm, JwsError, KeyError, PublicKey, Unverified},
};
use http::Method;
use subtle::ConstantTimeEq;

use super::{
    claims::numeric_date,
    nonce::Nonces,
    replay::{Known, Replay},
};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProofError {
    #[error("the proof is missing, or there are two")]
    Missing,
    #[error("the proof is not well formed: {0}")]
    Malformed(JwsError),
    #[error("the proof is of another type than `dpop+jwt`")]
    Type,
    #[error("the proof's algorithm is not accepted here")]
    Algorithm,
    #[error("the proof's key cannot be used: {0}")]
    Key(KeyError),
    #[error("the proof's signature does not hold")]
    Signature,
    #[error("the proof's `{0}` is missing, or not what it has to be")]
    Claim(&'static str),
    #[error("the proof is for another method")]
    Method,
    #[error("the proof is for another URL")]
    Url,
    #[error("the proof is too old, or from the future")]
    Time,
    #[error("the proof is for another token")]
    Token,
    #[error("the proof is by another key than the token's")]
    OtherKey,
    #[error("the proof needs the nonce that this answer carries")]
    Nonce,
    #[error("the proof was used before")]
    Replayed,
    #[error("too many proofs came in a short time")]
    Busy,
}

impl ProofError {
    fn of(error: JwsError) -> Self {
        match error {
            JwsError::Algorithm => Self::Algorithm,
            JwsError::Signature | JwsError::Key => Self::Signature,
            JwsError::Shape | JwsError::Header | JwsError::Claims | JwsError::Critical => {
                Self::Malformed(error)
            }
        }
    }
}

/// What a proof has to be about.
pub(super) struct Request<'a> {
    pub(super) proof: &'a str,
    /// SHA-256 of the token.
    pub(super) token: &'a [u8; 32],
    pub(super) method: &'a Method,
    /// Where it was sent, as clients know us.
    pub(super) url: &'a str,
    /// Thumbprint of the key that the token is bound to.
    pub(super) key: &'a str,
    pub(super) algorithms: &'a [Algorithm],
}

/// The judge of proofs.
#[derive(Debug)]
pub(super) struct Proofs {
    nonces: Nonces,
    replay: Replay,
}

impl Proofs {
    /// `None` when the system gives no randomness.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            nonces: Nonces::new()?,
            replay: Replay::default(),
        })
    }

    /// The nonce that the next proof has to carry.
    pub(super) fn nonce(&self, now: i64) -> String {
        self.nonces.current(now)
    }

    /// Whether a proof holds, for this request and for the first time.
    pub(super) fn check(&self, request: &Request<'_>, now: i64) -> Result<(), ProofError> {
        let (key, claims) = proven(request)?;
        let text = |name: &'static str| {
            let text = claims.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
                .ok_or(ProofError::Claim(name))
        };
        if !same(&key.thumbprint(), request.key) {
            return Err(ProofError::OtherKey);
        }
        if text("htm")? != request.method.as_str() {
            return Err(ProofError::Method);
        }
        if !leads_to(text("htu")?, request.url) {
            return Err(ProofError::Url);
        }
        let token = jose::encode(request.token);
        if !same(text("ath")?, &token) {
            return Err(ProofError::Token);
        }
        let made = claims.get("iat").and_then(numeric_date);
        let made = made.ok_or(ProofError::Claim("iat"))?;
        if now.abs_diff(made) > WINDOW_SECONDS.unsigned_abs() {
            return Err(ProofError::Time);
        }
        let jti = text("jti")?;
        // Told apart from a wrong one nowhere: in either case the next attempt carries the right one.
        let nonce = claims.get("nonce").and_then(Value::as_str);
        if !nonce.is_some_and(|nonce| self.nonces.holds(nonce, now)) {
            return Err(ProofError::Nonce);
        }
        match self.replay.note(request.key, jti, now) {
            Known::New => Ok(()),
            Known::Seen => Err(ProofError::Replayed),
            Known::Full => Err(ProofError::Busy),
        }
    }
}

/// The key that a proof carries and what it says, signed by that key.
fn proven(request: &Request<'_>) -> Result<(PublicKey, Object), ProofError> {
    if request.proof.len() > MAX_PROOF {
        return Err(ProofError::Malformed(JwsError::Shape));
    }
    let proof = Unverified::parse(request.proof).map_err(ProofError::of)?;
    // Whoever signs something else with the same key must not sign a proof by it.
    if !proof.header.is("dpop+jwt") {
        return Err(ProofError::Type);
    }
    if !request.algorithms.contains(&proof.header.algorithm) {
        return Err(ProofError::Algorithm);
    }
    let jwk = proof.header.jwk.as_ref();
    let jwk = jwk.ok_or(ProofError::Malformed(JwsError::Header))?;
    let key = PublicKey::from_jwk(jwk).map_err(ProofError::Key)?;
    let claims = proof.verify(&key).map_err(ProofError::of)?;
    Ok((key, claims))
}

/// Whether two spell the same URL, without query and fragment.
fn leads_to(htu: &str, url: &str) -> bool {
    let end = htu.find(['?', '#']).unwrap_or(htu.len());
    let parsed = |text: &str| text.parse::<Url>().ok();
    match (htu.get(..end).and_then(parsed), parsed(url)) {
        (Some(said), Some(meant)) => said.same_origin(&meant) && said.path() == meant.path(),
        (Some(_) | None, _) => false,
    }
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// How far a proof's time may be from ours.
pub(super) const WINDOW_SECONDS: i64 = 60;
const MAX_PROOF: usize = 8 << 10;
const MAX_TEXT: usize = 2_048;
