//! Sessions: what was seen stays with the principal, whoever closes what.

use crate::support::{
    ALICE, Answer, BOB, Gateway, OPERATOR, Server, Setup, Tool,
    gateway::call,
    member,
    setup::{ECHO, PAY, definitions},
    text,
};

const NO_PHI: &str = r#"
@id("all") permit(principal, action, resource);
@id("no-phi") forbid(principal, action, resource == Resource::"pay") when { context.sensitivity_level >= 3 };"#;

fn clinic() -> (Server, Setup) {
    let tools = [
        Tool::reads(ECHO),
        Tool::writes(PAY),
        Tool::named("patients").labelled("hipaa_phi"),
    ];
    let server = Server::offering(&definitions(&tools));
    let setup = Setup::before(&server, &tools).policy(NO_PHI);
    (server, setup)
}

fn labelled(gateway: &Gateway, token: &str, label: &str) -> Answer {
    let body = call("pay", "{}").replace(
        r#""arguments""#,
        &format!(r#""_cmcp":{{"session_id":"{label}"}},"arguments""#),
    );
    gateway.post_as(token, body.as_bytes(), &[])
}

fn session(answer: &Answer) -> String {
    answer.header("cmcp-session-id").unwrap().to_owned()
}

fn close(gateway: &Gateway, token: &str, id: &str) -> Answer {
    gateway.asked(token, &format!("POST /sessions/{id}/close"), "")
}

#[test]
fn closing_a_session_lowers_nothing_and_the_operators_reset_does() {
    let (_server, setup) = clinic();
    let gateway = setup.start();
    assert_eq!(gateway.call("pay", "{}").status, 200);
    let first = session(&gateway.call("patients", "{}"));
    assert_eq!(gateway.call("pay", "{}").status, 403);
    let claim = close(&gateway, ALICE, &first);
    assert_eq!(claim.status, 200, "{}", claim.text());
    assert_eq!(
        member(
            &claim.json(),
            "gateway.call_summary.session_max_sensitivity"
        )
        .as_str(),
        Some("hipaa_phi")
    );
    // The successor inherits it, and says so.
    let denied = gateway.call("pay", "{}");
    assert_eq!(denied.status, 403);
    assert_ne!(session(&denied), first);
    let start = &gateway.log_of(&denied)[0];
    assert_eq!(
        (
            text(start, "sensitivity"),
            member(start, "inherited").as_bool()
        ),
        ("hipaa_phi", Some(true))
    );
    // No label of one's own gets around it, nor does the agent's own wish.
    assert_eq!(labelled(&gateway, ALICE, "fresh").status, 403);
    let reset = format!("POST /sessions/{}/reset", session(&denied));
    assert_eq!(gateway.asked(ALICE, &reset, "").status, 404);
    assert_eq!(gateway.call("pay", "{}").status, 403);
    // Another principal never saw it.
    assert_eq!(gateway.call_as(BOB, "pay", "{}").status, 200);
    let done = gateway.operator(&reset, r#"{"reason":"data destroyed"}"#);
    assert_eq!(done.status, 200, "{}", done.text());
    let done = done.json();
    assert_eq!(text(&done, "closed_session_max_sensitivity"), "hipaa_phi");
    assert_eq!(member(&done, "reset_count").as_i64(), Some(1));
    let permitted = gateway.call("pay", "{}");
    assert_eq!(permitted.status, 200, "{}", permitted.text());
    assert_eq!(session(&permitted), text(&done, "new_session_id"));
    gateway.finish();
}

#[test]
fn two_open_sessions_of_one_principal_share_what_either_sees() {
    let (_server, setup) = clinic();
    let gateway = setup.start();
    let (one, two) = (
        labelled(&gateway, ALICE, "one"),
        labelled(&gateway, ALICE, "two"),
    );
    assert_eq!((one.status, two.status), (200, 200));
    assert_ne!(session(&one), session(&two));
    assert_eq!(gateway.call("patients", "{}").status, 200);
    assert_eq!(labelled(&gateway, ALICE, "one").status, 403);
    assert_eq!(labelled(&gateway, ALICE, "two").status, 403);
    assert_eq!(labelled(&gateway, BOB, "one").status, 200);
    gateway.finish();
}

#[test]
fn a_label_is_its_principals_own_name_for_a_session() {
    let (_server, setup) = clinic();
    let gateway = setup.start();
    let alices = session(&labelled(&gateway, ALICE, "job"));
    let bobs = session(&labelled(&gateway, BOB, "job"));
    assert_ne!(alices, bobs);
    assert_eq!(session(&labelled(&gateway, ALICE, "job")), alices);
    let export = |token: &str, id: &str| {
        gateway.asked(token, &format!("GET /audit/export?session_id={id}"), "")
    };
    assert!(export(ALICE, "job").text().contains(&alices));
    assert!(export(BOB, "job").text().contains(&bobs));
    // Somebody else's is like none, by either name.
    for (token, id) in [(ALICE, &bobs), (BOB, &alices)] {
        let none = export(token, id);
        assert_eq!(none.status, 404);
        assert_eq!(
            none.text(),
            export(token, "never-was").text().replace("never-was", id)
        );
        assert_eq!(close(&gateway, token, id).status, 404);
        assert_eq!(
            gateway
                .asked(token, &format!("GET /sessions/{id}/trace-claim"), "")
                .status,
            404
        );
    }
    let claim = close(&gateway, ALICE, "job");
    assert_eq!(
        text(&member(&claim.json(), "gateway"), "session_id"),
        alices
    );
    assert_eq!(
        gateway
            .asked(ALICE, "GET /sessions/job/trace-claim", "")
            .text(),
        claim.text()
    );
    assert_eq!(
        close(&gateway, ALICE, &alices).status,
        404,
        "closed already"
    );
    assert_eq!(
        gateway
            .operator(&format!("GET /sessions/{bobs}/trust-record"), "")
            .status,
        404,
        "not sealed yet"
    );
    gateway.finish();
}

#[test]
fn a_label_that_is_no_text_or_too_long_a_one_is_as_none_at_all() {
    let (_server, setup) = clinic();
    let gateway = setup.start();
    let own = session(&gateway.call("pay", "{}"));
    for label in [
        "\"\"".to_owned(),
        "1".to_owned(),
        format!("\"{}\"", "l".repeat(300)),
        "null".to_owned(),
    ] {
        let body = call("pay", "{}").replace(
            r#""arguments""#,
            &format!(r#""_cmcp":{{"session_id":{label}}},"arguments""#),
        );
        assert_eq!(session(&gateway.post(&body)), own, "{label}");
    }
    gateway.finish();
}

#[test]
fn what_a_caller_may_not_do_is_not_there_for_it() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let order = r#"{"agent_id":"alice","reason":"r","authorized_by":"me"}"#;
    for line in [
        "POST /kill-switch/trip",
        "POST /kill-switch/unblock",
        "POST /sessions/x/reset",
    ] {
        let unknown = gateway.asked(ALICE, "POST /no-such-route", order);
        let known = gateway.asked(ALICE, line, order);
        assert_eq!(
            (known.status, known.text()),
            (unknown.status, unknown.text()),
            "{line}"
        );
        assert_eq!(known.status, 404);
        for token in [
            "",
            "wrong",
            &OPERATOR.to_uppercase(),
            &format!("{OPERATOR} "),
            OPERATOR.trim_start_matches('t'),
        ] {
            let answer = gateway.asked(token, line, order);
            // Blanks around a token are the header's, not the token's.
            assert!(
                answer.status == 401 || token.trim() == OPERATOR,
                "{line} {token:?}: {}",
                answer.status
            );
        }
        assert_eq!(gateway.request(line, &[], order.as_bytes()).status, 401);
    }
    for token in ["", "nobody", &ALICE.to_uppercase()] {
        let answer = gateway.call_as(token, "echo", r#"{"text":"a"}"#);
        assert_eq!(answer.status, 401, "{token:?}");
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
    }
    // The operator's token is for operating: it calls no tool.
    assert_eq!(
        gateway.call_as(OPERATOR, "echo", r#"{"text":"a"}"#).status,
        401
    );
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn a_transport_session_is_its_principals_alone() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let id = gateway.initialize(ALICE);
    assert!(id.len() >= 32, "{id}");
    let body = call("echo", r#"{"text":"a"}"#);
    for (token, session) in [(BOB, id.as_str()), (ALICE, "chosen-by-me"), (ALICE, "")] {
        let answer = gateway.post_as(token, body.as_bytes(), &[("Mcp-Session-Id", session)]);
        assert!(
            matches!(answer.status, 400 | 404),
            "{session}: {}",
            answer.text()
        );
    }
    assert!(server.is_untouched());
    let answer = gateway.post_as(ALICE, body.as_bytes(), &[("Mcp-Session-Id", &id)]);
    assert_eq!(answer.status, 200);
    gateway.await_log("somebody else", 1);
    let log = gateway.operational_log();
    gateway.finish();
    assert!(!log.text().contains(&id), "{}", log.text());
}

#[test]
fn an_idle_session_is_closed_and_sealed() {
    let (_server, setup) = clinic();
    let gateway = setup.settings("session_idle_timeout_seconds: 1\n").start();
    let id = session(&gateway.call("pay", "{}"));
    // The gateway looks every five seconds; nothing tells when it has but the record itself.
    let record = format!("GET /sessions/{id}/trust-record");
    let give_up = std::time::Instant::now() + crate::support::PATIENCE;
    while gateway.operator(&record, "").status == 404 {
        assert!(std::time::Instant::now() < give_up, "never closed");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let log = gateway.log(&id);
    let end = log.last().unwrap();
    assert_eq!(
        (text(end, "kind"), text(end, "reason")),
        ("session_end", "idle")
    );
    assert_ne!(session(&gateway.call("pay", "{}")), id);
    gateway.finish();
}

#[test]
fn records_and_marks_survive_a_restart() {
    let (_server, setup) = clinic();
    let files = setup.prepare();
    let gateway = files.start();
    let id = session(&gateway.call("patients", "{}"));
    let claim = close(&gateway, ALICE, &id).text();
    let export = format!("GET /audit/export?session_id={id}&format=cmcp");
    let before = gateway.asked(ALICE, &export, "").text();
    gateway.finish();
    let gateway = files.start();
    assert_eq!(
        gateway
            .asked(ALICE, &format!("GET /sessions/{id}/trace-claim"), "")
            .text(),
        claim
    );
    assert_eq!(gateway.asked(ALICE, &export, "").text(), before);
    assert_eq!(
        gateway.call("pay", "{}").status,
        403,
        "what was seen is not forgotten"
    );
    gateway.end(1);
}

#[test]
fn a_session_that_a_kill_left_open_is_sealed_at_the_next_start_and_says_so() {
    let (server, setup) = clinic();
    let files = setup.prepare();
    let gateway = files.start();
    let gate = crate::support::Gate::default();
    let held = gate.clone();
    server.act(move |seen| {
        if seen.is_call() && seen.arguments() == b"{\"amount\":7}" {
            held.wait();
        }
        None
    });
    let id = session(&gateway.call("pay", "{}"));
    let patients = gateway.call("patients", "{}");
    assert_eq!(session(&patients), id);
    // Bob's payment is under way when the gateway is killed.
    let body = call("pay", r#"{"amount":7}"#);
    let bearer = format!("Bearer {BOB}");
    let host = gateway.addr.to_string();
    let headers = [
        ("Host", host.as_str()),
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let mut connection = gateway.connect();
    connection
        .request("POST /mcp", &headers, body.as_bytes())
        .unwrap();
    server.await_calls(3);
    gateway.kill();
    gate.open();
    let gateway = files.start();
    gateway.await_log("sealed what a crash had left open", 1);
    let record = gateway.asked(ALICE, &format!("GET /sessions/{id}/trust-record"), "");
    assert_eq!(record.status, 200);
    assert_eq!(gateway.call("pay", "{}").status, 403, "the mark survived");
    let all = gateway.end(3);
    let kinds = |session: &str| {
        let of = all.iter().filter(|entry| text(entry, "log") == session);
        of.map(|entry| text(entry, "kind").to_owned())
            .collect::<Vec<_>>()
    };
    let alices = kinds(&id);
    assert_eq!(&alices[alices.len() - 2..], ["recovered", "session_end"]);
    // An intent without an outcome is closed as unknown, once.
    let unknown: Vec<_> = all
        .iter()
        .filter(|entry| text(entry, "code") == "outcome_unknown")
        .collect();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert_eq!(text(unknown[0], "result"), "outcome-unknown");
    assert_eq!(
        &kinds(text(unknown[0], "log"))[1..],
        [
            "declarations",
            "intent",
            "recovered",
            "outcome",
            "session_end"
        ]
    );
}

#[test]
fn one_principal_cannot_open_sessions_without_end() {
    let (_server, setup) = clinic();
    let gateway = setup.start();
    let body = call("echo", r#"{"text":"a"}"#);
    for at in 0..1_000 {
        let labelled = body.replace(
            r#""arguments""#,
            &format!(r#""_cmcp":{{"session_id":"l{at}"}},"arguments""#),
        );
        assert_eq!(gateway.post(labelled).status, 200);
    }
    let refused = labelled(&gateway, ALICE, "one-too-many");
    assert_eq!(refused.refusal().0, 429);
    assert_eq!(
        gateway.verdict(&refused),
        ["session_limit", "deny", "not-dispatched"]
    );
    assert_eq!(
        labelled(&gateway, ALICE, "l0").status,
        200,
        "those that are open go on"
    );
    assert_eq!(labelled(&gateway, BOB, "b").status, 200);
    // Sealing a thousand sessions would only be slow.
    gateway.kill();
}
