use super::*;

fn result(text: &str) -> Outcome {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let value = cmcp_json::parse(&bytes, &cmcp_json::Limits::RESPONSE).unwrap();
    Outcome::Result { value, bytes }
}

fn error(code: i64, data: &str) -> Outcome {
    let data = cmcp_json::parse(data.as_bytes(), &cmcp_json::Limits::RESPONSE).unwrap();
    Outcome::Error {
        code,
        message: "no".to_owned(),
        data: Some(data),
        bytes: Bytes::new(),
    }
}

#[test]
fn the_newest_known_revision_is_taken() {
    let era = |text| Era::of(&result(text), UnknownMethod::Legacy);
    assert_eq!(
        era(r#"{"supportedVersions":["2099-01-01","2026-07-28","2025-11-25"]}"#),
        Era::Modern(MODERN)
    );
    assert_eq!(era(r#"{"supportedVersions":["2025-11-25"]}"#), Era::Legacy);
    assert_eq!(
        era(r#"{"supportedVersions":["x"]}"#),
        Era::Foreign(r#"["x"]"#.to_owned())
    );
    assert_eq!(era(r#"{"something":"else"}"#), Era::Legacy);
}

#[test]
fn no_single_code_decides() {
    let unknown = error(-32601, "null");
    assert_eq!(
        Era::of(&unknown, UnknownMethod::Modern),
        Era::Modern(MODERN)
    );
    assert_eq!(Era::of(&unknown, UnknownMethod::Legacy), Era::Legacy);
    for code in [-32020, -32021] {
        assert_eq!(
            Era::of(&error(code, "null"), UnknownMethod::Legacy),
            Era::Modern(MODERN)
        );
    }
    for code in [-32000, -32600, -32602, -32603, -32002] {
        assert_eq!(
            Era::of(&error(code, "null"), UnknownMethod::Legacy),
            Era::Legacy
        );
    }
    let offers = error(-32022, r#"{"supported":["2026-07-28"]}"#);
    assert_eq!(Era::of(&offers, UnknownMethod::Legacy), Era::Modern(MODERN));
}

#[test]
fn initialize_settles_on_a_legacy_revision_or_fails() {
    let offers = initialized(&result(
        r#"{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"instructions":"i","serverInfo":{"name":"s"}}"#,
    ))
    .unwrap();
    assert_eq!(offers.version, Version::V2024_11_05);
    assert_eq!(offers.capabilities.to_string(), r#"{"tools":{}}"#);
    assert_eq!(offers.instructions.as_deref(), Some("i"));
    assert_eq!(offers.server_info.unwrap().to_string(), r#"{"name":"s"}"#);
    let bare = initialized(&result(
        r#"{"protocolVersion":"2025-11-25","capabilities":7}"#,
    ))
    .unwrap();
    assert_eq!(bare.capabilities.to_string(), "{}");
    for foreign in ["2026-07-28", "1.0"] {
        let answer = result(&format!(r#"{{"protocolVersion":"{foreign}"}}"#));
        let offered = foreign.to_owned();
        assert_eq!(
            initialized(&answer),
            Err(UpstreamError::NoCommonVersion { offered })
        );
    }
    assert_eq!(
        initialized(&result("{}")),
        Err(UpstreamError::Protocol(ProtocolFault::Handshake))
    );
}

#[test]
fn a_peer_s_words_are_cut_short_and_stripped_of_control_characters() {
    assert_eq!(shorten("a\u{1b}[31mb\n"), "a[31mb");
    assert_eq!(shorten(&"é".repeat(300)).chars().count(), 201);
}

fn offers(capabilities: &str) -> Offers {
    let text = format!(r#"{{"supportedVersions":["2026-07-28"],"capabilities":{capabilities}}}"#);
    discovered(&result(&text), MODERN)
}

fn own() -> Own {
    Own::new(crate::client::Identity::default())
}

#[test]
fn a_server_announces_changes_only_when_it_says_so() {
    assert!(announces(
        &offers(r#"{"tools":{"listChanged":true}}"#),
        Kind::Tools
    ));
    assert!(announces(
        &offers(r#"{"resources":{"listChanged":true}}"#),
        Kind::ResourceTemplates
    ));
    for silent in [
        "{}",
        r#"{"tools":{}}"#,
        r#"{"tools":{"listChanged":false}}"#,
        r#"{"prompts":{"listChanged":true}}"#,
        "1",
    ] {
        assert!(!announces(&offers(silent), Kind::Tools), "{silent}");
    }
}

#[test]
fn a_server_is_asked_to_tell_only_of_what_it_says_it_can() {
    let wanted = Watch {
        resources: ["a://b".to_owned()].into(),
        lists: false,
        tasks: ["t".to_owned()].into(),
    };
    let asked = |capabilities| {
        let params = listen_params(&own(), &offers(capabilities), &wanted);
        let params = String::from_utf8(params.to_vec()).unwrap();
        let (notifications, meta) = params.split_once(r#","_meta":"#).unwrap();
        assert!(meta.contains(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#));
        notifications.to_owned()
    };
    assert_eq!(asked("{}"), r#"{"notifications":{}"#);
    assert_eq!(
        asked(
            r#"{"tools":{"listChanged":true},"resources":{"subscribe":true},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#
        ),
        r#"{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://b"],"taskIds":["t"]}"#
    );
}

#[test]
fn what_a_server_will_tell_of_is_read_from_its_first_word() {
    let text = Bytes::from_static(
        br#"{"jsonrpc":"2.0","method":"n","params":{"notifications":{"promptsListChanged":true,"resourceSubscriptions":["a://b",1]}}}"#,
    );
    let Ok(jsonrpc::Message::Notification(said)) =
        jsonrpc::parse(&text, &cmcp_json::Limits::REQUEST)
    else {
        panic!("it is a notification")
    };
    let told = Watch {
        resources: ["a://b".to_owned()].into(),
        lists: true,
        tasks: BTreeSet::new(),
    };
    assert_eq!(acknowledged(&said.params), told);
}

#[test]
fn the_handshake_declares_the_capabilities_it_was_made_with() {
    let capabilities = cmcp_json::parse(
        br#"{"elicitation":{"form":{}}, "x":1e2}"#,
        &cmcp_json::Limits::REQUEST,
    )
    .unwrap();
    let own = Own::new(crate::client::Identity::with_capabilities(capabilities));
    let params = String::from_utf8(initialize_params(&own).to_vec()).unwrap();
    assert!(
        params.starts_with(
            r#"{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{}},"x":1e2},"clientInfo":{"name":"cmcp""#
        ),
        "{params}"
    );
}
