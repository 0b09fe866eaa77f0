//! What has been seen of a server.

use std::path::PathBuf;

use crate::version::Version;

/// Facts about a server that belong in the record of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Where it is: a URL without query, or the path of the executable.
    pub endpoint: String,
    /// What ties this server to what was approved.
    pub evidence: EvidenceClass,
    /// The protocol revision in use, once negotiated.
    pub version: Option<Version>,
    /// The files measured when the process was last started.
    pub files: Vec<MeasuredFile>,
    /// How the process is confined, once started.
    pub confinement: Option<Confinement>,
    /// How often a server that had spoken the modern era was found to speak only the legacy one.
    pub downgrades: u64,
    /// Messages that were received and not acted on: notifications without meaning here, late,
    /// duplicate or unknown responses, lines that are not JSON.
    pub dropped: u64,
    /// Requests of the server to us that were refused.
    pub refused: u64,
}

/// What ties a server to what was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceClass {
    /// Only the digests of its tool definitions.
    HashOnly,
    /// Its certificate or key, compared on every connection.
    TlsPinned,
    /// The digests of the files it was started from.
    SpawnMeasured,
    /// It was started from files whose digests nobody pinned.
    SpawnUnmeasured,
}

impl EvidenceClass {
    /// The word in audit entries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HashOnly => "hash-only",
            Self::TlsPinned => "tls-pinned",
            Self::SpawnMeasured => "spawn-measured",
            Self::SpawnUnmeasured => "spawn-unmeasured",
        }
    }
}

/// A file that a child process was started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredFile {
    /// The path it was opened by.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub digest: [u8; 32],
    /// What it is to the process.
    pub role: FileRole,
    /// Whether the digest was compared with an expected one.
    pub pinned: bool,
}

/// What a measured file is to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The command itself, a binary.
    Executable,
    /// The program that a script's first line names.
    Interpreter,
    /// The command itself, a script.
    Script,
    /// A file named by an argument, or by a pin.
    Argument,
}

/// How a child process is kept within bounds on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What bounds its memory.
    pub memory: Bound,
    /// What bounds the number of its processes.
    pub processes: Bound,
}

/// The mechanism behind a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A control group over the process and all its descendants.
    Cgroup,
    /// A resource limit: per process for memory, per user for processes.
    Rlimit,
    /// Nothing on this machine could be used.
    None,
}
