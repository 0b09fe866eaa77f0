//! What a client counts, and what it tells those who listen.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast;

use super::heard::Heard;
use crate::{
    jsonrpc::Notification,
    method::Method,
    upstream::{Kind, Said},
};

#[derive(Debug)]
pub(super) struct Counters {
    generations: [AtomicU64; Kind::ALL.len()],
    dropped: AtomicU64,
    refused: AtomicU64,
    downgrades: AtomicU64,
    next_id: AtomicU64,
    said: broadcast::Sender<Said>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            generations: Default::default(),
            dropped: AtomicU64::default(),
            refused: AtomicU64::default(),
            downgrades: AtomicU64::default(),
            next_id: AtomicU64::default(),
            said: broadcast::Sender::new(SAID_KEPT),
        }
    }
}

impl Counters {
    pub(super) fn generation(&self, kind: Kind) -> u64 {
        self.of(kind)
            .map_or(0, |generation| generation.load(Ordering::Acquire))
    }

    /// The generation of what a request of this method is about; `None` for one that is about
    /// nothing that is listed.
    pub(super) fn generation_for(&self, method: Method) -> Option<u64> {
        match method.as_str() {
            "tools/call" => Some(self.generation(Kind::Tools)),
            "resources/read" => Some(self.generation(Kind::Resources)),
            "prompts/get" => Some(self.generation(Kind::Prompts)),
            _ => None,
        }
    }

    /// Earlier listings of this kind may no longer be true.
    pub(super) fn outdate(&self, kind: Kind) {
        if let Some(generation) = self.of(kind) {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// No earlier listing may be true any more, and what was said meanwhile is lost.
    pub(super) fn outdate_all(&self) {
        for kind in Kind::ALL {
            self.outdate(kind);
        }
        self.say(Said::Reconnected);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn refuse_one(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn downgrades(&self) -> u64 {
        self.downgrades.load(Ordering::Relaxed)
    }

    pub(super) fn downgrade(&self) {
        self.downgrades.fetch_add(1, Ordering::Relaxed);
    }

    /// Unique among all requests of one client, so that no two connections ever share one.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }

    /// What the server says from now on without being asked.
    pub(super) fn listen(&self) -> broadcast::Receiver<Said> {
        self.said.subscribe()
    }

    /// Tells whoever listens; nobody has to.
    pub(super) fn say(&self, said: Said) {
        let _ = self.said.send(said);
    }

    /// A notification that belongs to no request, or to none that is still there.
    pub(super) fn notified(&self, notification: &Notification) {
        if notification
            .params
            .bytes()
            .is_some_and(|params| params.len() > LONGEST_SAID)
        {
            return self.drop_one();
        }
        match Heard::of(notification) {
            Heard::Changed(kinds) => {
                for kind in kinds {
                    self.outdate(*kind);
                    self.say(Said::ListChanged(*kind));
                }
            }
            Heard::Updated { uri, params } => self.say(Said::ResourceUpdated { uri, params }),
            Heard::Message(params) => self.say(Said::Message(params)),
            Heard::TaskStatus(params) => self.say(Said::TaskStatus(params)),
            Heard::ElicitationComplete(params) => self.say(Said::ElicitationComplete(params)),
            Heard::Acknowledged => {}
            Heard::Progress { .. } | Heard::Cancelled(_) | Heard::Unknown => self.drop_one(),
        }
    }

    fn of(&self, kind: Kind) -> Option<&AtomicU64> {
        let index = Kind::ALL.iter().position(|other| *other == kind)?;
        self.generations.get(index)
    }
}

/// Past that, a listener that is behind hears that it missed something.
const SAID_KEPT: usize = 64;
/// What nobody asked for is kept for those who listen, so it has to be short.
const LONGEST_SAID: usize = 256 << 10;

#[cfg(test)]
mod tests;
