//! Child processes below the running product: family J. What a child can do to its client alone is
//! tested where the client is.

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, time::Instant,
};

use cmcp_evidence::Sha256Digest;
use cmcp_policy::catalog::Transport;
use tempfile::TempDir;

use crate::support::{
    ALICE, OPERATOR, PATIENCE, SECRET, Setup, Tool, member, setup::definitions, text,
};

/// A server in a few lines of shell. It notes its process and every call in a folder.
struct Script {
    folder: TempDir,
}

const TOOLS: [&str; 4] = ["echo", "die", "daemon", "hang"];

impl Script {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let text = format!(
            r#"#!/bin/sh
echo $$ >>'{place}/pids'
while read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
  case "$line" in
    *'"tools/call"'*) printf '%s\n' "$line" >>'{place}/calls';;
  esac
  case "$line" in
    *'"initialize"'*) result='{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"s","version":"1"}}}}';;
    *'"tools/list"'*) result='{{"tools":'$(cat '{place}/tools.json')'}}';;
    *'"name":"die"'*) exit 3;;
    *'"name":"hang"'*) continue;;
    *'"name":"daemon"'*)
      setsid sh -c "trap '' TERM HUP; echo \$\$ >'{place}/daemon.new'; mv '{place}/daemon.new' '{place}/daemon'; while :; do sleep 1; done" </dev/null >/dev/null 2>&1 &
      while [ ! -e '{place}/daemon' ]; do sleep 0.01; done
      result='{{"content":[]}}';;
    *'"tools/call"'*) result='{{"content":[{{"type":"text","text":"ok"}}]}}';;
    *'"id"'*) printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32601,"message":"no"}}}}\n' "$id"; continue;;
    *) continue;;
  esac
  printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$result"
done
"#
        );
        let script = Self { folder };
        script.write(&text);
        let offered = cmcp_json::Value::Array(definitions(&tools()));
        fs::write(script.path("tools.json"), offered.to_string()).unwrap();
        script
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        // Another file, so that a shell that reads the old one is not disturbed.
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, self.path("server")).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("server")).unwrap()
    }

    fn command(&self) -> String {
        self.path("server").display().to_string()
    }

    fn transport(&self) -> Transport {
        process(&self.command(), &[], &[])
    }

    /// The same, with script and interpreter measured.
    fn measured(&self) -> Transport {
        let files = [self.path("server"), fs::canonicalize("/bin/sh").unwrap()];
        let digest = |path: &Path| Sha256Digest::of(&fs::read(path).unwrap());
        let measured = [self.command(), "/bin/sh".to_owned()];
        Transport::Stdio {
            command: self.command(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            measured: measured
                .into_iter()
                .zip(files.iter().map(|path| digest(path)))
                .collect(),
        }
    }

    /// A gateway before it, which need not be measured.
    fn setup(&self) -> Setup {
        before(self.transport()).attestation("allow_unmeasured_spawn: true")
    }

    /// Calls that reached it.
    fn calls(&self) -> usize {
        self.lines("calls").len()
    }

    /// Every process that it was.
    fn pids(&self) -> Vec<String> {
        self.lines("pids")
    }

    fn daemon(&self) -> String {
        self.lines("daemon").remove(0)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

/// A process of which nothing is measured, with the variables that are let through to it.
fn process(command: &str, args: &[&str], env: &[&str]) -> Transport {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Transport::Stdio {
        command: command.to_owned(),
        args: owned(args),
        env: owned(env),
        cwd: None,
        measured: BTreeMap::new(),
    }
}

/// A gateway before this process, with everything permitted.
fn before(transport: Transport) -> Setup {
    let setup = Setup::empty().process("up", transport).tools(&tools());
    setup.policy("permit(principal, action, resource);")
}

/// All of them may change something.
fn tools() -> Vec<Tool> {
    let definition = |name| {
        format!(
            r#"{{"name":"{name}","description":"Does something.","inputSchema":{{"type":"object"}}}}"#
        )
    };
    TOOLS.map(|name| Tool::writes(&definition(name))).to_vec()
}

fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    // A zombie runs nothing any more.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !condition() {
        assert!(asked.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn j01_a_child_is_told_the_variables_the_catalog_names_and_none_of_the_gateways() {
    let script = Script::new();
    let setup = before(process(&script.command(), &[], &["SHOP_KEY"]))
        .attestation("allow_unmeasured_spawn: true")
        .variable("SHOP_KEY", "the-shops-own-key")
        .variable("SHOP_OTHER", "another")
        .variable("AWS_SECRET_ACCESS_KEY", SECRET);
    let gateway = setup.start();
    assert_eq!(gateway.call("echo", "{}").status, 200);
    let environment = fs::read_to_string(format!("/proc/{}/environ", script.pids()[0])).unwrap();
    let pairs = environment
        .split_terminator('\0')
        .map(|pair| pair.split_once('=').unwrap());
    let pairs: BTreeMap<_, _> = pairs.collect();
    let names: Vec<_> = pairs.keys().copied().collect();
    assert_eq!(names, ["HOME", "LANG", "PATH", "SHOP_KEY", "TZ"]);
    assert_eq!(pairs["SHOP_KEY"], "the-shops-own-key");
    for secret in [SECRET, OPERATOR, ALICE, "another"] {
        assert!(!environment.contains(secret));
    }
    let log = gateway.finish();
    assert!(!format!("{log:?}").contains("the-shops-own-key"));
}

#[test]
fn j02_a_command_is_an_absolute_path_and_no_shell_reads_it() {
    let marker = tempfile::tempdir().unwrap();
    let touch = |name: &str| format!("touch {}", marker.path().join(name).display());
    let commands = [
        "server".to_owned(),
        "./server".to_owned(),
        "../server".to_owned(),
        "npx".to_owned(),
        touch("a"),
        format!("sh -c '{}'", touch("b")),
        format!("$({})", touch("c")),
    ];
    for command in commands {
        let transport = process(&command, &["-y", "server@latest"], &[]);
        let failed = before(transport)
            .attestation("allow_unmeasured_spawn: true")
            .fail();
        assert_eq!(failed.code, Some(1), "{command}: {failed:?}");
        assert!(
            failed.stderr.contains("catalog.json"),
            "{command}: {failed:?}"
        );
    }
    // Absolute, and with everything in it that a shell would make something of: one file's name,
    // which does not exist.
    let command = format!(
        "/bin/sh -c '{}'; {} | {}",
        touch("d"),
        touch("e"),
        touch("f")
    );
    let transport = process(
        &command,
        &[&format!("; {}", touch("g")), &format!("`{}`", touch("h"))],
        &[],
    );
    let gateway = before(transport)
        .attestation("allow_unmeasured_spawn: true")
        .start();
    let answer = gateway.call("echo", "{}");
    assert_eq!(
        answer.refusal(),
        (502, -32000, "UPSTREAM_UNAVAILABLE".to_owned()),
        "{}",
        answer.text()
    );
    assert_eq!(
        gateway.verdict(&answer),
        ["upstream:spawn", "fault", "transport-failure"]
    );
    assert_eq!(
        fs::read_dir(marker.path()).unwrap().count(),
        0,
        "something ran"
    );
    gateway.finish();
}

#[test]
fn j03_a_script_that_is_not_the_measured_one_is_not_started_and_the_log_says_why() {
    let script = Script::new();
    let gateway = before(script.measured()).start();
    let answer = gateway.call("echo", "{}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let outcome = gateway.outcome(&answer);
    assert_eq!(
        member(&outcome, "server.evidence_class").as_str(),
        Some("spawn-measured")
    );
    let (good, started) = (script.text(), script.pids().len());
    script.write(&good.replace("\"ok\"", "\"evil\""));
    // The process that was measured goes on; its successor would be another.
    assert_eq!(gateway.call("echo", "{}").status, 200);
    let lost = gateway.call("die", "{}");
    assert_eq!(gateway.verdict(&lost)[0], "upstream_lost");
    let refused = gateway.call("echo", "{}");
    assert_eq!(
        refused.refusal(),
        (502, -32000, "UPSTREAM_UNAVAILABLE".to_owned()),
        "{}",
        refused.text()
    );
    assert_eq!(
        gateway.verdict(&refused),
        ["upstream:spawn", "fault", "transport-failure"]
    );
    assert!(!refused.text().contains("sha256:") && !refused.text().contains(&script.command()));
    assert_eq!(script.pids().len(), started, "it ran");
    gateway.finish();
    // What nobody measured is not started at all, unless the configuration says so.
    let failed = before(script.transport()).fail();
    assert_eq!(
        (failed.code, failed.errors().len()),
        (Some(1), 1),
        "{failed:?}"
    );
    assert!(
        failed.stderr.contains("no file of it is measured"),
        "{failed:?}"
    );
}

#[test]
fn j04_a_variable_that_loads_code_is_refused_in_the_catalog() {
    for name in ["LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS"] {
        let script = Script::new();
        let setup = before(process(&script.command(), &[], &[name]))
            .attestation("allow_unmeasured_spawn: true")
            .variable(name, "/tmp/evil.so");
        let failed = setup.fail();
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(
            failed.stderr.contains(name) && failed.stderr.contains("catalog.json"),
            "{failed:?}"
        );
        assert_eq!(script.pids().len(), 0);
    }
}

#[test]
fn j07_nothing_that_a_child_started_outlives_the_gateways_end() {
    let script = Script::new();
    let gateway = script.setup().start();
    let answer = gateway.call("daemon", "{}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let daemon = script.daemon();
    assert!(lives(&daemon));
    gateway.finish();
    assert!(!lives(&daemon), "it is gone when the gateway has ended");
    assert!(script.pids().iter().all(|pid| !lives(pid)));
}

#[test]
fn j11_a_child_that_exits_mid_call_loses_that_call_once_and_the_next_has_a_new_one() {
    let script = Script::new();
    let gateway = script.setup().start();
    assert_eq!(gateway.call("echo", "{}").status, 200);
    let answer = gateway.call("die", "{}");
    assert_eq!(
        answer.refusal(),
        (502, -32000, "UPSTREAM_UNAVAILABLE".to_owned()),
        "{}",
        answer.text()
    );
    let outcome = gateway.outcome(&answer);
    for (name, expected) in [
        ("code", "upstream_lost"),
        ("verdict", "fault"),
        ("result", "outcome-unknown"),
    ] {
        assert_eq!(text(&outcome, name), expected);
    }
    assert!(
        member(&outcome, "intent_seq").as_i64().is_some(),
        "{outcome}"
    );
    assert_eq!(script.calls(), 2, "it is not repeated");
    assert_eq!(gateway.call("echo", "{}").status, 200);
    assert_eq!(script.calls(), 3);
    assert_eq!(script.pids().len(), 2);
    gateway.finish();
}

#[test]
fn j13_a_gateway_that_is_killed_takes_its_children_along_and_none_serves_the_next() {
    let script = Script::new();
    let gateway = script.setup().start();
    assert_eq!(gateway.call("daemon", "{}").status, 200);
    let (daemon, first) = (script.daemon(), script.pids());
    assert!(lives(&daemon) && lives(&first[0]));
    let files = gateway.kill();
    until("the end of all", || !lives(&daemon) && !lives(&first[0]));
    let gateway = files.start();
    assert_eq!(gateway.call("echo", "{}").status, 200);
    let all = script.pids();
    assert_eq!(all.len(), 2, "{all:?}");
    assert_ne!(all[0], all[1]);
    gateway.end(1);
}
