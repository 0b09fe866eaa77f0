//! Rules that change while the gateway runs: exceptions from the catalog, and newer policy.

use std::{fs, sync::Arc};

use cmcp_evidence::SigningKey;
use cmcp_json::Value;
use cmcp_policy::{Compat, bundle::PolicyBundle};

use super::support::{Gateway, Prepared, Server, Setup, Tool, json, setup::definitions, text};

const ALL: &str = "@id(\"all\")\npermit(principal, action, resource);";
const NONE: &str = "@id(\"none\")\nforbid(principal, action, resource);\n@id(\"all\")\npermit(principal, action, resource);";

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// Writes a bundle; signed when there is a key.
fn write(prepared: &Prepared, version: &str, policy: &str, key: Option<&SigningKey>) {
    let manifest = |signature: &str| {
        format!(
            r#"{{"version":"{version}","authored_at":"2026-11-01T00:00:00Z","author_identity":"tests","commit_sha":"0"{signature}}}"#
        )
    };
    let files = |manifest: String| {
        vec![
            ("main.cedar".to_owned(), policy.as_bytes().to_vec()),
            ("manifest.json".to_owned(), manifest.into_bytes()),
            ("schema.cedarschema".to_owned(), Vec::new()),
        ]
    };
    let signature = key.map(|key| {
        let bundle = PolicyBundle::parse(&files(manifest("")), Compat::Off).unwrap();
        let signature = key.sign(&bundle.signed_bytes()).to_b64url();
        format!(r#","signature":"{signature}""#)
    });
    for (name, bytes) in files(manifest(&signature.unwrap_or_default())) {
        fs::write(prepared.path("policies").join(name), bytes).unwrap();
    }
}

fn reloading() -> (Server, Arc<Prepared>) {
    let (server, setup) = Setup::usual();
    let prepared = setup
        .settings("policy_reload_interval_seconds: 1\n")
        .variable("CMCP_POLICY_SIGNING_KEY", &key().public().to_b64url())
        .prepare();
    write(&prepared, "1.9", ALL, Some(&key()));
    (server, prepared)
}

fn kinds(log: &[Value]) -> Vec<&str> {
    log.iter().map(|entry| text(entry, "kind")).collect()
}

#[test]
fn a_newer_signed_bundle_is_taken_over_and_everything_verifies_afterwards() {
    let (_server, prepared) = reloading();
    let gateway = prepared.start();
    let allowed = gateway.call("echo", r#"{"text":"a"}"#);
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    // A downgrade is refused, however well it is signed; so is a bundle that nobody signed.
    write(&prepared, "1.8", NONE, Some(&key()));
    gateway.await_log("does not exceed `1.9`", 1);
    write(&prepared, "1.10", NONE, None);
    gateway.await_log("has no `signature`", 1);
    assert_eq!(gateway.call("echo", r#"{"text":"b"}"#).status, 200);
    write(&prepared, "1.10", NONE, Some(&key()));
    gateway.await_log("a newer policy bundle is in force", 1);
    let denied = gateway.call("echo", r#"{"text":"c"}"#);
    assert_eq!(
        denied.refusal(),
        (403, -32000, "TOOL_NOT_IN_CATALOG".to_owned())
    );
    let log = gateway.log_of(&denied);
    let told = kinds(&log);
    let at = told.iter().position(|kind| *kind == "policy_load").unwrap();
    assert_eq!(text(&log[at], "version"), "1.10");
    assert!(told[at..].contains(&"outcome") && told[..at].contains(&"outcome"));
    let metrics = gateway.operator("GET /metrics", "").text();
    for line in [
        "cmcp_policies_loaded_total 1",
        "cmcp_policies_refused_total 2",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    gateway.finish();
}

#[test]
fn a_start_that_could_never_reload_is_refused() {
    let (_server, setup) = Setup::usual();
    let unsigned = setup.settings("policy_reload_interval_seconds: 1\n");
    let failed = unsigned.fail();
    assert_eq!(failed.code, Some(1));
    assert!(
        failed
            .stderr
            .contains("error: POLICY_SIGNING_KEY_INVALID: "),
        "{failed:?}"
    );

    let (_server, setup) = Setup::usual();
    let prepared = setup
        .settings("policy_reload_interval_seconds: 1\n")
        .variable("CMCP_POLICY_HASH", &format!("sha256:{}", "ab".repeat(32)))
        .prepare();
    let failed = prepared.fail();
    assert!(
        failed.stderr.contains("error: POLICY_RELOAD_PINNED_HASH: "),
        "{failed:?}"
    );

    let (_server, prepared) = reloading();
    for (bundle, code) in [
        (("1.9", None), "POLICY_SIGNATURE_INVALID"),
        (
            ("1.9", Some(SigningKey::from_seed(&[8; 32]))),
            "POLICY_SIGNATURE_INVALID",
        ),
        (("first", Some(key())), "CONFIG_ERROR"),
    ] {
        let (version, signer) = bundle;
        write(&prepared, version, ALL, signer.as_ref());
        let failed = prepared.fail();
        assert!(
            failed.stderr.contains(&format!("{code}: ")),
            "{code}: {failed:?}"
        );
    }
}

fn exception(server: &Server, seconds: u32) -> String {
    format!(
        r#"{{"reason":"outage 17","authorized_by":"zoe","tool_names":["restart"],"expires_in_seconds":{seconds},"server_identity":{{"display_name":"Ops","url":"{}","tls_fingerprint":"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}}}"#,
        server.url
    )
}

#[test]
fn break_glass_is_callable_for_a_while_and_everything_verifies_afterwards() {
    let (_server, setup) = Setup::usual();
    let emergency = Server::offering(&definitions(&[Tool::named("restart")]));
    let gateway = setup.start();
    let before = gateway.call("restart", "{}");
    assert_eq!(
        before.refusal(),
        (403, -32000, "TOOL_NOT_IN_CATALOG".to_owned())
    );
    let added = gateway.operator("POST /catalog/exception", &exception(&emergency, 4));
    assert_eq!(added.status, 201, "{}", added.text());
    let used = gateway.call("restart", r#"{"anything":{"goes":[1]}}"#);
    assert_eq!(used.status, 200, "{}", used.text());
    assert_eq!(emergency.calls().len(), 1);
    gateway.still_serves();
    gateway.await_log("an exception has ended", 1);
    let after = gateway.call("restart", "{}");
    assert_eq!(
        after.refusal(),
        (403, -32000, "TOOL_NOT_IN_CATALOG".to_owned())
    );
    assert_eq!(emergency.calls().len(), 1);
    let log = gateway.log_of(&after);
    let told: Vec<&str> = log
        .iter()
        .filter(|entry| text(entry, "kind") == "break_glass")
        .map(|entry| text(entry, "exception"))
        .collect();
    assert_eq!(told, ["added", "used", "expired"]);
    let claim = closed(&gateway, used.header("cmcp-session-id").unwrap());
    let listed = claim
        .get("gateway")
        .unwrap()
        .get("catalog_exceptions")
        .unwrap();
    assert_eq!(text(&listed.as_array().unwrap()[0], "tool_name"), "restart");
    gateway.finish();
}

#[test]
fn an_exception_is_not_there_after_a_restart_and_the_killed_session_still_names_it() {
    let (_server, setup) = Setup::usual();
    let emergency = Server::offering(&definitions(&[Tool::named("restart")]));
    let gateway = setup.start();
    gateway.operator("POST /catalog/exception", &exception(&emergency, 3_600));
    let used = gateway.call("restart", "{}");
    assert_eq!(used.status, 200, "{}", used.text());
    let session = used.header("cmcp-session-id").unwrap().to_owned();
    let gateway = gateway.kill().start();
    let after = gateway.call("restart", "{}");
    assert_eq!(
        after.refusal(),
        (403, -32000, "TOOL_NOT_IN_CATALOG".to_owned())
    );
    let claim = gateway.operator(&format!("GET /sessions/{session}/trace-claim"), "");
    let claim = claim.json();
    let listed = claim
        .get("gateway")
        .unwrap()
        .get("catalog_exceptions")
        .unwrap();
    assert_eq!(text(&listed.as_array().unwrap()[0], "reason"), "outage 17");
    gateway.end(1);
}

#[test]
fn a_session_that_was_killed_under_another_policy_is_sealed_under_its_own() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 200);
    let prepared = gateway.kill();
    write(&prepared, "2", NONE, None);
    let gateway = prepared.start();
    let denied = gateway.call("echo", r#"{"text":"a"}"#);
    assert_eq!(denied.status, 403);
    // Verifies both sessions' records against their logs.
    gateway.end(1);
}

fn closed(gateway: &Gateway, session: &str) -> Value {
    let answer = gateway.operator(&format!("POST /sessions/{session}/close"), "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    json(&answer.text())
}
