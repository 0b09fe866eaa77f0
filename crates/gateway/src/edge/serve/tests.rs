//! Over real sockets: what peers send that is no request, or not quite one.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use super::{DOOR, Door, accept};
use crate::testing::{ALICE, World};

mod flood;
mod framing;
mod routes;
mod slow;

/// Longer than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that listens.
struct Served {
    world: World,
    addr: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Served {
    async fn new(world: World, door: Door) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let gateway = Arc::clone(&world.gateway);
        let accepting = tokio::spawn(accept(gateway, listener, stopped, door));
        Self {
            world,
            addr,
            stop,
            accepting,
        }
    }

    async fn usual() -> Self {
        Self::new(World::new(|_| {}).await, DOOR).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends bytes, and reads all that comes until the gateway closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut peer = self.connect().await;
        // Whoever refuses early closes before all was taken.
        let _refused = peer.write_all(bytes).await;
        read_all(&mut peer).await
    }

    fn calls(&self) -> usize {
        self.world.upstream.calls.load(Ordering::SeqCst)
    }

    async fn end(self) {
        self.stop.send_replace(true);
        timeout(PATIENCE, self.accepting).await.unwrap().unwrap();
    }
}

/// All that comes until the other side closes, or resets what it closed.
async fn read_all(peer: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = timeout(PATIENCE, peer.read_to_end(&mut all)).await;
    match read.expect("the connection stays open") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The status of each answer in what was read.
fn statuses(read: &str) -> Vec<&str> {
    let lines = read.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line.split(' ').next().unwrap()).collect()
}

/// A request with a body, and `Authorization` for Alice.
fn request(line: &str, headers: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nHost: 127.0.0.1:8443\r\nAuthorization: Bearer {ALICE}\r\nContent-Type: application/json\r\n{headers}\r\n{body}"
    )
}

/// One call of `echo`.
fn call(headers: &str) -> String {
    let headers = format!("Content-Length: {}\r\n{headers}", CALL.len());
    request("POST /mcp", &headers, CALL)
}

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const CLOSE: &str = "Connection: close\r\n";
