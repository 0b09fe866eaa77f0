//! What issuers and resources say of themselves: RFC 8414, OpenID Connect Discovery, RFC 9728.

use cmcp_json::Value;

use crate::fetch::{FetchError, FetchFault, Fetcher, Url, UrlError};

/// An authorization server by its own metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name.
    pub issuer: Url,
    /// Where its keys are.
    pub keys: Option<Url>,
    /// Where tokens are given.
    pub token_endpoint: Option<Url>,
    /// How clients may prove themselves there; nothing said means by `client_secret_basic`.
    pub client_proofs: Option<Vec<String>>,
}

/// A protected resource by its own metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub resource: String,
    /// The issuers whose tokens it takes.
    pub issuers: Vec<String>,
    /// The scopes it names.
    pub scopes: Vec<String>,
}

/// Why metadata could not be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DiscoveryError {
    /// A document could not be had.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// It is nowhere where it may be.
    #[error("`{0}` publishes no metadata")]
    Nowhere(String),
    /// It speaks of somebody else.
    #[error("the metadata of `{expected}` are those of `{found}`")]
    OtherIssuer {
        /// Whose they should be.
        expected: String,
        /// Whose they say they are, shortened.
        found: String,
    },
    /// A member is not what it has to be.
    #[error("the metadata of `{of}` have no usable `{member}`")]
    Member {
        /// Whose metadata.
        of: String,
        /// The member.
        member: &'static str,
    },
    /// A member is no URL that would be followed.
    #[error("`{member}` in the metadata of `{of}` is not followed: {cause}")]
    Url {
        /// Whose metadata.
        of: String,
        /// The member.
        member: &'static str,
        /// Why not.
        cause: UrlError,
    },
}

impl Issuer {
    /// Finds the metadata of an issuer at the places they may be, in the order of preference.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub async fn discover(fetcher: &Fetcher, issuer: &Url) -> Result<Self, DiscoveryError> {
        for place in issuer_places(issuer) {
            match fetcher.get(&place).await {
                Ok(document) => return Self::read(issuer, &document),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DiscoveryError::Nowhere(issuer.as_str().to_owned()))
    }

    /// Reads the metadata of this issuer, whose name they have to carry letter by letter.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub fn read(issuer: &Url, document: &Value) -> Result<Self, DiscoveryError> {
        let of = || issuer.as_str().to_owned();
        let found = text(document, "issuer").ok_or_else(|| DiscoveryError::Member {
            of: of(),
            member: "issuer",
        })?;
        if found != issuer.as_str() {
            return Err(DiscoveryError::OtherIssuer {
                expected: of(),
                found: shorten(found),
            });
        }
        let url = |member: &'static str| match document.get(member) {
            None => Ok(None),
            Some(value) => {
                let url = value
                    .as_str()
                    .ok_or_else(|| DiscoveryError::Member { of: of(), member })?;
                url.parse().map(Some).map_err(|cause| DiscoveryError::Url {
                    of: of(),
                    member,
                    cause,
                })
            }
        };
        Ok(Self {
            issuer: issuer.clone(),
            keys: url("jwks_uri")?,
            token_endpoint: url("token_endpoint")?,
            client_proofs: document
                .get("token_endpoint_auth_methods_supported")
                .map(texts),
        })
    }
}

impl Resource {
    /// Fetches the metadata of a resource: from where its challenge points to, else from the places
    /// that follow from its URL.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub async fn discover(
        fetcher: &Fetcher,
        resource: &Url,
        pointed: Option<&str>,
    ) -> Result<Self, DiscoveryError> {
        let member = "resource_metadata";
        if let Some(pointed) = pointed {
            let place: Url = pointed.parse().map_err(|cause| DiscoveryError::Url {
                of: resource.place(),
                member,
                cause,
            })?;
            return Self::read(resource, &fetcher.get(&place).await?);
        }
        for place in resource_places(resource) {
            match fetcher.get(&place).await {
                Ok(document) => return Self::read(resource, &document),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DiscoveryError::Nowhere(resource.place()))
    }

    fn read(of: &Url, document: &Value) -> Result<Self, DiscoveryError> {
        let resource = text(document, "resource").ok_or_else(|| DiscoveryError::Member {
            of: of.place(),
            member: "resource",
        })?;
        Ok(Self {
            resource: resource.to_owned(),
            issuers: document
                .get("authorization_servers")
                .map(texts)
                .unwrap_or_default(),
            scopes: document
                .get("scopes_supported")
                .map(texts)
                .unwrap_or_default(),
        })
    }

    /// Whether these are the metadata of what was asked: the same URL, or one that it lies below.
    #[must_use]
    pub fn covers(&self, asked: &Url) -> bool {
        let Ok(named) = self.resource.parse::<Url>() else {
            return false;
        };
        let below = |path: &str| path.is_empty() || path.starts_with('/');
        !named.has_query()
            && named.same_origin(asked)
            && asked.path().strip_prefix(named.path()).is_some_and(below)
    }
}

/// Where an issuer's metadata may be.
fn issuer_places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path();
    let places = if path.is_empty() {
        vec![OAUTH.to_owned(), OPENID.to_owned()]
    } else {
        vec![
            format!("{OAUTH}{path}"),
            format!("{OPENID}{path}"),
            format!("{path}{OPENID}"),
        ]
    };
    places
        .iter()
        .filter_map(|place| issuer.at(place).ok())
        .collect()
}

fn resource_places(resource: &Url) -> Vec<Url> {
    let path = resource.path();
    let mut places = vec![format!("{PROTECTED}{path}")];
    if !path.is_empty() {
        places.push(PROTECTED.to_owned());
    }
    places
        .iter()
        .filter_map(|place| resource.at(place).ok())
        .collect()
}

/// Whether another place may still have it: nothing is here, or a page for people.
fn is_absent(error: &FetchError) -> bool {
    match &error.cause {
        FetchFault::Status(status) => (400..500).contains(status),
        FetchFault::ContentType => true,
        FetchFault::Connect(_)
        | FetchFault::Timeout(_)
        | FetchFault::Lost
        | FetchFault::Redirect(_)
        | FetchFault::TooLarge(_)
        | FetchFault::Compressed
        | FetchFault::NotJson => false,
    }
}

fn text<'a>(document: &'a Value, member: &str) -> Option<&'a str> {
    document.get(member).and_then(Value::as_str)
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap_or_default().iter();
    items
        .filter_map(Value::as_str)
        .take(MAX_ITEMS)
        .map(ToOwned::to_owned)
        .collect()
}

/// What a stranger wrote, short enough for a message, without what could reshape it.
pub(super) fn shorten(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    short.escape_debug().to_string()
}

/// The well-known path of a protected resource's metadata.
pub const PROTECTED: &str = "/.well-known/oauth-protected-resource";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const MAX_ITEMS: usize = 100;
