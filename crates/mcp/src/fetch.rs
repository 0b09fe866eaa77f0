//! Documents from elsewhere: metadata and keys of issuers, answers of token endpoints. Small, whole,
//! and soon, or not at all.
//!
//! Whoever names a document's place may be nobody's friend. So a URL is `https`, or `http` on this
//! machine; a name may lead to a private address only where configuration lists it; the address that
//! was checked is the one connected to; a redirect is an answer like any other wrong one.

mod download;
mod url;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cmcp_json::{Limits, Value};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::{
    client::{
        HttpTarget, Reach,
        http::link::{Link, SendFailure},
    },
    tls::{self, TlsError, TlsPin},
    upstream::{ConnectFault, UpstreamError},
};

pub use self::download::Downloaded;
pub use url::{Url, UrlError};

/// Fetches documents.
pub struct Fetcher {
    listed: Listed,
    tls: Arc<ClientConfig>,
    within: Duration,
}

/// The places that configuration names itself: they may have private addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    hosts: BTreeSet<String>,
    places: BTreeSet<(String, u16)>,
}

/// A document that was fetched. It may be a token, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The HTTP status.
    pub status: StatusCode,
    /// The document.
    pub document: Value,
}

/// Why a document could not be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{place}`: {cause}")]
pub struct FetchError {
    /// Scheme, host, port and path.
    pub place: String,
    /// What went wrong.
    pub cause: FetchFault,
}

/// What went wrong with a document.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FetchFault {
    /// No connection came about.
    #[error("{0}")]
    Connect(ConnectFault),
    /// It was not there in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended first, or what came is no HTTP.
    #[error("the answer broke off")]
    Lost,
    /// Somewhere else is named, which is never followed.
    #[error("it answers with a redirect (HTTP status {0}), and redirects are not followed")]
    Redirect(u16),
    /// Another status than 200.
    #[error("it answers with HTTP status {0}")]
    Status(u16),
    /// Longer than any such document.
    #[error("the document is larger than {0} bytes")]
    TooLarge(usize),
    /// Another content type.
    #[error("the answer is no JSON: its content type says something else")]
    ContentType,
    /// Compressed, which was not asked for.
    #[error("the answer is compressed, which was not asked for")]
    Compressed,
    /// Not strict JSON.
    #[error("the answer is not one strict JSON text")]
    NotJson,
}

impl Listed {
    /// Names that may lead to private addresses, whatever the port.
    #[must_use]
    pub fn hosts(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            hosts: names
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            places: BTreeSet::new(),
        }
    }

    /// A place that configuration names in full. One that is an address itself, or `localhost`, says
    /// where it leads; a name still has to be listed to lead to a private address.
    #[must_use]
    pub fn and(mut self, url: &Url) -> Self {
        if url.says_where() {
            self.places.insert((url.host().to_owned(), url.port()));
        }
        self
    }

    fn reach(&self, url: &Url) -> Reach {
        let place = (url.host().to_owned(), url.port());
        if self.hosts.contains(url.host()) || self.places.contains(&place) {
            Reach::Private
        } else {
            Reach::Public
        }
    }
}

impl Fetcher {
    /// A fetcher that trusts Mozilla's roots.
    ///
    /// # Errors
    /// [`TlsError`] when the library refuses its own defaults.
    pub fn new(listed: Listed) -> Result<Self, TlsError> {
        Ok(Self {
            listed,
            tls: tls::client_config(TlsPin::WebPki)?,
            within: WITHIN,
        })
    }

    /// The same with another deadline.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// A document that has to be there: HTTP status 200, JSON.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(&self, url: &Url) -> Result<Value, FetchError> {
        let fetched = self.fetch(url, Method::GET, None, Bytes::new()).await?;
        match fetched.status {
            StatusCode::OK => Ok(fetched.document),
            status => Err(error(url, FetchFault::Status(status.as_u16()))),
        }
    }

    /// Posts a form; `authorization` goes into the header of that name. Errors of OAuth are documents
    /// too, so that every status may come with one.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn post(
        &self,
        url: &Url,
        form: &Form,
        authorization: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let body = Bytes::from(form.0.clone());
        self.fetch(url, Method::POST, authorization, body).await
    }

    async fn fetch(
        &self,
        url: &Url,
        method: Method,
        authorization: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Fetched, FetchError> {
        let exchange = self.exchange(url, method, authorization, body);
        let fetched = timeout(self.within, exchange).await;
        fetched
            .unwrap_or(Err(FetchFault::Timeout(self.within)))
            .map_err(|cause| error(url, cause))
    }

    async fn exchange(
        &self,
        url: &Url,
        method: Method,
        authorization: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Fetched, FetchFault> {
        let mut request = Request::new(Full::new(body));
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static(JSON));
        if method == Method::POST {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        }
        if let Some(mut value) = authorization {
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        *request.method_mut() = method;
        let (mut link, response) = self.send(url, request).await?;
        let (head, body) = response.into_parts();
        check_content(head.status, &head.headers)?;
        let text = read(&mut link, body, MAX_BYTES).await?;
        let document = cmcp_json::parse(&text, &LIMITS).map_err(|_| {
            if head.status.is_success() {
                FetchFault::NotJson
            } else {
                FetchFault::Status(head.status.as_u16())
            }
        })?;
        Ok(Fetched {
            status: head.status,
            document,
        })
    }

    /// Sends a request where the URL leads, and takes any answer but a redirect.
    async fn send(
        &self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Link, Response<Incoming>), FetchFault> {
        let target = HttpTarget::parse(url.as_str(), TlsPin::WebPki)
            .map_err(|_| FetchFault::Connect(ConnectFault::Resolve))?
            .with_reach(self.listed.reach(url));
        *request.uri_mut() = target.path.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, target.authority.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let tls = target.tls.is_some().then_some(&self.tls);
        let mut link = Link::open(&target, tls, self.within)
            .await
            .map_err(|failed| FetchFault::Connect(connect_fault(failed)))?;
        let response = link.send(request).await.map_err(|failed| match failed {
            SendFailure::Unsent(_) | SendFailure::Broken(_) => FetchFault::Lost,
        })?;
        if response.status().is_redirection() {
            return Err(FetchFault::Redirect(response.status().as_u16()));
        }
        Ok((link, response))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("listed", &self.listed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The body of a POST: `application/x-www-form-urlencoded`. It may hold secrets, and is never shown.
#[derive(Default)]
pub struct Form(String);

impl Form {
    /// A form without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&form_encoded(name));
        self.0.push('=');
        self.0.push_str(&form_encoded(value));
        self
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form(..)")
    }
}

/// As HTML's form encoding has it, which client authentication uses as well (RFC 6749, 2.3.1).
pub(crate) fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => {
                let (high, low) = (byte >> 4, byte & 15);
                encoded.push('%');
                encoded.extend([high, low].map(|half| {
                    char::from_digit(u32::from(half), 16)
                        .map_or('0', |digit| digit.to_ascii_uppercase())
                }));
            }
        }
    }
    encoded
}

async fn read(link: &mut Link, mut body: Incoming, limit: usize) -> Result<Bytes, FetchFault> {
    let mut text = BytesMut::new();
    while let Some(frame) = link.frame(&mut body).await {
        let Ok(data) = frame.map_err(|_| FetchFault::Lost)?.into_data() else {
            continue;
        };
        if text.len().saturating_add(data.len()) > limit {
            return Err(FetchFault::TooLarge(limit));
        }
        text.extend_from_slice(&data);
    }
    Ok(text.freeze())
}

/// JSON, or one of the types whose syntax is JSON's; not compressed.
fn check_content(status: StatusCode, headers: &HeaderMap) -> Result<(), FetchFault> {
    check_coding(headers)?;
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let json = kind == JSON || (kind.starts_with("application/") && kind.ends_with("+json"));
    match json {
        true => Ok(()),
        false if status.is_success() => Err(FetchFault::ContentType),
        false => Err(FetchFault::Status(status.as_u16())),
    }
}

fn check_coding(headers: &HeaderMap) -> Result<(), FetchFault> {
    let coding = headers.get(CONTENT_ENCODING);
    match coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        true => Err(FetchFault::Compressed),
        false => Ok(()),
    }
}

fn connect_fault(error: UpstreamError) -> ConnectFault {
    if let UpstreamError::Connect { cause, .. } = error {
        cause
    } else {
        ConnectFault::Handshake
    }
}

fn error(url: &Url, cause: FetchFault) -> FetchError {
    FetchError {
        place: url.place(),
        cause,
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const AGENT: &str = concat!("cmcp/", env!("CARGO_PKG_VERSION"));
/// From the look-up of the name to the last byte.
const WITHIN: Duration = Duration::from_secs(10);
/// Longest document.
const MAX_BYTES: usize = 512 << 10;
const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    ..crate::jose::LIMITS
};

#[cfg(test)]
mod tests;
