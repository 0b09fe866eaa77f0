//! A started server, seen from the gateway.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    GRACE, Launcher, Spawn, SpawnError, cgroup, environment,
    error::errno,
    identity::Identity,
    plan::{Pin, Plan, Report, Starting, Target, Watch},
    spawner,
};
use crate::upstream::{Confinement, MeasuredFile};

/// A server that has been measured and is running.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) files: Vec<MeasuredFile>,
    pub(crate) confinement: Confinement,
}

/// The supervisor of a running server, and with it the server.
#[derive(Debug)]
pub(crate) struct Process {
    supervisor: Child,
    groups: Vec<PathBuf>,
    identities: Vec<(PathBuf, Identity)>,
    tail: Arc<Mutex<Tail>>,
    drain: JoinHandle<()>,
}

impl Started {
    /// Starts a server and returns once its files have been measured and accepted.
    pub(crate) async fn start(spawn: &Spawn, launcher: &Launcher) -> Result<Self, SpawnError> {
        environment::check(&spawn.env)?;
        let failed = |error: &std::io::Error| SpawnError::Launcher {
            program: launcher.program.clone(),
            errno: errno(error),
        };
        let mut supervisor = spawner::spawn(command(spawn, launcher)?)
            .await
            .map_err(|e| failed(&e))?;
        let pipes = (
            supervisor.stdin.take(),
            supervisor.stdout.take(),
            supervisor.stderr.take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            spawner::ask_to_end(&supervisor);
            return Err(SpawnError::NoReport);
        };
        let mut stderr = BufReader::new(stderr);
        let starting = match timeout(REPORT_WITHIN, report(&mut stderr)).await {
            Ok(Ok(starting)) => starting,
            Ok(Err(refused)) => {
                spawner::ask_to_end(&supervisor);
                return Err(refused);
            }
            Err(_) => {
                spawner::ask_to_end(&supervisor);
                return Err(SpawnError::Slow {
                    seconds: REPORT_WITHIN.as_secs(),
                });
            }
        };
        Ok(Self::new(supervisor, (stdin, stdout, stderr), starting))
    }

    fn new(
        supervisor: Child,
        (stdin, stdout, stderr): (ChildStdin, ChildStdout, BufReader<ChildStderr>),
        starting: Starting,
    ) -> Self {
        let confinement = starting.confinement();
        let Starting {
            files,
            groups,
            memory: _,
            processes: _,
        } = starting;
        let measured: Vec<(MeasuredFile, Identity)> = files.into_iter().map(Into::into).collect();
        let identities = measured
            .iter()
            .map(|(file, id)| (file.path.clone(), *id))
            .collect();
        let tail = Arc::new(Mutex::new(Tail::default()));
        let drain = tokio::spawn(drain(stderr, Arc::clone(&tail)));
        let process = Process {
            supervisor,
            groups,
            identities,
            tail,
            drain,
        };
        let files = measured.into_iter().map(|(file, _)| file).collect();
        Self {
            process,
            stdin,
            stdout,
            files,
            confinement,
        }
    }
}

impl Process {
    /// Checks that every measured file is still the one that was measured. An interpreter opens
    /// its script by name, after the measuring: ask this once the server has answered for the
    /// first time and before it is given anything to do.
    pub(crate) fn check_unchanged(&self) -> Result<(), SpawnError> {
        for (path, identity) in &self.identities {
            if Identity::of_path(path).ok() != Some(*identity) {
                return Err(SpawnError::Changed { path: path.clone() });
            }
        }
        Ok(())
    }

    /// Why the server never ran, when it was measured and then refused by the operating system.
    pub(crate) fn refusal(&self) -> Option<SpawnError> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        match Report::from_line(tail.bytes.trim_ascii_end())? {
            Report::Refused(refused) => Some(refused),
            Report::Starting(_) => None,
        }
    }

    /// Waits for the supervisor's end. It outlives the server and all that came of it.
    pub(crate) async fn ended(&mut self) {
        let _ = self.supervisor.wait().await;
        // Empty but for when the supervisor itself was killed.
        cgroup::kill(&self.groups);
        if !self.drain.is_finished() {
            let _ = timeout(DRAIN_WITHIN, &mut self.drain).await;
        }
        self.log_tail();
    }

    /// Ends the server. Its standard input has been closed: the first step of asking.
    pub(crate) async fn stop(&mut self) {
        if timeout(GRACE, self.ended()).await.is_ok() {
            return;
        }
        spawner::ask_to_end(&self.supervisor);
        let longest = GRACE.saturating_mul(4);
        if timeout(longest, self.ended()).await.is_err() {
            let _ = self.supervisor.start_kill();
            self.ended().await;
        }
    }

    fn log_tail(&self) {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::debug!(
            bytes = tail.total,
            last = %String::from_utf8_lossy(&tail.bytes),
            "standard error of a child process that has ended"
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        spawner::ask_to_end(&self.supervisor);
        self.drain.abort();
    }
}

fn command(spawn: &Spawn, launcher: &Launcher) -> Result<Command, SpawnError> {
    let pin = |pin: &super::FilePin| Pin {
        path: pin.path.clone(),
        digest: pin.digest,
    };
    let plan = Plan::Watch(Watch {
        gateway: rustix::process::getpid().as_raw_nonzero().get(),
        launcher: launcher.args.clone(),
        grace_ms: GRACE.as_millis().try_into().unwrap_or(u64::MAX),
        target: Target {
            command: spawn.command.clone(),
            args: spawn.args.clone(),
            cwd: spawn.cwd.clone(),
            pins: spawn.pins.iter().map(pin).collect(),
            memory: spawn.limits.memory,
            processes: spawn.limits.processes,
            files: spawn.limits.files,
        },
    });
    if !launcher.program.is_absolute() {
        return Err(SpawnError::Relative {
            path: launcher.program.clone(),
        });
    }
    let mut command = Command::new(&launcher.program);
    command
        .args(&launcher.args)
        .arg(plan.to_arg()?)
        .current_dir("/")
        .env_clear();
    command.envs(environment::FIXED);
    command.envs(spawn.env.iter().map(|(name, value)| (name, value.expose())));
    // A terminal's interrupt is the gateway's to handle.
    command.process_group(0);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// The first line on standard error, written before the server could write there.
async fn report(stderr: &mut BufReader<ChildStderr>) -> Result<Starting, SpawnError> {
    let mut line = Vec::new();
    let mut limited = stderr.take(LONGEST_REPORT);
    let read = limited.read_until(b'\n', &mut line).await;
    read.map_err(|_| SpawnError::NoReport)?;
    match Report::from_line(line.trim_ascii_end()).ok_or(SpawnError::NoReport)? {
        Report::Starting(starting) => Ok(starting),
        Report::Refused(refused) => Err(refused),
    }
}

/// What a server last wrote to its standard error.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    total: u64,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.total = self
            .total
            .saturating_add(bytes.len().try_into().unwrap_or(u64::MAX));
        let fresh = bytes
            .get(bytes.len().saturating_sub(KEPT)..)
            .unwrap_or_default();
        let surplus = self
            .bytes
            .len()
            .saturating_add(fresh.len())
            .saturating_sub(KEPT);
        self.bytes.drain(..surplus.min(self.bytes.len()));
        self.bytes.extend_from_slice(fresh);
    }
}

/// Reads standard error to its end, so that nobody ever waits for it to be read.
async fn drain(mut stderr: BufReader<ChildStderr>, tail: Arc<Mutex<Tail>>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let read = buffer.get(..count).unwrap_or_default();
        tail.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(read);
    }
}

/// Kept of a server's standard error, for debugging.
const KEPT: usize = 4 << 10;
const LONGEST_REPORT: u64 = 1 << 20;
/// A large executable takes a while to measure on a slow disk.
const REPORT_WITHIN: Duration = Duration::from_secs(30);
const DRAIN_WITHIN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
