//! A client that stays: what it declared, what it has under way, and how it is reached.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, oneshot};

use crate::{
    jsonrpc::{self, Id, Outcome, Params},
    legacy::SessionId,
    method::{ClientMethod, ClientNote},
    upstream::LogLevel,
    version::Version,
};

use super::{
    channel::{Channel, Framing, Tally},
    incoming::Heard,
    port::{Asks, Feed, Port, Watched},
};

mod inside;
mod said;
mod streams;

pub use said::{ClientSaid, Handshake};

/// A legacy HTTP session, the HTTP+SSE pair of 2024-11-05, or a process's standard input and
/// output. Cheap to clone; it has no task of its own.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

/// How much one client may have under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Requests being served.
    pub in_flight: usize,
    /// Questions waiting for the client's answers.
    pub asked: usize,
    /// Bytes kept so that broken streams can be read again.
    pub replay: usize,
}

/// What the sessions of one server share: each one's bounds, and a count of what all of them keep
/// so that broken streams can be read again.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// Each one's bounds.
    pub bounds: Bounds,
    kept: Arc<AtomicUsize>,
}

/// Why a request is not taken up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// A request of this id is being served.
    #[error("a request with this id is still being answered")]
    InUse,
    /// As many as may be are being served.
    #[error("{most} requests are being answered; wait for one")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
    /// The session has ended.
    #[error("the session has ended; initialize again")]
    Ended,
}

struct Inner {
    id: Option<SessionId>,
    kind: Kind,
    bounds: Bounds,
    handshake: OnceLock<Handshake>,
    tally: Arc<Tally>,
    state: Mutex<State>,
    dropped: AtomicU64,
    closing: AtomicBool,
    ended: AtomicBool,
    end: Notify,
}

/// What it is made of.
enum Kind {
    /// A stream for each request, and one for the rest.
    Streams,
    /// Everything goes out on one stream of events.
    Pair(Arc<Channel>),
    /// Everything goes out as lines.
    Stdio(Arc<Channel>),
}

#[derive(Default)]
struct State {
    in_flight: HashMap<Id, Arc<Channel>>,
    asked: HashMap<u64, Asked>,
    questions: u64,
    /// The stream that belongs to no request, once there has been one.
    standalone: Option<Arc<Channel>>,
    /// Streams of requests, by number, that may be taken up again.
    streams: BTreeMap<u64, Arc<Channel>>,
    numbers: u64,
    level: Option<LogLevel>,
    attached: Option<Arc<dyn Any + Send + Sync>>,
}

struct Asked {
    answer: oneshot::Sender<Outcome>,
    watched: Option<Watched>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            in_flight: 256,
            asked: 64,
            replay: 4 << 20,
        }
    }
}

impl Session {
    /// A session of Streamable HTTP, whose handshake has been made.
    #[must_use]
    pub fn http(id: SessionId, handshake: Handshake, shared: &Shared) -> Self {
        let session = Self::new(Some(id), Kind::Streams, shared);
        session.shake(handshake);
        session
    }

    /// The pair of 2024-11-05, before its handshake.
    #[must_use]
    pub fn pair(id: SessionId, shared: &Shared) -> Self {
        let line = Arc::new(Channel::open(Framing::Events, 0));
        Self::new(Some(id), Kind::Pair(line), shared)
    }

    /// Standard input and output, before a handshake.
    #[must_use]
    pub fn stdio(bounds: Bounds) -> Self {
        let line = Arc::new(Channel::open(Framing::Lines, 0));
        let shared = Shared {
            bounds,
            kept: Arc::default(),
        };
        Self::new(None, Kind::Stdio(line), &shared)
    }

    fn new(id: Option<SessionId>, kind: Kind, shared: &Shared) -> Self {
        let Shared { bounds, kept } = shared;
        let bounds = *bounds;
        Self(Arc::new(Inner {
            id,
            kind,
            bounds,
            handshake: OnceLock::new(),
            tally: Arc::new(Tally::new(Arc::clone(kept), bounds.replay)),
            state: Mutex::default(),
            dropped: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            end: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its id; none on standard input.
    #[must_use]
    pub fn id(&self) -> Option<&SessionId> {
        self.0.id.as_ref()
    }

    /// Whether it is one of Streamable HTTP, and so named in a header.
    #[must_use]
    pub fn is_http(&self) -> bool {
        matches!(self.0.kind, Kind::Streams)
    }

    /// Whether it is a pair of 2024-11-05.
    #[must_use]
    pub fn is_pair(&self) -> bool {
        matches!(self.0.kind, Kind::Pair(_))
    }

    /// Takes down what was agreed; false when something was agreed before, which stays.
    pub fn shake(&self, handshake: Handshake) -> bool {
        self.0.handshake.set(handshake).is_ok()
    }

    /// Whether there has been a handshake.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.0.handshake.get().is_some()
    }

    /// The revision that was agreed on; before a handshake the one of clients that name none.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0
            .handshake
            .get()
            .map_or(Version::UNNAMED, |handshake| handshake.version)
    }

    /// What the client said of itself in the handshake.
    #[must_use]
    pub fn client(&self) -> Option<&ClientSaid> {
        self.0.handshake.get().map(|handshake| &handshake.client)
    }

    /// Whether the client declared that it answers such requests.
    #[must_use]
    pub fn can(&self, method: ClientMethod) -> bool {
        self.client().is_some_and(|client| client.can(method))
    }

    /// The least severe log messages that the client wants; `None` until it says so.
    #[must_use]
    pub fn level(&self) -> Option<LogLevel> {
        self.state().level
    }

    /// Sets the least severe log messages that the client wants.
    pub fn set_level(&self, level: LogLevel) {
        self.state().level = Some(level);
    }

    /// What somebody else keeps with this session, made on first use and gone when it ends.
    pub fn attached<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let find = |state: &State| state.attached.clone().and_then(|any| any.downcast().ok());
        let found = find(&self.state());
        found.unwrap_or_else(|| {
            // Made outside the lock: whoever makes it may have locks of its own.
            let made = Arc::new(make());
            let mut state = self.state();
            if let Some(earlier) = find(&state) {
                return earlier;
            }
            if !self.is_ended() {
                state.attached = Some(Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
            }
            made
        })
    }

    /// Takes a request up.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, request: &Id) -> Result<(Port, Feed), OpenError> {
        self.open_for(request, Asks::Declared)
    }

    pub(super) fn open_for(&self, request: &Id, asks: Asks) -> Result<(Port, Feed), OpenError> {
        let mut state = self.state();
        if self.is_ended() {
            return Err(OpenError::Ended);
        }
        if state.in_flight.contains_key(request) {
            return Err(OpenError::InUse);
        }
        let most = self.0.bounds.in_flight;
        if state.in_flight.len() >= most {
            return Err(OpenError::TooMany { most });
        }
        let (port, feed) = match &self.0.kind {
            Kind::Streams => {
                let framing = Framing::Kept(Arc::clone(&self.0.tally));
                Port::legacy(request, framing, self.clone())
            }
            Kind::Pair(_) | Kind::Stdio(_) => Port::line(request, self.clone(), asks),
        };
        state
            .in_flight
            .insert(request.clone(), Arc::clone(port.channel()));
        Ok((port, feed))
    }

    /// Takes an answer to a question of ours; false when there is no such question.
    pub fn respond(&self, response: jsonrpc::Response) -> bool {
        let jsonrpc::Response { id, outcome } = response;
        let id = match &id {
            Some(Id::Number(number)) => number.as_u64(),
            Some(Id::String(_)) | None => None,
        };
        let asked = id.and_then(|id| self.state().asked.remove(&id));
        asked.is_some_and(|asked| asked.answer.send(outcome).is_ok())
    }

    /// Cancels the request of this id and no other; false when none is being served.
    pub fn cancel(&self, id: &Id) -> bool {
        let found = self.state().in_flight.get(id).cloned();
        if let Some(channel) = &found {
            channel.cancel();
        }
        found.is_some()
    }

    /// Takes from a notification what concerns this session.
    pub(super) fn hear(&self, note: ClientNote, params: &Params) -> Heard {
        let done = match note {
            ClientNote::Initialized => return Heard::Initialized,
            ClientNote::RootsListChanged => return Heard::RootsChanged,
            ClientNote::Cancelled => params
                .get("requestId")
                .and_then(Id::from_value)
                .is_some_and(|id| self.cancel(&id)),
            ClientNote::Progress => self.progress(params),
        };
        if done { Heard::Done } else { Heard::Dropped }
    }

    /// Hands the client's progress with an answer to whoever asked.
    fn progress(&self, params: &Params) -> bool {
        let token = params.get("progressToken").and_then(Id::from_value);
        let (Some(token), Some(bytes)) = (token, params.bytes()) else {
            return false;
        };
        let state = self.state();
        let watched = state
            .asked
            .values()
            .filter_map(|asked| asked.watched.as_ref());
        watched
            .filter(|watched| watched.token == token)
            .any(|watched| watched.progress.try_send(bytes.clone()).is_ok())
    }

    /// Ends it: streams that belong to no request end, questions are given up, requests are
    /// cancelled.
    pub fn end(&self) {
        let State {
            in_flight,
            asked,
            questions: _,
            standalone,
            streams,
            numbers: _,
            level: _,
            attached,
        } = {
            let mut state = self.state();
            self.0.ended.store(true, Ordering::Release);
            std::mem::take(&mut *state)
        };
        drop((asked, streams, attached));
        for channel in in_flight.values() {
            channel.cancel();
        }
        if let Some(standalone) = standalone {
            standalone.close();
        }
        match &self.0.kind {
            Kind::Streams => {}
            Kind::Pair(line) | Kind::Stdio(line) => line.close(),
        }
        self.0.end.notify_waiters();
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    /// Resolves once it has ended.
    pub async fn ended(&self) {
        let end = self.0.end.notified();
        let mut end = std::pin::pin!(end);
        end.as_mut().enable();
        if !self.is_ended() {
            end.await;
        }
    }

    /// Whether the client is there: something of its is being served, or it reads a stream.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.state();
        let line = match &self.0.kind {
            Kind::Streams => state.standalone.as_ref(),
            Kind::Pair(line) | Kind::Stdio(line) => Some(line),
        };
        !state.in_flight.is_empty() || line.is_some_and(|line| line.is_read())
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Session {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not its id: who knows that, has the session.
        f.debug_struct("Session")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
