use super::*;
use crate::jsonrpc::{self, Message};

fn notification(method: &str, params: &str) -> Notification {
    let text = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
    match jsonrpc::parse(&text.into(), &cmcp_json::Limits::REQUEST) {
        Ok(Message::Notification(notification)) => notification,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_outdates_its_own_kind_alone() {
    let counters = Counters::default();
    let mut said = counters.listen();
    counters.notified(&notification("notifications/tools/list_changed", "{}"));
    counters.notified(&notification("notifications/resources/list_changed", "{}"));
    let generations = Kind::ALL.map(|kind| counters.generation(kind));
    assert_eq!(generations, [1, 1, 1, 0]);
    let changed = [Kind::Tools, Kind::Resources, Kind::ResourceTemplates];
    for kind in changed {
        assert_eq!(said.try_recv(), Ok(Said::ListChanged(kind)));
    }
    assert!(said.try_recv().is_err());
    counters.outdate_all();
    assert_eq!(
        Kind::ALL.map(|kind| counters.generation(kind)),
        [2, 2, 2, 1]
    );
    assert_eq!(said.try_recv(), Ok(Said::Reconnected));
    assert_eq!(counters.dropped(), 0);
}

#[test]
fn what_means_nothing_is_counted_and_told_to_nobody() {
    let counters = Counters::default();
    let mut said = counters.listen();
    for (method, params) in [
        (
            "notifications/progress",
            r#"{"progressToken":1,"progress":1}"#,
        ),
        ("notifications/resources/updated", "{}"),
        ("notifications/cancelled", r#"{"requestId":1}"#),
        ("notifications/vendor", "{}"),
    ] {
        counters.notified(&notification(method, params));
    }
    assert_eq!(counters.dropped(), 4);
    assert!(said.try_recv().is_err());
}

#[test]
fn a_listener_that_is_behind_hears_that_it_missed_something() {
    let counters = Counters::default();
    let mut said = counters.listen();
    for _ in 0..1_000 {
        counters.notified(&notification("notifications/message", r#"{"data":1}"#));
    }
    assert!(matches!(
        said.try_recv(),
        Err(broadcast::error::TryRecvError::Lagged(_))
    ));
    assert!(said.len() <= SAID_KEPT);
}

#[test]
fn n01_what_is_long_and_nobody_asked_for_is_not_kept() {
    let counters = Counters::default();
    let mut said = counters.listen();
    let long = format!(r#"{{"data":"{}"}}"#, "x".repeat(LONGEST_SAID));
    counters.notified(&notification("notifications/message", &long));
    assert!(said.try_recv().is_err());
    assert_eq!(counters.dropped(), 1);
}
