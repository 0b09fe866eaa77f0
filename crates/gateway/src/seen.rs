//! What a principal's sessions have seen: one state for all of them, which no choice of session
//! name and no closing lowers. It outlives the process; only the operator's reset clears it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cmcp_json::{Limits, Object, Value};
use cmcp_policy::{
    sensitivity::Vocabulary,
    session::{SessionState, SessionView},
};

use crate::store::MarkRow;

/// The state of one principal.
#[derive(Debug)]
pub(crate) struct Seen {
    principal: String,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: SessionState,
    // Counts every change, resets among them, over all restarts: the newer of two marks is the one
    // that holds, in whatever order their entries are written.
    version: u64,
    mark: Option<Arc<Mark>>,
}

/// The state as it is stored, with every entry that a caller may have been told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) principal: String,
    pub(crate) version: u64,
    pub(crate) sensitivity: String,
    pub(crate) resets: u64,
    /// Labels, tools and injection events, as JSON.
    pub(crate) seen: String,
}

/// The state before a reset, to be put back if the reset cannot be recorded.
#[derive(Debug)]
pub(crate) struct Before(SessionView);

impl Seen {
    /// A principal that has seen nothing.
    pub(crate) fn nothing(principal: &str) -> Self {
        Self::of(principal, SessionState::default(), 0)
    }

    /// As it was stored; `None` when the row names a label that is not known, or is damaged.
    pub(crate) fn restore(row: &MarkRow, vocabulary: &Vocabulary) -> Option<Self> {
        let seen = cmcp_json::parse(row.seen.as_bytes(), &Limits::DOCUMENT).ok()?;
        let view = SessionView {
            max_sensitivity: vocabulary.sensitivity(&row.sensitivity)?,
            sensitivities: Arc::new(texts(&seen, "labels")?),
            reset_count: row.resets,
            injection_events: seen.get("injection_events")?.as_u64()?,
            tools_used: Arc::new(texts(&seen, "tools")?),
        };
        Some(Self::of(
            &row.principal,
            SessionState::of(view),
            row.version,
        ))
    }

    fn of(principal: &str, state: SessionState, version: u64) -> Self {
        let inner = Inner {
            state,
            version,
            mark: None,
        };
        Self {
            principal: principal.to_owned(),
            inner: Mutex::new(inner),
        }
    }

    /// What the principal's sessions have seen.
    pub(crate) fn view(&self) -> SessionView {
        self.lock().state.view()
    }

    /// Changes the state; the state itself only ever rises.
    pub(crate) fn update(&self, change: impl FnOnce(&mut SessionState)) {
        self.lock().change(change);
    }

    /// The state as it is to be stored.
    pub(crate) fn mark(&self) -> Arc<Mark> {
        let mut inner = self.lock();
        if let Some(mark) = &inner.mark {
            return Arc::clone(mark);
        }
        let view = inner.state.view();
        let seen = Object::from([
            ("labels", list(&view.sensitivities)),
            ("tools", list(&view.tools_used)),
            ("injection_events", Value::from(view.injection_events)),
        ]);
        let mark = Arc::new(Mark {
            principal: self.principal.clone(),
            version: inner.version,
            sensitivity: view.max_sensitivity.name().to_owned(),
            resets: view.reset_count,
            seen: Value::Object(seen).to_string(),
        });
        inner.mark = Some(Arc::clone(&mark));
        mark
    }

    /// The operator's reset: back to nothing.
    pub(crate) fn reset(&self) -> Before {
        let mut inner = self.lock();
        let before = inner.state.view();
        let resets = before.reset_count.saturating_add(1);
        let public = SessionState::default().view().max_sensitivity;
        inner.change(|state| *state = SessionState::inherit(public, resets));
        Before(before)
    }

    /// Puts back what a reset took away that could not be recorded.
    pub(crate) fn put_back(&self, Before(before): Before) {
        self.lock().change(|state| {
            let since = state.view();
            let resets = before.reset_count;
            *state = SessionState::of(SessionView {
                reset_count: resets,
                ..before.join(&since)
            });
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a replacement of the whole state or a raise: nothing is left half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn change(&mut self, change: impl FnOnce(&mut SessionState)) {
        let before = self.state.view();
        change(&mut self.state);
        if self.state.view() != before {
            self.version = self.version.saturating_add(1);
            self.mark = None;
        }
    }
}

fn list(words: &BTreeSet<String>) -> Value {
    Value::Array(
        words
            .iter()
            .map(|word| Value::from(word.as_str()))
            .collect(),
    )
}

fn texts(seen: &Value, member: &str) -> Option<BTreeSet<String>> {
    let words = seen.get(member)?.as_array()?;
    words
        .iter()
        .map(|word| word.as_str().map(ToOwned::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
