//! The state that was given out last for a request, for clients that answer without it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use cmcp_evidence::Sha256Digest;

use super::Bound;

/// The last state of each request that waits for answers. What is in it opens once, as if the
/// client had brought it; the oldest go when there are too many.
#[derive(Debug, Default)]
pub(crate) struct KeptStates(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    states: HashMap<Sha256Digest, String>,
    order: VecDeque<Sha256Digest>,
}

impl KeptStates {
    /// Keeps the state of a request in place of an earlier one.
    pub(crate) fn keep(&self, bound: &Bound<'_>, state: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = bound.key();
        if kept.states.insert(key, state.to_owned()).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.states.remove(&oldest);
        }
    }

    /// Takes the state of a request out.
    pub(crate) fn take(&self, bound: &Bound<'_>) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.states.is_empty() {
            return None;
        }
        let key = bound.key();
        let state = kept.states.remove(&key)?;
        kept.order.retain(|one| *one != key);
        Some(state)
    }
}

/// Requests that are remembered.
const MOST: usize = 4_096;
