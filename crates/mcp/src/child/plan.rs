//! What the two processes between gateway and server are told, as one argument, and what they
//! report, as one line.

use std::{ffi::OsString, path::PathBuf};

use cmcp_json::{Limits, from_value, parse, to_value};
use serde::{Deserialize, Serialize};

use super::{ChildLimits, FilePin, SpawnError, identity::Identity};
use crate::upstream::{Bound, Confinement, FileRole, MeasuredFile};

/// The argument of `supervise`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Plan {
    /// Start the server and stay above it.
    Watch(Watch),
    /// Become the server.
    Become(Become),
}

/// What the supervisor is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Watch {
    /// The process to die with.
    pub(super) gateway: i32,
    /// What stands before the plan on our command line.
    pub(super) launcher: Vec<String>,
    /// Milliseconds between asking the server to end and killing it.
    pub(super) grace_ms: u64,
    pub(super) target: Target,
}

/// What the process that becomes the server is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Become {
    /// The process to die with.
    pub(super) supervisor: i32,
    /// Control groups to enter.
    pub(super) groups: Vec<PathBuf>,
    pub(super) memory: Means,
    pub(super) processes: Means,
    pub(super) target: Target,
}

/// The server. Its environment is that of the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) command: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) pins: Vec<Pin>,
    pub(super) memory: u64,
    pub(super) processes: u64,
    pub(super) files: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pin {
    pub(super) path: PathBuf,
    pub(super) digest: [u8; 32],
}

/// [`Bound`], as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Means {
    Cgroup,
    Rlimit,
    None,
}

/// What is reported before the server runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// It runs next.
    Starting(Starting),
    /// It does not.
    Refused(SpawnError),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Starting {
    pub(super) files: Vec<FileReport>,
    pub(super) groups: Vec<PathBuf>,
    pub(super) memory: Means,
    pub(super) processes: Means,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileReport {
    pub(super) path: PathBuf,
    pub(super) digest: [u8; 32],
    pub(super) role: Role,
    pub(super) pinned: bool,
    pub(super) identity: Identity,
}

/// [`FileRole`], as it travels.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Executable,
    Interpreter,
    Script,
    Argument,
}

impl Plan {
    /// Reads the one argument; `None` when it is not one, or not a plan.
    pub(super) fn from_args(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut args = args.into_iter();
        let (only, None) = (args.next()?, args.next()) else {
            return None;
        };
        let value = parse(only.to_str()?.as_bytes(), &Limits::DOCUMENT).ok()?;
        from_value(&value).ok()
    }

    pub(super) fn to_arg(&self) -> Result<String, SpawnError> {
        let value = to_value(self).map_err(|_| SpawnError::NoReport)?;
        Ok(value.to_string())
    }
}

impl Report {
    /// One line, its end included.
    pub(super) fn to_line(&self) -> Vec<u8> {
        // Paths that are not UTF-8 cannot be named in a plan, so every report can be written.
        let text = to_value(self)
            .map(|value| value.to_vec())
            .unwrap_or_default();
        [PREFIX, &text, b"\n"].concat()
    }

    /// Reads a line without its end.
    pub(super) fn from_line(line: &[u8]) -> Option<Self> {
        let value = parse(line.strip_prefix(PREFIX)?, &Limits::DOCUMENT).ok()?;
        from_value(&value).ok()
    }
}

impl Target {
    pub(super) fn pins(&self) -> Vec<FilePin> {
        let pin = |pin: &Pin| FilePin {
            path: pin.path.clone(),
            digest: pin.digest,
        };
        self.pins.iter().map(pin).collect()
    }

    pub(super) fn limits(&self) -> ChildLimits {
        ChildLimits {
            memory: self.memory,
            processes: self.processes,
            files: self.files,
        }
    }
}

impl Starting {
    pub(super) fn confinement(&self) -> Confinement {
        Confinement {
            memory: self.memory.into(),
            processes: self.processes.into(),
        }
    }
}

impl From<Means> for Bound {
    fn from(means: Means) -> Self {
        match means {
            Means::Cgroup => Self::Cgroup,
            Means::Rlimit => Self::Rlimit,
            Means::None => Self::None,
        }
    }
}

impl From<FileRole> for Role {
    fn from(role: FileRole) -> Self {
        match role {
            FileRole::Executable => Self::Executable,
            FileRole::Interpreter => Self::Interpreter,
            FileRole::Script => Self::Script,
            FileRole::Argument => Self::Argument,
        }
    }
}

impl From<FileReport> for (MeasuredFile, Identity) {
    fn from(report: FileReport) -> Self {
        let FileReport {
            path,
            digest,
            role,
            pinned,
            identity,
        } = report;
        let role = match role {
            Role::Executable => FileRole::Executable,
            Role::Interpreter => FileRole::Interpreter,
            Role::Script => FileRole::Script,
            Role::Argument => FileRole::Argument,
        };
        (
            MeasuredFile {
                path,
                digest,
                role,
                pinned,
            },
            identity,
        )
    }
}

const PREFIX: &[u8] = b"cmcp-child ";
