//! What a session has seen. It only ever rises: nothing here lowers a label or forgets a tool.

use std::{collections::BTreeSet, sync::Arc};

use crate::{catalog::Approved, sensitivity::Sensitivity};

/// The running state of one governance session.
///
/// Bounded by vocabulary and catalog: it does not grow with the number of calls.
#[derive(Clone, Debug)]
pub struct SessionState {
    seen: SessionView,
}

/// A copy of the state at one moment: what policy is told of the session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionView {
    /// The highest label seen; of two with equal rank, the earlier.
    pub max_sensitivity: Sensitivity,
    /// Every label seen: two of equal rank are both here.
    pub sensitivities: Arc<BTreeSet<String>>,
    /// How often an operator has reset the principal's mark.
    pub reset_count: u64,
    /// Responses that carried the marks of an injection.
    pub injection_events: u64,
    /// Approved tools that have answered.
    pub tools_used: Arc<BTreeSet<String>>,
}

impl SessionState {
    /// A session that starts where its principal's last one ended.
    #[must_use]
    pub fn inherit(mark: Sensitivity, reset_count: u64) -> Self {
        let sensitivities = BTreeSet::from([mark.name().to_owned()]);
        Self {
            seen: SessionView {
                max_sensitivity: mark,
                sensitivities: Arc::new(sensitivities),
                reset_count,
                injection_events: 0,
                tools_used: Arc::default(),
            },
        }
    }

    /// The state that shows this view.
    #[must_use]
    pub fn of(seen: SessionView) -> Self {
        Self { seen }
    }

    /// What policy may see now.
    #[must_use]
    pub fn view(&self) -> SessionView {
        self.seen.clone()
    }

    /// Adds a label; whether the highest rose.
    pub fn raise(&mut self, label: &Sensitivity) -> bool {
        if !self.seen.sensitivities.contains(label.name()) {
            Arc::make_mut(&mut self.seen.sensitivities).insert(label.name().to_owned());
        }
        let rose = label.rank() > self.seen.max_sensitivity.rank();
        if rose {
            self.seen.max_sensitivity = label.clone();
        }
        rose
    }

    /// Remembers that an approved tool has answered.
    pub fn note_call(&mut self, tool: &Approved) {
        if !self.seen.tools_used.contains(&tool.name) {
            Arc::make_mut(&mut self.seen.tools_used).insert(tool.name.clone());
        }
    }

    /// Counts a response that carried the marks of an injection.
    pub fn note_injection(&mut self) {
        self.seen.injection_events = self.seen.injection_events.saturating_add(1);
    }
}

impl SessionView {
    /// Everything that either has seen; the reset count is this one's.
    #[must_use]
    pub fn join(self, other: &Self) -> Self {
        Self {
            max_sensitivity: self.max_sensitivity.join(&other.max_sensitivity),
            sensitivities: union(self.sensitivities, &other.sensitivities),
            reset_count: self.reset_count,
            injection_events: self.injection_events.max(other.injection_events),
            tools_used: union(self.tools_used, &other.tools_used),
        }
    }
}

fn union(mut ours: Arc<BTreeSet<String>>, theirs: &Arc<BTreeSet<String>>) -> Arc<BTreeSet<String>> {
    if !Arc::ptr_eq(&ours, theirs) && !theirs.is_subset(&ours) {
        Arc::make_mut(&mut ours).extend(theirs.iter().cloned());
    }
    ours
}

impl Default for SessionState {
    /// A session of a principal that has seen nothing.
    fn default() -> Self {
        Self::inherit(Sensitivity::public(), 0)
    }
}

impl Default for SessionView {
    /// The view of a session that has seen nothing.
    fn default() -> Self {
        SessionState::default().seen
    }
}

#[cfg(test)]
mod tests;
