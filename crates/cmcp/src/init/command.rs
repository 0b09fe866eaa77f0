//! From the command of a client's configuration to a program that can be measured.

use std::{
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Why a command cannot be governed as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("`{command}` is not on the search path; install it, or write its absolute path")]
    NotFound { command: String },
    #[error("`{path}` is not an executable file; check the path and its mode")]
    NotExecutable { path: String },
    #[error(
        "`{command}` is a relative path, which changes with the working directory; write the absolute one"
    )]
    Relative { command: String },
    #[error(
        "`{command}` starts a shell, whose words nobody can measure; name the server's own program and arguments"
    )]
    Shell { command: String },
}

/// The absolute path of a command. Symbolic links stay: a virtual environment finds itself by the
/// path it was started with.
pub(crate) fn resolve(
    command: &str,
    args: &[String],
    search: Option<&OsStr>,
) -> Result<PathBuf, CommandError> {
    if is_shell(command, args) {
        return Err(CommandError::Shell {
            command: command.to_owned(),
        });
    }
    let path = Path::new(command);
    if path.is_absolute() {
        return match is_executable(path) {
            true => Ok(path.to_owned()),
            false => Err(CommandError::NotExecutable {
                path: command.to_owned(),
            }),
        };
    }
    if command.contains('/') {
        return Err(CommandError::Relative {
            command: command.to_owned(),
        });
    }
    std::env::split_paths(search.unwrap_or_default())
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(command))
        .find(|path| is_executable(path))
        .ok_or_else(|| CommandError::NotFound {
            command: command.to_owned(),
        })
}

/// The words of a command that fetches a program and runs it at once: what is measured is then the
/// fetcher, and the server is whatever a registry offers at that moment.
pub(crate) fn fetcher(command: &str, args: &[String]) -> Option<String> {
    let name = base(command);
    let mut words = args
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'));
    let (first, second) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if FETCHERS.contains(&name) {
        return Some(name.to_owned());
    }
    let found = FETCHING.iter().find(|(program, subcommand)| {
        let spoken = match subcommand.split_once(' ') {
            Some((outer, inner)) => first == outer && second == inner,
            None => first == *subcommand,
        };
        name == *program && spoken
    });
    if let Some((program, subcommand)) = found {
        return Some(format!("{program} {subcommand}"));
    }
    let remote = args.iter().any(|arg| {
        ["http://", "https://", "npm:", "jsr:"]
            .iter()
            .any(|scheme| arg.starts_with(scheme))
    });
    (name == "deno" && first == "run" && remote).then(|| "deno run".to_owned())
}

fn is_shell(command: &str, args: &[String]) -> bool {
    let spoken = |flag: &str| args.iter().any(|arg| arg.eq_ignore_ascii_case(flag));
    match base(command) {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish" | "ash" => args
            .iter()
            .any(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.contains('c')),
        "cmd" | "cmd.exe" => spoken("/c") || spoken("/k"),
        "powershell" | "powershell.exe" | "pwsh" => spoken("-command") || spoken("-c"),
        "env" => args.iter().any(|arg| SHELLS.contains(&base(arg))),
        _ => false,
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn base(command: &str) -> &str {
    command.rsplit('/').next().unwrap_or(command)
}

const SHELLS: [&str; 7] = ["ash", "bash", "dash", "fish", "ksh", "sh", "zsh"];
const FETCHERS: [&str; 4] = ["bunx", "npx", "pnpx", "uvx"];
const FETCHING: [(&str, &str); 10] = [
    ("bun", "x"),
    ("docker", "run"),
    ("npm", "exec"),
    ("npm", "x"),
    ("pipx", "run"),
    ("pnpm", "dlx"),
    ("podman", "run"),
    ("uv", "run"),
    ("uv", "tool run"),
    ("yarn", "dlx"),
];

#[cfg(test)]
mod tests;
