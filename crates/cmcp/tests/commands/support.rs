use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command in `folder`, with nothing but these variables.
pub(crate) fn command(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cmcp"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null());
    command
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command(folder, arguments, variables).output().unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A folder that `cmcp init` has filled, with the sample server behind it.
pub(crate) fn initialised() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = format!("shop={} demo-server", env!("CARGO_BIN_EXE_cmcp"));
    let ran = run(
        folder.path(),
        &[
            "init",
            "--server",
            &server,
            "--read-only",
            "list_orders,lookup_customer",
            "--approver",
            "zoe",
        ],
        &[],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    folder
}

/// Runs a line whose words have no blanks in them.
pub(crate) fn line(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split(' ').collect::<Vec<_>>(), &[])
}
