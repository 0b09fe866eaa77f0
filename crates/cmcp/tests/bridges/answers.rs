//! Answers of clients that do not fit what was asked: no server sees them.

use cmcp_json::Value;

use crate::{
    asked::{Asking, SAMPLE, exchange},
    client::{Modern, Session, at, calling},
    items::{ASKS, started},
    support::{ALICE, text},
    upstream::Era,
};

const FORM: Asking = Asking {
    method: "elicitation/create",
    declared: r#"{"elicitation":{"form":{}}}"#,
    params: r#"{"message":"?","requestedSchema":{"type":"object","properties":{"age":{"type":"integer","minimum":0},"mail":{"type":"string","format":"email"},"size":{"type":"string","enum":["s","m"]}},"required":["age"]}}"#,
    answer: r#"{"action":"accept","content":{"age":3,"mail":"a@example.com","size":"m"}}"#,
    action: "elicit",
};

const WRONG: [&str; 11] = [
    r#"{"action":"accept","content":{}}"#,
    r#"{"action":"accept"}"#,
    r#"{"action":"accept","content":{"age":"3"}}"#,
    r#"{"action":"accept","content":{"age":-1}}"#,
    r#"{"action":"accept","content":{"age":1.5}}"#,
    r#"{"action":"accept","content":{"age":3,"size":"xl"}}"#,
    r#"{"action":"accept","content":{"age":3,"more":"smuggled"}}"#,
    r#"{"action":"accept","content":{"age":3,"mail":{"nested":"smuggled"}}}"#,
    r#"{"action":"agree","content":{"age":3}}"#,
    r#"{"content":{"age":3}}"#,
    r#"["accept"]"#,
];

#[test]
fn e12_an_answer_that_does_not_fit_its_form_reaches_no_server() {
    // A legacy server and a legacy client.
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    FORM.asked_by(&upstream);
    let session = Session::open(&gateway, ALICE, FORM.declared);
    for wrong in WRONG {
        let mut call = session.send("tools/call", &calling("work"));
        let question = call.message();
        session.respond(&question, wrong);
        let got = call.answer();
        assert!(got.text().contains("-32603"), "{wrong}: {got:?}");
    }
    for seen in upstream.requests() {
        let body = String::from_utf8(seen.body.clone()).unwrap();
        assert!(!body.contains("smuggled"), "{body}");
    }
    gateway.finish();
}

#[test]
fn e12_an_answer_that_does_not_fit_is_refused_between_the_eras_too() {
    // A modern server, whichever client.
    let (upstream, gateway) = started(Era::Modern, ASKS);
    FORM.needed_by(&upstream);
    let session = Session::open(&gateway, ALICE, FORM.declared);
    let client = Modern::new(&gateway, ALICE).declaring(FORM.declared);
    for wrong in WRONG {
        let mut call = session.send("tools/call", &calling("work"));
        let question = call.message();
        session.respond(&question, wrong);
        assert_eq!(call.answer().error().0, -31001, "{wrong}");
        let asked = client.call("work").result();
        let answers = format!(r#"{{"k 1":{wrong}}}"#);
        let got = client.call_again("work", &at(&asked, "requestState"), &answers);
        assert!(
            [-31001, -32602].contains(&got.error().0),
            "{wrong}: {got:?}"
        );
    }
    let again = upstream.of("tools/call");
    let answered = again
        .iter()
        .filter(|seen| !seen.raw("inputResponses").is_empty());
    assert_eq!(answered.count(), 0, "an answer was passed on");
    gateway.finish();
}

#[test]
fn an_answer_that_fits_or_declines_goes_back_as_it_is() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    FORM.asked_by(&upstream);
    let session = Session::open(&gateway, ALICE, FORM.declared);
    for right in [
        FORM.answer,
        r#"{"action":"decline"}"#,
        r#"{"action":"cancel"}"#,
    ] {
        let mut call = session.send("tools/call", &calling("work"));
        let question = call.message();
        session.respond(&question, right);
        call.answer();
        let heard = upstream.requests();
        let heard = heard
            .iter()
            .rev()
            .find(|seen| seen.method.is_empty() && seen.verb == "POST");
        let heard = String::from_utf8(heard.unwrap().body.clone()).unwrap();
        assert!(heard.contains(right), "{heard}");
    }
    gateway.finish();
}

#[test]
fn a_client_that_answers_with_an_error_is_quoted_to_the_server() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    SAMPLE.asked_by(&upstream);
    let session = Session::open(&gateway, ALICE, SAMPLE.declared);
    let mut call = session.send("tools/call", &calling("work"));
    let question = call.message();
    let id = at(&question, "id");
    let refusal = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-1,"message":"the user said no"}}}}"#
    );
    assert_eq!(session.post(&refusal).status(), 202);
    let got = call.answer();
    assert!(got.text().contains("the user said no"), "{got:?}");
    let log = gateway.finish();
    let (asked, _) = exchange(&log);
    assert_eq!(
        [text(asked, "code"), text(asked, "verdict")],
        ["client_error", "allow"]
    );
}

#[test]
fn a_secret_in_an_answer_is_found_and_raises_the_session() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    SAMPLE.asked_by(&upstream);
    let session = Session::open(&gateway, ALICE, SAMPLE.declared);
    let mut call = session.send("tools/call", &calling("work"));
    let question = call.message();
    let secret = "AKIAIOSFODNN7EXAMPLQ";
    let answer = format!(
        r#"{{"role":"assistant","content":{{"type":"text","text":"the key is {secret}"}},"model":"m"}}"#
    );
    session.respond(&question, &answer);
    call.answer();
    let log = gateway.finish();
    let (asked, _) = exchange(&log);
    let labels = at(asked, "labels").to_string();
    assert!(labels.contains("secret"), "{asked}");
    let log = Value::Array(log).to_string();
    assert!(!log.contains(secret));
}

#[test]
fn a_form_that_is_not_flat_is_put_to_nobody() {
    let nested = Asking {
        params: r#"{"message":"?","requestedSchema":{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}}}"#,
        ..FORM
    };
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    nested.asked_by(&upstream);
    let session = Session::open(&gateway, ALICE, FORM.declared);
    let got = session.call("work");
    assert!(
        got.before.is_empty() && got.text().contains("-32602"),
        "{got:?}"
    );
    gateway.finish();
}
