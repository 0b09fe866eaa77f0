//! Configuration and start: the first half of family M.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use crate::support::{
    ALICE, OPERATOR, Setup, Tool,
    gateway::private,
    member,
    setup::{ECHO, PAY},
    text,
};

#[test]
fn m01_a_configuration_that_could_be_read_two_ways_is_refused_with_its_place() {
    for (lines, said) in [
        ("enforcement: silent\n", "`enforcement` is not a key"),
        (
            "record_per: session\nrecord_per: call\n",
            "`record_per` is set already on line 1",
        ),
        ("record_per: &a session\n", "an anchor"),
        ("redact: [\"$.a\"]\nallowed_hosts: *a\n", "malformed"),
        ("record_per: !!str session\n", "the tag"),
        (
            "trust_domain: !<tag:yaml.org,2002:python/object:os.system> x\n",
            "the tag",
        ),
        (
            "a: &a [1]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
            "an anchor",
        ),
        ("record_per: \"ca\\x00ll\"\n", "`record_per`"),
        ("listen_addr: \"127.0.0.1:99999\"\n", "`listen_addr`"),
        (
            "max_response_size_bytes: 0x200\n",
            "`max_response_size_bytes`",
        ),
        ("---\n---\nrecord_per: call\n", "second document"),
        (
            "kill_switch:\n  enabled: true\n",
            "not available in this version",
        ),
        (
            "conformance_profile: aarm\n",
            "not available in this version",
        ),
        ("redact: [", "malformed"),
    ] {
        let (server, setup) = Setup::usual();
        let failed = setup.settings(lines).fail();
        assert_eq!(failed.code, Some(1), "{lines}: {failed:?}");
        let found = failed
            .errors()
            .iter()
            .any(|error| error.contains(said) && error.contains("cmcp-config.yaml:"));
        assert!(found, "{lines}: {failed:?}");
        private(&failed.stderr, "the errors");
        assert!(server.is_untouched());
    }
}

#[test]
fn m01_the_environment_overrides_no_security_setting() {
    for (name, value, lines) in [
        // Development mode weakens nothing beyond this machine …
        (
            "CMCP_DEV_MODE",
            "1",
            "listen_addr: \"0.0.0.0:0\"\ndanger_plain_http: true\n",
        ),
        // … and is asked for exactly.
        ("CMCP_DEV_MODE", "yes", ""),
        ("CMCP_DEV_MODE", "true", ""),
        (
            "CMCP_SESSION_CLOSE_DRAIN_SECONDS",
            "0",
            "session_close_drain_seconds: 30\n",
        ),
        ("CMCP_OPERATOR_TOKEN", ALICE, ""),
        ("CMCP_BEARER_TOKEN", OPERATOR, ""),
        ("CMCP_POLICY_HASH", "sha256:00", ""),
        (
            "CMCP_CATALOG_HASH",
            &format!("sha256:{}", "0".repeat(64)),
            "",
        ),
    ] {
        let (_server, setup) = Setup::usual();
        let failed = setup.variable(name, value).settings(lines).fail();
        assert_eq!(failed.code, Some(1), "{name}={value}: {failed:?}");
        assert!(!failed.errors().is_empty());
        private(&failed.stderr, "the errors");
    }
    // What looks like a setting and is none changes nothing, and is said.
    let (_server, setup) = Setup::usual();
    let gateway = setup.variable("CMCP_ENFORCEMENT_MODE", "silent").start();
    gateway.await_log("`CMCP_ENFORCEMENT_MODE` is not read", 1);
    assert_eq!(gateway.call("pay", r#"{"amount":5000}"#).status, 403);
    gateway.finish();
}

#[test]
fn m03_development_mode_says_software_and_who_expects_hardware_is_refused() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    let session = gateway.call("echo", r#"{"text":"a"}"#);
    let start = &gateway.log_of(&session)[0];
    assert_eq!(text(start, "platform"), "software-only");
    let id = session.header("cmcp-session-id").unwrap();
    let claim = gateway
        .asked(ALICE, &format!("POST /sessions/{id}/close"), "")
        .json();
    assert_eq!(
        member(&claim, "trace.runtime.firmware_version").as_str(),
        Some("software-only-dev-mode")
    );
    let record = gateway.asked(ALICE, &format!("GET /sessions/{id}/trust-record"), "");
    fs::write(gateway.files.path("record.json"), &record.body).unwrap();
    assert_eq!(
        member(&record.json(), "appraisal.status").as_str(),
        Some("none")
    );
    let (code, said) = gateway.files.run(&["verify", "record.json"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("software_evidence"), "{said}");
    let measurement = format!("sha256:{}", "ab".repeat(32));
    let (code, said) = gateway.files.run(&[
        "verify",
        "record.json",
        "--launch-measurement",
        &measurement,
    ]);
    assert_eq!(code, 1, "{said}");
    gateway.await_log("software evidence, because of `CMCP_DEV_MODE=1`", 1);
    gateway.finish();
}

#[test]
fn m04_a_file_that_anybody_may_write_is_refused_and_a_link_is_said() {
    let (_server, setup) = Setup::usual();
    let files = setup.prepare();
    for name in [
        "cmcp-config.yaml",
        "catalog.json",
        "policies/main.cedar",
        "policies/manifest.json",
    ] {
        let mode =
            |mode| fs::set_permissions(files.path(name), fs::Permissions::from_mode(mode)).unwrap();
        mode(0o666);
        let failed = files.fail();
        assert_eq!(failed.errors().len(), 1, "{name}: {failed:?}");
        assert!(
            failed.stderr.contains("chmod o-w") && failed.stderr.contains(name),
            "{failed:?}"
        );
        mode(0o600);
    }
    fs::rename(files.path("cmcp-config.yaml"), files.path("real.yaml")).unwrap();
    symlink(files.path("real.yaml"), files.path("cmcp-config.yaml")).unwrap();
    let gateway = files.start();
    gateway.await_log("symbolic link", 1);
    gateway.finish();
}

#[test]
fn m05_what_is_missing_is_one_line_and_never_a_default() {
    for (missing, said) in [
        ("policies", "policies"),
        ("catalog.json", "catalog.json"),
        ("cmcp-config.yaml", "cmcp-config.yaml"),
    ] {
        let (server, setup) = Setup::usual();
        let files = setup.prepare();
        fs::rename(files.path(missing), files.path("elsewhere")).unwrap();
        let failed = files.fail();
        assert_eq!(
            (failed.code, failed.errors().len()),
            (Some(1), 1),
            "{missing}: {failed:?}"
        );
        assert!(failed.errors()[0].contains(said), "{failed:?}");
        assert!(server.is_untouched());
    }
    // Nor does an empty one permit anything, or an empty catalog list anything.
    let (server, setup) = Setup::usual();
    let gateway = setup.policy("").start();
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 403);
    assert!(server.is_untouched());
    gateway.finish();
    let failed = Setup::usual().1.catalog("").fail();
    assert_eq!(
        (failed.code, failed.errors().len()),
        (Some(1), 1),
        "{failed:?}"
    );
    // Production asks for all that development mode lets one leave out.
    let failed = Setup::usual()
        .1
        .open()
        .without("CMCP_DEV_MODE")
        .without("CMCP_OPERATOR_TOKEN")
        .fail();
    for code in [
        "BEARER_TOKEN_REQUIRED",
        "OPERATOR_TOKEN_REQUIRED",
        "POLICY_HASH_REQUIRED",
        "CATALOG_HASH_REQUIRED",
    ] {
        let told = failed
            .errors()
            .iter()
            .filter(|error| error.contains(code))
            .count();
        assert_eq!(told, 1, "{code}: {failed:?}");
    }
}

#[test]
fn e29_a_mode_that_lets_denied_calls_pass_is_stated_in_the_record() {
    for (mode, hint) in [("advisory", true), ("silent", false)] {
        let (server, setup) = Setup::usual();
        let pins = setup.prepare();
        let hash = |path: &str| {
            let (code, said) = pins.run(&["validate-bundle", "--bundle-path", path]);
            assert_eq!(code, 0, "{said}");
            let digest = said
                .split_whitespace()
                .find(|word| word.starts_with("sha256:"));
            digest.unwrap().to_owned()
        };
        let url = server.url.clone();
        let tools = [Tool::reads(ECHO), Tool::writes(PAY)];
        let gateway = Setup::empty()
            .server("up", &url)
            .tools(&tools)
            .without("CMCP_DEV_MODE")
            .variable("CMCP_POLICY_HASH", &hash("policies"))
            .variable("CMCP_CATALOG_HASH", &hash("catalog.json"))
            .settings("danger_software_evidence: true\n")
            .attestation(&format!("enforcement_mode: {mode}"))
            .start();
        gateway.await_log(&format!("enforcement mode `{mode}`"), 1);
        let answer = gateway.call("pay", r#"{"amount":5000}"#);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = member(&answer.json(), "result._cmcp.would_have_denied");
        assert_eq!(told.as_bool(), Some(hint), "{}", answer.text());
        let outcome = gateway.outcome(&answer);
        assert_eq!(text(&outcome, "verdict"), "advisory_deny");
        assert_eq!(member(&outcome, "would_have_denied").as_bool(), Some(true));
        assert_eq!(text(&gateway.log_of(&answer)[0], "mode"), mode);
        let id = answer.header("cmcp-session-id").unwrap();
        let close = format!("POST /sessions/{id}/close");
        let claim = gateway.asked(ALICE, &close, "").json();
        assert_eq!(
            member(&claim, "trace.policy.enforcement_mode").as_str(),
            Some("advisory")
        );
        let record = gateway
            .asked(ALICE, &format!("GET /sessions/{id}/trust-record"), "")
            .json();
        assert_eq!(
            member(&record, "policy.enforcement_mode").as_str(),
            Some("advisory"),
            "{record}"
        );
        gateway.finish();
    }
}
