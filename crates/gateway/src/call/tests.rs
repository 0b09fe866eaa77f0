use std::sync::{Arc, Mutex};

use cmcp_json::Value;
use cmcp_mcp::upstream::Ask;
use http::StatusCode;

use crate::testing::{ALICE, Plain, PlainServer, World, definition};

/// Panics where it is told to.
#[derive(Default)]
struct Panics(Mutex<&'static str>);

impl Panics {
    fn at(&self, step: &str) {
        let told = *self.0.lock().unwrap_or_else(|held| held.into_inner());
        assert!(told != step, "told to");
    }
}

impl Plain for Panics {
    fn tools(&self) -> Vec<Value> {
        self.at("list");
        vec![definition("echo")]
    }

    fn answer(&self, _: &Ask) -> &'static [u8] {
        self.at("call");
        br#"{"content":[]}"#
    }

    fn generation(&self) -> u64 {
        self.at("generation");
        1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m09_a_panic_in_any_step_ends_that_call_alone_and_as_a_fault_of_record() {
    let server = Arc::new(Panics::default());
    let world = World::before(PlainServer::new(&server)).await;
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
