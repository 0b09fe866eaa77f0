use bytes::Bytes;
use cmcp_json::Limits;

use super::{CallParams, Caps, InvalidParams};
use crate::jsonrpc::{Message, parse};

fn read(params: &str, caps: Caps) -> Result<CallParams, InvalidParams> {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let Ok(Message::Request(request)) = parse(&Bytes::from(text), &Limits::REQUEST) else {
        panic!("{params}")
    };
    CallParams::read(&request.params, caps)
}

fn nested(levels: usize) -> String {
    format!(
        r#"{{"name":"echo","arguments":{{"a":{}{}}}}}"#,
        "[".repeat(levels),
        "]".repeat(levels)
    )
}

#[test]
fn arguments_keep_their_exact_bytes() {
    let call = read(
        r#"{"name":"échO","arguments": { "n" : 1e2, "big":12345678901234567890123 } ,"_meta":{"a":1.0}}"#,
        Caps::Standard,
    )
    .unwrap();
    assert_eq!(call.name, "échO");
    assert_eq!(
        call.arguments_bytes.unwrap(),
        r#"{ "n" : 1e2, "big":12345678901234567890123 }"#
    );
    assert_eq!(call.meta_bytes.unwrap(), r#"{"a":1.0}"#);
    assert_eq!(call.arguments.len(), 2);
}

#[test]
fn absent_arguments_stay_absent_and_empty_ones_stay_empty() {
    assert_eq!(
        read(r#"{"name":"x"}"#, Caps::Standard)
            .unwrap()
            .arguments_bytes,
        None
    );
    let empty = read(r#"{"name":"x","arguments":{}}"#, Caps::Standard).unwrap();
    assert_eq!(empty.arguments_bytes.unwrap(), "{}");
}

#[test]
fn a_name_that_is_not_a_string_is_refused() {
    for params in [
        "{}",
        r#"{"name":1}"#,
        r#"{"name":null}"#,
        r#"{"name":["echo"]}"#,
    ] {
        assert_eq!(
            read(params, Caps::Standard).unwrap_err(),
            InvalidParams::Name,
            "{params}"
        );
    }
}

#[test]
fn arguments_that_are_not_an_object_are_refused_null_among_them() {
    for arguments in ["[]", "null", "\"{}\"", "5", "true"] {
        let params = format!(r#"{{"name":"echo","arguments":{arguments}}}"#);
        let error = read(&params, Caps::Standard).unwrap_err();
        assert_eq!(error, InvalidParams::Arguments, "{arguments}");
        assert_eq!(error.to_string(), "arguments must be an object");
    }
}

#[test]
fn claims_that_are_not_an_object_are_ignored() {
    let call = read(r#"{"name":"echo","_cmcp":"x"}"#, Caps::Standard).unwrap();
    assert!(call.claims.is_empty());
    let call = read(
        r#"{"name":"echo","_cmcp":{"workflow_id":"w"}}"#,
        Caps::Standard,
    )
    .unwrap();
    assert_eq!(call.claims.get("workflow_id").unwrap().as_str(), Some("w"));
}

#[test]
fn the_old_caps_hold_only_where_asked_for() {
    // `arguments` is level 0, `a` level 1, each bracket one more.
    assert!(read(&nested(19), Caps::V07).is_ok());
    assert!(read(&nested(20), Caps::V07).is_ok());
    assert_eq!(
        read(
            &format!(
                r#"{{"name":"e","arguments":{{"a":{}1{}}}}}"#,
                "[".repeat(20),
                "]".repeat(20)
            ),
            Caps::V07
        )
        .unwrap_err(),
        InvalidParams::Depth
    );
    assert_eq!(
        read(&nested(21), Caps::V07).unwrap_err(),
        InvalidParams::Depth
    );
    assert!(read(&nested(21), Caps::Standard).is_ok());

    let many = |n: usize| {
        let members: Vec<_> = (0..n).map(|i| format!("\"k{i}\":0")).collect();
        format!(r#"{{"name":"echo","arguments":{{{}}}}}"#, members.join(","))
    };
    assert!(read(&many(256), Caps::V07).is_ok());
    assert_eq!(
        read(&many(257), Caps::V07).unwrap_err(),
        InvalidParams::Members
    );
    assert!(read(&many(257), Caps::Standard).is_ok());

    let long = |n: usize| {
        format!(
            r#"{{"name":"echo","arguments":{{"a":"{}"}}}}"#,
            "x".repeat(n)
        )
    };
    assert!(read(&long(500_000), Caps::V07).is_ok());
    assert_eq!(
        read(&long(500_001), Caps::V07).unwrap_err(),
        InvalidParams::String
    );
    let name = format!(
        r#"{{"name":"echo","arguments":{{"{}":0}}}}"#,
        "x".repeat(500_001)
    );
    assert_eq!(
        read(&name, Caps::V07).unwrap_err(),
        InvalidParams::MemberName
    );
}
