//! One HTTP/1.1 connection, and a listener that tells where it listens.

use std::{convert::Infallible, error::Error, future::Future, io::Write as _, net::SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    client::conn::http1::{SendRequest, handshake},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// Sends requests on one connection, one after the other.
pub(crate) type Sender = SendRequest<Full<Bytes>>;
/// What every part here ends with when it cannot go on.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Opens a connection.
pub(crate) async fn connect(addr: SocketAddr) -> Result<Sender, Fault> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    spawn_local(connection);
    Ok(sender)
}

/// Serves `answer` on a free loopback port, whose address is the first line of standard output.
pub(crate) async fn serve<A, F, B>(answer: A) -> Result<(), Fault>
where
    A: Fn(Request<Incoming>) -> F + Clone + 'static,
    F: Future<Output = Result<Response<B>, Fault>> + 'static,
    B: Body<Error = Infallible> + 'static,
{
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(answer.clone());
        spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
