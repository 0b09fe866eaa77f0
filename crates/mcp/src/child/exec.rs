//! The process that becomes the server.

use std::{
    fs, io,
    io::Write,
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Command, ExitCode},
};

use rustix::{
    fs::Mode,
    process::{
        Pid, Resource, Rlimit, Signal, getppid, getrlimit, getuid, set_parent_process_death_signal,
        setrlimit, setsid, umask,
    },
    thread::set_no_new_privs,
};

use super::{
    EXIT_REFUSED, SpawnError, environment,
    error::{SetupStep, errno},
    measure::{self, Opened},
    plan::{Become, FileReport, Means, Report, Starting},
};

/// Returns only when the server was not started.
pub(super) fn run(plan: &Become) -> ExitCode {
    let refused = match prepare(plan) {
        Ok((opened, report)) => match say(&Report::Starting(report)) {
            Ok(()) => become_server(plan, &opened),
            // Nobody is there to serve.
            Err(_) => return ExitCode::from(EXIT_REFUSED),
        },
        Err(refused) => refused,
    };
    let _ = say(&Report::Refused(refused));
    ExitCode::from(EXIT_REFUSED)
}

fn prepare(plan: &Become) -> Result<(Opened, Starting), SpawnError> {
    let bounds = confine(plan)?;
    let target = &plan.target;
    let pins = target.pins();
    let search = search_path();
    let opened = measure::Target {
        command: &target.command,
        args: &target.args,
        cwd: target.cwd.as_deref(),
        pins: &pins,
        search: &search,
    }
    .open()?;
    let file = |file: &measure::Measured| FileReport {
        path: file.measured.path.clone(),
        digest: file.measured.digest,
        role: file.measured.role.into(),
        pinned: file.measured.pinned,
        identity: file.identity,
    };
    let files = opened.files.iter().map(file).collect();
    let report = Starting {
        files,
        groups: bounds.groups,
        memory: bounds.memory,
        processes: bounds.processes,
    };
    Ok((opened, report))
}

/// What in the end bounds the process.
struct Bounds {
    groups: Vec<PathBuf>,
    memory: Means,
    processes: Means,
}

/// Everything that stays with the process and cannot be taken back.
fn confine(plan: &Become) -> Result<Bounds, SpawnError> {
    let step = |step| move |error: rustix::io::Errno| SpawnError::setup(step)(error.into());
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(step(SetupStep::DeathSignal))?;
    let supervisor = Pid::from_raw(plan.supervisor);
    if supervisor.is_none() || getppid() != supervisor {
        return Err(SpawnError::Setup {
            step: SetupStep::DeathSignal,
            errno: 0,
        });
    }
    setsid().map_err(step(SetupStep::Session))?;
    umask(Mode::RWXG | Mode::RWXO);
    let bounds = limit(plan, enter(plan)).map_err(step(SetupStep::Limits))?;
    set_no_new_privs(true).map_err(step(SetupStep::Privileges))?;
    let directory = plan.target.cwd.as_deref().unwrap_or("/".as_ref());
    std::env::set_current_dir(directory).map_err(SpawnError::setup(SetupStep::Directory))?;
    Ok(bounds)
}

/// Enters the control groups. One that was made but lets nobody in bounds nothing; which of them
/// was to bound what is not known here, so limits take the place of all.
fn enter(plan: &Become) -> Bounds {
    // 0 is whoever writes it.
    let enter = |group: &&PathBuf| fs::write(group.join("cgroup.procs"), "0").is_ok();
    let groups: Vec<PathBuf> = plan.groups.iter().filter(enter).cloned().collect();
    let (memory, processes) = if groups.len() == plan.groups.len() {
        (plan.memory, plan.processes)
    } else {
        (Means::Rlimit, Means::Rlimit)
    };
    Bounds {
        groups,
        memory,
        processes,
    }
}

/// Sets the limits that always hold, and those that stand in for a control group.
fn limit(plan: &Become, mut bounds: Bounds) -> rustix::io::Result<Bounds> {
    lower(Resource::Core, 0)?;
    lower(Resource::Nofile, plan.target.files)?;
    if bounds.memory == Means::Rlimit {
        // Not the address space: runtimes reserve far more of it than they ever use.
        let lowered = lower(Resource::Data, plan.target.memory);
        bounds.memory = lowered.map_or(Means::None, |()| Means::Rlimit);
    }
    if bounds.processes == Means::Rlimit {
        // Counted per user, the gateway's own threads included, and not at all for the superuser.
        bounds.processes = if getuid().is_root() {
            Means::None
        } else {
            let sum = tasks_of_user().saturating_add(plan.target.processes);
            lower(Resource::Nproc, sum).map_or(Means::None, |()| Means::Rlimit)
        };
    }
    Ok(bounds)
}

/// Lowers both limits; never raises one.
fn lower(resource: Resource, to: u64) -> rustix::io::Result<()> {
    let value = getrlimit(resource)
        .maximum
        .map_or(to, |maximum| maximum.min(to));
    setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )
}

fn tasks_of_user() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let own = getuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == own));
    let threads = ours.filter_map(|entry| fs::read_dir(entry.path().join("task")).ok());
    threads
        .map(|tasks| u64::try_from(tasks.count()).unwrap_or_default())
        .sum()
}

/// Our environment is already the server's: this is its `PATH`.
fn search_path() -> String {
    let found = std::env::vars_os().find(|(name, _)| name == "PATH");
    let found = found.and_then(|(_, value)| value.into_string().ok());
    found.unwrap_or_else(|| environment::PATH.to_owned())
}

fn become_server(plan: &Become, opened: &Opened) -> SpawnError {
    // The descriptor closes itself on exec, after the kernel has followed this name to it.
    let descriptor = format!("/proc/self/fd/{}", opened.program.as_raw_fd());
    let error = Command::new(descriptor)
        .arg0(&opened.name)
        .args(&opened.args)
        .exec();
    SpawnError::Exec {
        path: plan.target.command.clone(),
        errno: errno(&error),
    }
}

fn say(report: &Report) -> io::Result<()> {
    io::stderr().write_all(&report.to_line())
}
