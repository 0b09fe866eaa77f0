//! Where the gateway listens, and who may come.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cmcp_gateway::{Listen, TokenHash};

use crate::config::fault::Fault;

/// What the file and the environment say about listening.
pub(crate) struct RawListen<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) credentials: Credentials,
    pub(crate) stage: Stage,
    /// The `danger_` keys that are set to `true`.
    pub(crate) dangers: &'a [Danger],
}

/// What the gateway is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `CMCP_DEV_MODE=1`: tokens and pins are optional, evidence is software's.
    Development,
    Production,
}

/// How callers will prove who they are.
#[derive(Clone, Copy)]
pub(crate) enum Credentials {
    /// Nobody has a token.
    None,
    /// Named principals, and the shared token where there is one.
    Tokens { shared: Option<TokenHash> },
    /// A check of the file: the tokens belong to the machine that starts.
    ToCome,
}

/// A weakened check that the file asks for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Danger {
    PlainHttp,
    SoftwareEvidence,
}

impl TryFrom<RawListen<'_>> for Listen {
    type Error = Fault;

    fn try_from(raw: RawListen<'_>) -> Result<Self, Fault> {
        let RawListen {
            addr,
            credentials,
            stage,
            dangers,
        } = raw;
        let loopback = addr.ip().to_canonical().is_loopback();
        let listen = match credentials {
            Credentials::None => Self::Local { addr },
            Credentials::Tokens { shared } => Self::Authenticated { addr, shared },
            Credentials::ToCome => Self::Authenticated { addr, shared: None },
        };
        if loopback {
            return Ok(listen);
        }
        let addr = addr.to_string();
        if matches!(credentials, Credentials::None) {
            Err(Fault::TokenlessBeyondLoopback { addr })
        } else if !dangers.contains(&Danger::PlainHttp) {
            Err(Fault::PlainHttp { addr })
        } else if stage == Stage::Development && !dangers.contains(&Danger::SoftwareEvidence) {
            Err(Fault::DevelopmentBeyondLoopback { addr })
        } else {
            Ok(listen)
        }
    }
}

/// `host:port`, `[v6]:port` or `localhost:port`. Other names are not looked up: what they resolve
/// to can change, and with it who may connect.
pub(crate) fn parse(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    if let Ok(addr) = text.parse() {
        return Some(addr);
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    host.eq_ignore_ascii_case("localhost")
        .then_some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

/// Where the gateway listens when the file does not say.
pub(crate) fn fallback(stage: Stage, credentials: Credentials) -> SocketAddr {
    let ip = match credentials {
        Credentials::None if stage == Stage::Development => Ipv4Addr::LOCALHOST,
        Credentials::None | Credentials::ToCome | Credentials::Tokens { .. } => {
            Ipv4Addr::UNSPECIFIED
        }
    };
    SocketAddr::new(IpAddr::V4(ip), PORT)
}

const PORT: u16 = 8443;

#[cfg(test)]
mod tests;
