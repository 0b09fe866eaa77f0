//! What the kernel counted for a process.

use std::{fmt, fs, str::FromStr};

/// A process and the name it has in the output.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pid: u32,
}

impl Process {
    /// CPU time of all its threads so far, in microseconds.
    pub(crate) fn cpu_micros(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The second field is the program's name in brackets and may hold anything.
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok());
        ticks.sum::<u64>() * MICROS_PER_TICK
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl FromStr for Process {
    type Err = NotAProcess;

    fn from_str(text: &str) -> Result<Self, NotAProcess> {
        let (name, pid) = text.split_once('=').ok_or(NotAProcess)?;
        Ok(Self {
            name: name.to_owned(),
            pid: pid.parse().map_err(|_| NotAProcess)?,
        })
    }
}

/// The argument is not `name=pid`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotAProcess;

impl fmt::Display for NotAProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `name=pid`")
    }
}

impl std::error::Error for NotAProcess {}

/// Linux counts in hundredths of a second on every architecture we build for.
const MICROS_PER_TICK: u64 = 10_000;
