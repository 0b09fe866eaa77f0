use super::{Method, not_found_text};
use crate::version::Version;

#[test]
fn a_method_is_found_by_its_exact_bytes_only() {
    for method in Method::ALL {
        assert_eq!(Method::parse(method.as_str()), Some(method));
    }
    for near in [
        "Tools/Call",
        "tools/call ",
        " tools/call",
        "tools\u{2215}call",
        "tооls/call",
        "",
    ] {
        assert_eq!(Method::parse(near), None, "{near:?}");
    }
}

#[test]
fn data_carrying_methods_that_are_not_governed_are_not_methods() {
    for name in [
        "resources/read",
        "resources/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "resources/subscribe",
        "subscriptions/listen",
        "tasks/get",
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
        "acme/anything",
    ] {
        assert_eq!(Method::parse(name), None, "{name}");
    }
}

#[test]
fn the_handshake_and_ping_are_legacy_and_discover_is_modern() {
    let modern = Version::V2026_07_28;
    let legacy = Version::V2025_11_25;
    assert!(!Method::Initialize.exists_in(modern) && Method::Initialize.exists_in(legacy));
    assert!(!Method::Ping.exists_in(modern) && Method::Ping.exists_in(legacy));
    assert!(Method::ServerDiscover.exists_in(modern) && !Method::ServerDiscover.exists_in(legacy));
    assert!(Method::ToolsCall.exists_in(modern) && Method::ToolsCall.exists_in(legacy));
}

#[test]
fn the_echo_of_an_unknown_method_is_64_ascii_characters_at_most() {
    assert_eq!(not_found_text("ping"), "Method not found: ping");
    assert_eq!(
        not_found_text(&"x".repeat(1 << 20)),
        format!("Method not found: {}", "x".repeat(64))
    );
    assert_eq!(
        not_found_text("tооls\r\n\u{202e}"),
        "Method not found: t??ls???"
    );
}
