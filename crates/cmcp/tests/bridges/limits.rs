//! Limits on callers, in the running product: told apart from what policy denies, for the one who
//! met them, with a time to come back.

use std::thread;

use cmcp_json::Value;

use crate::{
    client::{Got, Modern, Session, at, calling},
    items::usual,
    support::{ALICE, BOB, Gate, Gateway, text},
    upstream::{Era, Reply, Upstream},
};

fn limited(limits: &str) -> (Upstream, Gateway) {
    let (upstream, setup) = usual(Era::Legacy);
    let gateway = setup.settings(&format!("limits:\n{limits}")).start();
    (upstream, gateway)
}

/// The word, the limit and the time of a refusal for a limit.
fn refused(got: &Got) -> (String, String, Option<i64>) {
    let (code, data) = got.error();
    assert!(
        code > -32000 && code != -31001,
        "looks like a denial: {got:?}"
    );
    let after = at(&data, "retry_after").as_i64();
    (
        text(&data, "error_code").to_owned(),
        text(&data, "limit").to_owned(),
        after,
    )
}

fn codes(log: &[Value]) -> Vec<(String, String)> {
    let outcomes = log.iter().filter(|entry| text(entry, "kind") == "outcome");
    outcomes
        .map(|entry| {
            let code = at(entry, "code").as_str().unwrap_or_default().to_owned();
            (code, text(entry, "verdict").to_owned())
        })
        .collect()
}

#[test]
fn n01_calls_that_come_too_fast_are_told_when_to_come_back() {
    let (upstream, gateway) = limited("  default: {rate: 2/h}\n");
    let session = Session::open(&gateway, ALICE, "{}");
    session.call("echo").result();
    Modern::new(&gateway, ALICE).call("echo").result();
    // Whichever way it comes: the principal's calls are one.
    for got in [
        session.call("echo"),
        Modern::new(&gateway, ALICE).call("echo"),
    ] {
        let (word, limit, after) = refused(&got);
        assert_eq!((word.as_str(), limit.as_str()), ("RATE_LIMITED", "rate"));
        assert!(
            after.is_some_and(|after| (1..=1800).contains(&after)),
            "{after:?}"
        );
    }
    let compat = gateway.call("echo", r#"{"text":"x"}"#);
    assert_eq!(compat.status, 429);
    assert_eq!(
        upstream.of("tools/call").len(),
        2,
        "a refused call was sent"
    );
    // Nobody else notices, and what policy denies stays a denial.
    let bob = Session::open(&gateway, BOB, "{}");
    bob.call("echo").result();
    assert_eq!(
        bob.ask("tools/call", r#"{"name":"none"}"#).error().0,
        -32602
    );
    let log = gateway.finish();
    let met = codes(&log);
    let met = met.iter().filter(|(code, _)| code == "rate_limited");
    assert_eq!(met.count(), 3);
}

#[test]
fn n01_budgets_of_a_day_and_of_a_session_are_used_up() {
    let (_, gateway) =
        limited("  principals:\n    alice: {calls_per_session: 2}\n    bob: {calls_per_day: 1}\n");
    let alice = Session::open(&gateway, ALICE, "{}");
    let first = alice.call("echo");
    alice.call("echo").result();
    let (word, limit, after) = refused(&alice.call("echo"));
    assert_eq!(
        (word.as_str(), limit.as_str(), after),
        ("BUDGET_EXHAUSTED", "calls_per_session", None)
    );
    // It ends with the session.
    let line = format!("POST /sessions/{}/close", first.header("cmcp-session-id"));
    assert_eq!(gateway.operator(&line, "").status, 200);
    alice.call("echo").result();
    let bob = Session::open(&gateway, BOB, "{}");
    bob.call("echo").result();
    let (word, limit, after) = refused(&bob.call("echo"));
    assert_eq!(
        (word.as_str(), limit.as_str()),
        ("BUDGET_EXHAUSTED", "calls_per_day")
    );
    assert!(after.is_some_and(|after| after > 80_000), "{after:?}");
    let log = gateway.finish();
    let used = codes(&log);
    let used = used.iter().filter(|(code, _)| code == "budget_exhausted");
    assert_eq!(used.count(), 2);
}

#[test]
fn n01_a_tool_has_limits_of_its_own_and_a_refused_call_costs_nothing() {
    let (_, gateway) =
        limited("  default: {calls_per_day: 3}\n  tools:\n    work: {calls_per_day: 1}\n");
    let session = Session::open(&gateway, ALICE, "{}");
    session.call("work").result();
    for _ in 0..3 {
        assert_eq!(refused(&session.call("work")).0, "BUDGET_EXHAUSTED");
    }
    session.call("echo").result();
    session.call("echo").result();
    assert_eq!(refused(&session.call("echo")).0, "BUDGET_EXHAUSTED");
    gateway.finish();
}

#[test]
fn n01_calls_at_once_are_bounded_and_free_again_when_one_ends() {
    let (upstream, gateway) = limited("  default: {concurrent: 1}\n");
    let gate = Gate::default();
    let held = gate.clone();
    upstream.on("tools/call", move |seen| {
        let (held, result) = (held.clone(), seen.result_text(r#"{"content":[]}"#));
        if seen.target() == "work" {
            held.wait();
        }
        Reply::Json(result)
    });
    let session = Session::open(&gateway, ALICE, "{}");
    thread::scope(|scope| {
        let running = scope.spawn(|| session.send("tools/call", &calling("work")).answer());
        upstream.await_requests(1, "tools/call");
        let (word, limit, _) = refused(&session.call("echo"));
        assert_eq!(
            (word.as_str(), limit.as_str()),
            ("RATE_LIMITED", "concurrent")
        );
        Session::open(&gateway, BOB, "{}").call("echo").result();
        gate.open();
        running.join().unwrap().result();
    });
    session.call("echo").result();
    gateway.finish();
}

#[test]
fn n01_a_gateway_that_is_full_says_so_and_goes_on() {
    let (upstream, gateway) = limited("  calls_in_flight: 2\n  calls_waiting: 0\n");
    let gate = Gate::default();
    let held = gate.clone();
    upstream.on("tools/call", move |seen| {
        if seen.target() == "work" {
            held.wait();
        }
        seen.result(r#"{"content":[]}"#)
    });
    let alice = Session::open(&gateway, ALICE, "{}");
    let bob = Session::open(&gateway, BOB, "{}");
    thread::scope(|scope| {
        let running = scope.spawn(|| alice.send("tools/call", &calling("work")).answer());
        upstream.await_requests(1, "tools/call");
        // One principal has half of the places.
        let (word, limit, after) = refused(&alice.call("echo"));
        assert_eq!(
            (word.as_str(), limit.as_str(), after),
            ("GATEWAY_BUSY", "in_flight", Some(1))
        );
        bob.call("echo").result();
        gate.open();
        running.join().unwrap().result();
    });
    alice.call("echo").result();
    let log = gateway.finish();
    assert!(codes(&log).iter().any(|(code, _)| code == "gateway_busy"));
}
