//! What a child process finds, and what it cannot do.

use cmcp_mcp::{
    Server, UpstreamError,
    child::{ChildLimits, EnvValue, Spawn, SpawnError},
    upstream::{Bound, Kind},
};

use super::support::{ask, call, call_with, client, example, fixture};

#[tokio::test]
async fn j01_the_environment_is_what_was_named_and_four_fixed_values() {
    let named = vec![("API_KEY".to_owned(), EnvValue::new("s3cret".to_owned()))];
    let client = client(Spawn {
        env: named,
        ..fixture("legacy")
    });
    let seen = ask(&client, call("environment")).await.unwrap();
    let mut names: Vec<_> = seen.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["API_KEY", "HOME", "LANG", "PATH", "TZ"]);
    assert_eq!(seen.get("API_KEY").unwrap().as_str(), Some("s3cret"));
    client.close().await;
}

#[tokio::test]
async fn j01_values_of_variables_appear_on_no_command_line_and_in_no_debug_output() {
    let named = vec![(
        "API_KEY".to_owned(),
        EnvValue::new("hunter-2-hunter".to_owned()),
    )];
    let client = client(Spawn {
        env: named,
        ..fixture("legacy")
    });
    assert!(!format!("{client:?}").contains("hunter"));
    ask(&client, call("echo")).await.unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("hunter-2"));
    }
    client.close().await;
}

#[tokio::test]
async fn j04_variables_that_load_code_are_refused() {
    for name in [
        "LD_PRELOAD",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "ld_preload",
        "BASH_ENV",
    ] {
        let named = vec![(name.to_owned(), EnvValue::new("/tmp/evil.so".to_owned()))];
        let client = client(Spawn {
            env: named,
            ..fixture("legacy")
        });
        let refused = SpawnError::ForbiddenVariable {
            name: name.to_owned(),
        };
        assert_eq!(
            client.list(Kind::Tools).await.unwrap_err(),
            UpstreamError::Spawn(refused)
        );
        client.close().await;
    }
}

#[tokio::test]
async fn j12_umask_locale_clock_and_directory_are_fixed() {
    let client = client(fixture("legacy"));
    let environment = ask(&client, call("environment")).await.unwrap();
    assert_eq!(environment.get("TZ").unwrap().as_str(), Some("UTC"));
    assert_eq!(environment.get("LANG").unwrap().as_str(), Some("C.UTF-8"));
    let seen = ask(&client, call("surroundings")).await.unwrap();
    assert_eq!(seen.get("umask").unwrap().as_str(), Some("0077"));
    assert_eq!(seen.get("cwd").unwrap().as_str(), Some("/"));
    assert_eq!(seen.get("privileges").unwrap().as_bool(), Some(true));
    let own = example("fixture");
    assert_eq!(seen.get("name").unwrap().as_str(), own.to_str());
    client.close().await;
}

/// How many descriptors this process would hand to any child, whoever started it so.
fn inheritable() -> usize {
    let close_on_exec = |flags: &str| i32::from_str_radix(flags, 8).unwrap() & 0o2_000_000 != 0;
    let entries = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let infos =
        entries.filter(|entry| !["0", "1", "2"].contains(&&*entry.file_name().to_string_lossy()));
    let infos = infos.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    infos
        .filter(|info| {
            let flags = info
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .unwrap();
            !close_on_exec(flags.trim())
        })
        .count()
}

#[tokio::test]
async fn a_child_holds_its_three_pipes_and_nothing_else_of_ours() {
    let _ours = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(fixture("legacy"));
    let seen = ask(&client, call("surroundings")).await.unwrap();
    let open = seen.get("open").unwrap().as_array().unwrap();
    assert!(
        open.iter()
            .all(|open| !open.as_str().unwrap().starts_with("socket:")),
        "{open:?}"
    );
    // The pipes, and the folder that is being looked through.
    assert_eq!(open.len(), 4 + inheritable(), "{open:?}");
    client.close().await;
}

#[tokio::test]
async fn j05_a_gigabyte_on_standard_error_blocks_nothing() {
    let client = client(fixture("legacy"));
    let flood = client.ask(call_with("flood", "{\"chunks\":\"16384\"}"));
    flood.await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn j09_descriptors_are_limited() {
    let limits = ChildLimits {
        files: 64,
        ..ChildLimits::default()
    };
    let client = client(Spawn {
        limits,
        ..fixture("legacy")
    });
    let opened = ask(&client, call("descriptors")).await.unwrap();
    let opened = opened.as_array().unwrap()[0].as_i64().unwrap();
    assert!(opened < 64, "{opened}");
    client.close().await;
}

#[tokio::test]
async fn j09_memory_is_limited_and_the_next_call_is_served() {
    let limits = ChildLimits {
        memory: 128 << 20,
        ..ChildLimits::default()
    };
    let client = client(Spawn {
        limits,
        ..fixture("legacy")
    });
    ask(&client, call("echo")).await.unwrap();
    if client.observed().confinement.unwrap().memory == Bound::None {
        println!("skipped: nothing on this machine bounds memory");
        return;
    }
    let lost = client.ask(call("memory")).await.unwrap_err();
    assert_eq!(lost, UpstreamError::Lost { sent: true });
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn j09_processes_are_limited_and_all_of_them_end() {
    let limits = ChildLimits {
        processes: 40,
        ..ChildLimits::default()
    };
    let client = client(Spawn {
        limits,
        ..fixture("legacy")
    });
    ask(&client, call("echo")).await.unwrap();
    if client.observed().confinement.unwrap().processes == Bound::None {
        println!("skipped: nothing on this machine bounds the number of processes");
        return;
    }
    let started = ask(&client, call("processes")).await.unwrap();
    let started = started.as_array().unwrap()[0].as_i64().unwrap();
    assert!((1..2000).contains(&started), "{started}");
    client.close().await;
    let left = std::fs::read_dir("/sys/fs/cgroup/pids")
        .into_iter()
        .flatten()
        .flatten();
    let ours = format!("cmcp-child-{}", std::process::id());
    assert!(
        left.map(|entry| entry.file_name())
            .all(|name| name != ours.as_str())
    );
}

#[tokio::test]
async fn how_it_is_confined_is_told() {
    let client = client(fixture("legacy"));
    assert_eq!(client.observed().confinement, None);
    ask(&client, call("echo")).await.unwrap();
    let confinement = client.observed().confinement.unwrap();
    let groups = std::path::Path::new("/sys/fs/cgroup/pids/cgroup.procs");
    if groups.exists() && rustix::process::geteuid().is_root() {
        assert_eq!(confinement.processes, Bound::Cgroup);
    }
    client.close().await;
}
