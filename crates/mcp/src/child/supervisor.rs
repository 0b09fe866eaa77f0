//! The process between gateway and server. It outlives the server by the moment it takes to kill
//! whatever the server has left behind, and the gateway not at all.

use std::{
    fs::File,
    future,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    time::Duration,
};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitStatus, getpid, getppid, kill_process, kill_process_group,
    set_child_subreaper, set_parent_process_death_signal, setrlimit,
};
use tokio::{
    runtime,
    signal::unix::{Signal as Signals, SignalKind, signal},
    time::Instant,
};

use super::{
    EXIT_REFUSED, SpawnError,
    cgroup::Groups,
    descendants,
    error::SetupStep,
    plan::{Become, Means, Plan, Report, Watch},
};

pub(super) fn run(plan: Watch) -> ExitCode {
    match watch(plan) {
        Ok(status) => ExitCode::from(status),
        Err(refused) => {
            // The gateway reads this; if it does not any more, nobody needs to know.
            let _ = io::stderr().write_all(&Report::Refused(refused).to_line());
            ExitCode::from(EXIT_REFUSED)
        }
    }
}

fn watch(plan: Watch) -> Result<u8, SpawnError> {
    let setup = SpawnError::setup;
    // Bound to the thread that started us: see `spawner`.
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|e| setup(SetupStep::DeathSignal)(e.into()))?;
    let gateway = Pid::from_raw(plan.gateway);
    if gateway.is_none() || getppid() != gateway {
        return Ok(0);
    }
    set_child_subreaper(Some(getpid())).map_err(|e| setup(SetupStep::Subreaper)(e.into()))?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|e| setup(SetupStep::Limits)(e.into()))?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(setup(SetupStep::Runtime))?;
    runtime.block_on(async {
        let mut events = Events::new(gateway).map_err(setup(SetupStep::Runtime))?;
        let groups = Groups::create(&plan.target.limits());
        let status = match start(&plan, &groups) {
            Ok(server) => {
                let grace = Duration::from_millis(plan.grace_ms);
                Ok(events.outlive(server, grace).await)
            }
            Err(refused) => Err(refused),
        };
        descendants::kill_all(&groups.paths);
        groups.remove();
        status
    })
}

/// Starts the process that becomes the server, and lets go of its pipes.
fn start(plan: &Watch, groups: &Groups) -> Result<Pid, SpawnError> {
    let or_limit = |means| {
        if means == Means::None {
            Means::Rlimit
        } else {
            means
        }
    };
    let next = Plan::Become(Become {
        supervisor: getpid().as_raw_nonzero().get(),
        groups: groups.paths.clone(),
        memory: or_limit(groups.memory),
        processes: or_limit(groups.processes),
        target: plan.target.clone(),
    });
    let failed = SpawnError::setup(SetupStep::SecondProcess);
    // Our own image, even when the file it came from has been replaced since.
    let server = Command::new("/proc/self/exe")
        .arg0("cmcp")
        .args(&plan.launcher)
        .arg(next.to_arg()?)
        .spawn()
        .map_err(&failed)?;
    let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
    // As long as we held them, the gateway would not see the server close its end.
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(&failed)?;
    for redirect in [
        rustix::stdio::dup2_stdin,
        rustix::stdio::dup2_stdout,
        rustix::stdio::dup2_stderr,
    ] {
        redirect(&null).map_err(|e| failed(e.into()))?;
    }
    Ok(pid)
}

struct Events {
    stop: Signals,
    interrupt: Signals,
    hangup: Signals,
    child: Signals,
    gateway: Option<Pid>,
}

impl Events {
    fn new(gateway: Option<Pid>) -> io::Result<Self> {
        Ok(Self {
            stop: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            child: signal(SignalKind::child())?,
            gateway,
        })
    }

    /// Waits until the server has ended, or has been asked to and did not.
    async fn outlive(&mut self, server: Pid, grace: Duration) -> u8 {
        let mut kill_at: Option<Instant> = None;
        loop {
            let mut ended = None;
            descendants::reap(|pid, status| {
                if pid == server {
                    ended = Some(exit_code(status));
                }
            });
            if let Some(code) = ended {
                return code;
            }
            let Self {
                stop,
                interrupt,
                hangup,
                child,
                gateway,
            } = self;
            let asked = async {
                tokio::select! {
                    _ = stop.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                    () = orphaned(*gateway) => {}
                }
            };
            tokio::select! {
                _ = child.recv() => {}
                // A server that was asked is asked no more until its time has passed.
                () = asked, if kill_at.is_none() => {
                    ask(server);
                    kill_at = Instant::now().checked_add(grace);
                }
                () = until(kill_at) => return KILLED,
            }
        }
    }
}

/// The death signal says it at once; this notices where that was lost.
async fn orphaned(gateway: Option<Pid>) {
    while getppid() == gateway {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => future::pending().await,
    }
}

/// Asks the server and what shares its process group to end.
fn ask(server: Pid) {
    // It leads its own group from shortly after its start.
    if kill_process_group(server, Signal::TERM).is_err() {
        let _ = kill_process(server, Signal::TERM);
    }
}

fn exit_code(status: WaitStatus) -> u8 {
    let code = status
        .exit_status()
        .or_else(|| Some(status.terminating_signal()?.saturating_add(128)));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a shell would say of a process that was killed.
const KILLED: u8 = 137;
