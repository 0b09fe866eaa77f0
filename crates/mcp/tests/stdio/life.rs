//! How processes begin and end.

use std::{fs, process::Stdio, sync::Arc, time::Duration};

use cmcp_mcp::{
    Server, UpstreamError,
    child::Spawn,
    client::{Bearing, Health, Identity, StdioClient, Timing},
    upstream::{Ask, Kind},
};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::support::{ask, call, call_with, client, example, fixture, launcher, lives, until};

#[tokio::test]
async fn j11_a_server_that_exits_mid_call_loses_the_call_and_is_started_for_the_next() {
    let client = client(fixture("legacy"));
    let listed = client.list(Kind::Tools).await.unwrap().generation;
    let lost = client.ask(call("die")).await.unwrap_err();
    assert_eq!(lost, UpstreamError::Lost { sent: true });
    assert_ne!(
        client.generation(Kind::Tools),
        listed,
        "whatever runs next has to be listed anew"
    );
    let decided = Ask {
        listed: Some(listed),
        ..call("echo")
    };
    assert_eq!(ask(&client, decided).await, Err(UpstreamError::Stale));
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_server_that_keeps_ending_is_started_ever_later() {
    let client = client(fixture("dead"));
    let mut last = client.list(Kind::Tools).await.unwrap_err();
    assert!(!last.sent());
    for _ in 0..8 {
        last = client.list(Kind::Tools).await.unwrap_err();
        if matches!(last, UpstreamError::BackOff { .. }) {
            break;
        }
    }
    assert!(matches!(last, UpstreamError::BackOff { .. }), "{last:?}");
    client.close().await;
}

#[tokio::test]
async fn a_call_that_is_not_answered_ends_at_its_deadline() {
    let client = client(fixture("legacy"));
    client.list(Kind::Tools).await.unwrap();
    let hang = Ask {
        deadline: Duration::from_millis(100),
        ..call("hang")
    };
    let after = hang.deadline;
    assert_eq!(
        client.ask(hang).await.unwrap_err(),
        UpstreamError::Timeout { sent: true, after }
    );
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn n01_no_more_requests_are_under_way_than_the_server_bears() {
    let bearing = Bearing {
        concurrency: 1,
        ..Bearing::default()
    };
    let client = client(fixture("legacy")).with_health(Arc::new(Health::new(bearing)));
    ask(&client, call("echo")).await.unwrap();
    let hang = client.ask(Ask {
        deadline: Duration::from_millis(500),
        ..call("hang")
    });
    let hasty = client.ask(Ask {
        deadline: Duration::from_millis(100),
        ..call("echo")
    });
    let (hang, hasty, patient) = tokio::join!(hang, hasty, client.ask(call("echo")));
    assert!(hang.unwrap_err().sent());
    assert_eq!(hasty.unwrap_err(), UpstreamError::Overloaded { limit: 1 });
    patient.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_server_that_keeps_silent_is_left_alone_for_a_while() {
    let bearing = Bearing {
        failures: 2,
        pause: Duration::from_millis(300),
        ..Bearing::default()
    };
    let client = client(fixture("legacy")).with_health(Arc::new(Health::new(bearing)));
    ask(&client, call("echo")).await.unwrap();
    for _ in 0..2 {
        let hang = Ask {
            deadline: Duration::from_millis(30),
            ..call("hang")
        };
        assert!(client.ask(hang).await.unwrap_err().sent());
    }
    let refused = client.ask(call("echo")).await.unwrap_err();
    assert!(
        matches!(refused, UpstreamError::BackOff { .. }),
        "{refused:?}"
    );
    tokio::time::sleep(Duration::from_millis(350)).await;
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn nothing_runs_before_something_is_asked_and_nothing_after_close() {
    let client = client(fixture("legacy"));
    assert_eq!(client.observed().files, []);
    client.close().await;
    assert_eq!(
        client.list(Kind::Tools).await.unwrap_err(),
        UpstreamError::Closed
    );
    assert_eq!(
        client.ask(call("echo")).await.unwrap_err(),
        UpstreamError::Closed
    );
}

#[tokio::test]
async fn j07_a_daemon_that_detached_itself_and_ignores_sigterm_ends_with_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let client = client(fixture("legacy"));
    ask(
        &client,
        call_with("daemon", &format!("{{\"file\":\"{}\"}}", file.display())),
    )
    .await
    .unwrap();
    let pid = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(lives(&pid));
    client.close().await;
    assert!(!lives(&pid), "close returns when everything has ended");
}

#[tokio::test]
async fn j07_a_daemon_does_not_outlive_a_server_that_exits_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let client = client(fixture("legacy"));
    ask(
        &client,
        call_with("daemon", &format!("{{\"file\":\"{}\"}}", file.display())),
    )
    .await
    .unwrap();
    let pid = fs::read_to_string(&file).unwrap().trim().to_owned();
    client.ask(call("die")).await.unwrap_err();
    until("the daemon's end", || !lives(&pid)).await;
    client.close().await;
}

#[tokio::test]
async fn j07_a_server_deaf_to_everything_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("deaf.sh");
    let answer = r#"{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-06-18"}}"#;
    let text = format!(
        "trap '' TERM INT HUP\nfor id in 1 2; do read -r line; echo '{answer}'; done\necho $$ >'{0}.new'; mv '{0}.new' '{0}'\nwhile :; do sleep 1; done\n",
        folder.path().join("pid").display()
    );
    fs::write(&script, text).unwrap();
    let args = vec![script.display().to_string()];
    let client = client(Spawn {
        args,
        ..Spawn::new("/bin/sh")
    });
    client
        .ask(Ask {
            deadline: Duration::from_millis(500),
            ..call("x")
        })
        .await
        .unwrap_err();
    let pid = folder.path().join("pid");
    until("the start", || pid.exists()).await;
    let pid = fs::read_to_string(pid).unwrap().trim().to_owned();
    assert!(lives(&pid));
    client.close().await;
    assert!(!lives(&pid));
}

#[tokio::test]
async fn a_dropped_client_ends_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let client = client(fixture("legacy"));
    ask(
        &client,
        call_with("daemon", &format!("{{\"file\":\"{}\"}}", file.display())),
    )
    .await
    .unwrap();
    let pid = fs::read_to_string(&file).unwrap().trim().to_owned();
    drop(client);
    until("the daemon's end", || !lives(&pid)).await;
}

/// Run by the next test in a process of its own: a gateway that is killed.
#[tokio::test]
#[ignore = "the other half of j13"]
async fn j13_gateway() {
    let client = StdioClient::new(
        fixture("legacy"),
        launcher(),
        Timing::default(),
        Identity::default(),
    );
    let file = std::env::temp_dir().join(format!("cmcp-j13-{}", std::process::id()));
    ask(
        &client,
        call_with("daemon", &format!("{{\"file\":\"{}\"}}", file.display())),
    )
    .await
    .unwrap();
    println!("daemon {}", file.display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn j13_nothing_survives_a_gateway_that_is_killed() {
    let mut gateway = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "stdio::life::j13_gateway",
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(gateway.stdout.take().unwrap()).lines();
    let file = loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the gateway speaks");
        if let Some((_, file)) = line.split_once("daemon ") {
            break file.to_owned();
        }
    };
    let daemon = fs::read_to_string(&file).unwrap().trim().to_owned();
    fs::remove_file(&file).unwrap();
    let gateway_pid = gateway.id().unwrap().to_string();
    let below = children(&gateway_pid);
    assert!(!below.is_empty() && lives(&daemon));
    gateway.kill().await.unwrap();
    until("the end of all", || {
        !lives(&daemon) && below.iter().all(|pid| !lives(pid))
    })
    .await;
}

/// Supervisors and servers below a process.
fn children(pid: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut parents = vec![pid.to_owned()];
    while let Some(parent) = parents.pop() {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            let above = stat
                .rsplit_once(')')
                .unwrap()
                .1
                .split_ascii_whitespace()
                .nth(1)
                .unwrap();
            if above == parent {
                let pid = entry.file_name().to_string_lossy().into_owned();
                parents.push(pid.clone());
                found.push(pid);
            }
        }
    }
    found
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_server_along() {
    let client = client(fixture("legacy"));
    ask(&client, call("echo")).await.unwrap();
    let below = children(&std::process::id().to_string());
    let supervisor = below
        .iter()
        .find(|pid| {
            let exe = fs::read_link(format!("/proc/{pid}/exe"));
            exe.is_ok_and(|exe| exe == example("supervise"))
        })
        .unwrap();
    let before = client.generation(Kind::Tools);
    let killed = std::process::Command::new("kill")
        .args(["-9", supervisor])
        .status()
        .unwrap();
    assert!(killed.success());
    until("the end of all", || below.iter().all(|pid| !lives(pid))).await;
    until("the noticing", || client.generation(Kind::Tools) != before).await;
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}
