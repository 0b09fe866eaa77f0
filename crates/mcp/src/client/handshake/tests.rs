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
    assert_eq!(
        initialized(&result(r#"{"protocolVersion":"2024-11-05"}"#)),
        Ok(Settled {
            version: Version::V2024_11_05,
            changes: Changes::Silent
        })
    );
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

#[test]
fn a_server_announces_changes_only_when_it_says_so() {
    let of = |capabilities| Changes::of(&result(&format!(r#"{{"capabilities":{capabilities}}}"#)));
    assert_eq!(of(r#"{"tools":{"listChanged":true}}"#), Changes::Announced);
    for silent in [
        "{}",
        r#"{"tools":{}}"#,
        r#"{"tools":{"listChanged":false}}"#,
        "1",
    ] {
        assert_eq!(of(silent), Changes::Silent, "{silent}");
    }
}
