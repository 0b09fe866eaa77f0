//! From nothing to a negotiated session, and what is kept in mind when it has ended.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    Inner,
    session::{Ask, Pipes, Session},
    table::Purpose,
};
use crate::{
    child::{Process, Started},
    client::handshake::{
        self, Changes, DISCOVER, Era, INITIALIZE, INITIALIZED, Settled, UnknownMethod,
    },
    upstream::UpstreamError,
    version::Version,
};

/// How often the process has ended of late, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct Ends {
    in_a_row: u32,
    not_before: Option<Instant>,
}

impl Ends {
    /// Notes an end. The first start after a long life is immediate; then the pause doubles.
    fn note(&mut self, lived: Duration, now: Instant) {
        self.in_a_row = if lived >= LONG_LIFE {
            1
        } else {
            self.in_a_row.saturating_add(1)
        };
        let doublings = self.in_a_row.saturating_sub(2).min(16);
        let pause = if self.in_a_row < 2 {
            Duration::ZERO
        } else {
            FIRST_PAUSE
                .saturating_mul(1 << doublings)
                .min(LONGEST_PAUSE)
        };
        self.not_before = now.checked_add(pause);
    }

    /// How long the next start has to wait still.
    fn remaining(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |moment| {
            moment.saturating_duration_since(now)
        })
    }
}

impl Inner {
    /// The running server, started if need be.
    pub(super) async fn session(self: &Arc<Self>) -> Result<Arc<Session>, UpstreamError> {
        if self.is_closed() {
            return Err(UpstreamError::Closed);
        }
        if let Some(session) = self.running() {
            return Ok(session);
        }
        let remaining = self.state().ends.remaining(Instant::now());
        if remaining > WAITED_FOR {
            return Err(UpstreamError::BackOff { remaining });
        }
        sleep(remaining).await;
        let inner = Arc::clone(self);
        self.starting.join(|| inner.start()).await
    }

    fn running(&self) -> Option<Arc<Session>> {
        self.state()
            .session
            .clone()
            .filter(|session| !session.has_ended())
    }

    async fn start(self: Arc<Self>) -> Result<Arc<Session>, UpstreamError> {
        // Somebody else's start may have ended between the look above and this one's beginning.
        if let Some(session) = self.running() {
            return Ok(session);
        }
        let begun = Instant::now();
        let started = Started::start(&self.spawn, &self.launcher).await;
        let Started {
            mut process,
            stdin,
            stdout,
            files,
            confinement,
        } = started.inspect_err(|_| self.ended(begun))?;
        {
            let mut state = self.state();
            state.files = files;
            state.confinement = Some(confinement);
        }
        let (session, mut pipes) = Session::open(stdin, stdout, Arc::clone(&self.counters));
        match self.shake_hands(&session, &process).await {
            Ok(settled) => {
                if settled.version.is_modern() && settled.changes == Changes::Announced {
                    pipes.listen(Arc::clone(&session));
                }
                self.keep(
                    &session,
                    Running {
                        process,
                        pipes,
                        begun,
                    },
                );
                Ok(session)
            }
            Err(error) => {
                session.stop();
                process.stop().await;
                pipes.close().await;
                self.ended(begun);
                Err(process.refusal().map_or(error, UpstreamError::Spawn))
            }
        }
    }

    async fn shake_hands(
        &self,
        session: &Session,
        process: &Process,
    ) -> Result<Settled, UpstreamError> {
        let within = self.timing.handshake;
        let last = self.state().version;
        let late = UpstreamError::Timeout {
            sent: false,
            after: within,
        };
        let settled = timeout(within, negotiate(session, last))
            .await
            .unwrap_or(Err(late));
        let settled = settled.map_err(UpstreamError::while_negotiating)?;
        process.check_unchanged()?;
        let version = settled.version;
        if last.is_some_and(Version::is_modern) && !version.is_modern() {
            self.counters.downgrade();
            tracing::warn!(
                command = %self.spawn.command.display(),
                %version,
                "the upstream spoke the stateless protocol before and does not any more"
            );
        }
        session.negotiated(version);
        Ok(settled)
    }

    /// Hands the process to a task that owns it to its end.
    fn keep(self: &Arc<Self>, session: &Arc<Session>, running: Running) {
        let keeper = keep(Arc::downgrade(self), Arc::clone(session), running);
        let mut state = self.state();
        state.version = Some(session.version());
        state.session = Some(Arc::clone(session));
        state.keeper = Some(tokio::spawn(keeper));
        drop(state);
        tracing::debug!(
            command = %self.spawn.command.display(),
            version = %session.version(),
            "started"
        );
    }

    fn ended(&self, begun: Instant) {
        let now = Instant::now();
        self.state()
            .ends
            .note(now.saturating_duration_since(begun), now);
    }
}

/// What the keeper owns.
struct Running {
    process: Process,
    pipes: Pipes,
    begun: Instant,
}

async fn keep(inner: Weak<Inner>, session: Arc<Session>, running: Running) {
    let Running {
        mut process,
        pipes,
        begun,
    } = running;
    let stopped = tokio::select! {
        () = process.ended() => false,
        () = session.stopped() => true,
    };
    if stopped {
        process.stop().await;
    } else {
        session.stop();
    }
    pipes.close().await;
    if let Some(inner) = inner.upgrade() {
        inner.ended(begun);
    }
}

async fn negotiate(session: &Session, last: Option<Version>) -> Result<Settled, UpstreamError> {
    // What it was before, it most likely still is; if not, it is found out anew.
    if last.is_some_and(|last| !last.is_modern())
        && let Ok(settled) = initialize(session).await
    {
        return Ok(settled);
    }
    let question = ask(DISCOVER, handshake::discover_params());
    let probe = timeout(PROBE_WITHIN, session.ask(question, &Arc::default())).await;
    // A server may leave unanswered what it does not know.
    let Ok(answer) = probe else {
        return initialize(session).await;
    };
    let answer = answer?;
    match Era::of(&answer, UnknownMethod::Legacy) {
        Era::Modern(version) => Ok(Settled {
            version,
            changes: Changes::of(&answer),
        }),
        Era::Legacy => initialize(session).await,
        Era::Foreign(offered) => Err(UpstreamError::NoCommonVersion { offered }),
    }
}

async fn initialize(session: &Session) -> Result<Settled, UpstreamError> {
    let question = ask(INITIALIZE, handshake::initialize_params());
    let answer = session.ask(question, &Arc::default()).await?;
    let settled = handshake::initialized(&answer)?;
    session.tell(INITIALIZED).await?;
    Ok(settled)
}

fn ask(method: &'static str, params: bytes::Bytes) -> Ask {
    Ask {
        method,
        params: Some(params),
        max_bytes: HANDSHAKE_BYTES,
        purpose: Purpose::Other,
    }
}

const HANDSHAKE_BYTES: usize = 1 << 20;
/// Interpreters take seconds to load a large server before it reads its first line.
const PROBE_WITHIN: Duration = Duration::from_secs(10);
const LONG_LIFE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A caller waits for a pause this long; told of a longer one, it can decide itself.
const WAITED_FOR: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
