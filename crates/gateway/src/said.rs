//! Saying something once that is found again and again.

use std::sync::{Mutex, PoisonError};

/// The last thing that was said.
#[derive(Debug, Default)]
pub(crate) struct Said(Mutex<Option<String>>);

impl Said {
    /// Whether this is something else than the last time.
    pub(crate) fn is_news(&self, text: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() == Some(text) {
            return false;
        }
        *last = Some(text.to_owned());
        true
    }

    /// The matter is settled; the same again is news.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
