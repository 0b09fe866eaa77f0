//! What ports and front ends need of a session.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    jsonrpc::{Id, Outcome},
    server::{
        channel::{Channel, Pushed, Weight},
        port::{AskError, Watched},
    },
    sse,
    version::Version,
};

use super::{Asked, Kind, Session};

impl Session {
    /// The line on which everything goes out, where there is only one.
    pub(in crate::server) fn line(&self) -> Option<&Arc<Channel>> {
        match &self.0.kind {
            Kind::Streams => None,
            Kind::Pair(line) | Kind::Stdio(line) => Some(line),
        }
    }

    /// Says something on the one line.
    pub(in crate::server) fn say(&self, message: &Bytes, weight: Weight) -> Pushed {
        let Some(line) = self.line() else {
            return Pushed::Dropped;
        };
        let pushed = line.push(message, weight);
        if pushed == Pushed::CutOff {
            self.end();
        }
        pushed
    }

    /// Opens a stream for a request, unless it has one or nobody would read it.
    pub(in crate::server) fn stream(&self, channel: &Arc<Channel>) {
        if !channel.may_open() {
            return;
        }
        let mut state = self.state();
        state.numbers = state.numbers.saturating_add(1);
        let number = state.numbers;
        channel.open_as(number);
        if self.is_ended() {
            return;
        }
        if state.streams.len() >= STREAMS {
            let ended = state.streams.iter().find(|(_, stream)| stream.is_ended());
            if let Some(oldest) = ended.map(|(number, _)| *number) {
                state.streams.remove(&oldest);
            }
        }
        state.streams.insert(number, Arc::clone(channel));
    }

    /// Lets go of what may be read again, where that has become too much: ended streams first, the
    /// oldest before the others.
    pub(in crate::server) fn trim(&self) {
        if !self.0.tally.is_over() {
            return;
        }
        let mut state = self.state();
        while self.0.tally.is_over() {
            let ended = state.streams.iter().find(|(_, stream)| stream.is_ended());
            let Some(oldest) = ended.map(|(number, _)| *number) else {
                break;
            };
            state.streams.remove(&oldest);
        }
        for stream in state.streams.values().chain(&state.standalone) {
            if !self.0.tally.is_over() {
                return;
            }
            stream.shed();
        }
    }

    /// The first event of a stream. Clients before 2025-11-25 take an event without data for a
    /// broken message: they get a comment.
    pub(in crate::server) fn first_event(&self, id: &str) -> Bytes {
        if self.version() >= Version::V2025_11_25 {
            sse::priming(id, RETRY_MS)
        } else {
            sse::keep_alive()
        }
    }

    /// Whether a request of this id is being served.
    pub(in crate::server) fn is_serving(&self, request: &Id) -> bool {
        self.state().in_flight.contains_key(request)
    }

    /// A request is not being served any more.
    pub(in crate::server) fn forget(&self, request: &Id) {
        self.state().in_flight.remove(request);
    }

    /// Whether its streams end as soon as no request needs them.
    pub(in crate::server) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// Ends a pair's stream, where it is to end and nothing is being served.
    pub(in crate::server) fn end_line_if_idle(&self) {
        if let Kind::Pair(line) = &self.0.kind
            && self.is_closing()
            && self.state().in_flight.is_empty()
        {
            line.end();
        }
    }

    /// A question to the client: its id, and where the answer comes.
    pub(in crate::server) fn question(
        &self,
        watched: Option<Watched>,
    ) -> Result<(u64, oneshot::Receiver<Outcome>), AskError> {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.state();
        if self.is_ended() {
            return Err(AskError::Gone);
        }
        let most = self.0.bounds.asked;
        if state.asked.len() >= most {
            return Err(AskError::TooMany { most });
        }
        state.questions = state.questions.saturating_add(1);
        let id = state.questions;
        state.asked.insert(id, Asked { answer, watched });
        Ok((id, receiver))
    }

    /// A question needs no answer any more.
    pub(in crate::server) fn withdraw(&self, question: u64) {
        self.state().asked.remove(&question);
    }

    /// Gives all questions up: nobody will answer them.
    pub(in crate::server) fn withdraw_all(&self) {
        let asked = std::mem::take(&mut self.state().asked);
        drop(asked);
    }

    /// Counts a message that was dropped.
    pub(in crate::server) fn count_dropped(&self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Streams of requests that may be taken up again.
const STREAMS: usize = 64;
/// How long a client is to wait before it comes back.
const RETRY_MS: u64 = 1_000;
