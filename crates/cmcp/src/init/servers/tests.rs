use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use cmcp_policy::catalog::{TlsPin, Transport};

use super::{plan, slug};
use crate::init::{
    InitError,
    clients::{Found, Launch},
};

fn found(name: &str, launch: Launch) -> Found {
    Found {
        name: name.to_owned(),
        launch,
    }
}

fn url(text: &str) -> Launch {
    Launch::Url {
        url: text.to_owned(),
        headers: vec!["Authorization".to_owned()],
    }
}

#[test]
fn values_stay_in_memory_and_names_are_planned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("npx");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let env = [("KEY", "known"), ("ASKED", ""), ("NOWHERE", "")];
    let launch = Launch::Command {
        command: "npx".to_owned(),
        args: vec!["-y".to_owned(), "server".to_owned()],
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        cwd: None,
    };
    let value = |name: &str| (name == "ASKED").then(|| "exported".to_owned());
    let (planned, left_out) = plan(
        vec![found("My Files", launch)],
        Some(folder.path().as_os_str()),
        &value,
    )
    .unwrap();
    assert_eq!(left_out, Vec::new());
    let planned = &planned[0];
    assert_eq!(planned.spec.name, "my-files");
    assert_eq!(planned.spec.display_name.as_deref(), Some("My Files"));
    let values = [("KEY", "known"), ("ASKED", "exported")];
    let values: BTreeMap<String, String> = values
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    assert_eq!(planned.values, values);
    let Transport::Stdio { command, env, .. } = &planned.spec.transport else {
        panic!("stdio")
    };
    assert_eq!(*command, path.display().to_string());
    assert_eq!(env, &["ASKED", "KEY", "NOWHERE"]);
    assert_eq!(
        planned.warnings,
        [
            "`my-files`: `npx` fetches and runs what a registry offers at that moment; what is measured is `npx`, not the server. Install the server and name its own program"
        ]
    );
}

#[test]
fn addresses_are_recognised_by_their_certificate_chain() {
    let (planned, _) = plan(
        vec![found("crm", url("https://crm.example/mcp"))],
        None,
        &|_| None,
    )
    .unwrap();
    let Transport::Http { pin, .. } = &planned[0].spec.transport else {
        panic!("http")
    };
    assert_eq!(*pin, TlsPin::WebPki);
    assert_eq!(
        planned[0].warnings,
        [
            "`crm`: the client sends `Authorization` there; this version sends no credentials to servers over HTTP"
        ]
    );
}

#[test]
fn what_cannot_be_started_is_left_out_with_its_reason() {
    let launch = Launch::Command {
        command: "no-such-program".to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
        cwd: None,
    };
    let (planned, left_out) = plan(vec![found("a", launch)], None, &|_| None).unwrap();
    assert_eq!(planned, Vec::new());
    assert_eq!(
        left_out[0].reason,
        "`no-such-program` is not on the search path; install it, or write its absolute path"
    );
}

#[test]
fn two_servers_do_not_share_a_name() {
    let two = vec![
        found("CRM", url("https://a.example")),
        found("crm", url("https://b.example")),
    ];
    let error = plan(two, None, &|_| None).unwrap_err();
    assert!(
        matches!(&error, InitError::Twice { name } if name == "crm"),
        "{error}"
    );
}

#[test]
fn names_become_part_of_tool_names() {
    for (display, expected) in [
        ("files", "files"),
        ("My Server!", "my-server"),
        ("@scope/pkg", "scope-pkg"),
        ("7zip", "s7zip"),
        ("ü", "s"),
        (
            "a-name-that-is-much-too-long-for-a-tool",
            "a-name-that-is-much-too-long-fo",
        ),
    ] {
        assert_eq!(slug(display), expected, "{display}");
    }
}
