//! Disks that are full, read-only or damaged.

use std::{fs, path::PathBuf, process::Command};

use crate::support::{Answer, Gateway, Setup, text};

/// Runs what follows in a mount namespace of its own, which ends with it.
const PRIVATE_MOUNTS: [&str; 4] = ["unshare", "--map-root-user", "--mount", "sh"];

/// Whether this machine lets one mount something.
fn mounts() -> bool {
    let [program, rest @ ..] = PRIVATE_MOUNTS;
    let tried = Command::new(program)
        .args(rest)
        .args(["-c", "mount -t tmpfs none /mnt"])
        .output();
    let possible = tried.is_ok_and(|output| output.status.success());
    if !possible {
        println!("skipped: this machine lets nobody mount");
        assert!(std::env::var_os("CI").is_none(), "needed here");
    }
    possible
}

fn mounted(setup: Setup, script: &str) -> Setup {
    let script = format!("{script} && exec \"$@\"");
    let words = [&PRIVATE_MOUNTS[..], &["-c", &script, "sh"]].concat();
    setup.through(&words)
}

fn unavailable(answer: &Answer) {
    assert_eq!(
        answer.refusal(),
        (503, -32000, "AUDIT_UNAVAILABLE".to_owned()),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("\"result\""), "{}", answer.text());
}

#[test]
fn on_a_full_disk_nothing_happens_unrecorded_and_room_is_enough_to_go_on() {
    if !mounts() {
        return;
    }
    let (server, setup) = Setup::usual();
    let setup = setup.settings("audit_db_path: disk/audit.db\n");
    let gateway = mounted(setup, "mkdir disk && mount -t tmpfs -o size=4m none disk").start();
    gateway.still_serves();
    assert_eq!(gateway.call("pay", r#"{"amount":1}"#).status, 200);
    let seen = format!(
        "/proc/{}/root{}/disk",
        gateway.pid(),
        gateway.files.folder().display()
    );
    let filler = PathBuf::from(seen).join("filler");
    let full = fs::write(&filler, vec![0; 8 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let calls = server.calls().len();
    let refused: Vec<Answer> = (0..10)
        .map(|_| gateway.call("pay", r#"{"amount":1}"#))
        .filter(|answer| answer.status != 200)
        .collect();
    assert!(!refused.is_empty(), "the disk took everything");
    refused.iter().for_each(unavailable);
    assert_eq!(
        server.calls().len(),
        calls + 10 - refused.len(),
        "refused before the server heard of it"
    );
    // A reader's outcome is written after the fact: the caller learns nothing of the answer.
    let read = gateway.call("echo", r#"{"text":"a"}"#);
    unavailable(&read);
    let health = gateway.request("GET /health", &[], b"");
    assert_eq!(health.status, 200);
    fs::remove_file(filler).unwrap();
    gateway.still_serves();
    // What was refused meanwhile is in the log all the same, once.
    for answer in refused.iter().chain([&read]) {
        let outcome = gateway.outcome(answer);
        assert_eq!(
            (text(&outcome, "verdict"), text(&outcome, "code")),
            ("fault", "audit_unavailable")
        );
    }
    assert_eq!(gateway.call("pay", r#"{"amount":1}"#).status, 200);
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged_until_a_restart() {
    let (server, setup) = Setup::usual();
    // The file size limit fails writes as a broken disk does.
    let setup = setup.through(&["sh", "-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"]);
    let files = setup.prepare();
    let gateway = files.start();
    let mut served = 0;
    let refused = loop {
        let answer = gateway.call("pay", r#"{"amount":1}"#);
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        assert!(served < 10_000, "the limit has no effect");
    };
    unavailable(&refused);
    let calls = server.calls().len();
    for tool in ["pay", "echo"] {
        let arguments = if tool == "pay" {
            "{}"
        } else {
            r#"{"text":"a"}"#
        };
        unavailable(&gateway.call(tool, arguments));
    }
    assert_eq!(server.calls().len(), calls, "nothing more is dispatched");
    assert_eq!(gateway.request("GET /health", &[], b"").status, 200);
    let ready = gateway.request("GET /readyz", &[], b"");
    assert_eq!(ready.status, 503, "{}", ready.text());
    gateway.kill();
    // With room again: everything acknowledged is there, and verifies.
    let roomy = Setup::usual().1.settings(&format!(
        "audit_db_path: \"{}\"\n",
        files.path("audit.db").display()
    ));
    let roomy = roomy.prepare();
    let gateway = roomy.start();
    gateway.await_log("sealed what a crash had left open", 1);
    let allowed =
        "SELECT count(*) FROM entries WHERE CAST(body AS TEXT) LIKE '%\"verdict\":\"allow\"%'";
    assert_eq!(Gateway::count(&files.path("audit.db"), allowed), served);
    drop(gateway);
}

#[test]
fn on_a_read_only_disk_the_gateway_does_not_start() {
    if !mounts() {
        return;
    }
    let (server, setup) = Setup::usual();
    let files = mounted(
        setup,
        "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\"",
    )
    .prepare();
    let failed = files.fail();
    assert_eq!(
        (failed.code, failed.errors().len()),
        (Some(1), 1),
        "{failed:?}"
    );
    assert!(
        failed.stderr.contains("AUDIT_STORE_UNAVAILABLE"),
        "{failed:?}"
    );
    assert!(server.is_untouched());
}

#[test]
fn a_database_that_is_none_is_refused_and_left_as_it_is() {
    let (_server, setup) = Setup::usual();
    let files = setup.prepare();
    for garbage in [
        b"not a database, but somebody's notes".repeat(100),
        vec![0xff; 5000],
        b"SQLite format 3\0garbage".repeat(300),
    ] {
        fs::write(files.path("audit.db"), &garbage).unwrap();
        let failed = files.fail();
        assert_eq!(
            (failed.code, failed.errors().len()),
            (Some(1), 1),
            "{failed:?}"
        );
        assert!(
            failed.stderr.contains("AUDIT_STORE_UNAVAILABLE"),
            "{failed:?}"
        );
        assert_eq!(fs::read(files.path("audit.db")).unwrap(), garbage);
    }
    fs::remove_file(files.path("audit.db")).unwrap();
    files.start().finish();
}
