//! The kill switch: principals whose calls an operator has stopped. It outlives a restart.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

/// Who is blocked.
#[derive(Debug, Default)]
pub(crate) struct KillSwitch(RwLock<BTreeSet<String>>);

impl KillSwitch {
    /// With the principals that were blocked before.
    pub(crate) fn new(blocked: impl IntoIterator<Item = String>) -> Self {
        Self(RwLock::new(blocked.into_iter().collect()))
    }

    /// Whether this principal's calls are stopped.
    pub(crate) fn blocks(&self, principal: &str) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(principal)
    }

    /// Stops a principal's calls; false when they are stopped already.
    pub(crate) fn trip(&self, principal: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(principal.to_owned())
    }

    /// Lets a principal call again; false when it was not stopped.
    pub(crate) fn unblock(&self, principal: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(principal)
    }
}
