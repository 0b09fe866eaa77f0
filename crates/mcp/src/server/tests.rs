use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};

use super::{Identity, modern_list, modern_result};
use crate::version::Version;

fn identity() -> Identity {
    Identity {
        name: "cmcp-runtime".into(),
        version: "0.1.0".into(),
        instructions: None,
    }
}

fn value(text: &[u8]) -> Value {
    parse(text, &Limits::REQUEST).unwrap()
}

#[test]
fn initialize_answers_version_tools_and_name_and_nothing_else() {
    assert_eq!(
        &identity().initialize_result(Version::V2025_06_18, &value(br#"{"tools":{}}"#))[..],
        br#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"cmcp-runtime","version":"0.1.0"}}"#
    );
}

#[test]
fn discover_answers_the_stateless_revisions_privately_and_names_the_server_in_meta() {
    let with = Identity {
        instructions: Some("Read first.".into()),
        ..identity()
    };
    assert_eq!(
        &with.discover_result(&value(br#"{"tools":{}}"#))[..],
        br#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"cmcp-runtime","version":"0.1.0"}},"instructions":"Read first."}"#
    );
}

#[test]
fn a_legacy_result_gains_what_the_modern_era_wants_and_keeps_every_byte_it_had() {
    let raw = Bytes::from_static(br#" {"content": [ ], "n": 1e2} "#);
    assert_eq!(
        &modern_result(&raw, &value(&raw))[..],
        br#"{"content": [ ], "n": 1e2,"resultType":"complete"}"#
    );
    let empty = Bytes::from_static(b"{ }");
    assert_eq!(
        &modern_list(&empty, &value(&empty))[..],
        br#"{"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#
    );
}

#[test]
fn a_modern_result_passes_untouched() {
    let raw = Bytes::from_static(br#"{ "resultType":"input_required" }"#);
    assert_eq!(modern_result(&raw, &value(&raw)), raw);
}
