//! Work that several callers wait for and none of them can cut short.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::upstream::UpstreamError;

type Outcome<T> = Result<T, UpstreamError>;

/// At most one run of some work at a time. It runs in a task of its own: a caller whose deadline
/// is short does not keep it from ever finishing.
pub(super) struct Flight<T> {
    current: Mutex<Option<Shared<BoxFuture<'static, Outcome<T>>>>>,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(super) fn new() -> Self {
        Self {
            current: Mutex::new(None),
        }
    }

    /// Waits for the run under way, or begins one.
    pub(super) async fn join<F>(&self, begin: impl FnOnce() -> F + Send) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        let shared = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            match current.as_ref().filter(|run| run.peek().is_none()) {
                Some(run) => run.clone(),
                None => {
                    let task = tokio::spawn(begin());
                    // A panic in there is a fault of ours; for the caller the server is lost.
                    let lost = |_| Err(UpstreamError::Lost { sent: false });
                    let run = async move { task.await.unwrap_or_else(lost) }
                        .boxed()
                        .shared();
                    current.insert(run).clone()
                }
            }
        };
        shared.await
    }

    /// Waits until no run is under way.
    pub(super) async fn settle(&self) {
        let current = self
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(run) = current {
            let _ = run.await;
        }
    }
}

impl<T> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
