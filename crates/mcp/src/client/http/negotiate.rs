//! Which era the server speaks, and the legacy handshake.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use http::{HeaderMap, HeaderValue};
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

use super::{
    Inner,
    calls::Calls,
    pair::Pair,
    send::Parcel,
    talk::{Answered, Question, fault},
};
use crate::{
    client::handshake::{
        self, DISCOVER, Era, INITIALIZE, INITIALIZED, MODERN, UnknownMethod, is_modern_error,
    },
    error::Code,
    headers::{METHOD, PROTOCOL_VERSION, SESSION_ID},
    jsonrpc::{self, Id, Outcome},
    upstream::{LogLevel, Offers, ProtocolFault, UpstreamError},
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
    pub(super) offers: Arc<Offers>,
    /// How a server of 2024-11-05 is spoken to.
    pub(super) pair: Option<Arc<Pair>>,
    /// The requests under way, for what comes on other streams than theirs.
    pub(super) calls: Arc<Calls>,
    /// The level that log messages were last wanted from.
    pub(super) level: Mutex<Option<LogLevel>>,
    /// The resources that it was last told to watch.
    pub(super) subscribed: Mutex<BTreeSet<String>>,
    /// Whether the stream is there on which a legacy server speaks of its own accord.
    pub(super) stream: watch::Sender<Stream>,
}

/// Whether a session's own stream is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Asked for, and not answered yet.
    Opening,
    Open,
    /// Not wanted, refused, or broken off.
    Absent,
}

impl Peer {
    fn new(offers: Offers, headers: HeaderMap) -> Self {
        Self {
            version: offers.version,
            session: None,
            headers,
            offers: Arc::new(offers),
            pair: None,
            calls: Arc::default(),
            level: Mutex::default(),
            subscribed: Mutex::default(),
            stream: watch::Sender::new(Stream::Absent),
        }
    }

    fn through(self, pair: Option<Arc<Pair>>) -> Self {
        let calls = pair.as_ref().map(|pair| Arc::clone(pair.calls()));
        Self {
            calls: calls.unwrap_or_default(),
            pair,
            ..self
        }
    }

    /// Waits while the session's own stream is being opened: what a server asks on it before it
    /// is there, nobody hears.
    pub(super) async fn stream_settled(&self) {
        let mut stream = self.stream.subscribe();
        let settled = stream.wait_for(|stream| *stream != Stream::Opening);
        if timeout(STREAM_WITHIN, settled).await.is_err() {
            // Some servers keep even the head back until they have something to say.
            self.stream.send_if_modified(|stream| {
                let opening = *stream == Stream::Opening;
                if opening {
                    *stream = Stream::Open;
                }
                opening
            });
        }
    }

    fn is_gone(&self) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.has_ended())
    }
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
        let peer = self.known().peer.clone();
        if let Some(peer) = peer.filter(|peer| !peer.is_gone()) {
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
        // Another negotiation may have ended between the look at the peer and this one's start.
        let peer = self.known().peer.clone();
        if let Some(peer) = peer.filter(|peer| !peer.is_gone()) {
            return Ok(peer);
        }
        let within = self.timing.handshake;
        let late = UpstreamError::Timeout {
            sent: false,
            after: within,
        };
        let peer = timeout(within, self.find_out(within))
            .await
            .unwrap_or(Err(late));
        let peer = Arc::new(peer.map_err(UpstreamError::while_negotiating)?);
        let again = {
            let mut known = self.known();
            let last = known.last.replace(peer.version);
            known.peer = Some(Arc::clone(&peer));
            last
        };
        if again.is_some() {
            self.counters.outdate_all();
        }
        if again.is_some_and(Version::is_modern) && !peer.version.is_modern() {
            self.counters.downgrade();
            tracing::warn!(
                endpoint = %self.target.endpoint,
                version = %peer.version,
                "the upstream spoke the stateless protocol before and does not any more"
            );
        }
        self.listen_to(&peer);
        tracing::debug!(endpoint = %self.target.endpoint, version = %peer.version, "negotiated");
        Ok(peer)
    }

    async fn find_out(self: &Arc<Self>, within: Duration) -> Result<Peer, UpstreamError> {
        // What it was before, it most likely still is; if not, it is found out anew.
        let last = self.known().last;
        if last.is_some_and(|last| !last.is_modern()) {
            match self.legacy().await {
                Err(UpstreamError::Rpc { .. } | UpstreamError::Protocol(_)) => {}
                Err(UpstreamError::Status { status }) if may_tell_era(status) => {}
                settled => return settled,
            }
        }
        // A server that leaves what it does not know unanswered has to be legacy.
        let probe = timeout(within / 2, self.probe())
            .await
            .unwrap_or(Ok(None))?;
        let Some((outcome, unknown_method)) = probe else {
            return self.legacy().await;
        };
        match Era::of(&outcome, unknown_method) {
            Era::Modern(version) if is_refused_version(&outcome) => {
                // It takes the revision after all, or names one that is taken here too. What it
                // offers is in the answer to the same question asked again.
                let again = self.probe().await?.map(|(again, _)| again);
                let outcome = again.unwrap_or(outcome);
                Ok(self.modern(handshake::discovered(&outcome, version)))
            }
            Era::Modern(version) => Ok(self.modern(handshake::discovered(&outcome, version))),
            Era::Legacy => self.legacy().await,
            Era::Foreign(offered) => Err(UpstreamError::NoCommonVersion { offered }),
        }
    }

    async fn probe(self: &Arc<Self>) -> Result<Option<(Outcome, UnknownMethod)>, UpstreamError> {
        let mut headers = self.modern_headers(MODERN);
        headers.insert(METHOD, HeaderValue::from_static(DISCOVER));
        let id = self.counters.next_id();
        let params = handshake::discover_params(&self.own);
        let question = Question {
            id,
            headers,
            body: jsonrpc::request(&Id::from(id), DISCOVER, Some(&params)),
            max_bytes: HANDSHAKE_BYTES,
        };
        let answered = match self.question(question, None).await {
            Ok(answered) => answered,
            // What it is, is no JSON-RPC; `initialize` will tell whether anything there is.
            Err(UpstreamError::Protocol(_) | UpstreamError::WrongId { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = answered.status.as_u16();
        // Whoever asks for credentials or rest has not looked at the method.
        if !may_tell_era(status) {
            return Err(UpstreamError::Status { status });
        }
        let unknown_method = match status {
            404 => UnknownMethod::Modern,
            _ => UnknownMethod::Legacy,
        };
        Ok(answered.outcome.map(|outcome| (outcome, unknown_method)))
    }

    fn modern(&self, offers: Offers) -> Peer {
        let headers = self.modern_headers(offers.version);
        Peer::new(offers, headers)
    }

    fn modern_headers(&self, version: Version) -> HeaderMap {
        let mut headers = self.headers(None);
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
        headers
    }

    /// A server with a handshake, reached as servers are since 2025-03-26, or as before.
    async fn legacy(self: &Arc<Self>) -> Result<Peer, UpstreamError> {
        let answered = self.initialize(None).await?;
        let status = answered.status.as_u16();
        if matches!(status, 400 | 404 | 405)
            && let Some(pair) = self.open_pair().await?
        {
            let unknown = handshake::unknown(Version::V2024_11_05);
            let first = Arc::new(Peer::new(unknown, self.headers(None)).through(Some(pair)));
            let answered = self.initialize(Some(&first)).await?;
            return self.initialized(answered, Some(&first)).await;
        }
        self.initialized(answered, None).await
    }

    async fn initialize(
        self: &Arc<Self>,
        first: Option<&Arc<Peer>>,
    ) -> Result<Answered, UpstreamError> {
        let id = self.counters.next_id();
        let params = handshake::initialize_params(&self.own);
        let question = Question {
            id,
            headers: self.headers(None),
            body: jsonrpc::request(&Id::from(id), INITIALIZE, Some(&params)),
            max_bytes: HANDSHAKE_BYTES,
        };
        self.question(question, first).await
    }

    async fn initialized(
        self: &Arc<Self>,
        answered: Answered,
        first: Option<&Arc<Peer>>,
    ) -> Result<Peer, UpstreamError> {
        let Answered {
            status,
            session,
            outcome,
        } = answered;
        let status = status.as_u16();
        let outcome = outcome.ok_or(UpstreamError::Status { status })?;
        let offers = handshake::initialized(&outcome)?;
        if session.as_ref().is_some_and(|id| !is_session_id(id)) {
            return Err(fault(ProtocolFault::SessionId));
        }
        let mut headers = self.headers(None);
        if offers.version >= Version::V2025_06_18 {
            let version = HeaderValue::from_static(offers.version.as_str());
            headers.insert(PROTOCOL_VERSION, version);
        }
        if let Some(session) = &session {
            headers.insert(SESSION_ID, session.clone());
        }
        let pair = first.and_then(|first| first.pair.clone());
        let peer = Peer {
            session,
            ..Peer::new(offers, headers).through(pair)
        };
        let notice = jsonrpc::notification(INITIALIZED, None);
        let status = self.note(&peer, notice).await?;
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
        let Some(peer) = peer.filter(|peer| peer.session.is_some() && peer.pair.is_none()) else {
            return;
        };
        let sent = AtomicBool::new(false);
        let farewell = self.send(Parcel::delete(peer.headers.clone()), &sent);
        let _ = timeout(FAREWELL_WITHIN, farewell).await;
    }
}

/// Credentials, load and faults say nothing about the era.
fn may_tell_era(status: u16) -> bool {
    !matches!(status, 401 | 403 | 429 | 500..)
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

fn is_refused_version(answer: &Outcome) -> bool {
    match answer {
        Outcome::Error { code, .. } => *code == Code::UnsupportedVersion.value(),
        Outcome::Result { .. } => false,
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
/// A call waits this long for the session's own stream.
const STREAM_WITHIN: Duration = Duration::from_millis(500);
