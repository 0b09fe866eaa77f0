//! What is said while a call runs: progress and log messages to whoever made it, and in the other
//! direction that it is not wanted any more.

use std::{
    thread,
    time::{Duration, Instant},
};

use cmcp_json::Value;

use crate::{
    asked::said,
    client::{Modern, Session, at, calling, method_of},
    items::{ALL, started},
    support::{ALICE, BOB, text},
    upstream::{Era, Reply},
};

/// Parameters of a call that wants to hear of progress under this token.
fn with_token(token: &str) -> String {
    format!(
        r#"{{"name":"work","arguments":{{"text":"hello"}},"_meta":{{"progressToken":{token}}}}}"#
    )
}

fn works(talk: &mut crate::upstream::Talk) {
    talk.progress("1e0", "one");
    talk.progress("2.50", "two");
    talk.result(&said("done"));
}

#[test]
fn progress_comes_under_the_callers_own_token() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway) = started(era, ALL);
        upstream.on("tools/call", |_| Reply::talk(works));
        let session = Session::open(&gateway, ALICE, "{}");
        for token in ["7", r#""7""#, r#""""#, "0", "12345678901234567"] {
            let legacy = session.ask("tools/call", &with_token(token));
            let modern = Modern::new(&gateway, BOB).saying(&format!(r#""progressToken":{token}"#));
            let modern = modern.call("work");
            for got in [legacy, modern] {
                let told = got.told("notifications/progress");
                assert_eq!(told.len(), 2, "{got:?}");
                assert_eq!(told[0].get("progressToken").unwrap().to_string(), token);
                // Everything else is as the server spelled it.
                assert_eq!(told[0].get("progress").unwrap().to_string(), "1e0");
                assert_eq!(told[1].get("progress").unwrap().to_string(), "2.50");
                assert_eq!(got.text(), "done");
            }
        }
        // Who did not ask for it hears of none, and the server is not asked for it.
        let got = session.call("work");
        assert!(got.before.is_empty(), "{got:?}");
        let last = upstream.of("tools/call").pop().unwrap();
        assert!(at(&last.message, "params._meta.progressToken").is_null());
        gateway.finish();
    }
}

#[test]
fn e18_progress_of_one_call_never_reaches_another() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let together = crate::support::Gate::default();
    let gate = together.clone();
    upstream.on("tools/call", move |seen| {
        let words = seen.text(&["params", "arguments", "text"]);
        let gate = gate.clone();
        Reply::talk(move |talk| {
            gate.wait();
            for n in 0..5 {
                talk.progress(&n.to_string(), &words);
            }
            talk.result(&said(&words));
        })
    });
    let called = |token: &str, words: &str| {
        format!(
            r#"{{"name":"work","arguments":{{"text":"{words}"}},"_meta":{{"progressToken":{token}}}}}"#
        )
    };
    // The same token in all of them.
    let alice = Session::open(&gateway, ALICE, "{}");
    let bob = Session::open(&gateway, BOB, "{}");
    thread::scope(|scope| {
        let calls = [(&alice, "a1"), (&alice, "a2"), (&bob, "b1"), (&bob, "b2")];
        let calls = calls.map(|(session, words)| {
            scope.spawn(move || (words, session.ask("tools/call", &called("\"t\"", words))))
        });
        upstream.await_requests(4, "tools/call");
        together.open();
        for call in calls {
            let (words, got) = call.join().unwrap();
            let told = got.told("notifications/progress");
            let messages: Vec<String> =
                told.iter().map(|t| text(t, "message").to_owned()).collect();
            assert_eq!(messages, [words; 5], "{got:?}");
        }
    });
    gateway.finish();
}

#[test]
fn log_messages_come_from_the_level_that_was_asked_for() {
    let levels = ["debug", "info", "warning", "error"];
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway) = started(era, ALL);
        upstream.on("tools/call", move |_| {
            Reply::talk(move |talk| {
                for level in levels {
                    talk.log(level, "words");
                }
                talk.result(&said("done"));
            })
        });
        let session = Session::open(&gateway, ALICE, "{}");
        let set = session.ask("logging/setLevel", r#"{"level":"warning"}"#);
        assert_eq!(set.result().to_string(), "{}");
        let level = r#""io.modelcontextprotocol/logLevel":"warning""#;
        let modern = Modern::new(&gateway, ALICE).saying(level);
        for got in [session.call("work"), modern.call("work")] {
            let told = got.told("notifications/message");
            let heard: Vec<&str> = told.iter().map(|t| text(t, "level")).collect();
            assert_eq!(heard, ["warning", "error"], "{era:?}: {got:?}");
        }
        // A modern client that names no level hears nothing.
        let silent = Modern::new(&gateway, ALICE).call("work");
        assert!(silent.before.is_empty(), "{silent:?}");
        // The server is told in its own way.
        match era {
            Era::Legacy => {
                let set = upstream.of("logging/setLevel");
                assert!(set.iter().all(|seen| seen.raw("level") == r#""warning""#));
                assert!(!set.is_empty());
            }
            Era::Modern => {
                let meta = upstream.of("tools/call")[0].at(&["params", "_meta"]);
                let level = meta.get("io.modelcontextprotocol/logLevel").cloned();
                assert_eq!(
                    level.and_then(|l| l.as_str().map(str::to_owned)).as_deref(),
                    Some("warning")
                );
            }
        }
        let wrong = session.ask("logging/setLevel", r#"{"level":"loud"}"#);
        assert_eq!(wrong.error().0, -32602);
        gateway.finish();
    }
}

#[test]
fn what_is_logged_is_looked_through() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let secret = "AKIAIOSFODNN7EXAMPLQ";
    upstream.on("tools/call", move |_| {
        Reply::talk(move |talk| {
            talk.log("info", &format!("the key is {secret}"));
            talk.result(&said("done"));
        })
    });
    let session = Session::open(&gateway, ALICE, "{}");
    session.call("work");
    let log = gateway.finish();
    let outcome = log.iter().find(|entry| text(entry, "kind") == "outcome");
    let labels = at(outcome.unwrap(), "labels").to_string();
    assert!(labels.contains("secret"), "{labels}");
    assert!(!Value::Array(log).to_string().contains(secret));
}

#[test]
fn a_modern_client_that_hangs_up_cancels_its_call() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway) = started(era, ALL);
        upstream.on("tools/call", |_| {
            Reply::talk(|talk| {
                talk.progress("1", "on the way");
                talk.await_hang_up();
            })
        });
        let client = Modern::new(&gateway, ALICE).saying(r#""progressToken":1"#);
        let mut call = client.send("tools/call", &calling("work"));
        assert_eq!(method_of(&call.message()), "notifications/progress");
        drop(call);
        // An older server is told so; a newer one is hung up on, which says the same.
        if era == Era::Legacy {
            let told = upstream.await_requests(1, "notifications/cancelled");
            let id = upstream.of("tools/call")[0].id();
            assert_eq!(told[0].at(&["params", "requestId"]).to_string(), id);
        }
        gateway.unheard();
        let outcome = ended(&gateway, "cancelled");
        assert_eq!(text(&outcome, "result"), "outcome-unknown");
        gateway.finish();
    }
}

/// Waits for the one outcome with this code.
fn ended(gateway: &crate::support::Gateway, code: &str) -> Value {
    let query = "SELECT id FROM logs";
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        let ids: Vec<String> = {
            let database = gateway.database();
            let mut rows = database.prepare(query).unwrap();
            let rows = rows.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let found = ids.iter().flat_map(|id| gateway.log(id)).find(|entry| {
            text(entry, "kind") == "outcome" && at(entry, "code").as_str() == Some(code)
        });
        if let Some(found) = found {
            return found;
        }
        assert!(Instant::now() < give_up, "no outcome with `{code}`");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_legacy_client_that_hangs_up_cancels_nothing_and_may_read_on() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let gate = crate::support::Gate::default();
    let held = gate.clone();
    upstream.on("tools/call", move |_| {
        let held = held.clone();
        Reply::talk(move |talk| {
            talk.progress("1", "before");
            held.wait();
            talk.progress("2", "meanwhile");
            talk.result(&said("done"));
        })
    });
    let session = Session::open(&gateway, ALICE, "{}");
    let mut call = session.send("tools/call", &with_token("\"t\""));
    let mut last = None;
    loop {
        let event = call.event().unwrap();
        last = event.id.clone().or(last);
        if event.data.contains("before") {
            break;
        }
    }
    drop(call);
    gate.open();
    // Behind the last event that was read everything is there, and nothing of it twice.
    let mut rest = session.get(last.as_deref());
    let told = rest.message();
    assert_eq!(at(&told, "params.message").as_str(), Some("meanwhile"));
    let answer = rest.message();
    assert!(answer.to_string().contains("done"), "{answer}");
    assert!(upstream.of("notifications/cancelled").is_empty());
    gateway.unheard();
    let log = gateway.finish();
    let outcome = log.iter().find(|entry| text(entry, "kind") == "outcome");
    assert_eq!(text(outcome.unwrap(), "verdict"), "allow");
}

#[test]
fn e19_a_legacy_client_cancels_by_saying_so_and_its_own_calls_alone() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway) = started(era, ALL);
        upstream.on("tools/call", |_| {
            Reply::talk(|talk| {
                talk.progress("1", "on the way");
                talk.await_hang_up();
            })
        });
        let alice = Session::open(&gateway, ALICE, "{}");
        let others = [
            Session::open(&gateway, ALICE, "{}"),
            Session::open(&gateway, BOB, "{}"),
        ];
        let mut call = alice.send_as("41", "tools/call", &with_token("1"));
        assert_eq!(method_of(&call.message()), "notifications/progress");
        for other in &others {
            other.notify("notifications/cancelled", r#"{"requestId":41}"#);
        }
        alice.notify("notifications/cancelled", r#"{"requestId":"41"}"#);
        alice.notify("notifications/cancelled", r#"{"requestId":42}"#);
        assert!(call.is_silent(Duration::from_millis(100)));
        alice.notify(
            "notifications/cancelled",
            r#"{"requestId":41,"reason":"enough"}"#,
        );
        if era == Era::Legacy {
            upstream.await_requests(1, "notifications/cancelled");
        }
        gateway.unheard();
        let outcome = ended(&gateway, "cancelled");
        assert_eq!(text(&outcome, "result"), "outcome-unknown");
        gateway.finish();
    }
}

#[test]
fn a_question_whose_server_goes_on_without_an_answer_is_in_the_log_too() {
    let (upstream, gateway) = started(Era::Legacy, crate::items::ASKS);
    let gate = crate::support::Gate::default();
    let held = gate.clone();
    upstream.on("tools/call", move |_| {
        let held = held.clone();
        Reply::talk(move |talk| {
            talk.say(r#"{"jsonrpc":"2.0","id":"z","method":"roots/list"}"#);
            held.wait();
            talk.result(&said("went on"));
        })
    });
    let session = Session::open(&gateway, ALICE, crate::asked::ROOTS.declared);
    let mut call = session.send("tools/call", &calling("work"));
    let question = call.message();
    assert_eq!(method_of(&question), "roots/list");
    gate.open();
    // The client is told that nobody waits for its answer, and an answer changes nothing.
    let withdrawn = call.message();
    assert_eq!(method_of(&withdrawn), "notifications/cancelled");
    assert_eq!(at(&withdrawn, "params.requestId"), at(&question, "id"));
    session.respond(&question, crate::asked::ROOTS.answer);
    let got = call.answer();
    assert_eq!(got.text(), "went on");
    let log = gateway.finish();
    let (asked, _) = crate::asked::exchange(&log);
    assert_eq!(
        ["code", "result"].map(|name| text(asked, name)),
        ["cancelled", "outcome-unknown"]
    );
}

#[test]
fn changed_roots_are_told_to_the_servers_that_know_of_them() {
    let (upstream, gateway) = started(Era::Legacy, crate::items::ASKS);
    let with = Session::open(&gateway, ALICE, crate::asked::ROOTS.declared);
    let without = Session::open(&gateway, BOB, "{}");
    with.call("echo");
    without.call("echo");
    without.notify("notifications/roots/list_changed", "{}");
    with.notify("notifications/roots/list_changed", "{}");
    let told = upstream.await_requests(1, "notifications/roots/list_changed");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(upstream.of("notifications/roots/list_changed").len(), 1);
    let given = upstream
        .of("initialize")
        .iter()
        .filter(|seen| seen.at(&["params", "capabilities"]).get("roots").is_some())
        .count();
    assert_eq!(given, 1);
    assert!(!told[0].session().is_empty());
    gateway.finish();
}
