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
