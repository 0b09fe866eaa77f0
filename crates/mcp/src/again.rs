//! Polling again at once what wakes itself while it is polled.
//!
//! A connection whose request and answer are made in one task tells itself over and over that there
//! is something to do. Left to the scheduler each time, that is a turn of the queue, and another
//! thread is woken to take over what never needed it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Polls as a task would: whoever wakes it meanwhile makes it poll again, and whoever wakes it
/// later wakes the task.
#[derive(Debug)]
pub struct Again {
    bell: Arc<Bell>,
    waker: Waker,
}

#[derive(Debug)]
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Default for Again {
    fn default() -> Self {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(POLLED),
            task: AtomicWaker::new(),
        });
        Self {
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }
    }
}

impl Again {
    /// Polls until nothing has woken it meanwhile, or often enough for others to have a turn. Once it
    /// is ready nobody is woken any more until it is polled again.
    pub fn poll<T>(
        &self,
        context: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Bell { state, task } = &*self.bell;
        task.register(context.waker());
        for _ in 0..TURNS {
            state.store(POLLED, Ordering::Release);
            if let Poll::Ready(output) = poll(&mut Context::from_waker(&self.waker)) {
                return Poll::Ready(output);
            }
            if state
                .compare_exchange(POLLED, IDLE, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            {
                return Poll::Pending;
            }
        }
        state.store(IDLE, Ordering::Release);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nobody waits for it now, and nobody is woken until it is polled again.
    pub fn rest(&self) {
        self.bell.state.store(POLLED, Ordering::Release);
        drop(self.bell.task.take());
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let rung = self
            .state
            .compare_exchange(POLLED, RUNG, Ordering::AcqRel, Ordering::Acquire);
        // Rung already is as good.
        if rung == Err(IDLE) {
            self.task.wake();
        }
    }
}

/// Its task waits.
const IDLE: u8 = 0;
/// It is polled, or nobody waits for it.
const POLLED: u8 = 1;
/// The same, and it was woken meanwhile.
const RUNG: u8 = 2;
/// Polls in a row.
const TURNS: usize = 8;

#[cfg(test)]
mod tests;
