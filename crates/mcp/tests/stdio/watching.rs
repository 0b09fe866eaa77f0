//! What a server announces, and what it is asked to announce.

use std::{collections::BTreeSet, time::Duration};

use cmcp_json::Value;
use cmcp_mcp::{
    Server, UpstreamError, Version,
    client::{Identity, StdioClient, Timing},
    upstream::{Kind, Said, Told, Watch},
};
use tokio::{sync::broadcast::Receiver, time::timeout};

use super::support::{
    ask, call, client, fixture, heard, heard_of, launcher, result, say, talker, talker_with, until,
};

fn resources(uris: &[&str]) -> Watch {
    Watch {
        resources: set(uris),
        ..Watch::default()
    }
}

fn set(uris: &[&str]) -> BTreeSet<String> {
    uris.iter().map(|&uri| uri.to_owned()).collect()
}

async fn next(said: &mut Receiver<Said>) -> Said {
    let next = timeout(Duration::from_secs(20), said.recv()).await;
    next.expect("something is said").unwrap()
}

/// One parameter of each message of a method.
async fn params(client: &StdioClient, method: &str, name: &str) -> Vec<String> {
    let messages = heard_of(client, method).await;
    let param = |message: &Value| message.get("params")?.get(name).map(ToString::to_string);
    messages.iter().filter_map(param).collect()
}

#[tokio::test]
async fn a_legacy_server_is_subscribed_to_by_difference() {
    let client = client(talker("legacy"));
    let honoured = client
        .watch(resources(&["t://a", "t://b", "t://refused"]))
        .await;
    let honoured = honoured.unwrap();
    assert_eq!(honoured.resources, set(&["t://a", "t://b"]));
    assert!(honoured.lists);
    let honoured = client.watch(resources(&["t://b", "t://c"])).await.unwrap();
    assert_eq!(honoured.resources, set(&["t://b", "t://c"]));
    assert_eq!(
        params(&client, "resources/subscribe", "uri").await,
        ["\"t://a\"", "\"t://b\"", "\"t://refused\"", "\"t://c\""]
    );
    assert_eq!(
        params(&client, "resources/unsubscribe", "uri").await,
        ["\"t://a\""]
    );
    let mut said = client.said();
    let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"t://b","x":1e0}}"#;
    result(&client, say(&[updated], "answer")).await;
    let Said::ResourceUpdated { uri, params } = next(&mut said).await else {
        panic!()
    };
    assert_eq!(uri, "t://b");
    assert_eq!(&params[..], br#"{"uri":"t://b","x":1e0}"#);
    client.close().await;
}

#[tokio::test]
async fn a_modern_server_is_listened_to_anew_and_the_old_stream_let_go() {
    let client = client(talker("modern"));
    let honoured = client
        .watch(resources(&["t://a", "t://refused"]))
        .await
        .unwrap();
    assert_eq!(honoured.resources, set(&["t://a"]));
    assert!(honoured.lists);
    let same = client
        .watch(resources(&["t://a", "t://refused"]))
        .await
        .unwrap();
    assert_eq!(same, honoured);
    let listens = heard_of(&client, "subscriptions/listen").await;
    // The first one when it started, for whatever lists there are.
    let wanted = params(&client, "subscriptions/listen", "notifications").await;
    assert_eq!(
        wanted.last().unwrap(),
        r#"{"toolsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["t://a","t://refused"]}"#
    );
    client.watch(resources(&["t://b"])).await.unwrap();
    let cancelled = params(&client, "notifications/cancelled", "requestId").await;
    let old = listens.last().unwrap().get("id").unwrap().to_string();
    assert_eq!(cancelled.last(), Some(&old));

    let mut said = client.said();
    let updated = |stream: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"t://b","_meta":{{"io.modelcontextprotocol/subscriptionId":{stream}}}}}}}"#
        )
    };
    let dropped = client.observed().dropped;
    let lines = [updated(&old), updated("\"$LISTEN\""), updated("$LISTEN")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    result(&client, say(&lines, "answer")).await;
    assert!(matches!(
        next(&mut said).await,
        Said::ResourceUpdated { .. }
    ));
    assert!(
        said.try_recv().is_err(),
        "of a stream that is closed, or of none"
    );
    assert_eq!(client.observed().dropped - dropped, 2);
    client.close().await;
}

#[tokio::test]
async fn a_stream_that_the_server_ends_is_opened_again() {
    for end in [
        r#"{"jsonrpc":"2.0","id":$LISTEN,"result":{"resultType":"complete"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":$LISTEN}}"#,
    ] {
        let client = client(talker("modern"));
        client.watch(resources(&["t://a"])).await.unwrap();
        let before = heard_of(&client, "subscriptions/listen").await.len();
        result(&client, say(&[end], "answer")).await;
        let give_up = std::time::Instant::now() + Duration::from_secs(20);
        while heard_of(&client, "subscriptions/listen").await.len() == before {
            assert!(std::time::Instant::now() < give_up, "{end}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let wanted = params(&client, "subscriptions/listen", "notifications").await;
        assert!(wanted.last().unwrap().contains("t://a"));
        client.close().await;
    }
}

#[tokio::test]
async fn a_watched_server_that_ends_is_started_and_asked_again_by_nobody_s_call() {
    for (era, method) in [
        ("legacy", "resources/subscribe"),
        ("modern", "subscriptions/listen"),
    ] {
        let client = client(talker(era));
        client.watch(resources(&["t://a"])).await.unwrap();
        let mut said = client.said();
        assert_eq!(
            client.ask(call("die")).await.unwrap_err(),
            UpstreamError::Lost { sent: true }
        );
        assert_eq!(next(&mut said).await, Said::Reconnected, "it is gone");
        assert_eq!(next(&mut said).await, Said::Reconnected, "it is back");
        let first = heard(&client).await;
        let asked = |message: &Value| message.get("method").and_then(Value::as_str) == Some(method);
        assert!(first.iter().any(asked), "{first:?}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_server_that_nobody_watches_is_not_started_again_by_itself() {
    let client = client(talker("legacy"));
    ask(&client, call("params")).await.unwrap();
    let mut said = client.said();
    client.ask(call("die")).await.unwrap_err();
    assert_eq!(next(&mut said).await, Said::Reconnected);
    let more = timeout(Duration::from_millis(500), said.recv()).await;
    assert!(more.is_err());
    client.close().await;
}

#[tokio::test]
async fn watching_nothing_starts_nothing() {
    let client = client(talker("legacy"));
    assert_eq!(client.watch(Watch::default()).await, Ok(Watch::default()));
    assert_eq!(client.observed().files, []);
    client.close().await;
    let closed = client.watch(resources(&["t://a"])).await;
    assert_eq!(closed, Err(UpstreamError::Closed));
}

#[tokio::test]
async fn each_kind_has_a_generation_of_its_own() {
    for era in ["legacy", "modern"] {
        let client = client(talker(era));
        ask(&client, call("params")).await.unwrap();
        let before = Kind::ALL.map(|kind| client.generation(kind));
        let mut said = client.said();
        let changed = r#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#;
        result(&client, say(&[changed], "answer")).await;
        let moved: Vec<Kind> = Kind::ALL
            .into_iter()
            .zip(before)
            .filter(|(kind, before)| client.generation(*kind) != *before)
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(moved, [Kind::Resources, Kind::ResourceTemplates]);
        assert_eq!(next(&mut said).await, Said::ListChanged(Kind::Resources));
        client.close().await;
    }
}

#[tokio::test]
async fn every_kind_is_listed_and_one_that_is_not_declared_is_empty() {
    let talker = client(talker("modern"));
    for (kind, key) in [
        (Kind::Tools, "say"),
        (Kind::Resources, "t://a"),
        (Kind::Prompts, "p"),
    ] {
        let listing = talker.list(kind).await.unwrap();
        let named = listing.items[0].get(kind.key()).and_then(Value::as_str);
        assert_eq!(named, Some(key));
        assert!(listing.complete);
    }
    let templates = talker.list(Kind::ResourceTemplates).await.unwrap();
    assert!(templates.items.is_empty() && templates.complete);
    talker.close().await;
    let plain = client(fixture("legacy"));
    for kind in [Kind::Resources, Kind::ResourceTemplates, Kind::Prompts] {
        let listing = plain.list(kind).await.unwrap();
        assert!(listing.pages.is_empty() && listing.complete);
    }
    plain.close().await;
}

#[tokio::test]
async fn what_a_server_says_of_itself_is_known_in_both_eras() {
    for (era, version) in [
        ("legacy", Version::V2025_11_25),
        ("modern", Version::V2026_07_28),
    ] {
        let client = client(talker(era));
        let offers = client.offers().await.unwrap();
        assert_eq!(offers.version, version);
        assert_eq!(offers.instructions.as_deref(), Some("Talk."));
        let name = offers
            .server_info
            .as_ref()
            .and_then(|info| info.get("name"));
        assert_eq!(name.and_then(Value::as_str), Some("talker"));
        assert!(offers.has(&["resources", "subscribe"]));
        client.close().await;
    }
}

#[tokio::test]
async fn the_era_is_found_out_at_each_start() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("server");
    let point = |era: &str| {
        let script = format!(
            "#!/bin/sh\nexec '{}' {era}\n",
            super::support::example("talker").display()
        );
        let fresh = folder.path().join("new");
        std::fs::write(&fresh, script).unwrap();
        std::fs::rename(&fresh, &link).unwrap();
    };
    point("legacy");
    let client = client(cmcp_mcp::child::Spawn {
        args: vec![link.display().to_string()],
        ..cmcp_mcp::child::Spawn::new("/bin/sh")
    });
    for (era, version) in [
        ("legacy", Version::V2025_11_25),
        ("modern", Version::V2026_07_28),
        ("legacy", Version::V2025_11_25),
    ] {
        point(era);
        assert_eq!(client.offers().await.unwrap().version, version);
        client.ask(call("die")).await.unwrap_err();
    }
    assert_eq!(client.observed().downgrades, 1);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_the_question_of_the_era_ends_is_started_without_it() {
    let client = client(talker("crash"));
    let listing = client.list(Kind::Tools).await.unwrap();
    assert_eq!(listing.items.len(), 1);
    assert_eq!(client.observed().version, Some(Version::V2025_11_25));
    assert!(heard_of(&client, "server/discover").await.is_empty());
    client.close().await;
}

#[tokio::test]
async fn a_server_that_keeps_silent_about_the_era_is_spared_the_question_from_then_on() {
    let probe = Duration::from_millis(1500);
    let timing = Timing {
        probe,
        ..Timing::default()
    };
    let client = StdioClient::new(fixture("silent"), launcher(), timing, Identity::default());
    for waited in [true, false] {
        let begun = std::time::Instant::now();
        assert_eq!(client.list(Kind::Tools).await.unwrap().items.len(), 2);
        let taken = begun.elapsed();
        assert_eq!(taken >= probe, waited, "{taken:?}");
        client.ask(call("die")).await.unwrap_err();
    }
    client.close().await;
}

#[tokio::test]
async fn changed_roots_are_told_to_a_legacy_server_that_knows_of_roots() {
    let notice = "notifications/roots/list_changed";
    for (era, capabilities, told) in [
        ("legacy", r#"{"roots":{"listChanged":true}}"#, 1),
        ("legacy", "{}", 0),
        ("modern", r#"{"roots":{}}"#, 0),
    ] {
        let client = talker_with(era, capabilities);
        client.tell(Told::RootsChanged).await.unwrap();
        ask(&client, call("params")).await.unwrap();
        client.tell(Told::RootsChanged).await.unwrap();
        assert_eq!(heard_of(&client, notice).await.len(), told, "{era}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_closed_client_starts_nothing_again_for_what_was_watched() {
    let client = client(talker("legacy"));
    client.watch(resources(&["t://a"])).await.unwrap();
    client.close().await;
    let generation = client.generation(Kind::Tools);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.generation(Kind::Tools), generation);
    until("the end", || !client.observed().files.is_empty()).await;
    assert_eq!(client.offers().await.unwrap_err(), UpstreamError::Closed);
}
