//! From nothing to a negotiated session, and what is kept in mind when it has ended.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    Inner,
    negotiate::{self, Probe},
    session::{Pipes, Run, Session},
};
use crate::{
    child::{Process, Started},
    upstream::{UpstreamError, Watch},
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

    pub(super) fn running(&self) -> Option<Arc<Session>> {
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
        let before = self.state().probe;
        match self.launch().await {
            // The question which era it speaks was its death, and it has been asked nothing else.
            Err(_) if before != Probe::Fatal && self.state().probe == Probe::Fatal => {
                self.launch().await
            }
            launched => launched,
        }
    }

    async fn launch(self: &Arc<Self>) -> Result<Arc<Session>, UpstreamError> {
        if self.is_closed() {
            return Err(UpstreamError::Closed);
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
        let (counters, own) = (Arc::clone(&self.counters), Arc::clone(&self.own));
        let (session, pipes) = Session::open(stdin, stdout, counters, own);
        match self.shake_hands(&session, &process).await {
            Ok(()) => {
                let running = Running {
                    process,
                    pipes,
                    begun,
                };
                self.keep(&session, running);
                // Whoever closed meanwhile may have found no session to stop.
                if self.is_closed() {
                    session.stop();
                    return Err(UpstreamError::Closed);
                }
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

    async fn shake_hands(&self, session: &Session, process: &Process) -> Result<(), UpstreamError> {
        let within = self.timing.handshake;
        let (last, mut probe) = {
            let state = self.state();
            (state.version, state.probe)
        };
        let late = UpstreamError::Timeout {
            sent: false,
            after: within,
        };
        let negotiation = negotiate::negotiate(session, last, &mut probe, self.timing.probe);
        let settled = timeout(within, negotiation).await.unwrap_or(Err(late));
        self.state().probe = probe;
        let offers = settled.map_err(UpstreamError::while_negotiating)?;
        process.check_unchanged()?;
        let version = offers.version;
        if last.is_some_and(Version::is_modern) && !version.is_modern() {
            self.counters.downgrade();
            tracing::warn!(
                command = %self.spawn.command.display(),
                %version,
                "the upstream spoke the stateless protocol before and does not any more"
            );
        }
        session.negotiated(offers);
        Ok(())
    }

    /// Hands the process to a task that owns it to its end.
    fn keep(self: &Arc<Self>, session: &Arc<Session>, mut running: Running) {
        let version = session.offers().version;
        let mut state = self.state();
        let run = match state.version.replace(version) {
            None => Run::First,
            Some(_) => Run::Again,
        };
        running
            .pipes
            .watch(Arc::clone(session), state.wanted.clone(), run);
        let keeper = keep(Arc::downgrade(self), Arc::clone(session), running);
        state.session = Some(Arc::clone(session));
        state.keeper = Some(tokio::spawn(keeper));
        drop(state);
        tracing::debug!(
            command = %self.spawn.command.display(),
            %version,
            "started"
        );
    }

    fn ended(&self, begun: Instant) {
        let now = Instant::now();
        self.state()
            .ends
            .note(now.saturating_duration_since(begun), now);
    }

    /// Whether somebody waits for what only a running server can tell.
    fn is_watched(&self) -> bool {
        let Watch {
            resources,
            lists: _,
            tasks,
        } = &self.state().wanted;
        !resources.is_empty() || !tasks.is_empty()
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
    revive(inner).await;
}

/// Starts a server again that somebody watches: nobody else might ask it anything.
async fn revive(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade().filter(|inner| inner.is_watched()) else {
            return;
        };
        let pause = strong.state().ends.remaining(Instant::now());
        let mut closed = strong.closed.subscribe();
        drop(strong);
        tokio::select! {
            () = sleep(pause) => {}
            // Closed, or dropped.
            _ = closed.wait_for(|closed| *closed) => return,
        }
        let Some(strong) = inner.upgrade() else {
            return;
        };
        match strong.session().await {
            Ok(_) | Err(UpstreamError::Closed) => return,
            Err(error) => tracing::debug!(%error, "a watched server is not back yet"),
        }
    }
}

const LONG_LIFE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A caller waits for a pause this long; told of a longer one, it can decide itself.
const WAITED_FOR: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
