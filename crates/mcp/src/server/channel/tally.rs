//! How much is kept for reading again, by one session and by all.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes kept by one session, counted for all of them too.
#[derive(Debug)]
pub(in crate::server) struct Tally {
    own: AtomicUsize,
    all: Arc<AtomicUsize>,
    most: usize,
}

impl Tally {
    /// Nothing so far, of `most` for this session.
    pub(in crate::server) fn new(all: Arc<AtomicUsize>, most: usize) -> Self {
        Self {
            own: AtomicUsize::new(0),
            all,
            most,
        }
    }

    /// One channel holds `after` bytes instead of `before`.
    pub(super) fn change(&self, before: usize, after: usize) {
        let more = after.saturating_sub(before);
        let less = before.saturating_sub(after);
        for counter in [&self.own, &*self.all] {
            counter.fetch_add(more, Ordering::Relaxed);
            counter.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// What this session may hold.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Whether this session holds more than it may.
    pub(in crate::server) fn is_over(&self) -> bool {
        self.own.load(Ordering::Relaxed) > self.most
    }

    /// Whether all sessions together hold more than they may.
    pub(super) fn is_spent(&self) -> bool {
        self.all.load(Ordering::Relaxed) > MOST_OF_ALL
    }
}

/// What all sessions may hold.
const MOST_OF_ALL: usize = 256 << 20;
