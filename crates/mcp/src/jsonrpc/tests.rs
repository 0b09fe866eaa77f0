use bytes::Bytes;
use cmcp_json::{Limits, Object, ParseErrorKind, Value};

use super::{
    Id, LONGEST_ID, Message, Outcome, Params, ReplyTo, Request, Response, RpcParseError, error,
    error_raw, notification, parse, request, result, with_members,
};

fn read(text: &str) -> Result<Message, RpcParseError> {
    parse(&Bytes::copy_from_slice(text.as_bytes()), &Limits::REQUEST)
}

fn read_request(text: &str) -> Request {
    let Ok(Message::Request(request)) = read(text) else {
        panic!("{text}")
    };
    request
}

fn read_response(text: &str) -> Response {
    let Ok(Message::Response(response)) = read(text) else {
        panic!("{text}")
    };
    response
}

fn id(text: &str) -> Id {
    read_request(&format!(r#"{{"jsonrpc":"2.0","id":{text},"method":"m"}}"#)).id
}

#[test]
fn ids_keep_type_and_spelling() {
    for text in [
        "1",
        "1.0",
        "0",
        "-7",
        "1e2",
        "12345678901234567890123",
        r#""1""#,
        r#""""#,
    ] {
        assert_eq!(id(text).to_string(), text);
        let reply = result(&id(text), b"{}");
        assert_eq!(
            reply,
            format!(r#"{{"jsonrpc":"2.0","id":{text},"result":{{}}}}"#)
        );
    }
    assert_ne!(id("1"), id("1.0"));
    assert_ne!(id("1"), id(r#""1""#));
    assert_eq!(id("1"), Id::from(1));
}

#[test]
fn ids_of_other_types_are_refused_without_an_id_to_answer() {
    for text in ["null", "true", "[1]", r#"{"a":1}"#] {
        let error = read(&format!(
            r#"{{"jsonrpc":"2.0","id":{text},"method":"ping"}}"#
        ))
        .unwrap_err();
        assert_eq!(error, RpcParseError::Id, "{text}");
        assert_eq!(error.id(), None);
    }
}

#[test]
fn e16_jsonrpc_missing_or_anything_but_the_string_two_is_refused() {
    for text in [
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":2,"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":null,"id":1,"method":"ping"}"#,
    ] {
        assert_eq!(
            read(text).unwrap_err(),
            RpcParseError::Version {
                id: Some(Id::from(1))
            }
        );
    }
}

#[test]
fn e08_batches_are_refused_whatever_they_hold() {
    assert_eq!(read("[]").unwrap_err(), RpcParseError::Batch);
    let one = r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#;
    assert_eq!(read(one).unwrap_err(), RpcParseError::Batch);
    let many = format!(" [{}]", vec!["1"; 1_000_000].join(","));
    assert_eq!(read(&many).unwrap_err(), RpcParseError::Batch);
    assert_eq!(
        read(&"[".repeat(100_000)).unwrap_err(),
        RpcParseError::Batch
    );
    assert!(matches!(read("[1,"), Err(RpcParseError::Json(_))));
    for text in ["null", "1", "\"x\"", "true"] {
        assert_eq!(read(text).unwrap_err(), RpcParseError::NotAnObject);
    }
}

#[test]
fn e01_a_repeated_member_at_any_depth_is_not_json() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"a","n\u0061me":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"a":[{"b":1,"b":2}]}}}"#,
    ] {
        let Err(RpcParseError::Json(error)) = read(text) else {
            panic!("{text}")
        };
        assert_eq!(error.kind, ParseErrorKind::DuplicateMember);
    }
}

#[test]
fn e23_anything_behind_the_message_is_not_json() {
    for tail in ["x", "{}", "\n{\"jsonrpc\":\"2.0\"}", "\0"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping"}}{tail}"#);
        assert!(
            matches!(read(&text), Err(RpcParseError::Json(_))),
            "{tail:?}"
        );
    }
}

#[test]
fn method_must_be_a_string_and_params_an_object() {
    let known = Some(Id::from(1));
    for method in ["1", "null", "[\"tools/call\"]"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method}}}"#);
        assert_eq!(
            read(&text).unwrap_err(),
            RpcParseError::Method { id: known.clone() }
        );
    }
    for params in ["[]", "null", "\"x\"", "1"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{params}}}"#);
        assert_eq!(
            read(&text).unwrap_err(),
            RpcParseError::Params { id: known.clone() }
        );
    }
}

#[test]
fn a_message_is_exactly_one_of_request_notification_and_response() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}"#,
    ] {
        assert_eq!(
            read(text).unwrap_err(),
            RpcParseError::Shape {
                id: Some(Id::from(1))
            },
            "{text}"
        );
    }
    let orphan = r#"{"jsonrpc":"2.0","result":{}}"#;
    assert_eq!(read(orphan).unwrap_err(), RpcParseError::Shape { id: None });
}

#[test]
fn a_message_without_id_is_a_notification() {
    let text = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#;
    let Ok(Message::Notification(notification)) = read(text) else {
        panic!("{text}")
    };
    assert_eq!(notification.method, "tools/call");
    assert_eq!(notification.params.get("name"), Some(&Value::from("x")));
}

#[test]
fn parameters_are_available_parsed_and_as_the_bytes_received() {
    let text = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\", \"params\" : {\"arguments\": {\"n\" : 1.0,\n\"s\":\"\\u00e9\"} , \"_meta\":{\"k\":[1]}} }";
    let params = read_request(text).params;
    assert_eq!(
        params.raw("arguments").unwrap(),
        "{\"n\" : 1.0,\n\"s\":\"\\u00e9\"}"
    );
    assert_eq!(params.raw("_meta").unwrap(), r#"{"k":[1]}"#);
    assert_eq!(params.raw("absent"), None);
    assert!(params.bytes().unwrap().starts_with(b"{\"arguments\""));
    assert_eq!(params.meta("k").unwrap().to_string(), "[1]");
    assert_eq!(Params::default().bytes(), None);
}

#[test]
fn a_result_keeps_its_bytes() {
    let text = r#"{"jsonrpc":"2.0","id":"a","result": {"n":1e2, "x":[ ]} }"#;
    let response = read_response(text);
    assert_eq!(response.id, Some(Id::String("a".into())));
    let Outcome::Result { bytes, value } = response.outcome else {
        panic!("{text}")
    };
    assert_eq!(bytes, r#"{"n":1e2, "x":[ ]}"#);
    assert_eq!(value.get("n").unwrap().to_string(), "1e2");
}

#[test]
fn an_error_keeps_its_bytes_and_may_lack_a_readable_id() {
    for (head, expected) in [
        ("\"id\":3,", Some(Id::from(3))),
        ("\"id\":null,", None),
        ("", None),
    ] {
        let text = format!(
            r#"{{"jsonrpc":"2.0",{head}"error":{{"code":-32601, "message":"no","data":{{"a":1}}}}}}"#
        );
        let response = read_response(&text);
        assert_eq!(response.id, expected);
        let Outcome::Error {
            code,
            message,
            data,
            bytes,
        } = response.outcome
        else {
            panic!("{text}")
        };
        assert_eq!((code, message.as_str()), (-32601, "no"));
        assert_eq!(data.unwrap().to_string(), r#"{"a":1}"#);
        assert_eq!(bytes, r#"{"code":-32601, "message":"no","data":{"a":1}}"#);
    }
}

#[test]
fn an_error_without_integer_code_or_text_is_refused() {
    for object in [
        r#"{"code":"1","message":"x"}"#,
        r#"{"code":1.5,"message":"x"}"#,
        r#"{"code":1}"#,
        "\"x\"",
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{object}}}"#);
        let expected = RpcParseError::ErrorObject {
            id: Some(Id::from(1)),
        };
        assert_eq!(read(&text).unwrap_err(), expected, "{object}");
    }
}

#[test]
fn writers_splice_and_escape() {
    let data = Value::from(Object::from([("error_code", "X")]));
    assert_eq!(
        error(&Id::from(1), -32000, "say \"no\"\n", Some(&data)),
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"say \"no\"\n","data":{"error_code":"X"}}}"#
    );
    assert_eq!(
        error(ReplyTo::Null, -32700, "Parse error", None),
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#
    );
    assert_eq!(
        error_raw(ReplyTo::Unknown, br#"{"code":1, "message":"m"}"#),
        r#"{"jsonrpc":"2.0","error":{"code":1, "message":"m"}}"#
    );
    assert_eq!(
        request(
            &Id::String("q\"".into()),
            "tools/call",
            Some(br#"{"a": 1.0}"#)
        ),
        r#"{"jsonrpc":"2.0","id":"q\"","method":"tools/call","params":{"a": 1.0}}"#
    );
    assert_eq!(notification("x", None), r#"{"jsonrpc":"2.0","method":"x"}"#);
}

#[test]
fn members_are_added_behind_those_that_are_there() {
    let more: [(&str, &[u8]); 2] = [("_cmcp", b"{}"), ("n", b"1")];
    assert_eq!(with_members(b"{}", &more), r#"{"_cmcp":{},"n":1}"#);
    assert_eq!(with_members(b" { \n} ", &more), r#"{"_cmcp":{},"n":1}"#);
    assert_eq!(
        with_members(b"{\"a\":\"}\" }", &more),
        r#"{"a":"}","_cmcp":{},"n":1}"#
    );
    assert_eq!(with_members(b"{\"a\":1}", &[]), r#"{"a":1}"#);
}

#[test]
fn members_of_meta_keep_their_bytes() {
    let text = Bytes::from_static(
        br#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta": {"progressToken" : 1.0 ,"x":"\u0041"}}}"#,
    );
    let Ok(Message::Request(request)) = parse(&text, &Limits::REQUEST) else {
        panic!("a request")
    };
    assert_eq!(request.params.raw_meta("progressToken").unwrap(), "1.0");
    assert_eq!(request.params.raw_meta("x").unwrap(), r#""\u0041""#);
    assert_eq!(request.params.raw_meta("y"), None);
    assert_eq!(Params::default().raw_meta("x"), None);
}

#[test]
fn ids_are_told_apart_by_type_and_spelling_and_bounded() {
    let ids: std::collections::HashSet<Id> = ["1", "1.0", "1e0", "\"1\"", "\"\"", "0"]
        .into_iter()
        .map(|text| {
            Id::from_value(&cmcp_json::parse(text.as_bytes(), &Limits::REQUEST).unwrap()).unwrap()
        })
        .collect();
    assert_eq!(ids.len(), 6);
    assert!(!Id::String("x".repeat(LONGEST_ID)).is_too_long());
    assert!(Id::String("x".repeat(LONGEST_ID + 1)).is_too_long());
}
