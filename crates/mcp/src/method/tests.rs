use super::{ClientMethod, ClientNote, Method, ServerNote, not_found_text};
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
fn what_servers_ask_of_clients_and_what_nobody_defined_are_no_methods_of_a_client() {
    for name in [
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
        "notifications/initialized",
        "tasks/status",
        "acme/anything",
    ] {
        assert_eq!(Method::parse(name), None, "{name}");
    }
}

/// Section 3 of the protocol notes: the revisions that have each method.
#[test]
fn every_method_exists_in_its_revisions_and_no_other() {
    let [_, _, _, newest, modern] = Version::ALL;
    let legacy = &Version::ALL[..4];
    for (method, versions) in [
        (Method::CompletionComplete, &Version::ALL[..]),
        (Method::Initialize, legacy),
        (Method::LoggingSetLevel, legacy),
        (Method::Ping, legacy),
        (Method::PromptsGet, &Version::ALL),
        (Method::PromptsList, &Version::ALL),
        (Method::ResourcesList, &Version::ALL),
        (Method::ResourcesRead, &Version::ALL),
        (Method::ResourcesSubscribe, legacy),
        (Method::ResourcesTemplatesList, &Version::ALL),
        (Method::ResourcesUnsubscribe, legacy),
        (Method::ServerDiscover, &[modern]),
        (Method::SubscriptionsListen, &[modern]),
        (Method::TasksCancel, &[newest, modern]),
        (Method::TasksGet, &[newest, modern]),
        (Method::TasksList, &[newest]),
        (Method::TasksResult, &[newest]),
        (Method::TasksUpdate, &[modern]),
        (Method::ToolsCall, &Version::ALL),
        (Method::ToolsList, &Version::ALL),
    ] {
        for version in Version::ALL {
            let expected = versions.contains(&version);
            assert_eq!(method.exists_in(version), expected, "{method} {version}");
        }
    }
}

#[test]
fn without_a_handshake_there_is_what_0_7_1_had_and_ping() {
    let found: Vec<_> = Method::ALL
        .into_iter()
        .filter(|method| method.exists_without_handshake())
        .map(Method::as_str)
        .collect();
    assert_eq!(found, ["initialize", "ping", "tools/call", "tools/list"]);
}

#[test]
fn what_servers_may_ask_is_three_things_and_elicitation_is_the_youngest() {
    for method in ClientMethod::ALL {
        assert_eq!(ClientMethod::parse(method.as_str()), Some(method));
        assert!(method.exists_in(Version::V2026_07_28));
        let old = method.exists_in(Version::V2025_03_26);
        assert_eq!(old, method != ClientMethod::Elicit);
    }
    assert_eq!(ClientMethod::parse("ping"), None);
}

#[test]
fn notifications_are_found_by_their_exact_bytes_and_belong_to_their_eras() {
    for note in ClientNote::ALL {
        assert_eq!(ClientNote::parse(note.as_str()), Some(note));
        assert!(note.exists_in(Version::V2024_11_05));
        let modern = note.exists_in(Version::V2026_07_28);
        assert_eq!(modern, note == ClientNote::Cancelled);
    }
    for note in ServerNote::ALL {
        assert_eq!(ServerNote::parse(note.as_str()), Some(note));
    }
    assert_eq!(ClientNote::parse("notifications/Cancelled"), None);
    assert_eq!(ServerNote::parse("notifications/tasks/"), None);
    let only = |version: Version| -> Vec<ServerNote> {
        let has = |note: &ServerNote| {
            Version::ALL
                .into_iter()
                .filter(|v| note.exists_in(*v))
                .collect()
        };
        let mut notes = ServerNote::ALL.to_vec();
        notes.retain(|note| {
            let versions: Vec<Version> = has(note);
            versions == [version]
        });
        notes
    };
    assert_eq!(
        only(Version::V2025_11_25),
        [ServerNote::ElicitationComplete, ServerNote::TaskStatus]
    );
    assert_eq!(
        only(Version::V2026_07_28),
        [ServerNote::Acknowledged, ServerNote::Tasks]
    );
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
