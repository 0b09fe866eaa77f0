use std::time::Duration;

use super::*;
use crate::{client::Identity, method::Method};

fn raw(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn ask(arguments: Option<&'static str>, meta: Option<&'static str>) -> Ask {
    let mut params = vec![("name", raw(r#""t\"\n""#))];
    params.extend(arguments.map(|arguments| ("arguments", raw(arguments))));
    Ask {
        meta: meta.map(raw),
        ..Ask::new(Method::ToolsCall, params, Duration::ZERO, 0)
    }
}

fn own() -> Own {
    Own::new(Identity::default())
}

fn text(ask: &Ask, version: Version) -> String {
    String::from_utf8(ask_params(ask, 7, version, &own()).unwrap().to_vec()).unwrap()
}

#[test]
fn arguments_and_foreign_meta_members_keep_every_byte() {
    let exact = "{ \"b\" : 1e2, \"a\":\"\\u0061\", \"n\":12345678901234567890123 }";
    let meta = "{ \"progressToken\" : 1.0 , \"a\\u0062\": [ 1 ] }";
    assert_eq!(
        text(&ask(Some(exact), Some(meta)), Version::V2025_11_25),
        format!(r#"{{"name":"t\"\n","arguments":{exact},"_meta":{{"ab":[ 1 ]}}}}"#)
    );
}

#[test]
fn absent_stays_absent_and_empty_stays_empty() {
    assert_eq!(
        text(&ask(None, None), Version::V2025_11_25),
        r#"{"name":"t\"\n"}"#
    );
    assert_eq!(
        text(&ask(Some("{}"), Some("{}")), Version::V2025_03_26),
        r#"{"name":"t\"\n","arguments":{},"_meta":{}}"#
    );
}

#[test]
fn e18_the_progress_token_is_the_request_s_own_id_whatever_the_caller_chose() {
    let asked = Ask {
        progress: true,
        ..ask(
            None,
            Some(r#"{"progressToken":"mine","io.modelcontextprotocol/logLevel":"debug"}"#),
        )
    };
    assert_eq!(
        text(&asked, Version::V2025_11_25),
        r#"{"name":"t\"\n","_meta":{"progressToken":7}}"#
    );
}

#[test]
fn only_modern_requests_say_who_asks_and_from_which_level_on_to_log() {
    let asked = Ask {
        log_level: Some(LogLevel::Notice),
        ..ask(None, None)
    };
    let modern = text(&asked, Version::V2026_07_28);
    assert!(modern.contains(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#));
    assert!(modern.contains(r#""io.modelcontextprotocol/clientCapabilities":{}"#));
    assert!(modern.contains(r#""io.modelcontextprotocol/logLevel":"notice""#));
    assert_eq!(text(&asked, Version::V2025_11_25), r#"{"name":"t\"\n"}"#);
    assert_eq!(list_params(None, Version::V2025_11_25, &own()), Ok(None));
    let page = list_params(Some(""), Version::V2025_11_25, &own());
    assert_eq!(&page.unwrap().unwrap()[..], br#"{"cursor":""}"#);
}

#[test]
fn input_and_request_state_are_sent_back_byte_for_byte_and_only_to_a_modern_server() {
    let input = |state: Option<&'static str>| Ask {
        input: Some(Input {
            responses: raw("{ \"a\" : {\"action\":\"accept\"} }"),
            state: state.map(raw),
        }),
        ..ask(None, None)
    };
    let sent = text(&input(Some(r#""\u0061\/b""#)), Version::V2026_07_28);
    assert!(
        sent.starts_with(
            r#"{"name":"t\"\n","inputResponses":{ "a" : {"action":"accept"} },"requestState":"\u0061\/b","_meta":{"#
        ),
        "{sent}"
    );
    assert!(!text(&input(None), Version::V2026_07_28).contains("requestState"));
    let legacy = ask_params(&input(None), 1, Version::V2025_11_25, &own());
    assert_eq!(
        legacy,
        Err(UpstreamError::Stale),
        "it would be another call"
    );
}

#[test]
fn the_task_member_is_of_one_revision() {
    let asked = Ask {
        task: Some(raw(r#"{"ttl":60000}"#)),
        ..ask(None, None)
    };
    let member = r#","task":{"ttl":60000}"#;
    for version in Version::ALL {
        let sent = text(&asked, version).contains(member);
        assert_eq!(sent, version == Version::V2025_11_25, "{version}");
    }
}

#[test]
fn meta_that_is_no_object_or_no_strict_json_is_refused() {
    for meta in ["[]", "1", "{\"a\":1,\"a\":2}", "{"] {
        let refused = ask_params(&ask(None, Some(meta)), 1, Version::V2025_11_25, &own());
        assert_eq!(refused, Err(UpstreamError::Meta));
    }
}

#[test]
fn a_cancellation_names_the_request_by_its_own_kind_of_id() {
    assert_eq!(
        &cancelled(&Id::from(7))[..],
        br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#
    );
}
