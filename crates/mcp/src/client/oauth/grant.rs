//! Client credentials: our own id and secret, or an assertion signed by our own key, for a token.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_json::{Object, Value};
use http::{HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::{
    CredentialError, SecretSource, UnixTime,
    challenge::Challenge,
    metadata::{DiscoveryError, Issuer, Resource, shorten},
    token::Token,
};
use crate::{
    fetch::{Fetcher, Form, Url, form_encoded},
    jose::{self, Algorithm, PrivateKey},
};

/// What a client is made of.
#[derive(Debug)]
pub struct ClientSettings {
    /// The server that the tokens are for.
    pub upstream: Url,
    /// Who gives them.
    pub authority: Authority,
    /// Our name there.
    pub client_id: String,
    /// How we prove it.
    pub proof: Proof,
    /// The scope to ask for. Without one it is what the server's challenge names, else what its
    /// metadata name, else none; and only then can a server ask for more.
    pub scope: Option<String>,
    /// The `resource` to ask for; without one it is what the server calls itself, else its URL.
    pub resource: Option<String>,
}

/// Who gives tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// This endpoint, whatever the server says.
    Endpoint(Url),
    /// This issuer, if the server takes its tokens.
    Issuer(Url),
    /// The first issuer that the server names: for credentials that are meant for that server alone.
    OfServer,
}

/// How a client proves who it is.
#[derive(Debug)]
pub enum Proof {
    /// A shared secret.
    Secret {
        /// The secret.
        secret: SecretSource,
        /// Where it goes; by default where the issuer takes it, else into the header.
        method: Option<SecretMethod>,
    },
    /// An assertion signed with this key, in PEM (RFC 7523).
    Key {
        /// The key.
        key: SecretSource,
        /// The algorithm, where it is not the one that follows from the key.
        algorithm: Option<Algorithm>,
        /// The name of the key at the issuer.
        kid: Option<String>,
    },
}

/// Where a client's secret goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretMethod {
    /// The `Authorization` header.
    Basic,
    /// The form.
    Post,
}

/// A client of an authorization server, with the token it has.
pub struct Client {
    settings: ClientSettings,
    fetcher: Fetcher,
    now: UnixTime,
    current: Mutex<Option<Token>>,
    // One asks, the others wait for what comes of it.
    asking: tokio::sync::Mutex<Asking>,
}

/// What is known besides the token.
#[derive(Default)]
struct Asking {
    resource: Option<Resource>,
    issuer: Option<(i64, Issuer)>,
    /// The scope of challenges, all that were heard together.
    wanted: BTreeSet<String>,
    /// How often a server has asked for more.
    raised: usize,
    failed: Option<(i64, CredentialError)>,
}

impl Client {
    /// A client that asks for its first token when one is needed.
    #[must_use]
    pub fn new(settings: ClientSettings, fetcher: Fetcher, now: UnixTime) -> Self {
        Self {
            settings,
            fetcher,
            now,
            current: Mutex::new(None),
            asking: tokio::sync::Mutex::default(),
        }
    }

    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, CredentialError> {
        let now = (self.now)();
        match self.current() {
            Some(token) if !token.is_due(now) => return Ok(Some(token.header)),
            // Whoever comes first fetches the next one; the others use what there is.
            Some(token) if token.is_good(now) => {
                let Ok(mut asking) = self.asking.try_lock() else {
                    return Ok(Some(token.header));
                };
                let next = self.renew(&mut asking).await;
                return Ok(Some(next.unwrap_or(token.header)));
            }
            Some(_) | None => {}
        }
        let mut asking = self.asking.lock().await;
        match self.current() {
            Some(token) if token.is_good(now) => Ok(Some(token.header)),
            // Who gives tokens is learned from the server's challenge.
            Some(_) | None if !self.knows(&asking) => Ok(None),
            Some(_) | None => self.renew(&mut asking).await.map(Some),
        }
    }

    pub(super) async fn rejected(
        &self,
        used: Option<&HeaderValue>,
        status: StatusCode,
        challenge: Option<&Challenge>,
    ) -> Result<Option<HeaderValue>, CredentialError> {
        let mut asking = self.asking.lock().await;
        let (now, current) = ((self.now)(), self.current());
        let header = current.as_ref().map(|token| &token.header);
        // Somebody else has fetched another one meanwhile.
        if let Some(newer) = header.filter(|header| Some(*header) != used) {
            return Ok(Some(newer.clone()));
        }
        let more = status == StatusCode::FORBIDDEN;
        if more && !self.may_raise(&mut asking, challenge) {
            return Ok(None);
        }
        if !more && current.is_some_and(|token| token.is_new(now)) {
            return Ok(None);
        }
        if !more && status != StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        self.learn(&mut asking, challenge).await?;
        self.forget();
        self.renew(&mut asking).await.map(Some)
    }

    /// Whether tokens may be asked for before the server has said anything.
    fn knows(&self, asking: &Asking) -> bool {
        match self.settings.authority {
            Authority::Endpoint(_) => true,
            Authority::Issuer(_) | Authority::OfServer => asking.resource.is_some(),
        }
    }

    /// Whether a 403 asks for scope that has not been asked for yet, and may be.
    fn may_raise(&self, asking: &mut Asking, challenge: Option<&Challenge>) -> bool {
        let Some(challenge) = challenge else {
            return false;
        };
        let insufficient = challenge.get("error") == Some("insufficient_scope");
        let new = words(challenge.get("scope").unwrap_or_default())
            .any(|scope| !asking.wanted.contains(scope));
        if self.settings.scope.is_some() || !insufficient || !new || asking.raised >= MAX_RAISED {
            return false;
        }
        asking.raised = asking.raised.saturating_add(1);
        true
    }

    /// Takes from a challenge what it says of resource and scope.
    async fn learn(
        &self,
        asking: &mut Asking,
        challenge: Option<&Challenge>,
    ) -> Result<(), CredentialError> {
        let get = |name: &str| challenge.and_then(|challenge| challenge.get(name));
        let scopes = words(get("scope").unwrap_or_default()).take(MAX_SCOPES);
        asking.wanted.extend(scopes.map(ToOwned::to_owned));
        if matches!(self.settings.authority, Authority::Endpoint(_)) || asking.resource.is_some() {
            return Ok(());
        }
        let upstream = &self.settings.upstream;
        let pointed = get("resource_metadata");
        let resource = match Resource::discover(&self.fetcher, upstream, pointed).await {
            Ok(resource) => resource,
            Err(error) => self.undescribed(error)?,
        };
        if !resource.covers(upstream) {
            return Err(CredentialError::OtherResource {
                resource: shorten(&resource.resource),
            });
        }
        if let Authority::Issuer(issuer) = &self.settings.authority
            && !resource
                .issuers
                .iter()
                .any(|named| named == issuer.as_str())
        {
            return Err(CredentialError::OtherIssuer {
                issuer: issuer.as_str().to_owned(),
            });
        }
        asking.resource = Some(resource);
        Ok(())
    }

    /// A server without metadata, of whose issuer configuration is sure.
    fn undescribed(&self, error: DiscoveryError) -> Result<Resource, CredentialError> {
        match (&self.settings.authority, error) {
            (Authority::Issuer(issuer), DiscoveryError::Nowhere(_)) => Ok(Resource {
                resource: self.settings.upstream.place(),
                issuers: vec![issuer.as_str().to_owned()],
                scopes: Vec::new(),
            }),
            (Authority::Endpoint(_) | Authority::Issuer(_) | Authority::OfServer, error) => {
                Err(error.into())
            }
        }
    }

    async fn renew(&self, asking: &mut Asking) -> Result<HeaderValue, CredentialError> {
        let now = (self.now)();
        if let Some((at, error)) = &asking.failed
            && now.saturating_sub(*at) < BACK_OFF
        {
            return Err(error.clone());
        }
        match self.ask(asking).await {
            Ok(token) => {
                asking.failed = None;
                let header = token.header.clone();
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
                Ok(header)
            }
            Err(error) => {
                // What was learned of the issuer may be what is wrong.
                asking.issuer = None;
                asking.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    async fn ask(&self, asking: &mut Asking) -> Result<Token, CredentialError> {
        let issuer = self.issuer(asking).await?;
        let endpoint = match (&self.settings.authority, &issuer) {
            (Authority::Endpoint(endpoint), _) => endpoint.clone(),
            (Authority::Issuer(_) | Authority::OfServer, Some(issuer)) => {
                let member = "token_endpoint";
                let of = issuer.issuer.as_str().to_owned();
                issuer
                    .token_endpoint
                    .clone()
                    .ok_or(DiscoveryError::Member { of, member })?
            }
            (Authority::Issuer(_) | Authority::OfServer, None) => {
                return Err(CredentialError::NoIssuer);
            }
        };
        let mut form = Form::new().with("grant_type", "client_credentials");
        if let Some(scope) = self.scope(asking) {
            form = form.with("scope", &scope);
        }
        form = form.with("resource", &self.resource(asking));
        let (form, authorization) = self.prove(form, issuer.as_ref(), &endpoint).await?;
        let asked = (self.now)();
        let answer = self.fetcher.post(&endpoint, &form, authorization).await?;
        Token::read(&answer, asked)
    }

    async fn issuer(&self, asking: &mut Asking) -> Result<Option<Issuer>, CredentialError> {
        let name = match &self.settings.authority {
            Authority::Endpoint(_) => return Ok(None),
            Authority::Issuer(issuer) => issuer.clone(),
            Authority::OfServer => {
                let named = asking.resource.as_ref().and_then(|one| one.issuers.first());
                let named = named.ok_or(CredentialError::NoIssuer)?;
                named.parse().map_err(|cause| DiscoveryError::Url {
                    of: self.settings.upstream.place(),
                    member: "authorization_servers",
                    cause,
                })?
            }
        };
        let now = (self.now)();
        if let Some((at, known)) = &asking.issuer
            && now.saturating_sub(*at) < KEEP_METADATA
        {
            return Ok(Some(known.clone()));
        }
        let issuer = Issuer::discover(&self.fetcher, &name).await?;
        asking.issuer = Some((now, issuer.clone()));
        Ok(Some(issuer))
    }

    fn scope(&self, asking: &Asking) -> Option<String> {
        if let Some(scope) = &self.settings.scope {
            return Some(scope.clone());
        }
        let wanted: Vec<&str> = if asking.wanted.is_empty() {
            let named = asking.resource.iter().flat_map(|known| &known.scopes);
            named.map(String::as_str).collect()
        } else {
            asking.wanted.iter().map(String::as_str).collect()
        };
        (!wanted.is_empty()).then(|| wanted.join(" "))
    }

    fn resource(&self, asking: &Asking) -> String {
        let configured = self.settings.resource.clone();
        let said = || asking.resource.as_ref().map(|known| known.resource.clone());
        configured
            .or_else(said)
            .unwrap_or_else(|| self.settings.upstream.place())
    }

    /// Adds to the form what proves who we are, or gives the header that does.
    async fn prove(
        &self,
        form: Form,
        issuer: Option<&Issuer>,
        endpoint: &Url,
    ) -> Result<(Form, Option<HeaderValue>), CredentialError> {
        let id = &self.settings.client_id;
        match &self.settings.proof {
            Proof::Secret { secret, method } => {
                let secret = secret.read().await?;
                match method.unwrap_or_else(|| usual(issuer)) {
                    SecretMethod::Basic => Ok((form, Some(basic(id, &secret)?))),
                    SecretMethod::Post => {
                        let form = form.with("client_id", id);
                        Ok((form.with("client_secret", &secret), None))
                    }
                }
            }
            Proof::Key {
                key,
                algorithm,
                kid,
            } => {
                let key = PrivateKey::from_pem(&key.read().await?, *algorithm)?;
                // Who checks the assertion is the issuer; some know themselves only by the endpoint.
                let audience = issuer.map_or(endpoint.as_str(), |issuer| issuer.issuer.as_str());
                let assertion = self.assertion(&key, kid.as_deref(), audience)?;
                let form = form
                    .with("client_id", id)
                    .with("client_assertion_type", ASSERTION)
                    .with("client_assertion", &assertion);
                Ok((form, None))
            }
        }
    }

    fn assertion(
        &self,
        key: &PrivateKey,
        kid: Option<&str>,
        audience: &str,
    ) -> Result<Zeroizing<String>, CredentialError> {
        let mut random = [0; 16];
        rand::fill(&mut random).map_err(|_| CredentialError::Randomness)?;
        let now = (self.now)();
        let mut header = Object::from([("typ", "JWT")]);
        if let Some(kid) = kid {
            header.insert("kid", Value::from(kid));
        }
        let mut claims = Object::from([
            ("iss", self.settings.client_id.as_str()),
            ("sub", self.settings.client_id.as_str()),
            ("aud", audience),
            ("jti", &jose::encode(&random)),
        ]);
        claims.insert("iat", Value::from(now));
        claims.insert("exp", Value::from(now.saturating_add(ASSERTION_SECONDS)));
        Ok(Zeroizing::new(key.sign(&header, &claims)?))
    }

    fn current(&self) -> Option<Token> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn forget(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The place for the secret that the issuer takes.
fn usual(issuer: Option<&Issuer>) -> SecretMethod {
    let proofs = issuer.and_then(|issuer| issuer.client_proofs.as_deref());
    let takes = |name: &str| proofs.is_some_and(|proofs| proofs.iter().any(|one| one == name));
    if takes("client_secret_post") && !takes("client_secret_basic") {
        SecretMethod::Post
    } else {
        SecretMethod::Basic
    }
}

/// Client authentication in the header (RFC 6749, 2.3.1): both parts form-encoded first.
///
/// # Errors
/// [`CredentialError::Secret`] where no header carries it.
pub fn basic(id: &str, secret: &str) -> Result<HeaderValue, CredentialError> {
    let pair = Zeroizing::new(format!("{}:{}", form_encoded(id), form_encoded(secret)));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).map_err(|_| super::SecretFault::Characters)?;
    value.set_sensitive(true);
    Ok(value)
}

fn words(scope: &str) -> impl Iterator<Item = &str> {
    scope.split(' ').filter(|word| !word.is_empty())
}

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_SECONDS: i64 = 60;
/// Seconds for which a failure stands before the next attempt.
const BACK_OFF: i64 = 2;
/// Seconds for which an issuer's metadata are used.
const KEEP_METADATA: i64 = 3_600;
/// How often a server may ask for more scope.
const MAX_RAISED: usize = 3;
/// Scopes taken from one challenge.
const MAX_SCOPES: usize = 32;
