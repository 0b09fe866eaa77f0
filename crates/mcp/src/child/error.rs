//! Why a process was not started.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Why a process was not started. Travels from the process that measures to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "snake_case")]
pub enum SpawnError {
    /// The command or a pinned file is not named by an absolute path.
    #[error("`{path}` is not an absolute path; name the file itself")]
    Relative {
        /// What was given.
        path: PathBuf,
    },
    /// The variable makes the process load code that nobody measured.
    #[error("the environment variable `{name}` makes the process load other code; remove it")]
    ForbiddenVariable {
        /// Its name.
        name: String,
    },
    /// A name or value that no environment can hold, or a name given twice.
    #[error("the environment variable `{name}` is malformed or given twice")]
    MalformedVariable {
        /// Its name.
        name: String,
    },
    /// An argument that no process can be given.
    #[error("argument {index} contains a zero byte")]
    Argument {
        /// Its place, from 0.
        index: usize,
    },
    /// The file cannot be opened or read.
    #[error("cannot read `{path}`: {}", reason(*.errno))]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's error number.
        errno: i32,
    },
    /// It is a directory, a device or a pipe.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It is neither a binary nor a script that says what runs it.
    #[error("`{path}` is neither a binary nor a script with an interpreter in its first line")]
    NotAProgram {
        /// The path.
        path: PathBuf,
    },
    /// The file is not the approved one.
    #[error(
        "`{path}` has the digest sha256:{actual}, approved is sha256:{expected}; approve it again if the change is yours"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// The pin, in hexadecimal digits.
        expected: String,
        /// What was measured.
        actual: String,
    },
    /// The file changed while it was measured, or before the server had answered for the first time.
    #[error("`{path}` changed while the process was being started")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The first line names no interpreter that can be measured.
    #[error(
        "the first line of `{path}` does not name an interpreter by absolute path or by `/usr/bin/env NAME`"
    )]
    Shebang {
        /// The script.
        path: PathBuf,
    },
    /// `env NAME` finds nothing.
    #[error("the interpreter `{name}` is in no directory of `PATH`")]
    InterpreterNotFound {
        /// The name.
        name: String,
    },
    /// The operating system does not run it.
    #[error("cannot run `{path}`: {}", reason(*.errno))]
    Exec {
        /// The file.
        path: PathBuf,
        /// The operating system's error number.
        errno: i32,
    },
    /// A step between fork and exec failed.
    #[error("cannot prepare the process ({step}): {}", reason(*.errno))]
    Setup {
        /// The step.
        step: SetupStep,
        /// The operating system's error number.
        errno: i32,
    },
    /// The supervising process could not be started.
    #[error("cannot start the supervisor `{program}`: {}", reason(*.errno))]
    Launcher {
        /// The program.
        program: PathBuf,
        /// The operating system's error number.
        errno: i32,
    },
    /// The supervising process said nothing that could be understood.
    #[error(
        "the supervisor ended without a report; it must be this program's own supervising command"
    )]
    NoReport,
    /// The report did not come in time.
    #[error("the files were not measured within {seconds} s")]
    Slow {
        /// The time allowed.
        seconds: u64,
    },
}

/// What is done to a process before it becomes the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SetupStep {
    /// Dying with the supervisor.
    #[error("death signal")]
    DeathSignal,
    /// A session of its own.
    #[error("session")]
    Session,
    /// Resource limits.
    #[error("resource limits")]
    Limits,
    /// Giving up the way to gain privileges.
    #[error("no new privileges")]
    Privileges,
    /// The working directory.
    #[error("working directory")]
    Directory,
    /// Becoming the reaper of all descendants.
    #[error("subreaper")]
    Subreaper,
    /// Signals and timers.
    #[error("runtime")]
    Runtime,
    /// Starting the process that becomes the server.
    #[error("second process")]
    SecondProcess,
}

impl SpawnError {
    pub(super) fn open(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        Self::Open {
            path: path.into(),
            errno: errno(error),
        }
    }

    pub(super) fn setup(step: SetupStep) -> impl Fn(io::Error) -> Self {
        move |error| Self::Setup {
            step,
            errno: errno(&error),
        }
    }
}

pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}

fn reason(errno: i32) -> io::ErrorKind {
    io::Error::from_raw_os_error(errno).kind()
}
