//! The requests that wait for an answer.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::sync::oneshot;

use super::{
    garbled,
    inbox::{Inbox, Mail, Takes},
};
use crate::{
    jsonrpc::{Id, Outcome, Request, Response},
    lines::MAX_LINE,
    upstream::{ProtocolFault, UpstreamError},
};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A call: a line that is no message spoils it, for it may have been its answer.
    Call,
    /// The handshake or a listing, which survive what servers print while they start.
    Other,
    /// Open for as long as the server runs, and answered at its end.
    Listen,
}

/// How far a request has come on its way out.
#[derive(Debug, Default)]
pub(super) struct Passage(AtomicU8);

impl Passage {
    /// Claims the right to write it; false when it has been withdrawn.
    pub(super) fn begin(&self) -> bool {
        self.settle(BEGUN) != WITHDRAWN
    }

    /// Withdraws it; true when it was too late, and bytes of it may have been read.
    pub(super) fn withdraw(&self) -> bool {
        self.settle(WITHDRAWN) == BEGUN
    }

    /// Moves on from the start, once; gives the state it is in then.
    fn settle(&self, to: u8) -> u8 {
        match self
            .0
            .compare_exchange(QUEUED, to, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => to,
            Err(now) => now,
        }
    }
}

const QUEUED: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

pub(super) type Answer = Result<Outcome, UpstreamError>;

/// A request that is to be entered.
pub(super) struct Entry {
    pub(super) max_bytes: usize,
    pub(super) purpose: Purpose,
    pub(super) inbox: Option<Inbox>,
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    entry: Entry,
    /// The server's requests that were last put to it.
    asked: VecDeque<Id>,
}

impl Waiting {
    fn takes(&self) -> Option<Takes> {
        self.entry.inbox.as_ref().map(|inbox| inbox.takes)
    }
}

/// All requests of one session, by id.
#[derive(Default)]
pub(super) struct Table(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    waiting: HashMap<u64, Waiting>,
    ended: bool,
}

impl Table {
    /// Enters a request.
    pub(super) fn enter(
        &self,
        id: u64,
        entry: Entry,
    ) -> Result<oneshot::Receiver<Answer>, UpstreamError> {
        let mut entries = self.entries();
        if entries.ended {
            return Err(UpstreamError::Lost { sent: false });
        }
        if entries.waiting.len() >= MOST {
            return Err(UpstreamError::Overloaded { limit: MOST });
        }
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting {
            answer,
            entry,
            asked: VecDeque::new(),
        };
        entries.waiting.insert(id, waiting);
        Ok(receiver)
    }

    /// Takes a request out; false when it was answered before.
    pub(super) fn leave(&self, id: u64) -> bool {
        self.entries().waiting.remove(&id).is_some()
    }

    /// Delivers a response; false when nobody waits for it.
    pub(super) fn answer(&self, response: Response) -> bool {
        let Response { id, outcome } = response;
        let waiting = match &id {
            Some(id) => self.by_id(id),
            // A server that could not read an id: clear only when there is one it can mean.
            None => self.only_one(),
        };
        let Some(Waiting { answer, entry, .. }) = waiting else {
            return false;
        };
        let max_bytes = entry.max_bytes;
        let (Outcome::Result { bytes, .. } | Outcome::Error { bytes, .. }) = &outcome;
        let too_large = bytes.len() > max_bytes;
        let result = if too_large {
            Err(UpstreamError::TooLarge { limit: max_bytes })
        } else {
            Ok(outcome)
        };
        // Whoever asked may just have given up.
        answer.send(result).is_ok()
    }

    /// Fails the request that a broken line was the answer to: the one whose id can still be
    /// found in it, else every call there is. False when no call waits.
    pub(super) fn spoil(&self, line: Broken<'_>) -> bool {
        let mut entries = self.entries();
        let calls = |(id, waiting): (&u64, &Waiting)| {
            (waiting.entry.purpose == Purpose::Call).then_some(*id)
        };
        let mut ids: Vec<u64> = entries.waiting.iter().filter_map(calls).collect();
        if let Some(id) = line.id().filter(|id| entries.waiting.contains_key(id)) {
            ids = vec![id];
        }
        for id in &ids {
            if let Some(Waiting { answer, entry, .. }) = entries.waiting.remove(id) {
                let _ = answer.send(Err(line.error(entry.max_bytes)));
            }
        }
        !ids.is_empty()
    }

    /// Hands a message to the request it is about, as a line of `bytes`; false when that has no
    /// room for it, or is not there any more.
    pub(super) fn hand(&self, to: u64, mail: Mail, bytes: usize) -> bool {
        let entries = self.entries();
        let inbox = entries
            .waiting
            .get(&to)
            .and_then(|waiting| waiting.entry.inbox.as_ref());
        inbox.is_some_and(|inbox| inbox.put(mail, bytes).is_ok())
    }

    /// The only request that takes this. On one pipe for all nothing says which of several a
    /// message belongs to.
    pub(super) fn sole(&self, wanted: impl Fn(Takes) -> bool) -> Option<u64> {
        self.entries().sole(wanted)
    }

    /// Puts a request of the server's to the only request that can answer it.
    ///
    /// # Errors
    /// The request, where there is no such one, or where it has too much to read already.
    pub(super) fn put(&self, request: Request, bytes: usize) -> Result<(), Request> {
        let mut entries = self.entries();
        let to = entries.sole(Takes::requests);
        let Some(waiting) = to.and_then(|to| entries.waiting.get_mut(&to)) else {
            return Err(request);
        };
        let Some(inbox) = &waiting.entry.inbox else {
            return Err(request);
        };
        let id = request.id.clone();
        match inbox.put(Mail::Request(request), bytes) {
            Ok(()) => {}
            Err(Mail::Request(request)) => return Err(request),
            Err(Mail::Notification(_)) => return Ok(()),
        }
        if waiting.asked.len() >= ASKED_KEPT {
            waiting.asked.pop_front();
        }
        waiting.asked.push_back(id);
        Ok(())
    }

    /// The request that this one of the server's was put to.
    pub(super) fn asked(&self, id: &Id) -> Option<u64> {
        let entries = self.entries();
        let mut waiting = entries.waiting.iter();
        waiting
            .find(|(_, waiting)| waiting.asked.contains(id))
            .map(|(to, _)| *to)
    }

    /// Whether this is the id of a stream of announcements that is open.
    pub(super) fn is_stream(&self, id: u64) -> bool {
        let entries = self.entries();
        let waiting = entries.waiting.get(&id);
        waiting.is_some_and(|waiting| waiting.entry.purpose == Purpose::Listen)
    }

    /// The longest line that the answer to a request may be.
    pub(super) fn longest_line(&self) -> usize {
        let entries = self.entries();
        let waiting = entries.waiting.values();
        let largest = waiting.map(|waiting| waiting.entry.max_bytes).max();
        let line = largest.unwrap_or_default().saturating_add(ENVELOPE);
        line.clamp(MAX_LINE, LONGEST_LINE)
    }

    /// Fails everything, now and from now on. False when that has been done before.
    pub(super) fn end(&self) -> bool {
        let mut entries = self.entries();
        for (_, Waiting { answer, .. }) in entries.waiting.drain() {
            let _ = answer.send(Err(UpstreamError::Lost { sent: true }));
        }
        !std::mem::replace(&mut entries.ended, true)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.entries().ended
    }

    fn by_id(&self, id: &Id) -> Option<Waiting> {
        // Type and spelling count: `"1"` and `1.0` are not `1`.
        let Id::Number(number) = id else { return None };
        self.entries().waiting.remove(&number.as_u64()?)
    }

    fn only_one(&self) -> Option<Waiting> {
        let mut entries = self.entries();
        let mut ids = entries
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.entry.purpose != Purpose::Listen)
            .map(|(id, _)| *id);
        let (Some(id), None) = (ids.next(), ids.next()) else {
            return None;
        };
        drop(ids);
        entries.waiting.remove(&id)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn sole(&self, wanted: impl Fn(Takes) -> bool) -> Option<u64> {
        let fits =
            |(id, waiting): (&u64, &Waiting)| waiting.takes().is_some_and(&wanted).then_some(*id);
        let mut all = self.waiting.iter().filter_map(fits);
        match (all.next(), all.next()) {
            (Some(only), None) => Some(only),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }
}

/// A line that is no message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Broken<'a> {
    /// Longer than any line may be.
    TooLong { head: &'a [u8], tail: &'a [u8] },
    /// Not JSON.
    NotJson(&'a [u8]),
    /// JSON, but no JSON-RPC message; with the id, where it could be read.
    NotJsonRpc(Option<&'a Id>),
}

impl Broken<'_> {
    fn id(&self) -> Option<u64> {
        match self {
            Self::TooLong { head, tail } => garbled::find_id(head, tail),
            Self::NotJson(line) => garbled::find_id(line, line),
            Self::NotJsonRpc(Some(Id::Number(number))) => number.as_u64(),
            Self::NotJsonRpc(_) => None,
        }
    }

    fn error(&self, limit: usize) -> UpstreamError {
        match self {
            Self::TooLong { .. } => UpstreamError::TooLarge {
                limit: limit.min(LONGEST_LINE),
            },
            Self::NotJson(_) => UpstreamError::Protocol(ProtocolFault::NotJson),
            Self::NotJsonRpc(_) => UpstreamError::Protocol(ProtocolFault::NotJsonRpc),
        }
    }
}

/// Requests that may wait at once.
const MOST: usize = 256;
/// More of the server's requests cannot wait for an answer at once.
const ASKED_KEPT: usize = 16;
/// What stands around a result.
const ENVELOPE: usize = 64 << 10;
/// Nothing that is longer can be parsed.
pub(super) const LONGEST_LINE: usize = cmcp_json::Limits::RESPONSE.bytes;

#[cfg(test)]
mod tests;
