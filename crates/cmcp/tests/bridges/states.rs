//! The state that a client is given with a question, and brings back with the answer: sealed, good
//! once, for this principal and this very request.

use cmcp_json::Value;

use crate::{
    asked::{ELICIT, said},
    client::{Got, Modern, again, at, calling},
    items::{ASKS, started},
    support::{ALICE, BOB, Gateway},
    upstream::{Era, Upstream},
};

/// A call that waits for its client, on a server of this era.
fn asked(era: Era) -> (Upstream, Gateway, Value) {
    let (upstream, gateway) = started(era, ASKS);
    match era {
        Era::Legacy => ELICIT.asked_by(&upstream),
        Era::Modern => ELICIT.needed_by(&upstream),
    }
    let asked = client(&gateway).call("work").result();
    (upstream, gateway, asked)
}

fn client(gateway: &Gateway) -> Modern<'_> {
    Modern::new(gateway, ALICE).declaring(ELICIT.declared)
}

fn answers(asked: &Value, answer: &str) -> String {
    let requests = at(asked, "inputRequests");
    let (key, _) = requests.as_object().unwrap().iter().next().unwrap();
    format!("{{{}:{answer}}}", Value::from(key))
}

/// Refused before anything reached the server.
fn refused(got: &Got, upstream: &Upstream, calls: usize) {
    let (code, _) = got.error();
    assert_eq!(code, -32602, "{got:?}");
    assert_eq!(upstream.of("tools/call").len(), calls, "something was sent");
}

#[test]
fn a_changed_state_of_an_older_servers_question_is_refused_before_anything_is_sent() {
    changed(Era::Legacy);
}

#[test]
fn a_changed_state_of_a_newer_servers_question_is_refused_before_anything_is_sent() {
    changed(Era::Modern);
}

fn changed(era: Era) {
    let (upstream, gateway, asked) = asked(era);
    let state = at(&asked, "requestState").as_str().unwrap().to_owned();
    let answers = answers(&asked, ELICIT.answer);
    let mut flipped = state.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let wrong = [
        flipped.as_str(),
        state.get(..state.len() - 4).unwrap(),
        &format!("{state}AAAA"),
        "",
        "its own",
        "e30",
    ];
    for wrong in wrong {
        let wrong = Value::from(wrong);
        let got = client(&gateway).call_again("work", &wrong, &answers);
        refused(&got, &upstream, 1);
    }
    for wrong in ["1", "null", "{}", "[\"x\"]"] {
        let params = again(&calling("work"), &Value::from("x"), &answers);
        let params = params.replace(
            r#""requestState":"x""#,
            &format!(r#""requestState":{wrong}"#),
        );
        let got = client(&gateway).ask("tools/call", &params);
        refused(&got, &upstream, 1);
    }
    // The one that was given is good still.
    let got = client(&gateway).call_again("work", &Value::from(state.as_str()), &answers);
    assert!(got.text().contains("irst"), "{got:?}");
    gateway.finish();
}

#[test]
fn a_state_is_good_once() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway, asked) = asked(era);
        let (state, answers) = (at(&asked, "requestState"), answers(&asked, ELICIT.answer));
        let got = client(&gateway).call_again("work", &state, &answers);
        assert!(got.text().contains("irst"), "{got:?}");
        let calls = upstream.of("tools/call").len();
        for _ in 0..3 {
            let got = client(&gateway).call_again("work", &state, &answers);
            refused(&got, &upstream, calls);
        }
        gateway.finish();
    }
}

#[test]
fn a_state_is_its_principals_and_its_requests() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway, asked) = asked(era);
        let (state, answers) = (at(&asked, "requestState"), answers(&asked, ELICIT.answer));
        let bob = Modern::new(&gateway, BOB).declaring(ELICIT.declared);
        refused(&bob.call_again("work", &state, &answers), &upstream, 1);
        let own = client(&gateway);
        // Another tool, other arguments, the same ones spelled otherwise, none at all.
        refused(&own.call_again("echo", &state, &answers), &upstream, 1);
        for params in [
            r#"{"name":"work","arguments":{"text":"bye"}}"#,
            r#"{"name":"work","arguments":{"text": "hello"}}"#,
            r#"{"name":"work","arguments":{}}"#,
            r#"{"name":"work"}"#,
        ] {
            let got = own.ask("tools/call", &again(params, &state, &answers));
            refused(&got, &upstream, 1);
        }
        let got = own.call_again("work", &state, &answers);
        assert!(got.text().contains("irst"), "{got:?}");
        gateway.finish();
    }
}

#[test]
fn missing_answers_are_asked_for_again() {
    for era in [Era::Legacy, Era::Modern] {
        let (_, gateway, asked) = asked(era);
        let state = at(&asked, "requestState");
        let repeated = client(&gateway).call_again("work", &state, r#"{"unknown":{}}"#);
        let repeated = repeated.result();
        assert_eq!(
            at(&repeated, "resultType").as_str(),
            Some("input_required"),
            "{repeated}"
        );
        let state = at(&repeated, "requestState");
        let answers = answers(&repeated, ELICIT.answer);
        let got = client(&gateway).call_again("work", &state, &answers);
        assert!(got.text().contains("irst"), "{era:?}: {got:?}");
        gateway.finish();
    }
}

#[test]
fn a_state_does_not_outlive_the_gateway_that_gave_it() {
    let (_, gateway, asked) = asked(Era::Modern);
    let (state, answers) = (at(&asked, "requestState"), answers(&asked, ELICIT.answer));
    let files = std::sync::Arc::clone(&gateway.files);
    gateway.finish();
    let gateway = files.start();
    let got = client(&gateway).call_again("work", &state, &answers);
    assert_eq!(got.error().0, -32602);
    gateway.end(1);
}

#[test]
fn a_call_that_nobody_comes_back_for_ends_with_the_gateway() {
    let (_, gateway, _) = asked(Era::Legacy);
    gateway.unheard();
    let log = gateway.finish();
    let outcome = log.iter().find(|entry| {
        crate::support::text(entry, "kind") == "outcome" && entry.get("parent").is_none()
    });
    let result = crate::support::text(outcome.unwrap(), "result");
    assert!(["outcome-unknown", "response"].contains(&result), "{log:?}");
}

#[test]
fn a_state_holds_what_a_server_may_say_and_no_more() {
    let (upstream, gateway) = started(Era::Modern, ASKS);
    // More than a client could carry.
    let large = "x".repeat(1 << 20);
    upstream.on("tools/call", move |seen| {
        let state = Value::from(large.as_str());
        seen.result(&format!(
            r#"{{"resultType":"input_required","requestState":{state}}}"#
        ))
    });
    let got = client(&gateway).call("work");
    assert_eq!(got.refusal(), (-31001, "POLICY_DENY".to_owned()));
    // A state alone, without a question, is a request to come again.
    upstream.on("tools/call", |seen| {
        if seen.at(&["params", "requestState"]).is_null() {
            seen.result(r#"{"resultType":"input_required","requestState":"step"}"#)
        } else {
            seen.result(&said("done"))
        }
    });
    let asked = client(&gateway).call("work").result();
    assert!(at(&asked, "inputRequests").is_null(), "{asked}");
    let params = calling("work").replace(
        r#""arguments""#,
        &format!(
            r#""requestState":{},"arguments""#,
            at(&asked, "requestState")
        ),
    );
    let got = client(&gateway).ask("tools/call", &params);
    assert_eq!(got.text(), "done");
    gateway.finish();
}

#[test]
fn a_call_that_waits_for_its_client_ends_with_its_session() {
    let (upstream, setup) = crate::items::usual(Era::Legacy);
    let settings = "session_close_drain_seconds: 0\n";
    let gateway = setup.policy(ASKS).settings(settings).start();
    ELICIT.asked_by(&upstream);
    let asked = client(&gateway).call("work").result();
    let other = gateway.call("echo", r#"{"text":"x"}"#);
    let session = other.header("cmcp-session-id").unwrap();
    let closed = gateway.operator(&format!("POST /sessions/{session}/close"), "");
    assert_eq!(closed.status, 200, "{}", closed.text());
    upstream.await_requests(1, "notifications/cancelled");
    let answers = answers(&asked, ELICIT.answer);
    let got = client(&gateway).call_again("work", &at(&asked, "requestState"), &answers);
    assert_eq!(got.error().0, -32602, "{got:?}");
    nothing_heard(&upstream);
    gateway.unheard();
    gateway.finish();
}

#[test]
fn m07_a_stopped_agents_answers_reach_no_server() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway, asked) = asked(era);
        let order = r#"{"agent_id":"alice","reason":"drill","authorized_by":"zoe"}"#;
        assert_eq!(
            gateway.operator("POST /kill-switch/trip", order).status,
            200
        );
        let answers = answers(&asked, ELICIT.answer);
        let got = client(&gateway).call_again("work", &at(&asked, "requestState"), &answers);
        assert!(got.last.get("error").is_some(), "{got:?}");
        nothing_heard(&upstream);
        if era == Era::Legacy {
            gateway.unheard();
        }
        gateway.finish();
    }
}

/// The client's answer did not come here.
fn nothing_heard(upstream: &Upstream) {
    for seen in upstream.requests() {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(!body.contains("irst"), "an answer was passed on: {body}");
    }
}

#[test]
fn answers_alone_are_answers_to_what_their_own_principal_was_asked_last() {
    let (upstream, gateway, asked) = asked(Era::Modern);
    let answers = answers(&asked, ELICIT.answer);
    let bare = |text: &str| {
        let params = format!(r#"{{"name":"work","arguments":{{"text":"{text}"}}"#);
        format!(r#"{params},"inputResponses":{answers}}}"#)
    };
    // Neither Bob's nor those of another call are answers to anything: they are asked anew.
    let bob = Modern::new(&gateway, BOB).declaring(ELICIT.declared);
    for got in [
        bob.ask("tools/call", &bare("hello")),
        client(&gateway).ask("tools/call", &bare("other")),
    ] {
        let kind = at(&got.result(), "resultType");
        assert_eq!(kind.as_str(), Some("input_required"), "{got:?}");
    }
    nothing_heard(&upstream);
    let got = client(&gateway).ask("tools/call", &bare("hello"));
    assert!(got.text().contains("irst"), "{got:?}");
    gateway.finish();
}

#[test]
fn two_questions_at_once_are_put_one_after_the_other() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    let params = |which: &str| ELICIT.params.replace("Which one?", which);
    let (first, second) = (params("one"), params("two"));
    upstream.on("tools/call", move |_| {
        let (first, second) = (first.clone(), second.clone());
        crate::upstream::Reply::talk(move |talk| {
            let asked = [("a", first), ("b", second)].map(|(id, params)| {
                let method = ELICIT.method;
                talk.say(&format!(
                    r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}","params":{params}}}"#
                ));
                id
            });
            let heard = asked.map(|id| talk.upstream.await_answer(id).to_string());
            talk.result(&said(&heard.concat()));
        })
    });
    let mut asked = client(&gateway).call("work").result();
    let mut shown = Vec::new();
    for round in 0..2 {
        let requests = at(&asked, "inputRequests");
        assert_eq!(requests.as_object().unwrap().len(), 1, "{asked}");
        shown.push(requests.to_string());
        let answer = format!(r#"{{"action":"accept","content":{{"which":"answer {round}"}}}}"#);
        let answers = answers(&asked, &answer);
        let got = client(&gateway).call_again("work", &at(&asked, "requestState"), &answers);
        asked = got.result();
    }
    assert!(
        shown[0].contains("one") && shown[1].contains("two"),
        "{shown:?}"
    );
    let heard = asked.to_string();
    assert!(
        heard.contains("answer 0") && heard.contains("answer 1"),
        "{heard}"
    );
    gateway.finish();
}
