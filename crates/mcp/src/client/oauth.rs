//! What we show to a server: a token that was given to us, or one that an authorization server gives
//! for our own credentials (RFC 6749, 4.4; RFC 7523). What clients show to us is never among it.
//!
//! Credentials belong to one issuer. A server says where tokens for it come from, and is believed only
//! as far as it names the issuer that configuration names; otherwise it could have our secret sent to
//! whomever it likes.

pub mod challenge;
mod grant;
pub mod metadata;
mod secret;
mod token;

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

use self::{challenge::Challenge, metadata::DiscoveryError, secret::Kept};
pub use self::{
    grant::{Authority, Client, ClientSettings, Proof, SecretMethod, basic},
    secret::{SecretFault, SecretSource},
};
use crate::{fetch::FetchError, jose::PrivateKeyError};

/// Where the value of the `Authorization` header comes from. It is shared by all clients of one server,
/// so that they ask for one token together.
pub struct Source(Kind);

enum Kind {
    Bearer(Kept),
    Client(Box<Client>),
}

/// Why no credential could be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CredentialError {
    /// The secret itself.
    #[error("the secret of the credential {0}")]
    Secret(#[from] SecretFault),
    /// The key that assertions are signed with.
    #[error("the key of the credential cannot be used: {0}")]
    Key(#[from] PrivateKeyError),
    /// The issuer's metadata.
    #[error("the authorization server is not known: {0}")]
    Discovery(#[from] DiscoveryError),
    /// The token endpoint did not answer.
    #[error("no token: {0}")]
    Fetch(#[from] FetchError),
    /// The token endpoint said no.
    #[error(
        "the token endpoint refuses with `{code}` (HTTP status {status}); check client id, secret and scope"
    )]
    Refused {
        /// The error's code.
        code: String,
        /// The HTTP status.
        status: u16,
    },
    /// The token endpoint said something else.
    #[error("the token endpoint's answer has no usable `access_token` of type `Bearer`")]
    Answer,
    /// The server names no issuer, or not ours.
    #[error(
        "the server takes no tokens of `{issuer}`; correct `issuer` in the credential of this server"
    )]
    OtherIssuer {
        /// The configured issuer.
        issuer: String,
    },
    /// The server's metadata speak of another resource.
    #[error("the server's metadata speak of another resource, `{resource}`")]
    OtherResource {
        /// What they speak of, shortened.
        resource: String,
    },
    /// Nothing says who gives tokens.
    #[error("the server asks for a token and does not say whose; set `token_endpoint` for it")]
    NoIssuer,
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

impl Source {
    /// A bearer token, read anew from time to time.
    #[must_use]
    pub fn bearer(secret: SecretSource, now: UnixTime) -> Self {
        Self(Kind::Bearer(Kept::new(secret, now)))
    }

    /// A client of an authorization server.
    #[must_use]
    pub fn client(client: Client) -> Self {
        Self(Kind::Client(Box::new(client)))
    }

    /// What to send; nothing while the server has not said whose tokens it takes.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub async fn header(&self) -> Result<Option<HeaderValue>, CredentialError> {
        match &self.0 {
            Kind::Bearer(kept) => Ok(Some(kept.header().await?)),
            Kind::Client(client) => client.header().await,
        }
    }

    /// The server refused what [`Self::header`] gave. What to send instead, once; nothing where there is
    /// nothing better.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub async fn rejected(
        &self,
        used: Option<&HeaderValue>,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, CredentialError> {
        let challenge = bearer_challenge(headers);
        match &self.0 {
            Kind::Bearer(kept) if status == StatusCode::UNAUTHORIZED => {
                Ok(kept.reread(used).await?)
            }
            Kind::Bearer(_) => Ok(None),
            Kind::Client(client) => client.rejected(used, status, challenge.as_ref()).await,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bearer(_) => f.write_str("Bearer(..)"),
            Kind::Client(client) => client.fmt(f),
        }
    }
}

/// The challenge of the scheme `Bearer`, if there is one.
fn bearer_challenge(headers: &HeaderMap) -> Option<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(challenge::parse)
        .find(|challenge| challenge.scheme.eq_ignore_ascii_case("bearer"))
}

/// The value of the header for a token; sensitive, so that nothing prints it.
fn bearer_header(token: &str) -> Option<HeaderValue> {
    let visible = |byte: u8| byte.is_ascii_graphic();
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(visible) {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The time, as seconds since 1970.
pub type UnixTime = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Longest token.
const MAX_TOKEN: usize = 16 << 10;

#[cfg(test)]
mod tests;
