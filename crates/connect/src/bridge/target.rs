//! Where the gateway is.

use std::{fmt, net::IpAddr};

use http::{HeaderValue, Uri, uri::Scheme};
use rustls::pki_types::ServerName;

use cmcp_mcp::tls::TlsError;

/// A gateway's MCP endpoint.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: Uri,
    pub(super) authority: HeaderValue,
    pub(super) tls: Option<ServerName<'static>>,
    text: String,
}

/// Why a URL cannot be a gateway's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// It cannot be read.
    #[error("not a URL; expected something like `https://gateway.example:8443/mcp`")]
    Malformed,
    /// Neither `http` nor `https`.
    #[error("must begin with `https://` or `http://`")]
    Scheme,
    /// Credentials in it.
    #[error("must hold no user name or password; name the token's variable with `--token-env`")]
    UserInfo,
    /// A query in it.
    #[error("must hold no query: what stands there ends up in logs")]
    Query,
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Malformed)?;
        let encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) | None => return Err(TargetError::Scheme),
        };
        let authority = uri.authority().ok_or(TargetError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        if uri.query().is_some() {
            return Err(TargetError::Query);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = if encrypted {
            let name = ServerName::try_from(host.clone()).map_err(|_| TargetError::Malformed)?;
            Some(name)
        } else {
            None
        };
        let path = match uri.path() {
            "" | "/" => "/mcp",
            path => path,
        };
        let scheme = if encrypted { "https" } else { "http" };
        Ok(Self {
            port: authority
                .port_u16()
                .unwrap_or(if encrypted { 443 } else { 80 }),
            path: path.parse().map_err(|_| TargetError::Malformed)?,
            authority: HeaderValue::from_str(authority.as_str())
                .map_err(|_| TargetError::Malformed)?,
            tls,
            text: format!("{scheme}://{authority}{path}"),
            host,
        })
    }

    /// Whether what is sent can be read on the way.
    pub(super) fn is_exposed(&self) -> bool {
        let own = self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        self.tls.is_none() && !own
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
