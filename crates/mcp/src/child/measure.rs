//! Opens the files a process is made of, measures what was opened, and says how to run it.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use super::{FilePin, SpawnError, identity::Identity};
use crate::upstream::{FileRole, MeasuredFile};

/// What is to be run.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) command: &'a Path,
    pub(super) args: &'a [String],
    pub(super) cwd: Option<&'a Path>,
    pub(super) pins: &'a [FilePin],
    /// The value of `PATH`, for `env NAME` in a script's first line.
    pub(super) search: &'a str,
}

/// Everything measured, and the descriptor to run.
#[derive(Debug)]
pub(super) struct Opened {
    /// The binary: the command, or the interpreter of a script.
    pub(super) program: File,
    /// What the process sees as its own name.
    pub(super) name: OsString,
    /// Arguments behind the name, a script's own path included.
    pub(super) args: Vec<OsString>,
    pub(super) files: Vec<Measured>,
}

/// A file that was measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) measured: MeasuredFile,
    pub(super) identity: Identity,
}

impl Target<'_> {
    /// Measures every file and compares it with its pin.
    pub(super) fn open(&self) -> Result<Opened, SpawnError> {
        let mut named = [self.command]
            .into_iter()
            .chain(self.pins.iter().map(|pin| &*pin.path));
        if let Some(path) = named.find(|path| !path.is_absolute()) {
            return Err(SpawnError::Relative {
                path: path.to_owned(),
            });
        }
        if let Some(index) = self.args.iter().position(|arg| arg.contains('\0')) {
            return Err(SpawnError::Argument { index });
        }
        let own = self.args.iter().map(OsString::from);
        let mut files = Vec::new();
        let (command, start) = open(self.command)?;
        let (program, name, args) = match shebang(&start, self.command)? {
            None => {
                check_binary(&start, self.command)?;
                files.push(self.measure(&command, self.command, FileRole::Executable)?);
                (command, self.command.into(), own.collect())
            }
            Some(line) => {
                let (path, arguments) = line.resolve(self.command, self.search)?;
                let (program, start) = open(&path)?;
                if start.starts_with(b"#!") {
                    return Err(SpawnError::Shebang {
                        path: self.command.to_owned(),
                    });
                }
                check_binary(&start, &path)?;
                files.push(self.measure(&program, &path, FileRole::Interpreter)?);
                files.push(self.measure(&command, self.command, FileRole::Script)?);
                let script = [self.command.into()];
                let arguments = arguments.into_iter().map(OsString::from);
                (
                    program,
                    path.into(),
                    arguments.chain(script).chain(own).collect(),
                )
            }
        };
        self.measure_arguments(&mut files)?;
        self.measure_pins(&mut files)?;
        Ok(Opened {
            program,
            name,
            args,
            files,
        })
    }

    /// Arguments that name programs: an interpreter's script stands there.
    fn measure_arguments(&self, files: &mut Vec<Measured>) -> Result<(), SpawnError> {
        let base = self.cwd.unwrap_or(Path::new("/"));
        for arg in self
            .args
            .iter()
            .filter(|arg| !arg.is_empty() && !arg.starts_with('-'))
        {
            let path = base.join(arg);
            let known = files.iter().any(|file| file.measured.path == path);
            if known || !is_program(&path) {
                continue;
            }
            let (file, _) = open(&path)?;
            files.push(self.measure(&file, &path, FileRole::Argument)?);
        }
        Ok(())
    }

    fn measure_pins(&self, files: &mut Vec<Measured>) -> Result<(), SpawnError> {
        for pin in self.pins {
            if files.iter().any(|file| file.measured.path == pin.path) {
                continue;
            }
            let (file, _) = open(&pin.path)?;
            files.push(self.measure(&file, &pin.path, FileRole::Argument)?);
        }
        Ok(())
    }

    fn measure(&self, file: &File, path: &Path, role: FileRole) -> Result<Measured, SpawnError> {
        let failed = |error: io::Error| SpawnError::open(path, &error);
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        let digest = digest(file).map_err(failed)?;
        if Identity::of(&file.metadata().map_err(failed)?) != identity {
            return Err(SpawnError::Changed {
                path: path.to_owned(),
            });
        }
        let mut pins = self.pins.iter().filter(|pin| pin.path == path).peekable();
        let pinned = pins.peek().is_some();
        if let Some(pin) = pins.find(|pin| pin.digest != digest) {
            return Err(SpawnError::Digest {
                path: path.to_owned(),
                expected: hex(&pin.digest),
                actual: hex(&digest),
            });
        }
        let measured = MeasuredFile {
            path: path.to_owned(),
            digest,
            role,
            pinned,
        };
        Ok(Measured { measured, identity })
    }
}

/// The first line of a script.
#[derive(Debug, PartialEq, Eq)]
struct Shebang {
    interpreter: PathBuf,
    arguments: Vec<String>,
}

impl Shebang {
    /// The interpreter to run. `env` itself is left out: it would look `PATH` up once more, after
    /// the measuring.
    fn resolve(self, script: &Path, search: &str) -> Result<(PathBuf, Vec<String>), SpawnError> {
        let malformed = || SpawnError::Shebang {
            path: script.to_owned(),
        };
        let Self {
            interpreter,
            arguments,
        } = self;
        if !interpreter.is_absolute() {
            return Err(malformed());
        }
        if interpreter.file_name() != Some("env".as_ref()) {
            return Ok((interpreter, arguments));
        }
        let mut words = arguments
            .iter()
            .flat_map(|arg| arg.split_ascii_whitespace());
        let mut name = words.next().ok_or_else(malformed)?;
        if name == "-S" {
            name = words.next().ok_or_else(malformed)?;
        }
        if name.starts_with('-') || name.contains(['=', '"', '\'', '\\', '$']) {
            return Err(malformed());
        }
        let rest = words.map(str::to_owned).collect();
        let name = PathBuf::from(name);
        if name.is_absolute() {
            return Ok((name, rest));
        }
        let mut places = search.split(':').map(|place| Path::new(place).join(&name));
        let found = places.find(|place| place.is_absolute() && is_executable(place));
        let missing = || SpawnError::InterpreterNotFound {
            name: name.display().to_string(),
        };
        Ok((found.ok_or_else(missing)?, rest))
    }
}

/// Splits the first line as Linux does: the interpreter, and the rest as one argument.
fn shebang(start: &[u8], path: &Path) -> Result<Option<Shebang>, SpawnError> {
    let Some(line) = start.strip_prefix(b"#!") else {
        return Ok(None);
    };
    let malformed = || SpawnError::Shebang {
        path: path.to_owned(),
    };
    let line = match line.iter().position(|&byte| byte == b'\n') {
        Some(end) => line.get(..end).unwrap_or_default(),
        None if start.len() < LONGEST_FIRST_LINE => line,
        None => return Err(malformed()),
    };
    let line = std::str::from_utf8(line).map_err(|_| malformed())?.trim();
    let (interpreter, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let rest = rest.trim();
    let arguments = if rest.is_empty() {
        Vec::new()
    } else {
        vec![rest.to_owned()]
    };
    Ok(Some(Shebang {
        interpreter: interpreter.into(),
        arguments,
    }))
}

// What the kernel cannot run the C library hands to a shell, measured or not.
fn check_binary(start: &[u8], path: &Path) -> Result<(), SpawnError> {
    if start.starts_with(b"\x7fELF") {
        Ok(())
    } else {
        Err(SpawnError::NotAProgram {
            path: path.to_owned(),
        })
    }
}

/// Opens a regular file and reads its first bytes. A pipe at the path does not block.
fn open(path: &Path) -> Result<(File, Vec<u8>), SpawnError> {
    let failed = |error: io::Error| SpawnError::open(path, &error);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed(e.into()))?;
    let file = File::from(file);
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(SpawnError::NotAFile {
            path: path.to_owned(),
        });
    }
    let mut start = Vec::new();
    let limit = u64::try_from(LONGEST_FIRST_LINE).unwrap_or(u64::MAX);
    (&file)
        .take(limit)
        .read_to_end(&mut start)
        .map_err(failed)?;
    Ok((file, start))
}

/// SHA-256 of the whole file, wherever it is being read.
fn digest(file: &File) -> io::Result<[u8; 32]> {
    use std::os::unix::fs::FileExt;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut place = 0_u64;
    loop {
        let count = file.read_at(&mut buffer, place)?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(buffer.get(..count).unwrap_or_default());
        place = place.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

/// Whether an argument names something that is run rather than worked on.
fn is_program(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    if !metadata.is_file() {
        return false;
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| PROGRAM_EXTENSIONS.contains(&extension))
        || metadata.permissions().mode() & 0o111 != 0
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

pub(super) fn hex(digest: &[u8; 32]) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// What Linux reads of a script's first line.
const LONGEST_FIRST_LINE: usize = 256;

const PROGRAM_EXTENSIONS: [&str; 17] = [
    "bash", "cjs", "jar", "js", "jsx", "lua", "mjs", "mts", "php", "pl", "py", "pyz", "rb", "sh",
    "ts", "tsx", "wasm",
];

#[cfg(test)]
mod tests;
