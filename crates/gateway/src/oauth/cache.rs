//! Tokens that were checked already, by their digests: a call pays for a signature once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::claims::Verified;

/// What is known of a token.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// It is good, as far as the keys it was checked with are.
    Good(Arc<Verified>, Mark),
    /// Its issuer says that it is not.
    Inactive,
}

/// The keys that a token was checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The issuer's place in the settings.
    pub(super) issuer: usize,
    /// [`super::keys::KeyRing::generation`], or 0 where the issuer was asked itself.
    pub(super) generation: u64,
}

type Known = HashMap<[u8; 32], (Entry, i64)>;

/// What is known of tokens. There are two tables: what is asked for moves to the young one, and when
/// that is full it becomes the old one, whose rest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    young: Known,
    old: Known,
}

impl Cache {
    /// What is known now.
    pub(super) fn get(&self, digest: &[u8; 32], now: i64) -> Option<Entry> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((entry, until)) = tables.young.get(digest) {
            let entry = (now < *until).then(|| entry.clone());
            if entry.is_none() {
                tables.young.remove(digest);
            }
            return entry;
        }
        let (entry, until) = tables.old.remove(digest)?;
        if now >= until {
            return None;
        }
        tables.put(*digest, entry.clone(), until);
        Some(entry)
    }

    pub(super) fn put(&self, digest: [u8; 32], entry: Entry, until: i64) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.old.remove(&digest);
        tables.put(digest, entry, until);
    }
}

impl Tables {
    fn put(&mut self, digest: [u8; 32], entry: Entry, until: i64) {
        if self.young.len() >= MAX_TOKENS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, (entry, until));
    }
}

/// Tokens in one table.
const MAX_TOKENS: usize = 8_192;
