//! What one call costs through the client, beside the same exchange with nothing but hyper. Both
//! talk to the same server on the same thread of the same machine: the difference is ours.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    Server,
    client::{HttpClient, HttpTarget, Identity, Timing},
    tls::TlsPin,
    upstream::Ask,
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

fn main() {
    divan::main();
}

const ARGUMENTS: &[u8] = br#"{"message":"the quick brown fox jumps over the lazy dog"}"#;

#[divan::bench]
fn through_the_client(bencher: divan::Bencher<'_, '_>) {
    let Some((runtime, address)) = serve() else {
        return;
    };
    let target = HttpTarget::parse(&format!("http://{address}/mcp"), TlsPin::WebPki);
    let client =
        target.and_then(|target| HttpClient::new(target, Timing::default(), Identity::default()));
    let Ok(client) = client else { return };
    bencher.bench_local(|| {
        let arguments = Some(Bytes::from_static(ARGUMENTS));
        let ask = Ask::tool("echo", arguments, Duration::from_secs(5), 1 << 20);
        runtime.block_on(client.ask(ask))
    });
}

#[divan::bench]
fn bare_hyper(bencher: divan::Bencher<'_, '_>) {
    let Some((runtime, address)) = serve() else {
        return;
    };
    let connected = runtime.block_on(async {
        let tcp = TcpStream::connect(address).await.ok()?;
        tcp.set_nodelay(true).ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await.ok()?;
        tokio::spawn(connection);
        Some(sender)
    });
    let Some(mut sender) = connected else { return };
    let body = Bytes::from(
        [br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":"#, ARGUMENTS, b"}}"].concat(),
    );
    bencher.bench_local(|| {
        runtime.block_on(async {
            let request = Request::post("/mcp")
                .header("host", "localhost")
                .header("content-type", "application/json")
                .body(Full::new(body.clone()))
                .ok()?;
            sender.ready().await.ok()?;
            let response = sender.send_request(request).await.ok()?;
            response
                .into_body()
                .collect()
                .await
                .ok()
                .map(http_body_util::Collected::to_bytes)
        })
    });
}

/// A modern server that answers every call alike.
fn serve() -> Option<(Runtime, SocketAddr)> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.ok()?;
    let bound = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let _ = tcp.set_nodelay(true);
                let service = service_fn(answer);
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(tcp), service));
            }
        });
        std::io::Result::Ok(address)
    });
    Some((runtime, bound.ok()?))
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let message = body
        .ok()
        .and_then(|body| parse(&body, &Limits::REQUEST).ok());
    let member = |name| message.as_ref().and_then(|message| message.get(name));
    let result = match member("method").and_then(Value::as_str) {
        Some("server/discover") => r#"{"supportedVersions":["2026-07-28"]}"#,
        _ => {
            r#"{"content":[{"type":"text","text":"the quick brown fox jumps over the lazy dog"}],"isError":false}"#
        }
    };
    let id = member("id").map(ToString::to_string).unwrap_or_default();
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let mut response = Response::new(Full::from(text));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    Ok(response)
}
