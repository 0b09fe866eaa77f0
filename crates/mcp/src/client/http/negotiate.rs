//! Which era the server speaks, and the legacy handshake.

use std::{
    sync::{Arc, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method};
use tokio::time::timeout;

use super::{
    Inner,
    exchange::{Answered, Question, fault},
};
use crate::{
    client::handshake::{
        self, Changes, DISCOVER, Era, INITIALIZE, INITIALIZED, MODERN, Settled, UnknownMethod,
        is_modern_error,
    },
    headers::{METHOD, PROTOCOL_VERSION, SESSION_ID},
    jsonrpc::{self, Id, Outcome},
    upstream::{ProtocolFault, UpstreamError},
    version::Version,
};

/// A server whose era is known.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) version: Version,
    /// The session that a legacy server opened for us.
    pub(super) session: Option<HeaderValue>,
    /// What every request carries.
    pub(super) headers: HeaderMap,
    pub(super) changes: Changes,
}

/// What is remembered between negotiations.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) peer: Option<Arc<Peer>>,
    /// The version last negotiated, kept when the peer is forgotten.
    pub(super) last: Option<Version>,
}

impl Inner {
    /// The server as negotiated, now or earlier.
    pub(super) async fn peer(self: &Arc<Self>) -> Result<Arc<Peer>, UpstreamError> {
        if self.is_closed() {
            return Err(UpstreamError::Closed);
        }
        if let Some(peer) = self.known().peer.clone() {
            return Ok(peer);
        }
        let inner = Arc::clone(self);
        self.negotiation.join(|| inner.negotiate()).await
    }

    /// Forgets what was negotiated, unless that has been done anew meanwhile.
    pub(super) fn forget(&self, peer: &Arc<Peer>) {
        let mut known = self.known();
        if known
            .peer
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, peer))
        {
            known.peer = None;
        }
    }

    pub(super) fn is_current(&self, peer: &Arc<Peer>) -> bool {
        self.known()
            .peer
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, peer))
    }

    pub(super) fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn negotiate(self: Arc<Self>) -> Result<Arc<Peer>, UpstreamError> {
        let within = self.timing.handshake;
        let late = UpstreamError::Timeout {
            sent: false,
            after: within,
        };
        let peer = timeout(within, self.find_out(within))
            .await
            .unwrap_or(Err(late));
        let peer = peer.map_err(UpstreamError::while_negotiating)?;
        let peer = Arc::new(peer);
        let mut known = self.known();
        if known.last.is_some() {
            self.counters.outdate();
        }
        if known.last.is_some_and(Version::is_modern) && !peer.version.is_modern() {
            self.counters.downgrade();
            tracing::warn!(
                endpoint = %self.target.endpoint,
                version = %peer.version,
                "the upstream spoke the stateless protocol before and does not any more"
            );
        }
        known.last = Some(peer.version);
        known.peer = Some(Arc::clone(&peer));
        drop(known);
        self.listen_to(&peer);
        tracing::debug!(endpoint = %self.target.endpoint, version = %peer.version, "negotiated");
        Ok(peer)
    }

    async fn find_out(self: &Arc<Self>, within: Duration) -> Result<Peer, UpstreamError> {
        // A server that leaves what it does not know unanswered has to be legacy.
        let probe = timeout(within / 2, self.probe())
            .await
            .unwrap_or(Ok((Era::Legacy, Changes::Silent)))?;
        match probe {
            (Era::Modern(version), changes) => Ok(self.modern(Settled { version, changes })),
            (Era::Legacy, _) => self.initialize().await,
            (Era::Foreign(offered), _) => Err(UpstreamError::NoCommonVersion { offered }),
        }
    }

    async fn probe(self: &Arc<Self>) -> Result<(Era, Changes), UpstreamError> {
        let assumed = Settled {
            version: MODERN,
            changes: Changes::Silent,
        };
        let mut headers = self.modern(assumed).headers;
        headers.insert(METHOD, HeaderValue::from_static(DISCOVER));
        let id = Id::from(self.counters.next_id());
        let params = handshake::discover_params();
        let body = jsonrpc::request(&id, DISCOVER, Some(&params));
        let question = Question {
            id,
            headers,
            body,
            max_bytes: HANDSHAKE_BYTES,
        };
        let answered = match self.ask(question, None, &AtomicBool::new(false)).await {
            Ok(answered) => answered,
            // What it is, is no JSON-RPC; `initialize` will tell whether anything there is.
            Err(UpstreamError::Protocol(_) | UpstreamError::WrongId { .. }) => {
                return Ok((Era::Legacy, Changes::Silent));
            }
            Err(error) => return Err(error),
        };
        let status = answered.status.as_u16();
        match answered.outcome {
            // Whoever asks for credentials or rest has not looked at the method.
            _ if matches!(status, 401 | 403 | 429 | 500..) => Err(UpstreamError::Status { status }),
            Some(outcome) => {
                let unknown_method = match status {
                    404 => UnknownMethod::Modern,
                    _ => UnknownMethod::Legacy,
                };
                let era = Era::of(&outcome, unknown_method);
                Ok((era, Changes::of(&outcome)))
            }
            None => Ok((Era::Legacy, Changes::Silent)),
        }
    }

    fn modern(&self, settled: Settled) -> Peer {
        let Settled { version, changes } = settled;
        let mut headers = self.headers(None);
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
        Peer {
            version,
            session: None,
            headers,
            changes,
        }
    }

    async fn initialize(self: &Arc<Self>) -> Result<Peer, UpstreamError> {
        let id = Id::from(self.counters.next_id());
        let body = jsonrpc::request(&id, INITIALIZE, Some(&handshake::initialize_params()));
        let headers = self.headers(None);
        let question = Question {
            id,
            headers,
            body,
            max_bytes: HANDSHAKE_BYTES,
        };
        let Answered {
            status,
            session,
            outcome,
        } = self.ask(question, None, &AtomicBool::new(false)).await?;
        let outcome = outcome.ok_or(UpstreamError::Status {
            status: status.as_u16(),
        })?;
        let Settled { version, changes } = handshake::initialized(&outcome)?;
        if session.as_ref().is_some_and(|id| !is_session_id(id)) {
            return Err(fault(ProtocolFault::SessionId));
        }
        let mut headers = self.headers(None);
        if version >= Version::V2025_06_18 {
            headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
        }
        if let Some(session) = &session {
            headers.insert(SESSION_ID, session.clone());
        }
        let peer = Peer {
            version,
            session,
            headers,
            changes,
        };
        let status = self
            .tell(
                peer.headers.clone(),
                jsonrpc::notification(INITIALIZED, None),
            )
            .await?;
        if status.is_success() {
            Ok(peer)
        } else {
            Err(UpstreamError::Status {
                status: status.as_u16(),
            })
        }
    }

    /// Ends the session, as a courtesy: the server may keep it or never have had one.
    pub(super) async fn end_session(self: &Arc<Self>) {
        let peer = self.known().peer.take();
        let Some(peer) = peer.filter(|peer| peer.session.is_some()) else {
            return;
        };
        let sent = AtomicBool::new(false);
        let farewell = self.send(
            Method::DELETE,
            peer.headers.clone(),
            bytes::Bytes::new(),
            &sent,
        );
        let _ = timeout(FAREWELL_WITHIN, farewell).await;
    }
}

/// Whether an answer says that the server is not what it was negotiated to be. Statuses that speak
/// of credentials, load or faults say nothing about it.
pub(super) fn is_other_era(answered: &Answered, version: Version) -> bool {
    if !matches!(answered.status.as_u16(), 400 | 404 | 405) {
        return false;
    }
    match (&answered.outcome, version.is_modern()) {
        (None, _) => true,
        (Some(Outcome::Result { .. }), _) => false,
        // Codes below -32000 that the specification has not given a meaning are an SDK's own.
        (Some(Outcome::Error { code, .. }), true) => (-32019..=-32000).contains(code),
        (Some(Outcome::Error { code, .. }), false) => {
            is_modern_error(*code) || (-32019..=-32000).contains(code)
        }
    }
}

fn is_session_id(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= LONGEST_SESSION_ID
        && bytes.iter().all(|byte| (0x21..=0x7e).contains(byte))
}

const HANDSHAKE_BYTES: usize = 1 << 20;
const LONGEST_SESSION_ID: usize = 1 << 10;
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
