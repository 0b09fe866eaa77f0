//! Calls that a server goes on with in the background: under ids of ours, for their owner alone,
//! each with one outcome once its result has been looked through.

use cmcp_json::Value;

use crate::{
    asked::said,
    client::{Got, Modern, Session, at, calling},
    items::{ALL, ASKS},
    jobs::{Client, DECLARED, TIMES, now, outcomes, serving},
    support::{ALICE, BOB, text},
    upstream::Era,
};

const CLIENTS: [Era; 2] = [Era::Legacy, Era::Modern];

#[test]
fn a_task_of_an_older_server_ends_its_call_once_with_what_was_looked_through() {
    ends_once(Era::Legacy);
}

#[test]
fn a_task_of_a_newer_server_ends_its_call_once_with_what_was_looked_through() {
    ends_once(Era::Modern);
}

fn ends_once(server_era: Era) {
    for client_era in CLIENTS {
        let (upstream, gateway, progress) = serving(server_era, ALL);
        let client = Client::new(client_era, &gateway, ALICE);
        let (begun, id) = client.begin("needed");
        assert_eq!(client.status(&id), "working");
        let secret = "AKIAIOSFODNN7EXAMPLQ";
        now(&progress, "completed", &said(&format!("all done {secret}")));
        for _ in 0..2 {
            let got = client.result(&id).last.to_string();
            assert!(got.contains("all done") && !got.contains("t-1"), "{got}");
        }
        assert_eq!(client.status(&id), "completed");
        // The server knows its own id alone.
        for method in ["tasks/get", "tasks/result"] {
            for seen in upstream.of(method) {
                assert_eq!(seen.raw("taskId"), r#""t-1""#);
            }
        }
        let log = gateway.finish();
        let ended = outcomes(&log, &begun);
        assert_eq!(ended.len(), 1, "{client_era:?} {server_era:?}: {log:?}");
        assert_eq!(
            ["verdict", "result", "tool"].map(|name| text(&ended[0], name)),
            ["allow", "response", "needed"]
        );
        assert!(at(&ended[0], "labels").to_string().contains("secret"));
        // Should the gateway have died meanwhile, the log would know that something was begun.
        assert!(!at(&ended[0], "intent_seq").is_null(), "{}", ended[0]);
    }
}

#[test]
fn a_task_is_its_owners_alone() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway, progress) = serving(era, ALL);
        let alice = Client::new(era, &gateway, ALICE);
        let (_, id) = alice.begin("needed");
        // The gateway looks after its servers meanwhile: only what is about tasks counts.
        let about_tasks = || {
            let mut requests = upstream.requests();
            requests.retain(|seen| seen.method.starts_with("tasks/"));
            requests.len()
        };
        let asked = about_tasks();
        for other in [Era::Legacy, Era::Modern] {
            let bob = Client::new(other, &gateway, BOB);
            let methods: &[&str] = match other {
                Era::Legacy => &["tasks/get", "tasks/result", "tasks/cancel"],
                Era::Modern => &["tasks/get", "tasks/cancel"],
            };
            for method in methods {
                let stolen = bob.about(method, &id);
                let unknown = bob.about(method, "never-was");
                assert_eq!(stolen.error().0, -32602, "{method}");
                let message = |got: &Got| at(&got.last, "error").to_string();
                assert_eq!(
                    message(&stolen),
                    message(&unknown),
                    "somebody's is like nobody's"
                );
            }
            let guessed = bob.about("tasks/get", "t-1");
            assert_eq!(guessed.error().0, -32602);
        }
        let bob = Modern::new(&gateway, BOB).declaring(DECLARED);
        let update = format!(r#"{{"taskId":"{id}","inputResponses":{{}}}}"#);
        assert_eq!(bob.ask("tasks/update", &update).error().0, -32602);
        assert_eq!(about_tasks(), asked, "nothing was sent for Bob");
        // Lists hold one's own.
        let list = |token| {
            let session = Session::open(&gateway, token, "{}");
            let got = session.ask("tasks/list", "{}").result();
            at(&got, "tasks").as_array().unwrap().len()
        };
        assert_eq!((list(ALICE), list(BOB)), (1, 0));
        now(&progress, "completed", &said("hers"));
        assert!(alice.result(&id).last.to_string().contains("hers"));
        gateway.finish();
    }
}

#[test]
fn a_result_of_an_older_server_that_policy_keeps_back_stays_back() {
    stays_back(Era::Legacy);
}

#[test]
fn a_result_of_a_newer_server_that_policy_keeps_back_stays_back() {
    stays_back(Era::Modern);
}

fn stays_back(server_era: Era) {
    let policy = format!(
        r#"{ALL}
@id("no-secrets") forbid(principal, action == Action::"call_tool", resource)
when {{ context.labels.contains("secret") }};"#
    );
    for client_era in CLIENTS {
        let (_, gateway, progress) = serving(server_era, &policy);
        let client = Client::new(client_era, &gateway, ALICE);
        let (begun, id) = client.begin("needed");
        now(
            &progress,
            "completed",
            &said("the key is AKIAIOSFODNN7EXAMPLQ"),
        );
        for _ in 0..2 {
            let got = client.result(&id).last.to_string();
            assert!(!got.contains("AKIA"), "{got}");
        }
        let log = gateway.finish();
        let ended = outcomes(&log, &begun);
        assert_eq!(ended.len(), 1);
        assert_eq!(text(&ended[0], "code"), "egress_denied");
    }
}

#[test]
fn a_task_of_an_older_server_that_fails_or_is_cancelled_ends_its_call_too() {
    ends_too(Era::Legacy);
}

#[test]
fn a_task_of_a_newer_server_that_fails_or_is_cancelled_ends_its_call_too() {
    ends_too(Era::Modern);
}

fn ends_too(server_era: Era) {
    for client_era in CLIENTS {
        let (upstream, gateway, progress) = serving(server_era, ALL);
        let client = Client::new(client_era, &gateway, ALICE);
        let (failing, id) = client.begin("needed");
        now(
            &progress,
            "failed",
            r#"{"code":-7,"message":"broke","data":1.0}"#,
        );
        let got = client.result(&id).last.to_string();
        assert!(got.contains("broke") && got.contains("1.0"), "{got}");
        let (cancelled, id) = {
            // A second task of the same server has another id there.
            now(&progress, "working", "");
            drop(client);
            let client = Client::new(client_era, &gateway, BOB);
            let (got, id) = client.begin("needed");
            client.about("tasks/cancel", &id).result();
            now(&progress, "cancelled", "");
            assert_eq!(client.status(&id), "cancelled");
            (got, id)
        };
        assert_eq!(upstream.of("tasks/cancel").len(), 1, "{id}");
        let log = gateway.finish();
        let ended = outcomes(&log, &failing);
        assert_eq!(ended.len(), 1);
        assert_eq!(text(&ended[0], "code"), "upstream_tool_error");
        let ended = outcomes(&log, &cancelled);
        assert_eq!(ended.len(), 1);
        assert_eq!(text(&ended[0], "code"), "cancelled");
    }
}

#[test]
fn an_open_task_of_a_closed_session_is_of_unknown_outcome_and_called_off() {
    for server_era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway, progress) = serving(server_era, ALL);
        let client = Client::new(Era::Modern, &gateway, ALICE);
        let (begun, id) = client.begin("needed");
        let session = begun.header("cmcp-session-id");
        let closed = gateway.operator(&format!("POST /sessions/{session}/close"), "");
        assert_eq!(closed.status, 200, "{}", closed.text());
        let log = gateway.log(session);
        let ended = outcomes(&log, &begun);
        assert_eq!(ended.len(), 1, "{log:?}");
        assert_eq!(
            ["code", "result"].map(|name| text(&ended[0], name)),
            ["cancelled", "outcome-unknown"]
        );
        upstream.await_requests(1, "tasks/cancel");
        // What it comes to later is nobody's result any more.
        now(&progress, "completed", &said("too late"));
        let late = client.result(&id);
        assert!(!late.last.to_string().contains("too late"), "{late:?}");
        gateway.finish();
    }
}

#[test]
fn a_modern_client_has_to_declare_that_it_knows_tasks() {
    let (upstream, gateway, _) = serving(Era::Modern, ALL);
    let plain = Modern::new(&gateway, ALICE);
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let got = plain.ask(method, r#"{"taskId":"x","inputResponses":{}}"#);
        let (code, data) = got.error();
        assert_eq!((got.status, code), (400, -32021), "{got:?}");
        assert!(data.to_string().contains("io.modelcontextprotocol/tasks"));
    }
    // Nor is a task made for it.
    assert_eq!(plain.call("job").text(), r#"{"text":"hello"}"#);
    for gone in ["tasks/result", "tasks/list"] {
        let got = plain.ask(gone, r#"{"taskId":"x"}"#);
        assert_eq!((got.status, got.error().0), (404, -32601), "{gone}");
    }
    let got = Session::open(&gateway, ALICE, "{}").ask("tasks/update", r#"{"taskId":"x"}"#);
    assert_eq!(got.error().0, -32601);
    assert!(upstream.of("tasks/get").is_empty());
    gateway.finish();
}

#[test]
fn an_older_tool_that_needs_a_task_gets_one_from_newer_clients() {
    let (upstream, gateway, progress) = serving(Era::Legacy, ALL);
    let client = Client::new(Era::Modern, &gateway, ALICE);
    let (_, id) = client.begin("needed");
    now(&progress, "completed", &said("needed it"));
    assert!(client.result(&id).last.to_string().contains("needed it"));
    // What only may be one stays a plain call: nobody asked for a task.
    let got = client.ask("tools/call", &calling("echo"));
    assert_eq!(got.text(), r#"{"text":"hello"}"#);
    let calls = upstream.of("tools/call");
    let tasks = calls
        .iter()
        .filter(|seen| !seen.at(&["params", "task"]).is_null());
    assert_eq!(tasks.count(), 1);
    // Who does not know tasks is told that this needs one.
    let got = Modern::new(&gateway, ALICE).call("needed");
    assert_eq!((got.status, got.error().0), (400, -32021), "{got:?}");
    gateway.finish();
}

#[test]
fn what_a_task_needs_of_its_owner_is_judged_shown_and_answered_like_any_question() {
    let question = r#"{"k":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}}}"#;
    let declared = r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    let (upstream, gateway, progress) = serving(Era::Modern, ASKS);
    let client = Modern::new(&gateway, ALICE).declaring(declared);
    let begun = client.call("job");
    let id = text(&begun.result(), "taskId").to_owned();
    now(&progress, "input_required", question);
    let get = || client.ask("tasks/get", &format!(r#"{{"taskId":"{id}"}}"#));
    let shown = get().result();
    assert_eq!(at(&shown, "status").as_str(), Some("input_required"));
    let params = at(&shown, "inputRequests.k.params").to_string();
    assert!(params.contains(r#""cmcp.dev/server":"up""#), "{params}");
    let update = |answers: &str| {
        let params = format!(r#"{{"taskId":"{id}","inputResponses":{answers}}}"#);
        client.ask("tasks/update", &params)
    };
    for wrong in [
        r#"{"k":{"action":"accept","content":{}}}"#,
        r#"{"k":{"action":"accept","content":{"n":1,"more":2}}}"#,
        r#""k""#,
    ] {
        assert_eq!(update(wrong).error().0, -32602, "{wrong}");
    }
    assert!(
        upstream.of("tasks/update").is_empty(),
        "a wrong answer was passed on"
    );
    update(r#"{"other":{"x":1},"k":{"action":"accept","content":{"n":7}}}"#).result();
    let sent = upstream.of("tasks/update");
    assert_eq!(
        sent[0].raw("inputResponses"),
        r#"{"k":{"action":"accept","content":{"n":7}}}"#
    );
    now(&progress, "completed", &said("seven"));
    assert!(get().last.to_string().contains("seven"));
    let log = gateway.finish();
    let asked = log.iter().filter(|entry| {
        entry.get("parent").and_then(Value::as_str) == Some(begun.header("cmcp-call-id"))
    });
    assert!(asked.count() >= 1, "{log:?}");
}

#[test]
fn a_tasks_owner_hears_of_it_on_its_own_stream_and_nobody_else_does() {
    let (upstream, gateway, _) = serving(Era::Modern, ALL);
    let alice = Modern::new(&gateway, ALICE).declaring(DECLARED);
    let begun = alice.call("job");
    let id = text(&begun.result(), "taskId").to_owned();
    let wanted = format!(r#"{{"notifications":{{"taskIds":["{id}","never-was","t-1"]}}}}"#);
    let bob = Modern::new(&gateway, BOB).declaring(DECLARED);
    let mut hers = alice.send("subscriptions/listen", &wanted);
    let mut his = bob.send("subscriptions/listen", &wanted);
    let granted = |message: &Value| at(message, "params.notifications.taskIds").to_string();
    assert_eq!(granted(&hers.message()), format!(r#"["{id}"]"#));
    assert_eq!(granted(&his.message()), "[]");
    upstream.await_requests(1, "subscriptions/listen");
    let told = format!(
        r#"{{"taskId":"t-1","status":"completed",{TIMES},"ttlMs":60000,"result":{{"content":[{{"type":"text","text":"smuggled"}}]}}}}"#
    );
    // Its stream stands a moment after the request.
    std::thread::sleep(std::time::Duration::from_millis(200));
    upstream.announce("notifications/tasks", &told);
    let heard = hers.message();
    assert_eq!(crate::client::method_of(&heard), "notifications/tasks");
    assert_eq!(at(&heard, "params.taskId").as_str(), Some(&*id));
    assert_eq!(at(&heard, "params.status").as_str(), Some("completed"));
    assert!(!heard.to_string().contains("smuggled"), "{heard}");
    assert!(his.is_silent(std::time::Duration::from_millis(100)));
    drop((hers, his));
    gateway.finish();
}

#[test]
fn what_a_server_puts_beside_a_task_that_is_not_done_reaches_nobody() {
    let (upstream, gateway, _) = serving(Era::Modern, ALL);
    let smuggled = r#""result":{"content":[{"type":"text","text":"smuggled"}]},"inputRequests":{"k":"smuggled"},"error":{"message":"smuggled"}"#;
    upstream.act(move |seen| match seen.method.as_str() {
        "tools/call" => Some(seen.result(&format!(
            r#"{{"resultType":"task","taskId":"t-1","status":"working",{TIMES},"ttlMs":60000,"content":[{{"type":"text","text":"smuggled"}}],{smuggled}}}"#
        ))),
        "tasks/get" => Some(seen.result(&format!(
            r#"{{"resultType":"complete","taskId":"t-1","status":"working",{TIMES},"ttlMs":60000,"statusMessage":"paid with 4111 1111 1111 1111",{smuggled}}}"#
        ))),
        _ => None,
    });
    let client = Modern::new(&gateway, ALICE).declaring(DECLARED);
    let begun = client.call("job");
    let id = text(&begun.result(), "taskId").to_owned();
    let got = client.ask("tasks/get", &format!(r#"{{"taskId":"{id}"}}"#));
    for got in [&begun, &got] {
        assert!(!got.last.to_string().contains("smuggled"), "{got:?}");
    }
    // What it says of its progress counts like a log message: the session has seen a card's number.
    let session = begun.header("cmcp-session-id");
    client.ask("tools/call", &calling("echo"));
    let log = gateway.log(session);
    let last = log
        .iter()
        .rev()
        .find(|entry| text(entry, "kind") == "outcome");
    assert_ne!(
        text(last.unwrap(), "sensitivity_before"),
        "public",
        "{log:?}"
    );
    gateway.finish();
}

#[test]
fn what_a_task_needs_is_denied_where_no_policy_names_it() {
    let question = r#"{"k":{"method":"elicitation/create","params":{"message":"ask-the-user","requestedSchema":{"type":"object","properties":{}}}}}"#;
    let declared = r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    let (_, gateway, progress) = serving(Era::Modern, ALL);
    let client = Modern::new(&gateway, ALICE).declaring(declared);
    let begun = client.call("job");
    let id = text(&begun.result(), "taskId").to_owned();
    now(&progress, "input_required", question);
    let got = client.ask("tasks/get", &format!(r#"{{"taskId":"{id}"}}"#));
    assert!(!got.last.to_string().contains("ask-the-user"), "{got:?}");
    assert_eq!(got.error().0, -31001);
    gateway.finish();
}

#[test]
fn a_result_that_is_waited_for_has_its_own_stream_and_can_be_called_off() {
    for server_era in [Era::Legacy, Era::Modern] {
        let (_, gateway, progress) = serving(server_era, ALL);
        let session = Session::open(&gateway, ALICE, "{}");
        let params = calling("needed");
        let params = params.strip_suffix('}').unwrap();
        let begun = session.ask("tools/call", &format!(r#"{params},"task":{{}}}}"#));
        let id = at(&begun.result(), "task.taskId");
        let about = format!(r#"{{"taskId":{id}}}"#);
        // So that nothing between here and the client takes it for dead.
        let mut waiting = session.send_as("7", "tasks/result", &about);
        assert!(waiting.is_stream());
        let mut given_up = session.send_as("8", "tasks/result", &about);
        assert!(given_up.is_stream());
        session.notify("notifications/cancelled", r#"{"requestId":8}"#);
        now(&progress, "completed", &said("at last"));
        let answer = waiting.message();
        assert!(answer.to_string().contains("at last"), "{answer}");
        assert_eq!(at(&answer, "id").to_string(), "7");
        if let Some(other) = given_up.next() {
            assert!(!other.to_string().contains("at last"), "{other}");
        }
        let log = gateway.finish();
        assert_eq!(outcomes(&log, &begun).len(), 1);
    }
}
