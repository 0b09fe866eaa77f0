//! Where an HTTP upstream is, and which addresses it may have.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use http::{HeaderValue, Uri, uri::Scheme};
use rustls::pki_types::ServerName;

use crate::{
    client::oauth::Source,
    tls::{TlsError, TlsPin},
};

/// An MCP endpoint, its identity, and how we show ours.
#[derive(Debug)]
pub struct HttpTarget {
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, as the request line has them.
    pub(crate) path: Uri,
    pub(crate) authority: HeaderValue,
    pub(crate) tls: Option<ServerName<'static>>,
    pub(super) pin: TlsPin,
    pub(super) credential: Option<Arc<Source>>,
    pub(super) reach: Reach,
    /// Scheme, host, port and path, without the query, which may hold what is nobody's business.
    pub(super) endpoint: String,
}

/// Which addresses a name may resolve to. Link-local, multicast and cloud metadata addresses are
/// never among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only those of the public network.
    Public,
    /// Loopback and private networks too.
    Private,
}

/// Why a URL is no target.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("the URL is malformed")]
    Malformed,
    /// Neither `http` nor `https`.
    #[error("the URL must begin with `https://` or `http://`")]
    Scheme,
    /// A user name or password in the URL.
    #[error("the URL contains a user name or password; credentials are configured apart from it")]
    UserInfo,
    /// The host is no name that a certificate could be for.
    #[error("the host `{host}` is not a valid name or address")]
    Host {
        /// The host.
        host: String,
    },
    /// A pin without TLS would never be compared.
    #[error("a TLS pin needs an `https` URL")]
    PinWithoutTls,
    /// The TLS configuration is refused.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl HttpTarget {
    /// Reads a URL. One that names an address itself, or `localhost`, may be private; a name that
    /// has to be resolved may not, unless [`HttpTarget::with_reach`] says so.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(url: &str, pin: TlsPin) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Malformed)?;
        let encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(TargetError::Scheme),
        };
        let authority = uri.authority().ok_or(TargetError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        if pin.is_pinned() && !encrypted {
            return Err(TargetError::PinWithoutTls);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let bad_host = || TargetError::Host { host: host.clone() };
        let tls = encrypted.then(|| ServerName::try_from(host.clone()).map_err(|_| bad_host()));
        let tls = tls.transpose()?;
        if host.is_empty() {
            return Err(bad_host());
        }
        let listed = host.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost");
        let scheme = if encrypted { "https" } else { "http" };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            port: authority
                .port_u16()
                .unwrap_or(if encrypted { 443 } else { 80 }),
            path: path.parse().map_err(|_| TargetError::Malformed)?,
            authority: HeaderValue::from_str(authority.as_str())
                .map_err(|_| TargetError::Malformed)?,
            tls,
            pin,
            credential: None,
            reach: if listed {
                Reach::Private
            } else {
                Reach::Public
            },
            endpoint: format!("{scheme}://{authority}{}", uri.path()),
            host,
        })
    }

    /// Sends a credential with every request.
    #[must_use]
    pub fn with_credential(self, credential: Arc<Source>) -> Self {
        Self {
            credential: Some(credential),
            ..self
        }
    }

    /// Says which addresses the host name may resolve to.
    #[must_use]
    pub fn with_reach(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// The host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Scheme, host, port and path.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Reach {
    /// Whether a connection to this address may be made.
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        let kind = match address {
            IpAddr::V4(address) => kind_v4(address),
            IpAddr::V6(address) => kind_v6(address),
        };
        match (kind, self) {
            (Kind::Public, _) | (Kind::Private, Self::Private) => true,
            (Kind::Private, Self::Public) | (Kind::Forbidden, _) => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Private,
    Forbidden,
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    let forbidden = address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || a == 0
        || a >= 240
        // A metadata service that is not link-local.
        || address == Ipv4Addr::new(100, 100, 100, 200);
    let private = address.is_loopback()
        || address.is_private()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (18..20).contains(&b));
    match (forbidden, private) {
        (true, _) => Kind::Forbidden,
        (false, true) => Kind::Private,
        (false, false) => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    let [a, b, c, ..] = address.segments();
    if let Some(embedded) = embedded(address) {
        return kind_v4(embedded);
    }
    let forbidden = address.is_unspecified()
        || address.is_multicast()
        || address.is_unicast_link_local()
        // A metadata service in the private range.
        || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let private = address.is_loopback()
        || address.is_unique_local()
        || (a, b) == (0x2001, 0xdb8)
        || (a, b, c) == (0x64, 0xff9b, 1)
        // Site-local, abolished but routed.
        || a & 0xffc0 == 0xfec0;
    match (forbidden, private) {
        (true, _) => Kind::Forbidden,
        (false, true) => Kind::Private,
        (false, false) => Kind::Public,
    }
}

/// The IPv4 address that an IPv6 address is another way to write or reach.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(join(high, low))
        }
        // All but the unspecified and the loopback address.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
