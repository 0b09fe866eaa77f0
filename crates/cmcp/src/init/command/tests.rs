use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::Path};

use super::{CommandError, fetcher, resolve};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn program(folder: &Path, name: &str, mode: u32) {
    let path = folder.join(name);
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_name_is_looked_up_and_links_stay() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), "real", 0o755);
    program(folder.path(), "data", 0o644);
    std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
    let search = Some(folder.path().as_os_str());
    assert_eq!(resolve("link", &[], search), Ok(folder.path().join("link")));
    for name in ["none", "data"] {
        let error = CommandError::NotFound {
            command: name.to_owned(),
        };
        assert_eq!(resolve(name, &[], search), Err(error));
    }
    let path = folder.path().join("data").display().to_string();
    assert_eq!(
        resolve(&path, &[], search),
        Err(CommandError::NotExecutable { path })
    );
}

#[test]
fn relative_paths_and_relative_search_folders_are_not_followed() {
    for command in ["./server", "bin/server"] {
        let error = CommandError::Relative {
            command: command.to_owned(),
        };
        assert_eq!(resolve(command, &[], None), Err(error));
    }
    let error = CommandError::NotFound {
        command: "cargo.toml".to_owned(),
    };
    assert_eq!(
        resolve("cargo.toml", &[], Some(OsStr::new(".:"))),
        Err(error)
    );
}

#[test]
fn no_shell_is_started() {
    for (command, args) in [
        ("sh", &["-c", "server | tee log"][..]),
        ("/bin/bash", &["-lc", "server"]),
        ("cmd", &["/C", "npx server"]),
        ("pwsh", &["-Command", "server"]),
        ("env", &["X=1", "bash", "server"]),
    ] {
        let error = CommandError::Shell {
            command: command.to_owned(),
        };
        assert_eq!(resolve(command, &words(args), None), Err(error));
    }
}

#[test]
fn fetching_and_running_is_recognised() {
    for (command, args, expected) in [
        ("npx", &["-y", "@scope/server"][..], Some("npx")),
        ("/usr/bin/uvx", &["server"], Some("uvx")),
        ("npm", &["--yes", "exec", "server"], Some("npm exec")),
        ("uv", &["tool", "run", "server"], Some("uv tool run")),
        ("docker", &["run", "-i", "image"], Some("docker run")),
        ("deno", &["run", "https://h/x.ts"], Some("deno run")),
        ("deno", &["run", "/srv/x.ts"], None),
        ("node", &["/srv/server.js"], None),
        ("uv", &["tool", "install"], None),
    ] {
        assert_eq!(
            fetcher(command, &words(args)).as_deref(),
            expected,
            "{command} {args:?}"
        );
    }
}
