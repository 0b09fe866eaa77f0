//! Small tasks besides the calls, owned by the client and ended with it.

use std::sync::{Mutex, PoisonError};

use tokio::{runtime::Handle, task::JoinSet};

#[derive(Debug, Default)]
pub(super) struct Chores(Mutex<JoinSet<()>>);

impl Chores {
    /// Runs it, unless too much is under way already or no runtime is there.
    pub(super) fn spawn(&self, chore: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        if tasks.len() < MOST {
            tasks.spawn_on(chore, &runtime);
        }
    }

    /// Ends what is under way and runs this instead.
    pub(super) fn replace(&self, chore: impl Future<Output = ()> + Send + 'static) {
        self.abort();
        self.spawn(chore);
    }

    /// Ends all of them, without waiting.
    pub(super) fn abort(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }

    /// Ends all of them.
    pub(super) async fn end(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

const MOST: usize = 256;
