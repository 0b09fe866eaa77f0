//! Principals that nobody configured: those whose identity a token states.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::{Principal, slice::Cell};

/// What is asked about each spot.
pub(super) type Cells = Arc<[OnceLock<Arc<Cell>>]>;

/// What was made for principals that are not configured, of as many of them as are likely to be at
/// work at a time.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<HashMap<Principal, Cells>>);

impl Strangers {
    pub(super) fn cells(&self, principal: &Principal, spots: usize) -> Cells {
        // A panic elsewhere leaves a map that only lacks an entry.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cells) = known.get(principal) {
            return Arc::clone(cells);
        }
        if known.len() >= MOST {
            // Whichever: it is made again if it comes back.
            let one = known.keys().next().cloned();
            one.and_then(|one| known.remove(&one));
        }
        let cells: Cells = (0..spots).map(|_| OnceLock::new()).collect();
        known.insert(principal.clone(), Arc::clone(&cells));
        cells
    }
}

const MOST: usize = 256;
