//! What is measured before anything runs.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use cmcp_mcp::{
    Server, UpstreamError,
    child::{FilePin, Spawn, SpawnError},
    upstream::{EvidenceClass, FileRole, Kind},
};
use sha2::{Digest, Sha256};

use super::support::{ask, call, client, example, fixture};

fn pin(path: &Path) -> FilePin {
    FilePin {
        path: path.to_owned(),
        digest: Sha256::digest(fs::read(path).unwrap()).into(),
    }
}

/// A server in a few lines of shell, which answers with `word`.
fn script(folder: &Path, name: &str, word: &str) -> PathBuf {
    let path = folder.join(name);
    let text = format!(
        r#"#!/bin/sh
while read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case "$line" in
    *'"initialize"'*) echo '{{"jsonrpc":"2.0","id":'$id',"result":{{"protocolVersion":"2025-06-18","capabilities":{{}},"serverInfo":{{"name":"s","version":"1"}}}}}}';;
    *'"tools/call"'*) echo '{{"jsonrpc":"2.0","id":'$id',"result":{{"word":"{word}","self":"'$0'"}}}}';;
    *'"id"'*) echo '{{"jsonrpc":"2.0","id":'$id',"error":{{"code":-32601,"message":"no"}}}}';;
  esac
done
"#
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_pinned_executable_is_measured_and_says_so() {
    let pins = vec![pin(&example("fixture"))];
    let client = client(Spawn {
        pins: pins.clone(),
        ..fixture("legacy")
    });
    ask(&client, call("echo")).await.unwrap();
    let observed = client.observed();
    assert_eq!(observed.evidence, EvidenceClass::SpawnMeasured);
    assert_eq!(observed.files.len(), 1);
    assert_eq!(observed.files[0].digest, pins[0].digest);
    assert_eq!(observed.files[0].role, FileRole::Executable);
    assert!(observed.files[0].pinned);
    client.close().await;
}

#[tokio::test]
async fn j03_an_executable_that_is_not_the_approved_one_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    fs::copy(example("fixture"), &path).unwrap();
    let approved = pin(&path);
    let spawn = || Spawn {
        pins: vec![approved.clone()],
        ..Spawn::new(&path)
    };
    let first = client(spawn());
    ask(&first, call("echo")).await.unwrap();
    first.close().await;
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let second = client(spawn());
    let error = second.list(Kind::Tools).await.unwrap_err();
    assert!(!error.sent());
    assert!(
        matches!(&error, UpstreamError::Spawn(SpawnError::Digest { path: p, .. }) if *p == path),
        "{error:?}"
    );
    assert_eq!(second.observed().files, []);
    second.close().await;
}

#[tokio::test]
async fn j03_a_script_is_measured_with_its_interpreter_and_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "server.sh", "good");
    let client = client(Spawn {
        pins: vec![pin(&path), pin(Path::new("/bin/sh"))],
        ..Spawn::new(&path)
    });
    let answer = ask(&client, call("x")).await.unwrap();
    assert_eq!(answer.get("self").unwrap().as_str(), path.to_str());
    let roles: Vec<_> = client
        .observed()
        .files
        .iter()
        .map(|f| (f.role, f.pinned))
        .collect();
    assert_eq!(
        roles,
        [(FileRole::Interpreter, true), (FileRole::Script, true)]
    );
    client.close().await;
}

#[tokio::test]
async fn j03_a_script_named_by_an_argument_is_measured_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "server.sh", "good");
    let spawn = |pins| Spawn {
        args: vec![path.display().to_string()],
        pins,
        ..Spawn::new("/bin/sh")
    };
    let approved = vec![pin(&path)];
    let good = client(spawn(approved.clone()));
    ask(&good, call("x")).await.unwrap();
    assert_eq!(good.observed().files[1].role, FileRole::Argument);
    good.close().await;
    script(folder.path(), "server.sh", "evil");
    let evil = client(spawn(approved));
    let error = evil.list(Kind::Tools).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::Spawn(SpawnError::Digest { .. })),
        "{error:?}"
    );
    evil.close().await;
}

#[test]
fn j03_an_executable_swapped_while_it_is_started_never_runs() {
    let folder = tempfile::tempdir().unwrap();
    let [path, good, evil] = ["server", "good", "evil"].map(|name| folder.path().join(name));
    fs::copy(example("fixture"), &good).unwrap();
    fs::copy("/bin/true", &evil).unwrap();
    fs::copy(&good, &path).unwrap();
    let approved = pin(&good);
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            // Renaming a link of either over the path: as quick as it can be.
            for turn in 0_u32.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let source = if turn % 2 == 0 { &evil } else { &good };
                let next = folder.path().join("next");
                let _ = fs::remove_file(&next);
                fs::hard_link(source, &next).unwrap();
                fs::rename(&next, &path).unwrap();
            }
        });
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            for _ in 0..20 {
                let client = client(Spawn {
                    pins: vec![FilePin {
                        path: path.clone(),
                        digest: approved.digest,
                    }],
                    ..Spawn::new(&path)
                });
                match ask(&client, call("echo")).await {
                    Ok(_) => {}
                    Err(
                        UpstreamError::Spawn(SpawnError::Digest { .. })
                        | UpstreamError::Spawn(SpawnError::Changed { .. }),
                    ) => {}
                    Err(UpstreamError::Negotiation(inner)) => {
                        assert!(
                            matches!(*inner, UpstreamError::Spawn(SpawnError::Changed { .. })),
                            "{inner:?}"
                        );
                    }
                    Err(other) => panic!("{other:?}"),
                }
                client.close().await;
            }
        });
    });
}

#[tokio::test]
async fn j03_a_script_swapped_after_its_measuring_gets_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "server.sh", "good");
    // The interpreter sits between the measuring and the reading of the script: it swaps.
    let interpreter = folder.path().join("swap");
    let evil = script(folder.path(), "evil.sh", "evil");
    fs::write(
        &interpreter,
        format!(
            "#!/bin/sh\nmv {} {}\nexec /bin/sh \"$@\"\n",
            evil.display(),
            path.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&interpreter, fs::Permissions::from_mode(0o755)).unwrap();
    let client = client(Spawn {
        args: vec![path.display().to_string()],
        pins: vec![pin(&path)],
        ..Spawn::new(&interpreter)
    });
    let error = client.ask(call("x")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Spawn(SpawnError::Changed { path }));
    client.close().await;
}

#[tokio::test]
async fn j02_shell_characters_relative_paths_and_path_lookups_run_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("marker");
    let cases = [
        "fixture".to_owned(),
        "./fixture".to_owned(),
        format!("touch {}", marker.display()),
        format!("/bin/true; touch {}", marker.display()),
        format!("/bin/sh -c 'touch {}'", marker.display()),
        format!("$(touch {})", marker.display()),
    ];
    for command in cases {
        let client = client(Spawn::new(&command));
        let error = client.list(Kind::Tools).await.unwrap_err();
        let refused = matches!(
            error,
            UpstreamError::Spawn(SpawnError::Relative { .. } | SpawnError::Open { .. })
        );
        assert!(refused, "{command}: {error:?}");
        client.close().await;
    }
    assert!(!marker.exists());
}

#[tokio::test]
async fn j02_arguments_reach_the_server_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("marker");
    let hostile = format!(
        "legacy; touch {0} $(touch {0}) `touch {0}` | tee {0}",
        marker.display()
    );
    let client = client(Spawn {
        args: vec![hostile],
        ..Spawn::new(example("fixture"))
    });
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_link_is_followed_for_measuring_and_kept_as_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("bin").join("python");
    fs::create_dir(link.parent().unwrap()).unwrap();
    symlink(example("fixture"), &link).unwrap();
    let client = client(Spawn {
        pins: vec![pin(&link)],
        ..Spawn::new(&link)
    });
    let seen = ask(&client, call("surroundings")).await.unwrap();
    assert_eq!(seen.get("name").unwrap().as_str(), link.to_str());
    client.close().await;
}

#[tokio::test]
async fn what_cannot_be_run_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let cases = [
        (folder.path().to_owned(), "NotAFile"),
        (folder.path().join("missing"), "Open"),
        (file("plain", "no program", 0o755), "NotAProgram"),
        (file("mode", "\x7fELF", 0o644), "Exec"),
        (
            file("lost", "#!/usr/bin/env no-such-interpreter\n", 0o755),
            "InterpreterNotFound",
        ),
        (file("relative", "#!bin/sh\n", 0o755), "Shebang"),
        (
            file(
                "nested",
                &format!("#!{}\n", file("inner", "#!/bin/sh\n", 0o755).display()),
                0o755,
            ),
            "Shebang",
        ),
    ];
    for (path, expected) in cases {
        let client = client(Spawn::new(&path));
        let error = client.list(Kind::Tools).await.unwrap_err();
        let UpstreamError::Spawn(error) = error else {
            panic!("{}: {error:?}", path.display())
        };
        assert!(
            format!("{error:?}").starts_with(expected),
            "{}: {error:?}",
            path.display()
        );
        client.close().await;
    }
}

#[test]
fn what_would_be_measured_can_be_asked_without_starting_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "server.sh", "good");
    let files = Spawn::new(&path).measure().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(files[1].digest, pin(&path).digest);
}
