//! What servers ask of the client behind a call, across the eras: permitted by name alone, shown
//! with the asking server's name, answered to the server byte for byte, each exchange in the log.

use cmcp_json::Value;

pub(crate) use crate::questions::{
    ALL_ASKINGS, Asking, ELICIT, ROOTS, SAMPLE, answered, exchange, said,
};
use crate::{
    client::{Modern, Session, again, at, calling},
    items::{ALL, ASKS, started},
    support::{ALICE, BOB, text},
    upstream::{Era, Reply, Seen},
};

fn words<'a>(entry: &'a Value, names: [&str; 4]) -> [&'a str; 4] {
    names.map(|name| entry.get(name).and_then(Value::as_str).unwrap_or_default())
}

const TOLD: [&str; 4] = ["action", "tool", "verdict", "result"];

#[test]
fn a_legacy_server_asks_a_legacy_client_on_the_calls_own_stream() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    for asking in ALL_ASKINGS {
        asking.asked_by(&upstream);
        let session = Session::open(&gateway, ALICE, asking.declared);
        let (question, got) = answered(&session, &asking);
        // Whoever is asked is told by whom; everything else is as the server said it.
        let shown = question.get("params").unwrap().to_string();
        let (mark, members) = (r#""_meta":{"cmcp.dev/server":"up"}"#, asking.params);
        let members = members
            .strip_prefix('{')
            .unwrap()
            .strip_suffix('}')
            .unwrap();
        assert!(shown.contains(mark) && shown.contains(members), "{shown}");
        // The server hears exactly what the client said, under its own id.
        let heard = upstream.requests();
        let heard = heard
            .iter()
            .rev()
            .find(|seen| seen.text(&["id"]).starts_with("q-"));
        let heard = String::from_utf8(heard.unwrap().body.clone()).unwrap();
        assert!(heard.contains(asking.answer), "{heard}");
        assert!(got.text().contains("q-"), "{got:?}");
        assert_eq!(session.delete(), 204);
    }
    let log = gateway.finish();
    for asking in ALL_ASKINGS {
        let is_it = |entry: &&Value| {
            text(entry, "kind") == "outcome" && {
                entry.get("action").and_then(Value::as_str) == Some(asking.action)
            }
        };
        let own: Vec<Value> = log.iter().filter(is_it).cloned().collect();
        assert_eq!(own.len(), 1, "{}", asking.action);
        assert_eq!(
            words(&own[0], TOLD),
            [asking.action, "up", "allow", "response"]
        );
        let parent = log.iter().find(|entry| {
            text(entry, "kind") == "outcome" && text(entry, "call_id") == text(&own[0], "parent")
        });
        assert_eq!(text(parent.unwrap(), "tool"), "work");
    }
}

#[test]
fn a_legacy_server_asks_a_modern_client_which_comes_back_and_finds_the_same_call() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    for asking in ALL_ASKINGS {
        asking.asked_by(&upstream);
        let before = upstream.of("tools/call").len();
        let client = Modern::new(&gateway, ALICE).declaring(asking.declared);
        let asked = client.call("work").result();
        assert_eq!(at(&asked, "resultType").as_str(), Some("input_required"));
        let requests = at(&asked, "inputRequests");
        let (key, request) = requests.as_object().unwrap().iter().next().unwrap();
        assert_eq!(at(request, "method").as_str(), Some(asking.method));
        let answers = format!(r#"{{"{key}":{}}}"#, asking.answer);
        let got = client.call_again("work", &at(&asked, "requestState"), &answers);
        assert_eq!(at(&got.result(), "resultType").as_str(), Some("complete"));
        assert!(got.text().contains("q-"), "{got:?}");
        assert_eq!(
            upstream.of("tools/call").len(),
            before + 1,
            "the call is sent once"
        );
    }
    let log = gateway.finish();
    let outcomes = log
        .iter()
        .filter(|entry| text(entry, "kind") == "outcome" && entry.get("parent").is_none());
    assert_eq!(outcomes.count(), ALL_ASKINGS.len());
}

#[test]
fn a_modern_server_needs_input_of_a_legacy_client_and_is_asked_again_with_it() {
    let (upstream, gateway) = started(Era::Modern, ASKS);
    for asking in ALL_ASKINGS {
        asking.needed_by(&upstream);
        let session = Session::open(&gateway, ALICE, asking.declared);
        let (_, got) = answered(&session, &asking);
        assert_eq!(got.text(), format!(r#"{{"k 1":{}}}"#, asking.answer));
        assert!(got.result().get("resultType").is_none(), "{got:?}");
        let again: Vec<Seen> = upstream.of("tools/call");
        let again = again.last().unwrap();
        assert_eq!(again.raw("requestState"), r#""its \u0022own""#);
        assert_eq!(again.raw("arguments"), r#"{"text":"hello"}"#);
    }
    gateway.finish();
}

#[test]
fn a_modern_server_needs_input_of_a_modern_client_and_its_state_is_not_handed_out() {
    let (upstream, gateway) = started(Era::Modern, ASKS);
    for asking in ALL_ASKINGS {
        asking.needed_by(&upstream);
        let client = Modern::new(&gateway, ALICE).declaring(asking.declared);
        let asked = client.call("work").result();
        let state = at(&asked, "requestState");
        assert!(!state.to_string().contains("own"), "{state}");
        let requests = at(&asked, "inputRequests");
        let request = requests.get("k 1").unwrap();
        assert_eq!(at(request, "method").as_str(), Some(asking.method));
        let answers = format!(r#"{{"k 1":{},"other":{{"never":"asked"}}}}"#, asking.answer);
        let got = client.call_again("work", &state, &answers);
        // What was asked for goes on, and nothing besides.
        assert_eq!(got.text(), format!(r#"{{"k 1":{}}}"#, asking.answer));
        let again = upstream.of("tools/call").pop().unwrap();
        assert_eq!(again.raw("requestState"), r#""its \u0022own""#);
    }
    let log = gateway.finish();
    // Each round is a decision and an outcome of its own.
    let codes: Vec<&str> = log
        .iter()
        .filter(|entry| text(entry, "kind") == "outcome" && entry.get("parent").is_none())
        .map(|entry| {
            entry
                .get("code")
                .and_then(Value::as_str)
                .unwrap_or_default()
        })
        .collect();
    let asked = codes.iter().filter(|code| **code == "input_required");
    assert_eq!((codes.len(), asked.count()), (6, 3), "{codes:?}");
}

#[test]
fn e12_a_policy_that_permits_everything_permits_no_server_to_ask_anything() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway) = started(era, ALL);
        for asking in ALL_ASKINGS {
            match era {
                Era::Legacy => asking.asked_by(&upstream),
                Era::Modern => asking.needed_by(&upstream),
            }
            let session = Session::open(&gateway, ALICE, asking.declared);
            let modern = Modern::new(&gateway, ALICE).declaring(asking.declared);
            for got in [session.call("work"), modern.call("work")] {
                assert!(got.before.is_empty(), "{got:?}");
                match era {
                    // The call goes on without: its server was told that nobody can be asked.
                    Era::Legacy => assert!(got.text().contains("-32601"), "{got:?}"),
                    Era::Modern => assert_eq!(got.refusal(), (-31001, "POLICY_DENY".to_owned())),
                }
            }
        }
        // Servers are not even told that the client could.
        for seen in upstream.of("initialize") {
            assert_eq!(seen.at(&["params", "capabilities"]).to_string(), "{}");
        }
        for seen in upstream.of("tools/call") {
            let meta = seen.at(&["params", "_meta"]);
            let declared = meta.get("io.modelcontextprotocol/clientCapabilities");
            assert!(declared.is_none_or(|all| all.to_string() == "{}"), "{meta}");
        }
        gateway.finish();
    }
}

#[test]
fn e12_a_question_that_a_rule_forbids_is_denied_with_that_rule() {
    let policy = format!(
        r#"{ASKS}
@id("no-urls") forbid(principal, action == Action::"elicit", resource) when {{ context.asked_by == "work" }};"#
    );
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, gateway) = started(era, &policy);
        match era {
            Era::Legacy => ELICIT.asked_by(&upstream),
            Era::Modern => ELICIT.needed_by(&upstream),
        }
        let session = Session::open(&gateway, ALICE, ELICIT.declared);
        let got = session.call("work");
        assert!(got.before.is_empty(), "{got:?}");
        match era {
            Era::Legacy => {
                assert!(got.text().contains("policy does not let"), "{got:?}");
            }
            Era::Modern => {
                let (code, data) = got.error();
                assert_eq!(code, -31001);
                assert_eq!(at(&data, "policies").to_string(), r#"["no-urls"]"#);
            }
        }
        let log = gateway.finish();
        let (asked, parent) = exchange(&log);
        assert_eq!(
            words(asked, TOLD),
            ["elicit", "up", "deny", "not-dispatched"]
        );
        assert_eq!(text(asked, "code"), "policy_deny");
        assert_eq!(at(asked, "policies").to_string(), r#"["no-urls"]"#);
        assert_eq!(text(parent, "tool"), "work");
    }
}

#[test]
fn a_client_that_declared_nothing_is_asked_nothing_by_older_servers() {
    declared_nothing(Era::Legacy);
}

#[test]
fn a_client_that_declared_nothing_is_asked_nothing_by_newer_servers() {
    declared_nothing(Era::Modern);
}

fn declared_nothing(era: Era) {
    let (upstream, gateway) = started(era, ASKS);
    for asking in ALL_ASKINGS {
        match era {
            Era::Legacy => asking.asked_by(&upstream),
            Era::Modern => asking.needed_by(&upstream),
        }
        // Something else is declared, so that the server is told of capabilities at all.
        let other = if asking.action == "sample" {
            ROOTS.declared
        } else {
            SAMPLE.declared
        };
        let session = Session::open(&gateway, ALICE, other);
        let modern = Modern::new(&gateway, ALICE).declaring(other);
        for got in [session.call("work"), modern.call("work")] {
            assert!(got.before.is_empty(), "{got:?}");
            match era {
                Era::Legacy => assert!(got.text().contains("-32601"), "{got:?}"),
                Era::Modern => assert_eq!(got.refusal().0, -31001, "{got:?}"),
            }
        }
        // A client of the older dialect can be asked nothing at all.
        let got = gateway.call("work", r#"{"text":"hello"}"#);
        assert!(!got.text().contains("inputRequests"), "{}", got.text());
    }
    gateway.finish();
}

#[test]
fn a_page_to_visit_has_an_id_for_older_clients_and_none_for_newer_ones() {
    let page = Asking {
        method: "elicitation/create",
        declared: r#"{"elicitation":{"url":{}}}"#,
        params: r#"{"mode":"url","message":"Sign in","url":"https://id.example/in","elicitationId":"theirs"}"#,
        answer: r#"{"action":"accept"}"#,
        action: "elicit",
    };
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    page.asked_by(&upstream);
    let asked = Modern::new(&gateway, ALICE).declaring(page.declared);
    let asked = asked.call("work").result();
    let shown = at(&asked, "inputRequests").to_string();
    assert!(
        shown.contains("https://id.example/in") && !shown.contains("theirs"),
        "{shown}"
    );
    drop(gateway);
    let (upstream, gateway) = started(Era::Modern, ASKS);
    let page = Asking {
        params: r#"{"mode":"url","message":"Sign in","url":"https://id.example/in"}"#,
        ..page
    };
    page.needed_by(&upstream);
    let session = Session::open(&gateway, ALICE, page.declared);
    let (question, got) = answered(&session, &page);
    let id = at(&question, "params.elicitationId");
    assert!(id.as_str().is_some_and(|id| id.len() > 20), "{question}");
    assert_eq!(got.text(), r#"{"k 1":{"action":"accept"}}"#);
    gateway.finish();
}

#[test]
fn a_page_that_a_call_needs_first_is_shown_and_the_call_is_made_anew() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    let needed = std::sync::atomic::AtomicBool::new(true);
    upstream.on("tools/call", move |seen| {
        if needed.swap(false, std::sync::atomic::Ordering::SeqCst) {
            seen.error(r#"{"code":-32042,"message":"sign in first","data":{"elicitations":[{"mode":"url","message":"Sign in","url":"https://id.example/in","elicitationId":"e-1"}]}}"#)
        } else {
            seen.result(&said("signed in"))
        }
    });
    let declared = r#"{"elicitation":{"url":{}}}"#;
    let client = Modern::new(&gateway, ALICE).declaring(declared);
    let asked = client.call("work").result();
    let requests = at(&asked, "inputRequests");
    let (key, request) = requests.as_object().unwrap().iter().next().unwrap();
    assert_eq!(
        at(request, "params.url").as_str(),
        Some("https://id.example/in")
    );
    let answers = format!(r#"{{"{key}":{{"action":"accept"}}}}"#);
    let got = client.call_again("work", &at(&asked, "requestState"), &answers);
    assert_eq!(got.text(), "signed in");
    gateway.finish();
}

#[test]
fn rounds_of_questions_end() {
    let (upstream, gateway) = started(Era::Modern, ASKS);
    upstream.on("tools/call", |seen| {
        seen.result(r#"{"resultType":"input_required","requestState":"more","inputRequests":{"r":{"method":"roots/list"}}}"#)
    });
    let session = Session::open(&gateway, ALICE, ROOTS.declared);
    let mut call = session.send("tools/call", &calling("work"));
    let mut rounds = 0;
    let last = loop {
        let message = call.message();
        if message.get("method").is_none() {
            break message;
        }
        rounds += 1;
        session.respond(&message, ROOTS.answer);
    };
    assert!((1..=16).contains(&rounds), "{rounds}");
    assert!(last.get("error").is_some(), "{last}");
    gateway.unheard();
    gateway.finish();
}

#[test]
fn what_a_server_asks_of_one_principal_is_never_put_to_another() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    ELICIT.asked_by(&upstream);
    let alice = Session::open(&gateway, ALICE, ELICIT.declared);
    let bob = Session::open(&gateway, BOB, ELICIT.declared);
    let bobs = bob.get(None);
    let mut call = alice.send("tools/call", &calling("work"));
    let question = call.message();
    // Neither an answer of Bob's, nor one in another session of Alice's, is an answer to it.
    let other = Session::open(&gateway, ALICE, ELICIT.declared);
    let forged = r#"{"action":"accept","content":{"which":"forged"}}"#;
    bob.respond(&question, forged);
    other.respond(&question, forged);
    alice.respond(&question, ELICIT.answer);
    let got = call.answer();
    assert!(
        got.text().contains("irst") && !got.text().contains("forged"),
        "{got:?}"
    );
    let mut bobs = bobs;
    let _priming = bobs.event();
    assert!(bobs.is_silent(std::time::Duration::from_millis(50)));
    gateway.finish();
}

#[test]
fn a_question_on_the_servers_own_stream_goes_to_the_one_call_there_is() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    let asking = upstream.clone();
    upstream.on("tools/call", move |_| {
        let asking = asking.clone();
        Reply::talk(move |talk| {
            asking.await_listeners(1);
            let answer = asking.ask(ELICIT.method, ELICIT.params);
            talk.result(&said(&answer.to_string()));
        })
    });
    let session = Session::open(&gateway, ALICE, ELICIT.declared);
    let (_, got) = answered(&session, &ELICIT);
    assert!(got.text().contains("irst"), "{got:?}");
    gateway.finish();
}

#[test]
fn e12_what_modern_clients_are_asked_needs_the_capability_of_that_very_request() {
    let (upstream, gateway) = started(Era::Modern, ASKS);
    ELICIT.needed_by(&upstream);
    let able = Modern::new(&gateway, ALICE).declaring(ELICIT.declared);
    let unable = Modern::new(&gateway, ALICE);
    let asked = able.call("work").result();
    assert_eq!(unable.call("work").refusal().0, -31001);
    // The same state, brought back by a request that cannot be asked any more.
    let answers = format!(r#"{{"k 1":{}}}"#, ELICIT.answer);
    let state = at(&asked, "requestState");
    let got = unable.ask("tools/call", &again(&calling("work"), &state, &answers));
    assert_eq!(got.refusal().0, -31001, "{got:?}");
    gateway.finish();
}

#[test]
fn a_servers_session_or_process_serves_one_principal_alone() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    for token in [ALICE, BOB] {
        let session = Session::open(&gateway, token, "{}");
        assert_eq!(session.call("echo").text(), r#"{"text":"hello"}"#);
        let asked = Session::open(&gateway, token, SAMPLE.declared);
        assert_eq!(asked.call("echo").text(), r#"{"text":"hello"}"#);
    }
    // Two principals, each with and without capabilities.
    assert_eq!(upstream.sessions_of("tools/call").len(), 4);
    // Again: the same ones.
    let session = Session::open(&gateway, BOB, "{}");
    session.call("echo");
    assert_eq!(upstream.sessions_of("tools/call").len(), 4);
    gateway.finish();
}
