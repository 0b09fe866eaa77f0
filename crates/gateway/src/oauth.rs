//! Callers that an authorization server vouches for (OAuth 2.1, RFC 9728), beside those with tokens of
//! our own. A token is believed for what it says after five questions: who signed it, with a key of a
//! configured issuer; for whom, which has to be us; until when; in what algorithm; and, where it is
//! bound to a key, whether the caller holds that key.
//!
//! What a caller showed ends here: nothing of it is logged, kept or sent on. Behind this module there is
//! a [`Principal`] like any other.

mod cache;
mod challenge;
mod claims;
mod document;
mod introspection;
mod keys;
mod nonce;
mod proof;
mod replay;
mod scopes;
mod settings;

use std::sync::Arc;

use cmcp_evidence::Timestamp;
use cmcp_mcp::{
    fetch::{Fetcher, Listed},
    jose::{JwsError, Unverified},
};
use cmcp_policy::engine::Principal;
use http::Method;

pub use self::settings::{
    ClaimAttribute, ClaimKind, Dpop, Introspection, IssuerKeys, Oauth, OauthIssuer,
};
use self::{
    cache::{Cache, Entry, Mark},
    challenge::Words,
    claims::Verified,
    introspection::Introspector,
    keys::KeyRing,
    proof::{Proofs, Request},
};
pub(crate) use self::{
    document::{BELOW_WELL_KNOWN, WELL_KNOWN, metadata},
    proof::ProofError,
    scopes::{Insufficient, Reachable},
};
/// What fetches the documents of issuers.
pub use cmcp_mcp::fetch::Fetcher as DocumentFetcher;
pub use cmcp_mcp::{
    client::oauth::{
        Authority, Client, ClientSettings, Proof, SecretFault, SecretMethod, SecretSource, Source,
        UnixTime,
    },
    fetch::{Listed as ListedHosts, Url, UrlError},
    jose::{Algorithm, KeySet, SetError},
};

/// The scheme of an `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Dpop,
}

/// What a caller shows.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) token: &'a str,
    /// SHA-256 of the token.
    pub(crate) digest: [u8; 32],
    /// The one `DPoP` header.
    pub(crate) proof: Option<&'a str>,
    pub(crate) method: &'a Method,
    /// Path of the request.
    pub(crate) path: &'a str,
}

/// Why a token lets nobody in. The text is for its bearer: it says nothing that the token does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the token is none that is known here")]
    Unknown,
    #[error("the token is not well formed: {0}")]
    Malformed(JwsError),
    #[error("the token's algorithm is not accepted here")]
    Algorithm,
    #[error("the token is of a type that gives no access")]
    Type,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is signed with a key that the issuer does not publish")]
    Key,
    #[error("the token's signature does not hold")]
    Signature,
    #[error("the token is for another resource")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    Early,
    #[error("the token's `{0}` is missing, or not what it has to be")]
    Claim(&'static str),
    #[error("the token is not active")]
    Inactive,
    #[error("the token is bound to a key, and no proof of it came along")]
    Bound,
    #[error("the token is bound in a way that cannot be checked here")]
    Binding,
    #[error("the token is not bound to a key, and has to be")]
    Unbound,
    #[error("{0}")]
    Proof(#[from] ProofError),
    #[error("the token gives too little")]
    Scope,
    #[error("the issuer cannot be asked now")]
    Unavailable,
}

/// The judge of tokens.
#[derive(Debug)]
pub(crate) struct Authorization {
    settings: Arc<Oauth>,
    fetcher: Fetcher,
    rings: Vec<KeyRing>,
    introspector: Option<Introspector>,
    cache: Cache,
    proofs: Proofs,
    words: Words,
}

/// Why there is no judge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorizationError {
    #[error("{0}")]
    Tls(#[from] cmcp_mcp::tls::TlsError),
    #[error("the system gives no randomness")]
    Randomness,
    #[error("`oauth.resource` makes no header: {0}")]
    Resource(UrlError),
}

impl Authorization {
    pub(crate) fn new(settings: Arc<Oauth>) -> Result<Self, AuthorizationError> {
        let mut listed = Listed::hosts(settings.private_hosts.iter().cloned());
        for url in settings.urls() {
            listed = listed.and(url);
        }
        let introspecting = settings.issuers.iter().enumerate();
        let introspector = introspecting
            .filter_map(|(at, issuer)| Some((at, issuer.introspection.as_ref()?)))
            .map(|(at, introspection)| Introspector::new(at, introspection.clone()))
            .next();
        Ok(Self {
            fetcher: Fetcher::new(listed)?,
            rings: settings.issuers.iter().map(KeyRing::new).collect(),
            introspector,
            cache: Cache::default(),
            proofs: Proofs::new().ok_or(AuthorizationError::Randomness)?,
            words: Words::of(&settings).map_err(AuthorizationError::Resource)?,
            settings,
        })
    }

    /// Who shows this, if anybody vouches for it.
    pub(crate) async fn admit(
        &self,
        shown: Shown<'_>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Denied> {
        let verified = self.verified(shown, now).await?;
        self.check_binding(shown, &verified, now)?;
        if verified.lacks_required {
            return Err(Denied::Scope);
        }
        Ok(Arc::clone(&verified.principal))
    }

    /// Fetches keys again that are due, so that no call waits for it.
    pub(crate) async fn tend(&self, now: Timestamp) {
        for ring in &self.rings {
            ring.tend(&self.fetcher, now).await;
        }
    }

    async fn verified(&self, shown: Shown<'_>, now: Timestamp) -> Result<Arc<Verified>, Denied> {
        let Shown { token, digest, .. } = shown;
        match self.cache.get(&digest, seconds(now)) {
            Some(Entry::Inactive) => return Err(Denied::Inactive),
            Some(Entry::Good(verified, mark)) if self.holds(mark) => return Ok(verified),
            Some(Entry::Good(..)) | None => {}
        }
        match Unverified::parse(token) {
            Ok(parsed) => {
                let (verified, mark) = self.check_signed(&parsed, now).await?;
                let verified = Arc::new(verified);
                let entry = Entry::Good(Arc::clone(&verified), mark);
                self.cache.put(digest, entry, verified.until);
                Ok(verified)
            }
            Err(JwsError::Shape) => self.check_opaque(token, digest, now).await,
            Err(JwsError::Algorithm) => Err(Denied::Algorithm),
            Err(error) => Err(Denied::Malformed(error)),
        }
    }

    /// Whether the keys that a token was checked with are still those of its issuer.
    fn holds(&self, mark: Mark) -> bool {
        let ring = self.rings.get(mark.issuer);
        mark.generation == 0 || ring.is_some_and(|ring| ring.generation() == mark.generation)
    }

    async fn check_signed(
        &self,
        token: &Unverified<'_>,
        now: Timestamp,
    ) -> Result<(Verified, Mark), Denied> {
        let header = &token.header;
        if header.typ.is_some() && !TYPES.iter().any(|typ| header.is(typ)) {
            return Err(Denied::Type);
        }
        if !self.settings.algorithms.contains(&header.algorithm) {
            return Err(Denied::Algorithm);
        }
        let unproven = token
            .unproven()
            .ok_or(Denied::Malformed(JwsError::Claims))?;
        let named = unproven.get("iss").and_then(cmcp_json::Value::as_str);
        let issuers = self.settings.issuers.iter().zip(&self.rings).enumerate();
        let mut mine = issuers.filter(|(_, (issuer, _))| Some(issuer.issuer.as_str()) == named);
        let (at, (issuer, ring)) = mine.next().ok_or(Denied::Issuer)?;
        // Nobody's keys are fetched for a token that is over anyway, or for somebody else.
        claims::check_times(&unproven, seconds(now))?;
        claims::check_audience(&unproven, &self.settings.resource)?;
        let (key, generation) = ring.find(&self.fetcher, header, now).await?;
        let proven = token.verify(&key).map_err(|error| match error {
            JwsError::Signature | JwsError::Key => Denied::Signature,
            JwsError::Shape
            | JwsError::Header
            | JwsError::Claims
            | JwsError::Algorithm
            | JwsError::Critical => Denied::Malformed(error),
        })?;
        let verified = Verified::read(&proven, (&self.settings, issuer), seconds(now))?;
        let mark = Mark {
            issuer: at,
            generation,
        };
        Ok((verified, mark))
    }

    async fn check_opaque(
        &self,
        token: &str,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<Arc<Verified>, Denied> {
        let introspector = self.introspector.as_ref().ok_or(Denied::Unknown)?;
        let issuer = self.settings.issuers.get(introspector.issuer);
        let issuer = issuer.ok_or(Denied::Unknown)?;
        let now = seconds(now);
        let Some(answer) = introspector.ask(&self.fetcher, token).await? else {
            let until = now.saturating_add(INACTIVE_SECONDS);
            self.cache.put(digest, Entry::Inactive, until);
            return Err(Denied::Inactive);
        };
        claims::check_issuer(&answer, issuer)?;
        claims::check_audience(&answer, &self.settings.resource)?;
        let verified = Arc::new(Verified::read(&answer, (&self.settings, issuer), now)?);
        let mark = Mark {
            issuer: introspector.issuer,
            generation: 0,
        };
        let until = verified.until.min(now.saturating_add(ACTIVE_SECONDS));
        self.cache
            .put(digest, Entry::Good(Arc::clone(&verified), mark), until);
        Ok(verified)
    }

    /// A token that is bound to a key is good in the hand that holds the key, and in no other.
    fn check_binding(
        &self,
        shown: Shown<'_>,
        verified: &Verified,
        now: Timestamp,
    ) -> Result<(), Denied> {
        match (shown.scheme, &verified.key, self.settings.dpop) {
            (Scheme::Bearer, None, Dpop::Off | Dpop::Optional) => Ok(()),
            (Scheme::Bearer, None, Dpop::Required) | (Scheme::Dpop, None, _) => {
                Err(Denied::Unbound)
            }
            (Scheme::Bearer, Some(_), _) => Err(Denied::Bound),
            (Scheme::Dpop, Some(_), Dpop::Off) => Err(Denied::Binding),
            (Scheme::Dpop, Some(key), Dpop::Optional | Dpop::Required) => {
                let request = Request {
                    proof: shown.proof.ok_or(ProofError::Missing)?,
                    token: &shown.digest,
                    method: shown.method,
                    url: &self.words.url_of(shown.path),
                    key,
                    algorithms: &self.settings.algorithms,
                };
                Ok(self.proofs.check(&request, seconds(now))?)
            }
        }
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(now: Timestamp) -> i64 {
    let epoch = Timestamp::from_unix_seconds(0);
    i64::try_from(now.saturating_since(epoch).as_secs()).unwrap_or(i64::MAX)
}

/// Types of a token that gives access; many issuers still write `JWT`.
const TYPES: [&str; 2] = ["at+jwt", "jwt"];
/// How far clocks may be apart.
const LEEWAY_SECONDS: i64 = 30;
/// How long an issuer's word on an opaque token counts.
const ACTIVE_SECONDS: i64 = 30;
const INACTIVE_SECONDS: i64 = 10;

#[cfg(test)]
mod tests;
