//! A server that is a child process and speaks over its standard input and output.

mod garbled;
mod hear;
mod inbox;
mod negotiate;
mod session;
mod start;
mod table;
mod watch;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{
    sync::{broadcast, watch as signal},
    task::JoinHandle,
    time::timeout,
};

use self::{
    inbox::Takes,
    negotiate::Probe,
    session::{Question, Session},
    start::Ends,
    table::{Passage, Purpose},
};
use super::{
    Health, Identity, Timing,
    clock::Clock,
    counters::Counters,
    flight::Flight,
    listing, outgoing,
    own::Own,
    turn::{Context, Turn},
};
use crate::{
    child::{Launcher, Spawn},
    jsonrpc::{self, Outcome},
    upstream::{
        Ask, Confinement, EvidenceClass, Kind, Listing, MeasuredFile, Observed, Offers, Reply,
        Said, Server, Told, UpstreamError, Watch,
    },
    version::Version,
};

/// A server that is a child process. It is started when it is first asked something, and again,
/// after ever longer pauses, when it has ended and is asked something or is watched.
pub struct StdioClient {
    inner: Arc<Inner>,
}

struct Inner {
    spawn: Spawn,
    launcher: Launcher,
    timing: Timing,
    own: Arc<Own>,
    counters: Arc<Counters>,
    health: Arc<Health>,
    state: Mutex<State>,
    starting: Flight<Arc<Session>>,
    closed: signal::Sender<bool>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    /// The task that owns the process.
    keeper: Option<JoinHandle<()>>,
    version: Option<Version>,
    probe: Probe,
    /// What each run of the server is told to tell of.
    wanted: Watch,
    files: Vec<MeasuredFile>,
    confinement: Option<Confinement>,
    ends: Ends,
}

impl StdioClient {
    /// A client that starts its server when it is first asked something.
    #[must_use]
    pub fn new(spawn: Spawn, launcher: Launcher, timing: Timing, identity: Identity) -> Self {
        let inner = Inner {
            spawn,
            launcher,
            timing,
            own: Arc::new(Own::new(identity)),
            counters: Arc::default(),
            health: Arc::default(),
            state: Mutex::default(),
            starting: Flight::new(),
            closed: signal::Sender::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Lets this client share what is known of the server's health with its other clients.
    #[must_use]
    pub fn with_health(mut self, health: Arc<Health>) -> Self {
        // Nobody else holds it before anything was asked.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.health = health;
        }
        self
    }
}

impl fmt::Debug for StdioClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioClient")
            .field("spawn", &self.inner.spawn)
            .finish_non_exhaustive()
    }
}

impl Server for StdioClient {
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        Box::pin(async move {
            if self.inner.is_closed() {
                return Err(UpstreamError::Closed);
            }
            let clock = Clock::start(self.inner.timing.list);
            let place = self.inner.health.enter(clock.due()).await?;
            let listing = self.inner.list(kind).await;
            place.leave(&listing);
            listing
        })
    }

    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, UpstreamError>> {
        Box::pin(async move {
            if self.inner.is_closed() {
                return Err(UpstreamError::Closed);
            }
            let clock = Arc::new(Clock::start(ask.deadline));
            let passage = Arc::new(Passage::default());
            let place = self.inner.health.enter(clock.due()).await?;
            let reply = tokio::select! {
                reply = self.inner.ask(&ask, &clock, &passage) => reply,
                () = tokio::task::unconstrained(clock.run_out()) => Err(UpstreamError::Timeout {
                    sent: passage.withdraw(),
                    after: clock.spent(),
                }),
            };
            place.leave(&reply);
            reply
        })
    }

    fn watch(&self, wanted: Watch) -> BoxFuture<'_, Result<Watch, UpstreamError>> {
        Box::pin(async move {
            self.inner.state().wanted = wanted.clone();
            // There is nothing to start a server for.
            if wanted == Watch::default() && self.inner.running().is_none() {
                return Ok(wanted);
            }
            self.inner.session().await?.watch(wanted).await
        })
    }

    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), UpstreamError>> {
        Box::pin(async move {
            // A server that does not run has nothing to correct.
            let Some(session) = self.inner.running().filter(|session| session.is_legacy()) else {
                return Ok(());
            };
            let message = match told {
                Told::RootsChanged if self.inner.own.declares(&["roots"]) => {
                    jsonrpc::notification("notifications/roots/list_changed", None)
                }
                Told::RootsChanged => return Ok(()),
                Told::Progress(params) => {
                    jsonrpc::notification("notifications/progress", Some(&params))
                }
            };
            let late = UpstreamError::Timeout {
                sent: false,
                after: TOLD_WITHIN,
            };
            let told = timeout(TOLD_WITHIN, session.tell(&message)).await;
            told.unwrap_or(Err(late))
        })
    }

    fn said(&self) -> broadcast::Receiver<Said> {
        self.inner.counters.listen()
    }

    fn offers(&self) -> BoxFuture<'_, Result<Arc<Offers>, UpstreamError>> {
        Box::pin(async { Ok(Arc::clone(self.inner.session().await?.offers())) })
    }

    fn generation(&self, kind: Kind) -> u64 {
        self.inner.counters.generation(kind)
    }

    fn observed(&self) -> Observed {
        let Inner {
            spawn, counters, ..
        } = &*self.inner;
        let state = self.inner.state();
        // Every pin was compared, or nothing would run.
        let measured = !spawn.pins.is_empty();
        Observed {
            endpoint: spawn.command.display().to_string(),
            evidence: if measured {
                EvidenceClass::SpawnMeasured
            } else {
                EvidenceClass::SpawnUnmeasured
            },
            version: state.version,
            files: state.files.clone(),
            confinement: state.confinement,
            downgrades: counters.downgrades(),
            dropped: counters.dropped(),
            refused: counters.refused(),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.inner.closed.send_replace(true);
            self.inner.starting.settle().await;
            let (session, keeper) = {
                let mut state = self.inner.state();
                (state.session.take(), state.keeper.take())
            };
            if let Some(session) = session {
                session.stop();
            }
            if let Some(keeper) = keeper {
                let _ = keeper.await;
            }
        })
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        self.inner.closed.send_replace(true);
        if let Some(session) = self.inner.state().session.take() {
            session.stop();
        }
    }
}

impl Inner {
    async fn list(self: &Arc<Self>, kind: Kind) -> Result<Listing, UpstreamError> {
        let session = self.session().await?;
        let within = self.timing.list;
        let late = UpstreamError::Timeout {
            sent: true,
            after: within,
        };
        let pages = Listed(&session);
        let listing = listing::list(&pages, kind, self.counters.generation(kind));
        timeout(within, listing).await.unwrap_or(Err(late))
    }

    async fn ask(
        self: &Arc<Self>,
        ask: &Ask,
        clock: &Arc<Clock>,
        passage: &Arc<Passage>,
    ) -> Result<Reply, UpstreamError> {
        self.check_listed(ask)?;
        let session = self.session().await?;
        if let Some(level) = ask.log_level {
            session.log_from(level).await;
        }
        self.check_listed(ask)?;
        let version = session.offers().version;
        let id = self.counters.next_id();
        let question = Question {
            id,
            method: ask.method.as_str(),
            params: Some(outgoing::ask_params(ask, id, version, &self.own)?),
            max_bytes: ask.max_bytes,
            purpose: Purpose::Call,
        };
        let answer = match Takes::of(ask, version) {
            None => session.ask(question, passage).await,
            Some(takes) => {
                let context = Context {
                    counters: Arc::clone(&self.counters),
                    own: Arc::clone(&self.own),
                    clock: Arc::clone(clock),
                };
                let turn = Turn::new(ask, id, version, &context);
                session.serve(question, (turn, takes), passage).await
            }
        };
        Ok(match answer? {
            Outcome::Result { value, bytes } => Reply::Result { bytes, value },
            Outcome::Error {
                code,
                message,
                bytes,
                data: _,
            } => Reply::Error {
                code,
                message,
                bytes,
            },
        })
    }

    fn check_listed(&self, ask: &Ask) -> Result<(), UpstreamError> {
        let now = self.counters.generation_for(ask.method);
        match (ask.listed, now) {
            (Some(listed), Some(now)) if listed != now => Err(UpstreamError::Stale),
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }
}

/// A running server that is being listed.
struct Listed<'a>(&'a Session);

impl listing::Pages for Listed<'_> {
    fn offers(&self) -> &Offers {
        self.0.offers()
    }

    fn own(&self) -> &Own {
        &self.0.own
    }

    async fn page(
        &self,
        kind: Kind,
        params: Option<Bytes>,
        max_bytes: usize,
    ) -> Result<Outcome, UpstreamError> {
        let question = Question {
            max_bytes,
            ..self.0.question(kind.method(), params)
        };
        self.0.ask(question, &Arc::default()).await
    }
}

const TOLD_WITHIN: Duration = Duration::from_secs(10);
