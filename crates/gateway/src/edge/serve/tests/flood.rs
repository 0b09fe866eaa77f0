use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cmcp_json::{Limits, Value};
use cmcp_policy::engine::Principal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::timeout,
};

use super::{CALL, CLOSE, DOOR, PATIENCE, Served, call, request, statuses};
use crate::{
    CallLimit, LimitSettings, PrincipalEntry, Rate, Settings, TokenHash,
    testing::{ALICE, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn f07_a_chunked_body_without_end_is_stopped_at_the_cap_while_it_streams() {
    let served = Served::usual().await;
    let mut peer = served.connect().await;
    let head = request("POST /mcp", "Transfer-Encoding: chunked\r\n", "");
    peer.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x1_0000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 256 << 20 && peer.write_all(&chunk).await.is_ok() {
        sent += 0x1_0000;
    }
    // What the kernel's buffers take comes on top of what was read.
    assert!(
        sent < Limits::REQUEST.bytes + (32 << 20),
        "{sent} bytes were taken"
    );
    let mut said = Vec::new();
    // The refusal may be lost where the rest of the body was still on its way.
    let _reset = peer.read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || statuses(&said) == ["413"], "{said}");
    // A length that is declared is refused before the first byte.
    let declared = request("POST /mcp", "Content-Length: 268435456\r\n", "");
    let said = served.exchange(declared.as_bytes()).await;
    assert_eq!(statuses(&said), ["413"], "{said}");
    assert_eq!(
        statuses(&served.exchange(call(CLOSE).as_bytes()).await),
        ["200"]
    );
    served.end().await;
}

fn with_bob(settings: &mut Settings) {
    settings.principals.push(PrincipalEntry {
        principal: Principal {
            name: "bob".to_owned(),
            attributes: BTreeMap::new(),
        },
        token: TokenHash::of(BOB.as_bytes()),
    });
}

/// Waits until something holds.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .expect("it never comes to hold");
}

/// The body of an answer.
fn body(read: &str) -> Value {
    let (_, body) = read.split_once("\r\n\r\n").unwrap();
    cmcp_json::parse(body.as_bytes(), &Limits::RESPONSE).unwrap()
}

/// `ok`, or the word of the error.
fn word(read: &str) -> String {
    let body = body(read);
    let data = body.get("error").and_then(|error| error.get("data"));
    let code = data
        .unwrap_or(&body)
        .get("error_code")
        .and_then(Value::as_str);
    code.unwrap_or("ok").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn n01_calls_queue_up_to_a_bound_and_another_principal_notices_nothing() {
    let settings = |settings: &mut Settings| {
        with_bob(settings);
        settings.limits = LimitSettings {
            in_flight: NonZeroUsize::new(4).unwrap(),
            waiting: 20,
            ..LimitSettings::default()
        };
    };
    let served = Arc::new(Served::new(World::new(settings).await, DOOR).await);
    let limits = &served.world.gateway.limits;
    let bobs = call(CLOSE).replace(ALICE, BOB);
    assert_eq!(word(&served.exchange(bobs.as_bytes()).await), "ok");
    let hold = || limits.enter("alice", Duration::ZERO);
    let held = [hold().await.unwrap(), hold().await.unwrap()];
    let mut flood = JoinSet::new();
    for _ in 0..200 {
        let served = Arc::clone(&served);
        flood.spawn(async move { word(&served.exchange(call(CLOSE).as_bytes()).await) });
    }
    // Ten of them wait; whoever comes then is told at once.
    let mut told = Vec::new();
    for _ in 0..190 {
        told.push(
            timeout(PATIENCE, flood.join_next())
                .await
                .unwrap()
                .unwrap()
                .unwrap(),
        );
    }
    assert!(told.iter().all(|word| word == "GATEWAY_BUSY"), "{told:?}");
    until(|| limits.load() == (2, 10)).await;
    for _ in 0..20 {
        assert_eq!(word(&served.exchange(bobs.as_bytes()).await), "ok");
    }
    drop(held);
    while let Some(ended) = flood.join_next().await {
        assert_eq!(ended.unwrap(), "ok");
    }
    assert_eq!(limits.load(), (0, 0));
    assert_eq!(served.calls(), 1 + 20 + 10);
    // Those that were refused are in the log as the others are.
    let kinds = served.world.kinds();
    let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!(
        (count("outcome gateway_busy"), count("outcome")),
        (190, 10),
        "{kinds:?}"
    );
    Arc::into_inner(served).unwrap().end().await;
}

/// Two calls an hour for everybody but Bob, who has one in each session.
fn scarce(settings: &mut Settings) {
    with_bob(settings);
    let rate = Rate {
        calls: NonZeroU32::MIN,
        per: Duration::from_secs(3_600),
        burst: NonZeroU32::new(2).unwrap(),
    };
    let fast = CallLimit {
        rate: Some(rate),
        ..CallLimit::default()
    };
    let few = CallLimit {
        per_session: Some(1),
        ..CallLimit::default()
    };
    settings.limits = LimitSettings {
        default: fast,
        principals: BTreeMap::from([("bob".to_owned(), few)]),
        ..LimitSettings::default()
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_met_is_told_apart_from_a_denial_and_says_when_to_come_back() {
    let world = World::new(scarce).await;
    let ask = async |token| {
        let (status, answer) = world.request("POST /mcp", token, CALL).await;
        let error = answer.get("error").cloned();
        (status.as_u16(), error.unwrap_or(Value::Null))
    };
    let data = |error: &Value, name: &str| {
        let data = error.get("data").and_then(|data| data.get(name));
        data.cloned().unwrap_or(Value::Null)
    };
    assert_eq!(ask(BOB).await.1, Value::Null);
    let (status, error) = ask(BOB).await;
    assert_eq!(
        (status, data(&error, "error_code")),
        (429, "BUDGET_EXHAUSTED".into())
    );
    assert_eq!(data(&error, "limit"), "calls_per_session".into());
    assert_eq!(
        data(&error, "retry_after"),
        Value::Null,
        "this session never"
    );
    assert_eq!((ask(ALICE).await.0, ask(ALICE).await.0), (200, 200));
    let (status, error) = ask(ALICE).await;
    assert_eq!(
        (status, data(&error, "error_code")),
        (429, "RATE_LIMITED".into())
    );
    assert_eq!(data(&error, "limit"), "rate".into());
    let wait = data(&error, "retry_after").as_u64().unwrap();
    assert!((3_590..=3_600).contains(&wait), "{wait}");
    assert_eq!(world.upstream.calls.load(Ordering::SeqCst), 3);
    let log = world.log();
    let last = log
        .iter()
        .rfind(|entry| entry.get("code").is_some())
        .unwrap();
    let text = |name: &str| last.get(name).and_then(Value::as_str);
    assert_eq!(
        (text("kind"), text("code"), text("verdict")),
        (Some("outcome"), Some("rate_limited"), Some("deny"))
    );
    assert_eq!(text("result"), Some("not-dispatched"));
}

#[tokio::test(flavor = "multi_thread")]
async fn n01_what_is_held_of_bodies_is_bounded_while_they_arrive_and_others_are_read() {
    let settings = |settings: &mut Settings| {
        with_bob(settings);
        settings.limits.request_bytes = 8 << 20;
    };
    let served = Served::new(World::new(settings).await, DOOR).await;
    let limits = &served.world.gateway.limits;
    // Bodies that stop just before their end.
    let body = " ".repeat(1 << 20);
    let begun = request(
        "POST /mcp",
        &format!("Content-Length: {}\r\n", body.len() + 1),
        &body,
    );
    let mut held = Vec::new();
    for so_many in 1..=4 {
        let mut peer = served.connect().await;
        peer.write_all(begun.as_bytes()).await.unwrap();
        held.push(peer);
        until(|| limits.bytes() == so_many << 20).await;
    }
    let read = served.exchange(call(CLOSE).as_bytes()).await;
    assert_eq!(
        (statuses(&read), word(&read)),
        (vec!["503"], "GATEWAY_BUSY".to_owned())
    );
    assert!(read.contains("retry-after: 1"), "{read}");
    let bobs = call(CLOSE).replace(ALICE, BOB);
    assert_eq!(word(&served.exchange(bobs.as_bytes()).await), "ok");
    held.clear();
    until(|| limits.bytes() == 0).await;
    assert_eq!(word(&served.exchange(call(CLOSE).as_bytes()).await), "ok");
    until(|| limits.bytes() == 0).await;
    served.end().await;
}

const BOB: &str = "token-of-bob";
