//! How long a server may be silent.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// The time that one request has. It is spent by silence; progress gives all of it back, and it
/// stands still while the server waits for us. In all it is bounded too.
#[derive(Debug)]
pub(super) struct Clock {
    silence: Duration,
    end: Instant,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Running { due: Instant },
    Standing { left: Duration },
}

impl Clock {
    /// A clock that runs from now on.
    pub(super) fn start(silence: Duration) -> Self {
        let now = Instant::now();
        let far = || now.checked_add(FAR).unwrap_or(now);
        let due = now.checked_add(silence).unwrap_or_else(far);
        let whole = silence.saturating_mul(WHOLE);
        Self {
            silence,
            end: now.checked_add(whole).unwrap_or_else(far),
            state: watch::Sender::new(State::Running { due }),
        }
    }

    /// The server has made progress.
    pub(super) fn wind(&self) {
        self.state.send_modify(|state| {
            *state = match state {
                State::Running { .. } => running(self.silence),
                State::Standing { .. } => State::Standing { left: self.silence },
            }
        });
    }

    /// The server waits for us.
    pub(super) fn stop(&self) {
        self.state.send_modify(|state| {
            if let State::Running { due } = state {
                let left = due.saturating_duration_since(Instant::now());
                *state = State::Standing { left };
            }
        });
    }

    /// We wait for the server again.
    pub(super) fn go_on(&self) {
        self.state.send_modify(|state| {
            if let State::Standing { left } = state {
                *state = running(*left);
            }
        });
    }

    /// When the time is up, if nothing happens.
    pub(super) fn due(&self) -> Instant {
        match *self.state.borrow() {
            State::Running { due } => due.min(self.end),
            State::Standing { .. } => self.end,
        }
    }

    /// Waits until the time is up.
    pub(super) async fn run_out(&self) {
        let mut changes = self.state.subscribe();
        loop {
            let due = self.due();
            tokio::select! {
                () = sleep_until(due) => return,
                // Fails only when the sender is gone, which is `self`.
                _ = changes.changed() => {}
            }
        }
    }

    /// How much time that was, for the error that says so.
    pub(super) fn spent(&self) -> Duration {
        let whole = Instant::now() >= self.end;
        self.silence.saturating_mul(if whole { WHOLE } else { 1 })
    }
}

fn running(left: Duration) -> State {
    let now = Instant::now();
    State::Running {
        due: now.checked_add(left).unwrap_or(now),
    }
}

/// What all together may take, in times of the silence.
const WHOLE: u32 = 10;
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests;
