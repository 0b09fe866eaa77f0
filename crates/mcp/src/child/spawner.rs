//! One thread that starts all supervisors. The signal that tells a supervisor of the gateway's end
//! is bound to the thread that started it, not to the process: started from a pool's thread, a
//! server would die whenever that thread is retired. This thread lives as long as the process.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        mpsc::{self, Sender},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

struct Job {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts a command on the lasting thread.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let (reply, started) = oneshot::channel();
    let job = Job {
        command,
        runtime: Handle::current(),
        reply,
    };
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    thread_of_process()
        .ok_or_else(gone)?
        .send(job)
        .map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}

/// Asks a process that has not been reaped to end.
pub(super) fn ask_to_end(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn thread_of_process() -> Option<&'static Sender<Job>> {
    static THREAD: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    let start = || {
        let (jobs, queue) = mpsc::channel::<Job>();
        let body = move || {
            for mut job in queue {
                let _runtime = job.runtime.enter();
                // A runtime that is just ending may panic. Were that to end this thread, every
                // server would go with it.
                let spawn = AssertUnwindSafe(|| job.command.spawn());
                let spawned = catch_unwind(spawn);
                let spawned = spawned.unwrap_or(Err(io::ErrorKind::Interrupted.into()));
                let unclaimed = job.reply.send(spawned);
                // The one who asked has gone meanwhile.
                if let Err(Ok(child)) = unclaimed {
                    ask_to_end(&child);
                }
            }
        };
        let thread = thread::Builder::new()
            .name("child-spawner".to_owned())
            .spawn(body);
        thread.is_ok().then_some(jobs)
    };
    THREAD.get_or_init(start).as_ref()
}
