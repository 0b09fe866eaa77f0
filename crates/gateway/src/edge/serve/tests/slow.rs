use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{CALL, CLOSE, DOOR, Door, PING, Served, request, statuses};
use crate::testing::World;

const CRUMB: Duration = Duration::from_secs(10);

/// Writes a byte every ten seconds until the gateway closes; what it said, and after how long.
async fn crumbs(peer: &mut TcpStream, bytes: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut said = Vec::new();
    for byte in bytes {
        tokio::select! {
            biased;
            read = peer.read_buf(&mut said) => match read {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            },
            () = sleep(CRUMB) => {
                let _closed = peer.write_all(&[*byte]).await;
            }
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    (said, began.elapsed())
}

#[tokio::test]
async fn f08_a_head_in_crumbs_has_its_time_however_often_one_comes() {
    let served = Served::usual().await;
    tokio::time::pause();
    let whole = request("GET /tools/list", "", "");
    let (said, within) = crumbs(&mut served.connect().await, whole.as_bytes()).await;
    assert!(
        statuses(&said).is_empty() || statuses(&said) == ["408"],
        "{said}"
    );
    assert!(within <= DOOR.head_within + CRUMB, "{within:?}");
    // One that says nothing at all, and one that says nothing more.
    let (said, within) = crumbs(&mut served.connect().await, b"").await;
    assert!(said.is_empty() && within.is_zero());
    let mut idle = served.connect().await;
    let began = Instant::now();
    assert_eq!(
        idle.read_u8().await.unwrap_err().kind(),
        std::io::ErrorKind::UnexpectedEof
    );
    assert!(began.elapsed() <= DOOR.head_within + CRUMB);
}

#[tokio::test]
async fn f08_a_body_in_crumbs_has_its_time_too() {
    let served = Served::usual().await;
    tokio::time::pause();
    for framing in [
        format!("Content-Length: {}\r\n", PING.len()),
        "Transfer-Encoding: chunked\r\n".to_owned(),
    ] {
        let mut peer = served.connect().await;
        peer.write_all(request("POST /mcp", &framing, "").as_bytes())
            .await
            .unwrap();
        let body = format!("{:x}\r\n{CALL}\r\n0\r\n\r\n", CALL.len());
        let (said, within) = crumbs(&mut peer, body.as_bytes()).await;
        assert_eq!(statuses(&said), ["408"], "{said}");
        assert!(within <= crate::call::BODY_DEADLINE + CRUMB, "{within:?}");
    }
    assert_eq!(served.calls(), 0);
}

#[tokio::test]
async fn f08_peers_that_hold_every_place_lose_them_and_others_are_served() {
    let door = Door { peers: 8, ..DOOR };
    let served = Served::new(World::new(|_| {}).await, door).await;
    tokio::time::pause();
    let mut held = Vec::new();
    for _ in 0..door.peers {
        let mut peer = served.connect().await;
        peer.write_all(b"GET /tools/list HTTP/1.1\r\nHost: a")
            .await
            .unwrap();
        held.push(peer);
    }
    let began = Instant::now();
    let read = served
        .exchange(request("GET /tools/list", CLOSE, "").as_bytes())
        .await;
    assert_eq!(statuses(&read), ["200"], "{read}");
    assert!(
        began.elapsed() <= DOOR.head_within + CRUMB,
        "{:?}",
        began.elapsed()
    );
}

/// The slowest but one in a hundred of so many requests on one connection.
async fn slowest(served: &Served) -> Duration {
    let mut peer = served.connect().await;
    peer.set_nodelay(true).unwrap();
    let ask = request("GET /tools/list", "", "");
    let mut took = Vec::new();
    for _ in 0..500 {
        let began = std::time::Instant::now();
        peer.write_all(ask.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"}") {
            assert!(peer.read_buf(&mut read).await.unwrap() > 0);
        }
        took.push(began.elapsed());
    }
    took.sort();
    took[took.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f08_thousands_of_slow_peers_cost_the_others_next_to_nothing() {
    let served = Served::usual().await;
    let alone = slowest(&served).await;
    let mut held = Vec::new();
    for at in 0..SLOW_PEERS {
        let mut peer = served.connect().await;
        let begun = if at % 2 == 0 {
            "GET /mcp HT"
        } else {
            "POST /mcp HTTP/1.1\r\nHost: a\r\nX: "
        };
        peer.write_all(begun.as_bytes()).await.unwrap();
        held.push(peer);
    }
    let beside = slowest(&served).await;
    // A machine that does other things too makes some of them wait.
    assert!(
        beside < 2 * alone + Duration::from_millis(20),
        "{alone:?} alone, {beside:?} beside them"
    );
    drop(held);
    served.end().await;
}

/// Both ends of each are this process's.
const SLOW_PEERS: usize = 5_000;
