//! The operational log on standard error, written by a thread of its own: whoever reads it slowly,
//! or not at all, holds up no call. Lines that find no room are counted, and the count is written.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use crate::{cli::Format, config::environment::Environment};

/// The log of this process. What is queued when it is dropped is still written, if somebody reads.
#[must_use]
pub(crate) struct Log(Queue);

impl Log {
    /// Sends the log to standard error; `RUST_LOG` filters it.
    pub(crate) fn start(format: Format, environment: &Environment, usual: &str) -> Self {
        let queue = Queue::to(io::stderr());
        let filter = environment.value("RUST_LOG");
        let writer = queue.clone();
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter.as_deref().unwrap_or(usual)))
            // It would tell of its own faults on standard error, and panic where that is closed.
            .log_internal_errors(false)
            // Colours are for a terminal; a file would keep their control characters.
            .with_ansi(io::stderr().is_terminal())
            .with_writer(move || writer.clone());
        // Set once, here; a second time could only be a test's.
        let _set = match format {
            Format::Ear | Format::Human => log.with_target(false).try_init(),
            Format::Json => log.json().try_init(),
        };
        Self(queue)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.written(LAST_WORDS);
    }
}

/// Lines on their way. One `write` is one line, as the formatter makes them.
#[derive(Clone, Default)]
struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    lost: u64,
    writing: bool,
}

impl Queue {
    fn to(sink: impl Write + Send + 'static) -> Self {
        let queue = Self::default();
        let thread = queue.clone();
        // Without the thread nothing is logged, and everything else goes on.
        let _unwritten = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || thread.run(sink));
        queue
    }

    fn run(&self, mut sink: impl Write) {
        loop {
            let (line, lost) = self.next();
            if lost > 0 {
                let _gone = writeln!(sink, "{lost} lines of the log were lost: nobody read them");
            }
            let _gone = sink.write_all(&line);
            let mut waiting = self.lock();
            waiting.writing = false;
            self.0.changed.notify_all();
        }
    }

    fn next(&self) -> (Vec<u8>, u64) {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes = waiting.bytes.saturating_sub(line.len());
                waiting.writing = true;
                return (line, std::mem::take(&mut waiting.lost));
            }
            let woken = self.0.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        let bytes = waiting.bytes.saturating_add(line.len());
        if bytes > MOST {
            waiting.lost = waiting.lost.saturating_add(1);
            return;
        }
        waiting.bytes = bytes;
        waiting.lines.push_back(line.to_vec());
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, but no longer than that.
    fn written(&self, within: Duration) {
        let under_way = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.lock(), within, under_way);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        let locked = self.0.waiting.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that may wait.
const MOST: usize = 1 << 20;
/// How long the end of the process waits for its last lines.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
