use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cmcp_json::Value;
use cmcp_mcp::upstream::Kind;

use super::{MAX_AGE, Offered, RECHECK_EVERY};
use crate::testing::{Plain, PlainServer, World, definition};

/// Lists one tool, never says that it changed, and counts how often it was asked.
#[derive(Default)]
struct Silent {
    listed: AtomicUsize,
}

impl Plain for Silent {
    fn tools(&self) -> Vec<Value> {
        self.listed.fetch_add(1, Ordering::SeqCst);
        vec![definition("echo")]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g03_what_a_server_offers_is_compared_again_after_a_minute_at_most() {
    assert!(RECHECK_EVERY <= MAX_AGE && MAX_AGE <= Duration::from_secs(60));
    let server = Arc::new(Silent::default());
    let listed = || server.listed.load(Ordering::SeqCst);
    let world = World::before(PlainServer::new(&server)).await;
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(listed(), 1, "a fresh comparison holds");
    let rules = world.gateway.rules();
    let upstream = &rules.upstreams.list[0];
    let seat = upstream.link.seats()[0].id;
    let last = upstream.last(seat, Kind::Tools).unwrap();
    let aged = Offered {
        generation: last.generation,
        listed_at: Instant::now().checked_sub(MAX_AGE).unwrap(),
        pages: last.pages.clone(),
        complete: last.complete,
        items: last.items.clone(),
    };
    upstream.table().insert((seat, Kind::Tools), Arc::new(aged));
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(listed(), 2);
    // Beside the calls, those that were used are looked at, and the others left alone.
    assert!(rules.upstreams.recheck(&rules.catalog).await.is_empty());
    assert_eq!(listed(), 3);
    rules.upstreams.recheck(&rules.catalog).await;
    assert_eq!(listed(), 3, "nobody used it since");
}

/// Offers other tools whenever it is told to, and announces nothing.
#[derive(Default)]
struct Quiet {
    grown: AtomicBool,
    generation: AtomicU64,
}

impl Plain for Quiet {
    fn tools(&self) -> Vec<Value> {
        let mut tools = vec![definition("echo")];
        if self.grown.load(Ordering::SeqCst) {
            tools.push(definition("more"));
        }
        tools
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_only_reached_anew_is_not_worth_a_word_and_one_that_changed_is() {
    let server = Arc::new(Quiet::default());
    let world = World::before(PlainServer::new(&server)).await;
    let rules = world.gateway.rules();
    let changed = async || {
        // Reached anew, whatever it offers.
        server.generation.fetch_add(1, Ordering::SeqCst);
        assert_eq!(world.call("echo").await, "ok");
        rules.upstreams.recheck(&rules.catalog).await;
        rules.upstreams.take_changed()
    };
    assert_eq!(changed().await, [], "the first listing is no change");
    assert_eq!(changed().await, []);
    server.grown.store(true, Ordering::SeqCst);
    let link = rules.upstreams.link(0).unwrap().id;
    assert_eq!(changed().await, [(link, Kind::Tools)]);
    assert_eq!(changed().await, []);
}
