use std::time::Duration;

use super::*;

fn call(arguments: Option<&'static str>, meta: Option<&'static str>) -> ToolCall {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    ToolCall {
        name: "t\"\n".to_owned(),
        arguments: arguments.map(bytes),
        meta: meta.map(bytes),
        deadline: Duration::ZERO,
        max_bytes: 0,
        listed: None,
    }
}

fn text(call: &ToolCall, version: Version) -> String {
    String::from_utf8(call_params(call, version).unwrap().to_vec()).unwrap()
}

#[test]
fn arguments_and_foreign_meta_members_keep_every_byte() {
    let exact = "{ \"b\" : 1e2, \"a\":\"\\u0061\", \"n\":12345678901234567890123 }";
    let meta = "{ \"progressToken\" : 1.0 , \"a\\u0062\": [ 1 ] }";
    assert_eq!(
        text(&call(Some(exact), Some(meta)), Version::V2025_11_25),
        format!(
            r#"{{"name":"t\"\n","arguments":{exact},"_meta":{{"progressToken":1.0,"ab":[ 1 ]}}}}"#
        )
    );
}

#[test]
fn absent_stays_absent_and_empty_stays_empty() {
    assert_eq!(
        text(&call(None, None), Version::V2025_11_25),
        r#"{"name":"t\"\n"}"#
    );
    assert_eq!(
        text(&call(Some("{}"), Some("{}")), Version::V2025_03_26),
        r#"{"name":"t\"\n","arguments":{},"_meta":{}}"#
    );
}

#[test]
fn only_modern_requests_say_who_asks() {
    let modern = text(&call(None, None), Version::V2026_07_28);
    assert!(modern.contains(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#));
    assert!(modern.contains(r#""io.modelcontextprotocol/clientCapabilities":{}"#));
    assert_eq!(list_params(None, Version::V2025_11_25), Ok(None));
    let page = list_params(Some(""), Version::V2025_11_25)
        .unwrap()
        .unwrap();
    assert_eq!(&page[..], br#"{"cursor":""}"#);
}

#[test]
fn meta_that_is_no_object_or_no_strict_json_is_refused() {
    for meta in ["[]", "1", "{\"a\":1,\"a\":2}", "{"] {
        assert_eq!(
            call_params(&call(None, Some(meta)), Version::V2025_11_25),
            Err(UpstreamError::Meta)
        );
    }
}

#[test]
fn a_cancellation_names_the_request_by_its_own_kind_of_id() {
    assert_eq!(
        &cancelled(&Id::from(7))[..],
        br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#
    );
}
