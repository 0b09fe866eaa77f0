//! The routes beside MCP.

use cmcp_evidence::Sha256Digest;

use super::support::{ALICE, BOB, Setup, gateway::call, text};

#[test]
fn the_two_probes_have_budgets_of_their_own_and_say_when_to_come_back() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    let ask = |path: &str| gateway.request(&format!("GET {path}"), &[], b"");
    for _ in 0..600 {
        assert_eq!(ask("/health").status, 200);
    }
    let refused = ask("/health");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(text(&refused.json(), "error_code"), "RATE_LIMITED");
    let ready = ask("/readyz");
    assert_eq!(
        (ready.status, ready.text().as_str()),
        (
            200,
            r#"{"status":"ready","checks":{"policy":"ok","attestation":"ok","runtime_controls":"ok","kill_switch":"ok"}}"#
        )
    );
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 200);
    gateway.finish();
}

#[test]
fn f13_a_transport_session_of_somebody_else_is_not_found_counted_and_noted() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    let session = gateway.initialize(ALICE);
    let body = call("echo", r#"{"text":"a"}"#);
    let headers = [
        ("Mcp-Session-Id", session.as_str()),
        ("MCP-Protocol-Version", "2025-11-25"),
    ];
    let own = gateway.post_as(ALICE, body.as_bytes(), &headers);
    assert_eq!(own.status, 200, "{}", own.text());
    let foreign = gateway.post_as(BOB, body.as_bytes(), &headers);
    assert_eq!(foreign.status, 404, "{}", foreign.text());
    let unknown = [("Mcp-Session-Id", "0123456789abcdef0123456789abcdef")];
    let unknown = gateway.post_as(BOB, body.as_bytes(), &unknown);
    assert_eq!(
        unknown.text(),
        foreign.text(),
        "somebody's is like nobody's"
    );
    gateway.await_log("somebody else's transport session was named", 1);
    let metrics = gateway.operator("GET /metrics", "").text();
    assert!(
        metrics.contains("cmcp_foreign_sessions_total 1"),
        "{metrics}"
    );
    // It stands in the log of a session of whoever named it, as a digest.
    let entries = gateway.finish();
    let noted: Vec<_> = entries
        .iter()
        .filter(|entry| text(entry, "kind") == "foreign_session")
        .map(|entry| text(entry, "named").to_owned())
        .collect();
    assert_eq!(noted, [Sha256Digest::of(session.as_bytes()).to_string()]);
}

#[test]
fn a_blocked_principal_gets_a_signed_receipt_with_every_refusal() {
    use cmcp_evidence::{PublicKey, Signature};
    use cmcp_json::{Form, Value, canonical_without};

    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 200);
    let order = r#"{"agent_id":"alice","reason":"drill","authorized_by":"zoe"}"#;
    let tripped = gateway.operator("POST /kill-switch/trip", order);
    assert_eq!(tripped.status, 200, "{}", tripped.text());
    let claim = tripped.json().get("claim").unwrap().clone();
    let refused = gateway.call("echo", r#"{"text":"b"}"#);
    assert_eq!(
        refused.refusal(),
        (403, -32000, "KILL_SWITCH_TRIPPED".to_owned())
    );
    let body = refused.json();
    let data = body.get("error").unwrap().get("data").unwrap();
    assert_eq!(text(data, "agent_id"), "alice");
    let receipt = data.get("receipt").unwrap();
    assert_eq!(text(receipt, "type"), "cmcp.kill-switch.refusal/v1");
    let digest = canonical_without(&claim, "signature", Form::Pyj).unwrap();
    let digest = Sha256Digest::of(&digest).to_string();
    assert_eq!(text(receipt, "claim_digest"), digest);
    let signed = canonical_without(receipt, "signature", Form::Pyj).unwrap();
    let key = PublicKey::from_b64url(text(receipt, "gateway_key")).unwrap();
    let signature = Signature::from_b64url(text(receipt, "signature")).unwrap();
    key.verify(&signed, &signature).unwrap();
    let members: Vec<&str> = receipt.as_object().unwrap().keys().collect();
    let expected = [
        "type",
        "agent_id",
        "session_id",
        "refused_at",
        "gateway_key",
        "claim_digest",
        "signature",
    ];
    assert_eq!(members, expected);
    assert_eq!(server.calls().len(), 1);
    let lifted = gateway.operator("POST /kill-switch/unblock", order);
    assert_eq!(
        lifted.json().get("gateway_halted"),
        Some(&Value::Bool(false))
    );
    assert_eq!(gateway.call("echo", r#"{"text":"c"}"#).status, 200);
    gateway.finish();
}
