//! Proofs that were seen already. A proof counts for [`super::proof::WINDOW_SECONDS`] around its time,
//! and two tables of that span twice over remember it for longer than it counts.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use cmcp_evidence::Sha256Digest;

/// Proofs that were seen.
#[derive(Debug, Default)]
pub(super) struct Replay(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    began: i64,
    young: Table,
    old: Table,
}

#[derive(Debug, Default)]
struct Table {
    seen: HashSet<[u8; 32]>,
    /// How many of each key's.
    of_key: HashMap<String, usize>,
}

/// What is known of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing, until now.
    New,
    /// It was used before.
    Seen,
    /// No more can be remembered, so none can be taken.
    Full,
}

impl Replay {
    /// Notes the proof of that key and `jti`.
    pub(super) fn note(&self, key: &str, jti: &str, now: i64) -> Known {
        let digest = *Sha256Digest::of_parts(&[key.as_bytes(), b"\0", jti.as_bytes()]).as_bytes();
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.turn(now);
        if tables.young.seen.contains(&digest) || tables.old.seen.contains(&digest) {
            return Known::Seen;
        }
        let table = &mut tables.young;
        let own = table.of_key.get(key).copied().unwrap_or_default();
        if table.seen.len() >= MAX_PROOFS || own >= MAX_OF_KEY {
            return Known::Full;
        }
        table.of_key.insert(key.to_owned(), own.saturating_add(1));
        table.seen.insert(digest);
        Known::New
    }
}

impl Tables {
    /// A clock that is set back forgets nothing.
    fn turn(&mut self, now: i64) {
        let age = now.saturating_sub(self.began);
        if age < SPAN_SECONDS {
            return;
        }
        let last = std::mem::take(&mut self.young);
        self.old = if age < SPAN_SECONDS.saturating_mul(2) {
            last
        } else {
            Table::default()
        };
        self.began = now;
    }
}

/// No shorter than a proof counts, from the first moment to the last.
const SPAN_SECONDS: i64 = super::proof::WINDOW_SECONDS * 2 + 1;
/// Proofs of one span: whoever sends more is told to come back.
pub(super) const MAX_PROOFS: usize = 262_144;
/// The same of one key.
pub(super) const MAX_OF_KEY: usize = 32_768;
