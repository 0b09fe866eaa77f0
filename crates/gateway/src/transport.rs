//! Who may talk to the edge at all: hosts, origins, transport sessions of the legacy era.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use cmcp_mcp::{
    legacy::{Bounds, Lookup, Opening, Sessions, TableFull},
    server::{
        Session,
        http::Rejection,
        origin::{self, Allowed, Host, Origin, SiteError},
    },
};
use http::HeaderMap;

use crate::{refusal::Refusal, settings::Settings};

/// Allowed sites and open transport sessions.
#[derive(Debug)]
pub(crate) struct Transport {
    allowed: Allowed,
    sessions: Mutex<Sessions>,
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SiteError> {
        let mut hosts: Vec<Host> = settings
            .hosts
            .hosts
            .iter()
            .map(|h| h.parse())
            .collect::<Result<_, _>>()?;
        let addr = settings.listen.addr();
        if !addr.ip().is_unspecified() {
            hosts.push(host_of(addr).parse()?);
        }
        let origins: Vec<Origin> = settings
            .hosts
            .origins
            .iter()
            .map(|o| o.parse())
            .collect::<Result<_, _>>()?;
        let allowed = Allowed::loopback().and(Allowed::new(hosts, origins));
        let bounds = Bounds {
            total: 10_000,
            per_principal: 1_000,
            idle: Duration::from_secs(3600),
        };
        Ok(Self {
            allowed,
            sessions: Mutex::new(Sessions::new(bounds)),
        })
    }

    /// Refuses requests addressed to, or coming from, another site.
    pub(crate) fn check_site(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        origin::check(headers, &self.allowed)
    }

    /// Whose a transport session is.
    pub(crate) fn look_up(&self, id: &str, principal: &str) -> Lookup {
        self.table().look_up(id, principal, Instant::now())
    }

    /// Opens a transport session.
    pub(crate) fn open(&self, principal: &str, opening: Opening) -> Result<Session, OpenError> {
        let mut random = [0u8; 32];
        getrandom::fill(&mut random)
            .map_err(|_| OpenError::Fault(Refusal::Fault("no randomness from the system")))?;
        let mut table = self.table();
        Ok(table.open(&random, principal, opening, Instant::now())?)
    }

    /// Ends a transport session of this principal; says whose the id was.
    pub(crate) fn end(&self, id: &str, principal: &str) -> Lookup {
        self.table().end(id, principal, Instant::now())
    }

    /// Ends the streams that no request is waiting on.
    pub(crate) fn close_streams(&self) {
        self.table().close_streams();
    }

    /// Ends what has been idle too long.
    pub(crate) fn expire(&self) {
        self.table().expire(Instant::now());
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no transport session was opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Too many are open.
    #[error(transparent)]
    Full(#[from] TableFull),
    /// A fault of ours.
    #[error(transparent)]
    Fault(Refusal),
}

fn host_of(addr: SocketAddr) -> String {
    addr.to_string()
}
