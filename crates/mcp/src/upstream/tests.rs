use std::time::Duration;

use super::*;

#[test]
fn what_never_left_says_that_it_was_not_sent() {
    let inner = Box::new(UpstreamError::Timeout {
        sent: true,
        after: Duration::ZERO,
    });
    let unsent = [
        UpstreamError::Negotiation(inner),
        UpstreamError::Timeout {
            sent: false,
            after: Duration::ZERO,
        },
        UpstreamError::Lost { sent: false },
        UpstreamError::Stale,
        UpstreamError::Closed,
    ];
    assert!(unsent.iter().all(|error| !error.sent()));
    let sent = [
        UpstreamError::Timeout {
            sent: true,
            after: Duration::ZERO,
        },
        UpstreamError::Lost { sent: true },
        UpstreamError::TooLarge { limit: 1 },
        UpstreamError::Status { status: 502 },
    ];
    assert!(sent.iter().all(UpstreamError::sent));
}

#[test]
fn errors_name_cause_and_consequence() {
    let lost = UpstreamError::Lost { sent: true };
    assert_eq!(
        lost.to_string(),
        "the server went away before it had answered (the request may have run)"
    );
    let connect = UpstreamError::Connect {
        endpoint: "http://localhost:1/".to_owned(),
        cause: ConnectFault::Io(std::io::ErrorKind::ConnectionRefused),
    };
    assert_eq!(
        connect.to_string(),
        "no connection to `http://localhost:1/`: connection refused"
    );
}

#[test]
fn levels_are_ordered_from_the_least_severe_to_the_most() {
    assert!(LogLevel::ALL.is_sorted());
    for level in LogLevel::ALL {
        assert_eq!(LogLevel::parse(level.as_str()), Some(level));
    }
    for none in ["", "Info", "warn", "fatal"] {
        assert_eq!(LogLevel::parse(none), None);
    }
}

#[test]
fn a_capability_is_there_unless_it_is_absent_null_or_false() {
    let capabilities = br#"{"a":{},"b":{"c":true,"d":false,"e":null},"f":false}"#;
    let offers = Offers {
        version: Version::V2025_11_25,
        capabilities: cmcp_json::parse(capabilities, &cmcp_json::Limits::REQUEST).unwrap(),
        instructions: None,
        server_info: None,
    };
    let has = |path: &[&str]| offers.has(path);
    assert!(has(&["a"]) && has(&["b"]) && has(&["b", "c"]));
    assert!(!has(&["b", "d"]) && !has(&["b", "e"]) && !has(&["b", "x"]) && !has(&["f"]));
}
