//! Which sites may talk to this server: `Host` against DNS rebinding, `Origin` against pages of
//! other sites in a browser.

use std::{collections::BTreeSet, fmt, net::Ipv6Addr, str::FromStr};

use http::{HeaderMap, HeaderName, StatusCode, header};

use super::http::Rejection;
use crate::error::Code;

/// The sites that are let in.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    hosts: BTreeSet<Host>,
    origins: BTreeSet<Origin>,
}

/// A host name or address, with a port where only that one is meant.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

/// A web origin: scheme, host and port.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Origin {
    scheme: Scheme,
    name: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Scheme {
    Http,
    Https,
}

/// Text that is not what it should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SiteError {
    /// Not a host.
    #[error(
        "`{0}` is not a host name or address with an optional port, such as `gateway.example:8443` or `[::1]`"
    )]
    Host(String),
    /// Not an origin.
    #[error("`{0}` is not an origin, such as `https://app.example`")]
    Origin(String),
}

impl Allowed {
    /// The sites named: hosts by which this server is reached, and origins of pages that may call
    /// it. A page that came from this very host and port needs no entry.
    #[must_use]
    pub fn new(
        hosts: impl IntoIterator<Item = Host>,
        origins: impl IntoIterator<Item = Origin>,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().collect(),
            origins: origins.into_iter().collect(),
        }
    }

    /// The names of this machine for itself, on any port: no site of another machine can have them.
    #[must_use]
    pub fn loopback() -> Self {
        let names = ["localhost", "127.0.0.1", "[::1]"];
        Self::new(
            names.map(|name| Host {
                name: name.to_owned(),
                port: None,
            }),
            [],
        )
    }

    /// These sites and those.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self { hosts, origins } = other;
        self.hosts.extend(hosts);
        self.origins.extend(origins);
        self
    }

    fn has_host(&self, host: &Host) -> bool {
        let any_port = Host {
            name: host.name.clone(),
            port: None,
        };
        self.hosts.contains(host) || self.hosts.contains(&any_port)
    }
}

impl FromStr for Host {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<Self, SiteError> {
        let (name, port) = split_port(text).ok_or_else(|| SiteError::Host(text.to_owned()))?;
        Ok(Self { name, port })
    }
}

impl FromStr for Origin {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<Self, SiteError> {
        let error = || SiteError::Origin(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(error)?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return Err(error()),
        };
        let (name, port) = split_port(rest).ok_or_else(error)?;
        Ok(Self {
            scheme,
            name,
            port: port.unwrap_or(scheme.default_port()),
        })
    }
}

impl Origin {
    /// Whether a page of this origin came from the host that the request names.
    fn is_at(&self, host: &Host) -> bool {
        self.name == host.name && self.port == host.port.unwrap_or(self.scheme.default_port())
    }
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Refuses a request that is addressed to another site or comes from one.
///
/// # Errors
/// HTTP 403, before anything of the body is looked at. What was sent is not echoed.
pub fn check(headers: &HeaderMap, allowed: &Allowed) -> Result<(), Rejection> {
    let host = only(headers, &header::HOST).ok_or_else(|| refuse("HOST_NOT_ALLOWED", HOST))?;
    let host = host
        .and_then(|text| text.parse().ok())
        .filter(|host| allowed.has_host(host))
        .ok_or_else(|| refuse("HOST_NOT_ALLOWED", HOST))?;
    let origin = match only(headers, &header::ORIGIN) {
        Some(None) => return Ok(()),
        Some(Some(text)) => text.parse::<Origin>().ok(),
        None => None,
    };
    match origin {
        Some(origin) if origin.is_at(&host) || allowed.origins.contains(&origin) => Ok(()),
        Some(_) | None => Err(refuse("ORIGIN_NOT_ALLOWED", ORIGIN)),
    }
}

/// `None` when the header is repeated or unreadable, `Some(None)` when there is none.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

fn refuse(error_code: &str, message: &str) -> Rejection {
    Rejection::unaddressed(
        StatusCode::FORBIDDEN,
        Code::SiteNotAllowed,
        message,
        error_code,
    )
}

/// Host in one spelling, and the port where one is named.
fn split_port(text: &str) -> Option<(String, Option<u16>)> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(':')?)
            };
            (format!("[{address}]"), port)
        }
        None => {
            let (name, port) = text
                .split_once(':')
                .map_or((text, None), |(n, p)| (n, Some(p)));
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if name.is_empty() || !name.chars().all(legal) {
                return None;
            }
            (name.to_ascii_lowercase(), port)
        }
    };
    match port {
        None => Some((name, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((name, Some(digits.parse().ok()?)))
        }
        Some(_) => None,
    }
}

const HOST: &str =
    "this server is not reached under that host name; add it to the allowed hosts if it should be";
const ORIGIN: &str =
    "pages of that origin may not call this server; add it to the allowed origins if they should";

#[cfg(test)]
mod tests;
