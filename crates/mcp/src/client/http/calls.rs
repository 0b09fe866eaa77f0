//! The requests under way, for what comes about them on another stream than their own: the stream
//! of the session, or the one stream that a server of 2024-11-05 has.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    client::heard::Heard,
    jsonrpc::{Id, Message},
    upstream::{ProtocolFault, UpstreamError},
};

/// All of one session, by id.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<u64, Entry>>);

#[derive(Debug)]
struct Entry {
    queue: Arc<Queue>,
    hears: Hears,
    max_bytes: usize,
}

/// Whether somebody can be asked on behalf of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    Requests,
    Nothing,
}

/// What has come about one request. Dropping it takes the request out.
#[derive(Debug)]
pub(super) struct Inbox {
    id: u64,
    calls: Arc<Calls>,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<(Message, usize)>,
    bytes: usize,
    ended: Option<UpstreamError>,
}

impl Calls {
    /// Enters a request.
    pub(super) fn enter(self: &Arc<Self>, id: u64, hears: Hears, max_bytes: usize) -> Inbox {
        let queue = Arc::new(Queue::default());
        let entry = Entry {
            queue: Arc::clone(&queue),
            hears,
            max_bytes,
        };
        self.entries().insert(id, entry);
        Inbox {
            id,
            calls: Arc::clone(self),
            queue,
        }
    }

    /// Gives a message to the request it belongs to; back, where there is none.
    pub(super) fn route(&self, message: Message, size: usize) -> Option<Message> {
        let entries = self.entries();
        let entry = match &message {
            Message::Response(response) => match &response.id {
                Some(Id::Number(number)) => number.as_u64().and_then(|id| entries.get(&id)),
                // Spelled as text it is none of ours. A server that could not read an id can
                // only mean the one request there is.
                Some(Id::String(_)) => None,
                None => only(entries.values()),
            },
            Message::Request(_) => asked(&entries),
            Message::Notification(notification) => match Heard::of(notification) {
                Heard::Progress { token, .. } => entries.get(&token),
                Heard::Cancelled(_) => asked(&entries),
                Heard::Changed(_)
                | Heard::Updated { .. }
                | Heard::Message(_)
                | Heard::TaskStatus(_)
                | Heard::ElicitationComplete(_)
                | Heard::Acknowledged
                | Heard::Unknown => None,
            },
        };
        match entry {
            Some(entry) => {
                entry.queue.push(message, size);
                None
            }
            None => Some(message),
        }
    }

    /// The most that any of them wants to read.
    pub(super) fn largest(&self) -> usize {
        let entries = self.entries();
        entries
            .values()
            .map(|entry| entry.max_bytes)
            .max()
            .unwrap_or(0)
    }

    /// Fails the one request that a message that makes no sense can have been for; false when
    /// there is more than one, or none.
    pub(super) fn spoil(&self, error: &UpstreamError) -> bool {
        let entries = self.entries();
        match only(entries.values()) {
            Some(entry) => {
                entry.queue.end(error.clone());
                true
            }
            None => false,
        }
    }

    /// Nothing will come any more for those that are there.
    pub(super) fn end(&self, error: &UpstreamError) {
        for entry in self.entries().values() {
            entry.queue.end(error.clone());
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one request that a request of the server's can be about.
fn asked(entries: &HashMap<u64, Entry>) -> Option<&Entry> {
    only(
        entries
            .values()
            .filter(|entry| entry.hears == Hears::Requests),
    )
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

impl Queue {
    fn push(&self, message: Message, size: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_add(size);
        // The answer comes once, and whoever asked has said how large it may be.
        let answer = matches!(message, Message::Response(_));
        if !answer && (state.bytes > MOST_BYTES || state.messages.len() >= MOST_MESSAGES) {
            state.ended = Some(UpstreamError::Protocol(ProtocolFault::Flood));
        } else {
            state.messages.push_back((message, size));
        }
        drop(state);
        self.ready.notify_one();
    }

    fn end(&self, error: UpstreamError) {
        self.state().ended.get_or_insert(error);
        self.ready.notify_one();
    }

    fn take(&self) -> Option<Result<(Message, usize), UpstreamError>> {
        let mut state = self.state();
        match state.messages.pop_front() {
            Some((message, size)) => {
                state.bytes = state.bytes.saturating_sub(size);
                Some(Ok((message, size)))
            }
            None => state.ended.clone().map(Err),
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// The next message about this request, and its size; an error when none can come any more.
    pub(super) async fn next(&self) -> Result<(Message, usize), UpstreamError> {
        loop {
            if let Some(next) = self.queue.take() {
                return next;
            }
            self.queue.ready.notified().await;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.calls.entries().remove(&self.id);
    }
}

const MOST_MESSAGES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
