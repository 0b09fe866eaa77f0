use std::time::Duration;

use super::*;
use crate::{
    jsonrpc::Id,
    server::harness::{HOUR, data, next, params, respond, stream},
};

const BOTH: &str = r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["b","a","a"],"taskIds":["t"],"vendor.example/other":{"x":1}}}"#;

#[test]
fn a_filter_is_what_is_known_of_what_is_wanted() {
    let filter = Filter::read(&params(BOTH)).unwrap();
    assert_eq!(filter.lists, BTreeSet::from([Kind::Tools]));
    assert_eq!(filter.resources, ["a", "b"].map(str::to_owned).into());
    assert_eq!(filter.tasks, ["t"].map(str::to_owned).into());
    let empty = Filter::read(&params(r#"{"notifications":{}}"#)).unwrap();
    assert!(empty.is_empty() && !filter.is_empty());
}

#[test]
fn a_filter_that_is_not_one_is_refused() {
    for text in [
        "{}",
        r#"{"notifications":null}"#,
        r#"{"notifications":[]}"#,
        r#"{"notifications":{"toolsListChanged":"true"}}"#,
        r#"{"notifications":{"resourceSubscriptions":"a"}}"#,
        r#"{"notifications":{"resourceSubscriptions":[1]}}"#,
        r#"{"notifications":{"taskIds":{}}}"#,
    ] {
        let error = Filter::read(&params(text)).unwrap_err();
        assert_eq!(error, InvalidParams::Notifications, "{text}");
    }
    let many = vec!["\"x\""; MOST + 1].join(",");
    let text = format!(r#"{{"notifications":{{"resourceSubscriptions":[{many}]}}}}"#);
    let error = Filter::read(&params(&text)).unwrap_err();
    assert_eq!(error, InvalidParams::TooManySubscriptions);
}

/// What a listener says: acknowledgement, one notification with these parameters, its end.
async fn said(id: Id, with: Option<&'static str>) -> Vec<String> {
    let (port, feed) = Port::modern(&id);
    let filter = Filter::read(&params(BOTH)).unwrap();
    let listener = Listener::open(port, &filter);
    let params = with.map(|text| Bytes::from_static(text.as_bytes()));
    listener.notify(ServerNote::ResourceUpdated, params.as_ref());
    listener.end();
    let mut events = stream(respond(feed).await);
    let mut said = Vec::new();
    while let Some(text) = data(&mut events).await {
        said.push(text);
    }
    said
}

#[tokio::test]
async fn the_acknowledgement_comes_first_and_everything_names_the_subscription_with_its_type() {
    for (id, spelled) in [
        (Id::from(7), "7"),
        (Id::String("7".into()), "\"7\""),
        (Id::String(String::new()), "\"\""),
    ] {
        let meta = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{spelled}}}"#);
        assert_eq!(
            said(id, None).await,
            [
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"toolsListChanged":true,"resourceSubscriptions":["a","b"],"taskIds":["t"]}},{meta}}}}}"#
                ),
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{{meta}}}}}"#
                ),
                format!(
                    r#"{{"jsonrpc":"2.0","id":{spelled},"result":{{{meta},"resultType":"complete"}}}}"#
                ),
            ]
        );
    }
}

#[tokio::test]
async fn what_an_upstream_said_keeps_its_bytes_but_for_the_subscription() {
    let with = r#"{ "uri" : "a\u0041", "_meta":{"x":1e2,"io.modelcontextprotocol/subscriptionId":"theirs"},"n":1.0}"#;
    let said = said(Id::from(1), Some(with)).await;
    assert_eq!(
        said[1],
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a\u0041","n":1.0,"_meta":{"x":1e2,"io.modelcontextprotocol/subscriptionId":1}}}"#
    );
}

#[tokio::test]
async fn hanging_up_is_the_end_of_listening() {
    let (port, feed) = Port::modern(&Id::from(1));
    let listener = Listener::open(port, &Filter::default());
    let mut events = stream(feed.into_response(HOUR, Duration::ZERO).await);
    next(&mut events).await.unwrap();
    assert!(!listener.is_closed());
    drop(events);
    listener.closed().await;
    assert!(listener.is_closed());
}
