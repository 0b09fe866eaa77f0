//! A caller that goes away, seen from the call's own task.

use tokio::sync::watch;

/// The caller's side: dropping it says that nobody waits any more.
#[derive(Debug)]
pub(crate) struct Waiting {
    _alive: watch::Sender<()>,
}

/// The call's side.
#[derive(Clone, Debug)]
pub(crate) struct Cancel(Option<watch::Receiver<()>>);

/// A pair, for callers whose hang-up cancels the call.
pub(crate) fn pair() -> (Waiting, Cancel) {
    let (sender, receiver) = watch::channel(());
    (Waiting { _alive: sender }, Cancel(Some(receiver)))
}

impl Cancel {
    /// For callers whose hang-up means nothing: the revisions with a handshake.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    /// Resolves when the caller is gone.
    pub(crate) async fn gone(&mut self) {
        match &mut self.0 {
            Some(alive) => while alive.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }

    /// Whether the caller is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|alive| alive.has_changed().is_err())
    }
}
