//! Child processes: measured before they start, confined while they run, gone afterwards.
//!
//! The gateway does not start a server itself. It starts its own executable twice over: a
//! supervisor, which stays, and a second process that measures the server's files, gives up what
//! it must not keep and then becomes the server by `exec` of the descriptor it measured. The
//! supervisor is a child subreaper: whatever the server starts, and however it detaches itself,
//! ends up below the supervisor and is killed when the server ends, when the gateway asks, or when
//! the gateway dies.

mod cgroup;
mod descendants;
mod environment;
mod error;
mod exec;
mod identity;
mod measure;
mod plan;
mod process;
mod spawner;
mod supervisor;

use std::{ffi::OsString, fmt, path::PathBuf, process::ExitCode, time::Duration};

pub use environment::{EnvValue, is_forbidden_variable};
pub use error::SpawnError;
pub(crate) use process::{Process, Started};

use crate::upstream::MeasuredFile;

/// A server to be started as a child process.
pub struct Spawn {
    /// The executable or script, by absolute path. Symbolic links are kept in what the process
    /// sees as its own name: virtual environments find themselves by it.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The environment, apart from `PATH`, `HOME`, `LANG` and `TZ`, which have fixed values unless
    /// named here.
    pub env: Vec<(String, EnvValue)>,
    /// The working directory; `/` when absent.
    pub cwd: Option<PathBuf>,
    /// Files that must have the digest given. Each is measured whether or not it is among the
    /// arguments; the process is not started if one differs.
    pub pins: Vec<FilePin>,
    /// Bounds on what it may use.
    pub limits: ChildLimits,
}

impl Spawn {
    /// A server without pins, environment and arguments.
    #[must_use]
    pub fn new(command: impl Into<PathBuf>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            pins: Vec::new(),
            limits: ChildLimits::default(),
        }
    }

    /// Measures what would be measured at a start, without starting anything: for writing pins.
    ///
    /// # Errors
    /// [`SpawnError`], as a start would give.
    pub fn measure(&self) -> Result<Vec<MeasuredFile>, SpawnError> {
        environment::check(&self.env)?;
        let path = self.env.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or(environment::PATH, |(_, value)| value.expose());
        let target = measure::Target {
            command: &self.command,
            args: &self.args,
            cwd: self.cwd.as_deref(),
            pins: &self.pins,
            search: path,
        };
        Ok(target
            .open()?
            .files
            .into_iter()
            .map(|file| file.measured)
            .collect())
    }
}

// Values of variables may be secrets, and so may arguments: neither is shown.
impl fmt::Debug for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Spawn")
            .field("command", &self.command)
            .field("env", &names)
            .field("cwd", &self.cwd)
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

/// The digest that a file must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePin {
    /// The file, by absolute path.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub digest: [u8; 32],
}

/// Bounds on what a child process and its descendants may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildLimits {
    /// Bytes of memory: of all of them where a control group can be had, else of each.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Open files of each process.
    pub files: u64,
}

impl Default for ChildLimits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            processes: 512,
            files: 4096,
        }
    }
}

/// How this program starts itself as a supervisor: `program args… PLAN`, which must end in a call
/// of [`supervise`] with what stands behind `args`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program, by absolute path.
    pub program: PathBuf,
    /// The arguments that select the command, for instance `child-supervise`.
    pub args: Vec<String>,
}

/// The body of the hidden command that [`Launcher`] names. It never returns while the server runs.
///
/// Call it before any thread is started and any file opened: what it becomes inherits both.
#[must_use]
pub fn supervise(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match plan::Plan::from_args(args) {
        Some(plan::Plan::Watch(plan)) => supervisor::run(plan),
        Some(plan::Plan::Become(plan)) => exec::run(&plan),
        None => ExitCode::from(EXIT_USAGE),
    }
}

/// Time between asking a process to end and making it, at each of the two steps.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Exit status when the arguments are not a plan.
const EXIT_USAGE: u8 = 2;
/// Exit status when the server was not started; the reason has been reported.
const EXIT_REFUSED: u8 = 126;
