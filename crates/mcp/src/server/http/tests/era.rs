//! Section 1 of the protocol notes: which era a request belongs to.

use super::*;
use crate::{method::ClientNote, server::Heard, upstream::LogLevel};

#[test]
fn a_request_with_neither_session_nor_modern_meta_is_served_as_0_7_1_does() {
    let request = request(&[], &ask("tools/call"));
    assert_eq!(request.dialect, Dialect::Compat);
    assert_eq!(request.method, Method::ToolsCall);
    assert_eq!(request.id, Id::from(7));
    assert_eq!(request.body, ask("tools/call"));
}

#[test]
fn the_old_dialect_needs_no_accept_and_may_ask_for_json_alone() {
    for accept in ["", "application/json", "*/*"] {
        assert_eq!(
            request(&[("accept", accept)], &ask("tools/list")).dialect,
            Dialect::Compat
        );
    }
}

#[test]
fn initialize_is_accepted_without_session_whatever_it_names() {
    let request = request(
        &[("mcp-protocol-version", "2025-11-25")],
        &ask("initialize"),
    );
    assert_eq!(
        (request.dialect, request.method),
        (Dialect::Compat, Method::Initialize)
    );
}

#[test]
fn a_known_session_is_that_session_with_its_own_version() {
    let session = harness::session(Version::V2025_06_18);
    let find = |id: &str| (id == KNOWN).then(|| session.clone());
    let expected = Dialect::Legacy {
        session: session.clone(),
        version: Version::V2025_06_18,
    };
    for named in [
        vec![SESSION],
        vec![SESSION, ("mcp-protocol-version", "2025-03-26")],
    ] {
        let body = Bytes::from(ask("tools/list"));
        match receive(&headers(&named), &body, &find, &Limits::REQUEST) {
            Ok(Incoming::Request(request)) => assert_eq!(request.dialect, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn f13_an_unknown_ended_or_chosen_session_id_is_404() {
    for id in [
        "chosen-by-me",
        "KNOWN-SESSION",
        "known-session-and-more",
        "a b",
    ] {
        let (status, code, body) = refused(&[("mcp-session-id", id)], &ask("tools/call"));
        assert_eq!((status, code), (404, Code::SessionNotFound.value()), "{id}");
        assert_eq!(body.get("id"), Some(&Value::from(7_u64)));
        assert!(!body.to_string().contains(id));
    }
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(refused(&[("mcp-session-id", "gone")], note).0, 404);
}

#[test]
fn initialize_inside_a_session_is_refused() {
    let (status, code, _) = refused(&[SESSION], &ask("initialize"));
    assert_eq!((status, code), (400, -32600));
}

#[test]
fn two_session_ids_are_refused() {
    let mut map = headers(&[SESSION]);
    map.append("mcp-session-id", HeaderValue::from_static(KNOWN));
    let body = Bytes::from(ask("tools/list"));
    let rejection = receive(&map, &body, &sessions, &Limits::REQUEST).unwrap_err();
    assert_eq!(
        (rejection.status.as_u16(), rejection.code),
        (400, Code::InvalidRequest)
    );
}

#[test]
fn an_unsupported_version_header_is_400_with_and_without_session() {
    for version in ["2025-11-26", "1.0", "2027-01-01"] {
        let header = ("mcp-protocol-version", version);
        assert_eq!(refused(&[header], &ask("tools/list")).0, 400);
        assert_eq!(refused(&[SESSION, header], &ask("tools/list")).0, 400);
    }
}

#[test]
fn header_and_meta_together_are_modern_and_a_session_id_is_ignored() {
    let headers = [
        VERSION,
        ("mcp-method", "tools/list"),
        ("mcp-session-id", "whatever"),
    ];
    let request = request(&headers, &modern("tools/list", "", META));
    assert_eq!(
        request.dialect,
        Dialect::Modern {
            version: Version::V2026_07_28
        }
    );
    assert_eq!(request.method, Method::ToolsList);
}

#[test]
fn a_modern_header_alone_is_400_invalid_params() {
    for body in [
        ask("server/discover"),
        r#"{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{}}"#.to_owned(),
        modern(
            "server/discover",
            "",
            r#""io.modelcontextprotocol/clientCapabilities":{}"#,
        ),
        ask("initialize"),
    ] {
        let headers = [VERSION, ("mcp-method", "server/discover")];
        let (status, code, answer) = refused(&headers, &body);
        assert_eq!((status, code), (400, -32602), "{body}");
        assert_eq!(answer.get("id"), Some(&Value::from(7_u64)));
    }
}

#[test]
fn missing_client_capabilities_are_400_invalid_params_and_client_info_is_never_required() {
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let headers = [VERSION, ("mcp-method", "server/discover")];
    for capabilities in ["", r#","io.modelcontextprotocol/clientCapabilities":[]"#] {
        let body = modern("server/discover", "", &format!("{version}{capabilities}"));
        let (status, code, _) = refused(&headers, &body);
        assert_eq!((status, code), (400, -32602));
    }
    let request = request(&headers, &modern("server/discover", "", META));
    assert_eq!(request.method, Method::ServerDiscover);
}

#[test]
fn f03_an_absent_or_different_version_header_is_400_header_mismatch() {
    let method = ("mcp-method", "tools/list");
    for version in ["", "2025-11-25", "v999.0.0", "2026-07-2"] {
        let headers = [("mcp-protocol-version", version), method];
        let (status, code, _) = refused(&headers, &modern("tools/list", "", META));
        assert_eq!((status, code), (400, -32020), "{version}");
    }
    let unknown = META.replace("2026-07-28", "v999.0.0");
    assert_eq!(
        refused(&[VERSION, method], &modern("tools/list", "", &unknown)).1,
        -32020
    );
}

#[test]
fn f03_a_repeated_version_header_is_malformed() {
    let mut map = headers(&[VERSION, ("mcp-method", "tools/list")]);
    map.append(
        "mcp-protocol-version",
        HeaderValue::from_static("2026-07-28"),
    );
    let body = Bytes::from(modern("tools/list", "", META));
    let rejection = receive(&map, &body, &sessions, &Limits::REQUEST).unwrap_err();
    assert_eq!(
        (rejection.status.as_u16(), rejection.code),
        (400, Code::HeaderMismatch)
    );
}

#[test]
fn both_equal_and_unknown_is_400_unsupported_with_what_is_supported_and_requested() {
    for version in ["v999.0.0", "2025-11-25"] {
        let headers = [
            ("mcp-protocol-version", version),
            ("mcp-method", "server/discover"),
        ];
        let body = modern("server/discover", "", &META.replace("2026-07-28", version));
        let (status, code, answer) = refused(&headers, &body);
        assert_eq!((status, code), (400, -32022));
        let data = answer
            .get("error")
            .unwrap()
            .get("data")
            .unwrap()
            .to_string();
        assert_eq!(
            data,
            format!(r#"{{"supported":["2026-07-28"],"requested":"{version}"}}"#)
        );
        assert_eq!(answer.get("id"), Some(&Value::from(7_u64)));
    }
}

#[test]
fn a_version_in_meta_that_is_no_string_is_400_invalid_params() {
    let meta = META.replace(r#""2026-07-28""#, "20260728");
    let headers = [VERSION, ("mcp-method", "tools/list")];
    let (status, code, _) = refused(&headers, &modern("tools/list", "", &meta));
    assert_eq!((status, code), (400, -32602));
}

#[test]
fn modern_marked_methods_of_the_old_era_and_unknown_ones_are_404_method_not_found() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "notifications/initialized",
        "tasks/list",
        "tasks/result",
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
        "unknown/method",
    ] {
        let headers = [VERSION, ("mcp-method", method)];
        let (status, code, answer) = refused(&headers, &modern(method, "", META));
        assert_eq!((status, code), (404, -32601), "{method}");
        assert_eq!(answer.get("id"), Some(&Value::from(7_u64)));
    }
}

#[test]
fn f03_mcp_method_and_mcp_name_must_agree_with_the_body() {
    let call = modern("tools/call", r#""name":"echo","arguments":{},"#, META);
    let good = [VERSION, ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    assert_eq!(request(&good, &call).method, Method::ToolsCall);
    for bad in [
        vec![VERSION, ("mcp-name", "echo")],
        vec![VERSION, ("mcp-method", "tools/list"), ("mcp-name", "echo")],
        vec![VERSION, ("mcp-method", "TOOLS/CALL"), ("mcp-name", "echo")],
        vec![VERSION, ("mcp-method", "tools/call")],
        vec![
            VERSION,
            ("mcp-method", "tools/call"),
            ("mcp-name", "wrong_tool_name"),
        ],
        vec![
            VERSION,
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?!?="),
        ],
    ] {
        let (status, code, answer) = refused(&bad, &call);
        assert_eq!((status, code), (400, -32020), "{bad:?}");
        assert_eq!(answer.get("id"), Some(&Value::from(7_u64)));
    }
}

#[test]
fn f03_what_a_method_names_is_mirrored_for_every_method_that_names_something() {
    for (method, member) in [
        ("prompts/get", "name"),
        ("resources/read", "uri"),
        ("tasks/get", "taskId"),
        ("tasks/update", "taskId"),
        ("tasks/cancel", "taskId"),
    ] {
        let body = modern(method, &format!("\"{member}\":\"é\","), META);
        let with = |name| [VERSION, ("mcp-method", method), ("mcp-name", name)];
        let found = request(&with("=?base64?w6k=?="), &body);
        assert_eq!(found.method.as_str(), method);
        for name in ["", "e", "=?base64?w6k?=", "=?BASE64?w6k=?="] {
            let (status, code, _) = refused(&with(name), &body);
            assert_eq!((status, code), (400, -32020), "{method} {name}");
        }
    }
    for method in [
        "resources/list",
        "completion/complete",
        "subscriptions/listen",
    ] {
        let headers = [VERSION, ("mcp-method", method)];
        assert_eq!(
            request(&headers, &modern(method, "", META)).method.as_str(),
            method
        );
    }
}

#[test]
fn sessions_have_the_methods_of_their_revision() {
    let at = |version, method: &str| {
        let session = harness::session(version);
        let find = |_: &str| Some(session.clone());
        let body = Bytes::from(ask(method));
        receive(&headers(&[SESSION]), &body, &find, &Limits::REQUEST)
            .map_err(|rejection| (rejection.status.as_u16(), rejection.code))
            .map(|_| ())
    };
    let missing = Err((200, Code::MethodNotFound));
    for method in [
        "resources/read",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        assert_eq!(at(Version::V2025_03_26, method), Ok(()), "{method}");
    }
    for method in ["tasks/get", "tasks/list", "tasks/result", "tasks/cancel"] {
        assert_eq!(at(Version::V2025_06_18, method), missing, "{method}");
        assert_eq!(at(Version::V2025_11_25, method), Ok(()), "{method}");
    }
    for method in ["tasks/update", "subscriptions/listen", "server/discover"] {
        assert_eq!(at(Version::V2025_11_25, method), missing, "{method}");
    }
}

#[test]
fn an_unknown_log_level_is_400_invalid_params() {
    let headers = [VERSION, ("mcp-method", "tools/list")];
    let with = |level| {
        let meta = format!(r#"{META},"io.modelcontextprotocol/logLevel":{level}"#);
        modern("tools/list", "", &meta)
    };
    assert_eq!(refused(&headers, &with("\"loud\"")).1, -32602);
    assert_eq!(refused(&headers, &with("3")).0, 400);
    assert_eq!(
        request(&headers, &with("\"warning\"")).method,
        Method::ToolsList
    );
}

#[test]
fn the_mcp_headers_of_an_old_client_are_not_trusted_and_not_needed() {
    let headers = [("mcp-method", "tools/list"), ("mcp-name", "other")];
    assert_eq!(
        request(&headers, &ask("tools/call")).method,
        Method::ToolsCall
    );
}

#[test]
fn discover_does_not_exist_for_the_old_dialects() {
    assert_eq!(refused(&[], &ask("server/discover")).0, 404);
    let (status, code, _) = refused(&[SESSION], &ask("server/discover"));
    assert_eq!((status, code), (200, -32601));
}

#[test]
fn notifications_and_responses_are_taken_in_and_a_modern_client_has_nothing_to_respond_to() {
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#;
    let Ok(Incoming::Notification(notification)) = post(&[SESSION], note) else {
        panic!("{note}")
    };
    assert_eq!(notification.method, "notifications/cancelled");
    assert_eq!(notification.note, Some(ClientNote::Cancelled));
    assert_eq!(notification.hear(), Heard::Dropped);
    assert_eq!(
        notification.params.get("requestId").unwrap().as_i64(),
        Some(3)
    );
    // A modern client cancels by hanging up, and one without session has nothing to cancel.
    for marks in [vec![VERSION], vec![]] {
        match post(&marks, note) {
            Ok(Incoming::Notification(notification)) => {
                assert_eq!(notification.note, None);
                assert_eq!(notification.hear(), Heard::Dropped);
            }
            other => panic!("{other:?}"),
        }
    }
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let Ok(Incoming::Response(taken)) = post(&[SESSION], response) else {
        panic!("{response}")
    };
    assert_eq!(taken.response.id, Some(Id::from(1)));
    assert!(!taken.deliver());
    assert_eq!(refused(&[VERSION], response).0, 400);
}

#[test]
fn a_call_without_id_is_a_notification_and_is_never_dispatched() {
    let body = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"refund"}}"#;
    assert!(matches!(post(&[], body), Ok(Incoming::Notification(_))));
}

#[test]
fn what_a_client_declared_and_wants_to_hear_is_read_where_its_era_says_it() {
    let meta = format!(r#"{META},"io.modelcontextprotocol/logLevel":"error","progressToken": 1.0"#)
        .replace(
            "clientCapabilities\":{}",
            "clientCapabilities\":{\"roots\":{}}",
        );
    let modern = request(
        &[VERSION, ("mcp-method", "tools/list")],
        &modern("tools/list", "", &meta),
    );
    assert_eq!(modern.capabilities().unwrap().to_vec(), br#"{"roots":{}}"#);
    assert_eq!(modern.log_level(), Some(LogLevel::Error));
    assert_eq!(modern.progress_token().unwrap(), "1.0");
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"progressToken":"t"}}}"#;
    let legacy = request(&[SESSION], body);
    assert!(legacy.capabilities().unwrap().get("sampling").is_some());
    assert_eq!(legacy.log_level(), None);
    legacy.dialect.session().unwrap().set_level(LogLevel::Info);
    assert_eq!(legacy.log_level(), Some(LogLevel::Info));
    assert_eq!(legacy.progress_token().unwrap(), "\"t\"");
    let old = request(&[], &body.replace("\"t\"", "null"));
    assert_eq!(
        (old.capabilities(), old.log_level(), old.progress_token()),
        (None, None, None)
    );
}

#[test]
fn a_capability_that_is_missing_is_named() {
    let request = request(
        &[VERSION, ("mcp-method", "tools/list")],
        &modern("tools/list", "", META),
    );
    let rejection = request.reject_capabilities(harness::value(br#"{"sampling":{}}"#));
    assert_eq!(rejection.status.as_u16(), 400);
    assert_eq!(
        rejection.body,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32021,"message":"the client did not declare a capability that this request needs","data":{"requiredCapabilities":{"sampling":{}}}}}"#
    );
}
