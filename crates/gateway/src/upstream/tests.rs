use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_mcp::upstream::{
    EvidenceClass, Listing, Observed, Page, Server, ToolCall, ToolReply, UpstreamError,
};
use futures_util::future::{BoxFuture, FutureExt};

use super::{MAX_AGE, Offered, RECHECK_EVERY};
use crate::testing::{World, definition};

/// Lists one tool, never says that it changed, and counts how often it was asked.
#[derive(Default)]
struct Silent {
    listed: AtomicUsize,
}

impl Server for Silent {
    fn list(&self) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        self.listed.fetch_add(1, Ordering::SeqCst);
        let page = Page {
            cursor: None,
            bytes: Bytes::from_static(b"{}"),
        };
        let listing = Listing {
            pages: vec![page],
            tools: vec![definition("echo")],
            complete: true,
            generation: 1,
        };
        async { Ok(listing) }.boxed()
    }

    fn call(&self, _: ToolCall) -> BoxFuture<'_, Result<ToolReply, UpstreamError>> {
        let bytes = Bytes::from_static(br#"{"content":[]}"#);
        let value = cmcp_json::parse(&bytes, &cmcp_json::Limits::RESPONSE).unwrap();
        async { Ok(ToolReply::Result { bytes, value }) }.boxed()
    }

    fn generation(&self) -> u64 {
        1
    }

    fn observed(&self) -> Observed {
        Observed {
            endpoint: "silent".to_owned(),
            evidence: EvidenceClass::HashOnly,
            version: None,
            files: Vec::new(),
            confinement: None,
            downgrades: 0,
            dropped: 0,
            refused: 0,
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g03_what_a_server_offers_is_compared_again_after_a_minute_at_most() {
    assert!(RECHECK_EVERY <= MAX_AGE && MAX_AGE <= Duration::from_secs(60));
    let server = Arc::new(Silent::default());
    let listed = || server.listed.load(Ordering::SeqCst);
    let world = World::before(server.clone()).await;
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(listed(), 1, "a fresh comparison holds");
    let rules = world.gateway.rules();
    let upstream = &rules.upstreams.list[0];
    let last = upstream.last().unwrap();
    let aged = Offered {
        generation: last.generation,
        listed_at: Instant::now().checked_sub(MAX_AGE).unwrap(),
        pages: last.pages.clone(),
        complete: last.complete,
        tools: last.tools.clone(),
    };
    *upstream.offered.lock().unwrap() = Some(Arc::new(aged));
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(listed(), 2);
    // Beside the calls, those that were used are looked at, and the others left alone.
    assert!(rules.upstreams.recheck(&rules.catalog).await.is_empty());
    assert_eq!(listed(), 3);
    rules.upstreams.recheck(&rules.catalog).await;
    assert_eq!(listed(), 3, "nobody used it since");
}
