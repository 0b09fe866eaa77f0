//! Ends every process below this one.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal, wait,
    },
};

use super::cgroup;

/// Reaps every child that has ended; `None` in the second place when there is no child left.
pub(super) fn reap(mut on_end: impl FnMut(Pid, WaitStatus)) -> Remaining {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => on_end(pid, status),
            Ok(None) => return Remaining::Some,
            Err(Errno::INTR) => {}
            Err(_) => return Remaining::None,
        }
    }
}

/// Whether children are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remaining {
    Some,
    None,
}

/// Kills all descendants until none is left. As they die their own children become ours.
pub(super) fn kill_all(groups: &[PathBuf]) {
    let give_up = Instant::now().checked_add(PATIENCE);
    while reap(|_, _| {}) == Remaining::Some && give_up.is_none_or(|end| Instant::now() < end) {
        cgroup::kill(groups);
        for process in below_us() {
            process.kill();
        }
        // Dying takes the kernel a moment; nothing signals that the last one is gone.
        thread::sleep(PAUSE);
    }
}

/// A process as `/proc` shows it. Number and start time together name it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: Pid,
    parent: i32,
    started: u64,
}

impl Process {
    fn read(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        // The name in parentheses may hold anything, parentheses and blanks too.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self {
            pid,
            parent,
            started,
        })
    }

    fn kill(self) {
        let Ok(handle) = pidfd_open(self.pid, PidfdFlags::empty()) else {
            return;
        };
        // The number may have passed to a stranger since it was read.
        if Self::read(self.pid).is_some_and(|now| now.started == self.started) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

fn below_us() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<Process> = numbers
        .filter_map(Pid::from_raw)
        .filter_map(Process::read)
        .collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![rustix::process::getpid().as_raw_nonzero().get()];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            found.push(*process);
            parents.push(process.pid.as_raw_nonzero().get());
        }
    }
    found
}

const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);
