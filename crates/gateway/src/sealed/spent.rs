//! Which texts were used already, until they would have expired anyway.

use std::collections::{BTreeSet, HashMap};

use aws_lc_rs::aead::NONCE_LEN;

use super::NotOurs;

/// A text by its expiry, in milliseconds of the key's life, and its nonce.
type Mark = (u64, [u8; NONCE_LEN]);

/// The marks of each principal, in the order in which they expire.
#[derive(Debug)]
pub(crate) struct Spent {
    marks: HashMap<String, BTreeSet<Mark>>,
    count: usize,
    bounds: Bounds,
}

/// How many marks are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) per_principal: usize,
    pub(crate) total: usize,
}

impl Spent {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            marks: HashMap::new(),
            count: 0,
            bounds,
        }
    }

    /// Uses a text up. It fails where it was used before, and where so many were used that this
    /// could not be remembered: what cannot be known to be fresh is refused.
    pub(crate) fn spend(&mut self, principal: &str, mark: Mark, now: u64) -> Result<(), NotOurs> {
        let own = self.marks.get(principal).map_or(0, BTreeSet::len);
        if own >= self.bounds.per_principal {
            self.forget_of(principal, now);
        }
        if self.count >= self.bounds.total {
            self.forget(now);
        }
        let own = self.marks.get(principal).map_or(0, BTreeSet::len);
        if own >= self.bounds.per_principal || self.count >= self.bounds.total {
            return Err(NotOurs);
        }
        let marks = self.marks.entry(principal.to_owned()).or_default();
        if !marks.insert(mark) {
            return Err(NotOurs);
        }
        self.count = self.count.saturating_add(1);
        // As many go as can come: a table in steady use never grows past what is still open.
        for _ in 0..2 {
            match marks.first() {
                Some((expiry, _)) if *expiry < now => {
                    marks.pop_first();
                    self.count = self.count.saturating_sub(1);
                }
                Some(_) | None => break,
            }
        }
        Ok(())
    }

    /// How many marks there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn forget_of(&mut self, principal: &str, now: u64) {
        if let Some(marks) = self.marks.get_mut(principal) {
            let before = marks.len();
            *marks = marks.split_off(&(now, [0; NONCE_LEN]));
            self.count = self
                .count
                .saturating_sub(before.saturating_sub(marks.len()));
        }
    }

    fn forget(&mut self, now: u64) {
        for marks in self.marks.values_mut() {
            *marks = marks.split_off(&(now, [0; NONCE_LEN]));
        }
        self.marks.retain(|_, marks| !marks.is_empty());
        self.count = self.marks.values().map(BTreeSet::len).sum();
    }
}
