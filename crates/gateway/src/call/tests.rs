use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::upstream::{
    EvidenceClass, Listing, Observed, Page, Server, ToolCall, ToolReply, UpstreamError,
};
use futures_util::future::{BoxFuture, FutureExt};

use http::StatusCode;

use crate::testing::{ALICE, World, definition};

/// Panics where it is told to.
#[derive(Default)]
struct Panics(Mutex<&'static str>);

impl Panics {
    fn at(&self, step: &str) {
        let told = *self.0.lock().unwrap_or_else(|held| held.into_inner());
        assert!(told != step, "told to");
    }
}

impl Server for Panics {
    fn list(&self) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        async {
            self.at("list");
            let bytes = Bytes::from_static(b"{}");
            Ok(Listing {
                pages: vec![Page {
                    cursor: None,
                    bytes,
                }],
                tools: vec![definition("echo")],
                complete: true,
                generation: self.generation(),
            })
        }
        .boxed()
    }

    fn call(&self, _: ToolCall) -> BoxFuture<'_, Result<ToolReply, UpstreamError>> {
        async {
            self.at("call");
            let bytes = Bytes::from_static(br#"{"content":[]}"#);
            let value = cmcp_json::parse(&bytes, &cmcp_json::Limits::RESPONSE).unwrap();
            Ok(ToolReply::Result { bytes, value })
        }
        .boxed()
    }

    fn generation(&self) -> u64 {
        self.at("generation");
        1
    }

    fn observed(&self) -> Observed {
        Observed {
            endpoint: "panics".to_owned(),
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
async fn m09_a_panic_in_any_step_ends_that_call_alone_and_as_a_fault_of_record() {
    let server = Arc::new(Panics::default());
    let world = World::before(server.clone()).await;
    let steps = ["list", "generation", "call"];
    for step in steps {
        *server.0.lock().unwrap() = step;
        assert_eq!(world.call("echo").await, "TEE_FAULT", "{step}");
        *server.0.lock().unwrap() = "";
        assert_eq!(world.call("echo").await, "ok", "after {step}");
    }
    let text = |entry: &Value, name: &str| {
        let text = entry.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let log = world.log();
    let outcomes = log.iter().filter(|entry| text(entry, "kind") == "outcome");
    let told: Vec<_> = outcomes
        .map(|o| (text(o, "verdict"), text(o, "code")))
        .collect();
    let pair = |verdict: &str, code: &str| (verdict.to_owned(), code.to_owned());
    let expected: Vec<_> = steps
        .iter()
        .flat_map(|_| [pair("fault", "fault"), pair("allow", "")])
        .collect();
    assert_eq!(told, expected, "one outcome for each call");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m12_with_a_clock_that_was_never_set_no_record_is_issued() {
    let world = World::new(|_| {}).await;
    world.pass(-1_800_000_000);
    assert_eq!(world.call("echo").await, "ok");
    let line = format!("POST /sessions/{}/close", world.session());
    let (status, said) = world.request(&line, ALICE, "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
    // Set at last, and the same session is sealed.
    world.pass(1_800_000_000);
    let (status, claim) = world.request(&line, ALICE, "").await;
    assert_eq!(status, StatusCode::OK, "{claim}");
}
