//! A server that is a child process and speaks over its standard input and output.

mod garbled;
mod session;
mod start;
mod table;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{task::JoinHandle, time::timeout};

use self::{
    session::{Ask, Session},
    start::Ends,
    table::{Progress, Purpose},
};
use super::{Timing, counters::Counters, flight::Flight, listing, outgoing};
use crate::{
    child::{Launcher, Spawn},
    jsonrpc::Outcome,
    upstream::{
        Confinement, EvidenceClass, Listing, MeasuredFile, Observed, Server, ToolCall, ToolReply,
        UpstreamError,
    },
    version::Version,
};

/// A server that is a child process. It is started when it is first asked something, and again,
/// after ever longer pauses, when it has ended.
pub struct StdioClient {
    inner: Arc<Inner>,
}

struct Inner {
    spawn: Spawn,
    launcher: Launcher,
    timing: Timing,
    counters: Arc<Counters>,
    state: Mutex<State>,
    starting: Flight<Arc<Session>>,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    /// The task that owns the process.
    keeper: Option<JoinHandle<()>>,
    version: Option<Version>,
    files: Vec<MeasuredFile>,
    confinement: Option<Confinement>,
    ends: Ends,
}

impl StdioClient {
    /// A client that starts its server when it is first asked something.
    #[must_use]
    pub fn new(spawn: Spawn, launcher: Launcher, timing: Timing) -> Self {
        let inner = Inner {
            spawn,
            launcher,
            timing,
            counters: Arc::default(),
            state: Mutex::default(),
            starting: Flight::new(),
            closed: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
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
    fn list(&self) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        Box::pin(async {
            let session = self.inner.session().await?;
            let within = self.inner.timing.list;
            let late = UpstreamError::Timeout {
                sent: true,
                after: within,
            };
            let pages = Listed(&session);
            let listing = listing::list(&pages, self.inner.counters.generation());
            timeout(within, listing).await.unwrap_or(Err(late))
        })
    }

    fn call(&self, call: ToolCall) -> BoxFuture<'_, Result<ToolReply, UpstreamError>> {
        Box::pin(async move {
            let progress = Arc::new(Progress::default());
            let reply = timeout(call.deadline, self.inner.call(&call, &progress)).await;
            reply.unwrap_or_else(|_| {
                Err(UpstreamError::Timeout {
                    sent: progress.withdraw(),
                    after: call.deadline,
                })
            })
        })
    }

    fn generation(&self) -> u64 {
        self.inner.counters.generation()
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
            self.inner.closed.store(true, Ordering::Release);
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
        if let Some(session) = self.inner.state().session.take() {
            session.stop();
        }
    }
}

impl Inner {
    async fn call(
        self: &Arc<Self>,
        call: &ToolCall,
        progress: &Arc<Progress>,
    ) -> Result<ToolReply, UpstreamError> {
        self.check_listed(call)?;
        let session = self.session().await?;
        self.check_listed(call)?;
        let params = outgoing::call_params(call, session.version())?;
        let ask = Ask {
            method: "tools/call",
            params: Some(params),
            max_bytes: call.max_bytes,
            purpose: Purpose::Call,
        };
        match session.ask(ask, progress).await? {
            Outcome::Result { value, bytes } => Ok(ToolReply::Result { bytes, value }),
            Outcome::Error {
                code,
                message,
                bytes,
                data: _,
            } => Ok(ToolReply::Error {
                code,
                message,
                bytes,
            }),
        }
    }

    fn check_listed(&self, call: &ToolCall) -> Result<(), UpstreamError> {
        match call.listed {
            Some(listed) if listed != self.counters.generation() => Err(UpstreamError::Stale),
            Some(_) | None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A running server that is being listed.
struct Listed<'a>(&'a Session);

impl listing::Pages for Listed<'_> {
    fn version(&self) -> Version {
        self.0.version()
    }

    async fn page(
        &self,
        params: Option<Bytes>,
        max_bytes: usize,
    ) -> Result<Outcome, UpstreamError> {
        let ask = Ask {
            method: listing::LIST,
            params,
            max_bytes,
            purpose: Purpose::Other,
        };
        self.0.ask(ask, &Arc::default()).await
    }
}
