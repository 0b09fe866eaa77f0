//! One line of messages to a client: what waits to be read, and what is kept to be read again.
//!
//! Writers never wait. A reader that falls too far behind is cut off; nobody else notices.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::port::Last;
use crate::{lines, sse};

mod state;
mod tally;

pub(super) use state::Frame;
use state::{Phase, Reader, State};
#[cfg(test)]
pub(super) use state::{UNREAD, UNREAD_BYTES};
pub(super) use tally::Tally;

/// Where one request's answer is made and read, or what a session says on a line of its own.
pub(super) struct Channel {
    framing: Framing,
    state: Mutex<State>,
    cancelled: AtomicBool,
    stopped: Notify,
}

/// What a message becomes.
pub(super) enum Framing {
    /// An event without id; forgotten once read.
    Events,
    /// An event with an id, kept for a while after it was read.
    Kept(Arc<Tally>),
    /// A line.
    Lines,
}

/// How much a message matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// A reader too far behind is cut off for it, or on standard output goes without it.
    Note,
    /// An answer, or a question: it is taken even so.
    Must,
    /// The last one.
    Last,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits, or is kept.
    Taken,
    /// Nobody will ever read it.
    Dropped,
    /// The reader fell behind by it.
    CutOff,
}

/// What the reader of a request's channel gets first.
pub(super) enum First {
    /// The answer, and nothing before it.
    Last(Last),
    /// Something else: a stream.
    Stream,
}

/// The reader fell too far behind and was cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the client reads more slowly than it is written to, and was cut off")]
pub struct CutOff;

impl Channel {
    /// Of a request: quiet, with its first reader there.
    pub(super) fn quiet(framing: Framing) -> Self {
        Self::new(framing, Phase::Quiet, Reader::Here(1))
    }

    /// Of a session: a stream without reader.
    pub(super) fn open(framing: Framing, number: u64) -> Self {
        Self::new(framing, Phase::Open(number), Reader::Away)
    }

    fn new(framing: Framing, phase: Phase, reader: Reader) -> Self {
        Self {
            framing,
            state: Mutex::new(State::new(phase, reader)),
            cancelled: AtomicBool::new(false),
            stopped: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing has been said so far, and somebody would hear it.
    pub(super) fn may_open(&self) -> bool {
        let state = self.state();
        matches!(state.phase, Phase::Quiet) && matches!(state.reader, Reader::Here(_))
    }

    /// Makes it a stream, unless it is one already or nobody would read it.
    pub(super) fn open_as(&self, number: u64) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Quiet) && matches!(state.reader, Reader::Here(_)) {
            state.phase = Phase::Open(number);
        }
    }

    /// Says something. Only a stream says anything but its last.
    pub(super) fn push(&self, message: &Bytes, weight: Weight) -> Pushed {
        let mut state = self.state();
        let Phase::Open(number) = state.phase else {
            return Pushed::Dropped;
        };
        if weight == Weight::Last {
            state.phase = Phase::Ended(number);
        }
        let mut pushed = Pushed::Taken;
        if let Reader::Here(nth) = state.reader
            && weight == Weight::Note
            && state.is_far_behind()
        {
            if matches!(self.framing, Framing::Lines) {
                return Pushed::Dropped;
            }
            state.reader = Reader::Behind(nth);
            pushed = Pushed::CutOff;
        }
        match (&self.framing, state.reader) {
            (Framing::Kept(tally), _) => {
                let id = event_id(number, state.next);
                let before = state.held();
                state.add(sse::message(Some(&id), message));
                state.trim(tally);
                tally.change(before, state.held());
            }
            (Framing::Lines, Reader::Away | Reader::Here(_)) => {
                state.add([lines::encode(message), Bytes::new(), Bytes::new()]);
            }
            (Framing::Events, Reader::Here(_)) => state.add(sse::message(None, message)),
            (Framing::Events | Framing::Lines, _) => {
                state.forget();
                if pushed == Pushed::Taken {
                    pushed = Pushed::Dropped;
                }
            }
        }
        wake(state);
        pushed
    }

    /// Ends it: with a body of its own where nothing was said before, else as the stream's last
    /// message.
    pub(super) fn finish(&self, last: Last) {
        let mut state = self.state();
        match state.phase {
            Phase::Quiet => {
                state.phase = Phase::Ended(0);
                if matches!(state.reader, Reader::Here(_)) {
                    state.last = Some(last);
                }
                wake(state);
            }
            Phase::Open(_) => {
                drop(state);
                self.push(&last.body, Weight::Last);
            }
            Phase::Ended(_) => {}
        }
    }

    /// Ends it without a word; what waits can still be read.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.phase = Phase::Ended(state.phase.number());
        wake(state);
    }

    /// Ends it without a word, and forgets what is held.
    pub(super) fn close(&self) {
        let mut state = self.state();
        let number = state.phase.number();
        state.phase = Phase::Ended(number);
        state.reader = Reader::Away;
        self.forget(&mut state);
        wake(state);
    }

    /// Asks what comes first.
    pub(super) fn poll_first(&self, context: &Context<'_>) -> Poll<First> {
        let mut state = self.state();
        match (&state.phase, state.last.is_some()) {
            (Phase::Ended(_), true) => state
                .last
                .take()
                .map_or(Poll::Pending, |last| Poll::Ready(First::Last(last))),
            (Phase::Open(_) | Phase::Ended(_), _) => Poll::Ready(First::Stream),
            (Phase::Quiet, _) => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The next frame for the nth reader; `None` when it is not the reader any more, or there will
    /// be none.
    pub(super) fn poll_next(
        &self,
        nth: u64,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame, CutOff>>> {
        let mut state = self.state();
        match state.reader {
            Reader::Here(current) if current == nth => {}
            Reader::Behind(current) if current == nth => return Poll::Ready(Some(Err(CutOff))),
            Reader::Away | Reader::Here(_) | Reader::Behind(_) => return Poll::Ready(None),
        }
        let frame = match &self.framing {
            Framing::Events | Framing::Lines => state.take(),
            Framing::Kept(tally) => {
                let frame = state.read();
                let before = state.held();
                state.trim(tally);
                tally.change(before, state.held());
                frame
            }
        };
        if let Some(frame) = frame {
            return Poll::Ready(Some(Ok(frame)));
        }
        if state.phase.is_ended() {
            state.reader = Reader::Away;
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// The current reader's place in the order of readers, and the id that stands for everything
    /// said so far.
    pub(super) fn reader(&self) -> (u64, String) {
        let state = self.state();
        (state.readers, event_id(state.phase.number(), 0))
    }

    /// Lets a new reader take over from here. Gives its place, and an id that has not been used.
    pub(super) fn take_over(&self) -> (u64, String) {
        let mut state = self.state();
        let id = event_id(state.phase.number(), state.next);
        state.next = state.next.saturating_add(1);
        state.skip();
        let nth = state.seat();
        wake(state);
        (nth, id)
    }

    /// Lets a new reader take over behind the event `seq`; `None` when there has been no such
    /// event, or the end was lost.
    pub(super) fn take_over_behind(&self, seq: u64) -> Option<u64> {
        let mut state = self.state();
        if !state.rewind(seq) {
            return None;
        }
        let nth = state.seat();
        wake(state);
        Some(nth)
    }

    /// The nth reader has gone.
    pub(super) fn leave(&self, nth: u64) {
        let mut state = self.state();
        if !matches!(state.reader, Reader::Here(n) | Reader::Behind(n) if n == nth) {
            return;
        }
        state.reader = Reader::Away;
        state.waker = None;
        state.last = None;
        match (&self.framing, &state.phase) {
            (Framing::Events | Framing::Lines, _) => state.forget(),
            (Framing::Kept(_), Phase::Quiet | Phase::Open(_) | Phase::Ended(_)) => {}
        }
    }

    /// Whether a reader is there.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.state().reader, Reader::Here(_))
    }

    /// Whether everything has been said.
    pub(super) fn is_ended(&self) -> bool {
        self.state().phase.is_ended()
    }

    /// Whether nothing waits to be read.
    pub(super) fn has_nothing_unread(&self) -> bool {
        self.state().has_nothing_unread()
    }

    /// Whether writers should pause.
    pub(super) fn is_far_behind(&self) -> bool {
        self.state().is_far_behind()
    }

    /// Forgets what has been read, and where no reader is there everything.
    pub(super) fn shed(&self) {
        let mut state = self.state();
        let Framing::Kept(tally) = &self.framing else {
            return;
        };
        let before = state.held();
        state.shed();
        tally.change(before, state.held());
    }

    /// Tells whoever answers to stop.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.stopped.notify_waiters();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Resolves once it is cancelled.
    pub(super) async fn cancelled(&self) {
        let stopped = self.stopped.notified();
        let mut stopped = std::pin::pin!(stopped);
        stopped.as_mut().enable();
        if !self.is_cancelled() {
            stopped.await;
        }
    }

    fn forget(&self, state: &mut State) {
        let before = state.held();
        state.forget();
        match &self.framing {
            Framing::Kept(tally) => tally.change(before, state.held()),
            Framing::Events | Framing::Lines => {}
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        match &self.framing {
            Framing::Kept(tally) => tally.change(state.held(), 0),
            Framing::Events | Framing::Lines => {}
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// Wakes the reader once the state is free again.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// An event's id: the stream's number, and the event's in the stream.
fn event_id(number: u64, seq: u64) -> String {
    format!("{number}-{seq}")
}

/// Stream and event that an id names.
pub(super) fn read_event_id(id: &str) -> Option<(u64, u64)> {
    let (number, seq) = id.split_once('-')?;
    let parse = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    Some((parse(number)?, parse(seq)?))
}

#[cfg(test)]
mod tests;
