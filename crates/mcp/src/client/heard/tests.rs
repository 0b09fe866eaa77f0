use super::*;
use crate::{
    client::Identity,
    jsonrpc::{Message, Request},
};

fn own(capabilities: &str) -> Own {
    let capabilities = cmcp_json::parse(capabilities.as_bytes(), &cmcp_json::Limits::REQUEST);
    Own::new(Identity::with_capabilities(capabilities.unwrap()))
}

fn request(method: &str, params: &str) -> Request {
    let text = format!(r#"{{"jsonrpc":"2.0","id":"q","method":"{method}","params":{params}}}"#);
    match jsonrpc::parse(&text.into(), &cmcp_json::Limits::REQUEST) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn code(wanted: &Wanted) -> i64 {
    let Wanted::Refuse(reply) = wanted else {
        panic!("{wanted:?} is no refusal")
    };
    let reply = cmcp_json::parse(reply, &cmcp_json::Limits::REQUEST).unwrap();
    reply
        .get("error")
        .unwrap()
        .get("code")
        .unwrap()
        .as_i64()
        .unwrap()
}

#[test]
fn e12_what_was_not_declared_is_refused_before_anybody_sees_it() {
    let all = r#"{"sampling":{},"elicitation":{},"roots":{}}"#;
    for method in ClientMethod::ALL {
        let asked = request(method.as_str(), "{}");
        assert_eq!(code(&Wanted::of(&asked, &own("{}"))), -32601, "{method}");
        assert_eq!(Wanted::of(&asked, &own(all)), Wanted::Of(method));
    }
    for method in [
        "tools/call",
        "tasks/get",
        "tasks/list",
        "initialize",
        "sampling/createmessage",
    ] {
        assert_eq!(code(&Wanted::of(&request(method, "{}"), &own(all))), -32601);
    }
    assert!(matches!(
        Wanted::of(&request("ping", "{}"), &own("{}")),
        Wanted::Reply(_)
    ));
}

#[test]
fn modes_and_tools_have_to_be_declared_too() {
    let url = request("elicitation/create", r#"{"mode":"url"}"#);
    let form = request("elicitation/create", "{}");
    let of = |asked: &Request, declared: &str| Wanted::of(asked, &own(declared));
    let elicit = Wanted::Of(ClientMethod::Elicit);
    assert_eq!(code(&of(&url, r#"{"elicitation":{}}"#)), -32602);
    assert_eq!(code(&of(&url, r#"{"elicitation":{"form":{}}}"#)), -32602);
    assert_eq!(of(&url, r#"{"elicitation":{"url":{}}}"#), elicit);
    assert_eq!(code(&of(&form, r#"{"elicitation":{"url":{}}}"#)), -32602);
    assert_eq!(of(&form, r#"{"elicitation":{"form":{},"url":{}}}"#), elicit);
    let tools = request("sampling/createMessage", r#"{"tools":[]}"#);
    assert_eq!(code(&of(&tools, r#"{"sampling":{}}"#)), -32602);
    let sample = Wanted::Of(ClientMethod::Sample);
    assert_eq!(of(&tools, r#"{"sampling":{"tools":{}}}"#), sample);
}
