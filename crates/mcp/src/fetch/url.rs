//! Where a document is.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{
    Uri,
    uri::{Authority, Scheme},
};

/// The URL of a document: `https`, or `http` on this machine. It is kept as it was written, since
/// names of issuers are compared by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url {
    text: String,
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL at all, or with characters that none has.
    #[error("it is not a URL")]
    Malformed,
    /// Neither `https` nor `http`.
    #[error("it does not begin with `https://`")]
    Scheme,
    /// Plain HTTP beyond this machine.
    #[error("it begins with `http://`, which is accepted for this machine only")]
    Plain,
    /// A user name or password.
    #[error("it contains a user name or password")]
    UserInfo,
    /// A fragment.
    #[error("it contains a fragment (`#`)")]
    Fragment,
    /// No host, or one that is no name.
    #[error("its host is no name or address")]
    Host,
}

impl Url {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host in lower case, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, said or not.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path without a slash at its end: empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// Scheme, host and port, without a path.
    #[must_use]
    pub fn origin(&self) -> String {
        let (scheme, usual) = if self.secure {
            ("https", 443)
        } else {
            ("http", 80)
        };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port {
            port if port == usual => format!("{scheme}://{host}"),
            port => format!("{scheme}://{host}:{port}"),
        }
    }

    /// Scheme, host, port and path: the query may hold what is nobody's business.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}{}", self.origin(), self.path())
    }

    /// Whether a query stands behind the path.
    #[must_use]
    pub fn has_query(&self) -> bool {
        self.text.contains('?')
    }

    /// Whether two lead to the same scheme, host and port.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// Whether the host is an address, or the name that every machine has for itself.
    #[must_use]
    pub fn says_where(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok()
    }

    /// The same place with another path, which begins with a slash.
    ///
    /// # Errors
    /// [`UrlError`] when the path is none.
    pub fn at(&self, path: &str) -> Result<Self, UrlError> {
        format!("{}{path}", self.origin()).parse()
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        if text.len() > MAX_BYTES || !text.bytes().all(is_of_urls) {
            return Err(UrlError::Malformed);
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::Malformed),
        };
        let authority = uri.authority().ok_or(UrlError::Host)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        let host = authority.host().to_ascii_lowercase();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if !is_host(&host) {
            return Err(UrlError::Host);
        }
        let url = Self {
            text: text.to_owned(),
            secure,
            port: port(authority, if secure { 443 } else { 80 })?,
            path: uri.path().to_owned(),
            host,
        };
        if !secure && !url.is_here() {
            return Err(UrlError::Plain);
        }
        Ok(url)
    }
}

impl Url {
    fn is_here(&self) -> bool {
        let loopback = |address: IpAddr| address.to_canonical().is_loopback();
        self.host == "localhost" || self.host.parse().is_ok_and(loopback)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The port, said or not. The library passes over one that is out of range.
fn port(authority: &Authority, usual: u16) -> Result<u16, UrlError> {
    let said = authority.as_str().strip_prefix(authority.host());
    match said.and_then(|said| said.strip_prefix(':')) {
        Some(digits) => digits.parse().map_err(|_| UrlError::Malformed),
        None => Ok(usual),
    }
}

/// The characters of RFC 3986, and no other.
fn is_of_urls(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn is_host(host: &str) -> bool {
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    // A name whose last part is a number is an address in one of its older spellings.
    let last_is_number = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    host.len() <= 253 && name.split('.').all(label) && !last_is_number
}

const MAX_BYTES: usize = 2_048;
