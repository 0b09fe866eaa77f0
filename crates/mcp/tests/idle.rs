//! What clients cost that only listen.
#![cfg(test)]

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use cmcp_mcp::{
    Version,
    jsonrpc::Params,
    legacy::SessionId,
    server::{
        Handshake, Session,
        session::{ClientSaid, Shared},
    },
};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const CLIENTS: usize = 1_000;
const MOST_EACH: usize = 60 << 10;

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split_whitespace().nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}

fn session(n: usize) -> Session {
    let handshake = Handshake {
        version: Version::V2025_11_25,
        client: ClientSaid {
            capabilities: cmcp_json::Object::new().into(),
            info: None,
        },
    };
    assert_eq!(Handshake::read(&Params::default()), handshake);
    let mut random = [0; 32];
    random[..8].copy_from_slice(&n.to_le_bytes());
    Session::http(
        SessionId::from_random(&random),
        handshake,
        &Shared::default(),
    )
}

/// Serves one connection as the gateway does; the other end of it comes back.
fn connect(session: Session) -> DuplexStream {
    let (near, far) = tokio::io::duplex(4 << 10);
    tokio::spawn(async move {
        let service = service_fn(move |_: Request<Incoming>| {
            let stream = session.standalone(Duration::from_secs(15));
            async move { Ok::<_, Infallible>(stream.into_response()) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(20))
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(near), service)
            .await;
        // The test lets the clients go at its end.
        drop(served);
    });
    far
}

async fn read_until(client: &mut DuplexStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut part = [0; 1024];
    while !text.contains(wanted) {
        let count = client.read(&mut part).await.unwrap();
        assert_ne!(count, 0, "{text}");
        text.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    text
}

#[tokio::test]
async fn a_thousand_clients_that_listen_take_sixty_kibibytes_each_at_most() {
    let before = resident();
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let session = session(n);
        let mut client = connect(session.clone());
        client
            .write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n")
            .await
            .unwrap();
        read_until(&mut client, "data: \n\n").await;
        clients.push((session, client));
    }
    let each = resident().saturating_sub(before) / CLIENTS;
    println!("{each} bytes for each client that listens");
    assert!(each <= MOST_EACH, "{each}");
    // Each of them still hears what is said.
    for (session, client) in &mut clients {
        session.announce(Bytes::from_static(b"{\"said\":1}"));
        let text = read_until(client, "{\"said\":1}").await;
        assert!(text.contains("event: message\n"), "{text}");
    }
}
