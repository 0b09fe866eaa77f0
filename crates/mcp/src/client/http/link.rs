//! One connection. Whoever uses it drives it: no task of its own, no hand-over between threads,
//! and dropping it is hanging up.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, ClientConfig};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::target::{HttpTarget, Reach};
use crate::{
    again::Again,
    upstream::{ConnectFault, UpstreamError},
};

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

type Body = Full<Bytes>;
type Connection = http1::Connection<TokioIo<Box<dyn Io>>, Body>;

/// A connection with at most one request on it.
pub(crate) struct Link {
    sender: http1::SendRequest<Body>,
    driver: Driver,
    /// When it was last put aside.
    pub(crate) idle_since: Instant,
}

/// Why a request got no response.
pub(crate) enum SendFailure {
    /// Nothing of it was written: the connection had been closed before.
    Unsent(Box<Request<Body>>),
    /// It may have arrived.
    Broken(hyper::Error),
}

impl Link {
    /// Resolves, connects, and shakes hands. The address that is connected to is the one that was
    /// checked: the name is not looked up again.
    pub(crate) async fn open(
        target: &HttpTarget,
        tls: Option<&Arc<ClientConfig>>,
        within: Duration,
    ) -> Result<Self, UpstreamError> {
        let opened = timeout(within, open(target, tls)).await;
        opened
            .unwrap_or(Err(ConnectFault::Timeout(within)))
            .map_err(|cause| UpstreamError::Connect {
                endpoint: target.endpoint.clone(),
                cause,
            })
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, SendFailure> {
        let response = self.sender.try_send_request(request);
        self.driver
            .drive(response)
            .await
            .map_err(|mut failure| match failure.take_message() {
                Some(request) => SendFailure::Unsent(Box::new(request)),
                None => SendFailure::Broken(failure.into_error()),
            })
    }

    /// The next part of a response's body; `None` behind the last.
    pub(crate) async fn frame(
        &mut self,
        body: &mut Incoming,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        // A server that always has a little more ready would never let a deadline come up.
        tokio::task::coop::consume_budget().await;
        self.driver.drive(body.frame()).await
    }

    /// Whether another request can follow at once: the response has been read to its end, and the
    /// server keeps the connection.
    pub(crate) async fn is_reusable(&mut self) -> bool {
        let Self { sender, driver, .. } = self;
        matches!(driver.drive_once(sender.ready()).await, Some(Ok(())))
    }

    /// Whether it still stands, as far as can be told without asking.
    pub(crate) async fn is_alive(&mut self) -> bool {
        let Self { sender, driver, .. } = self;
        driver.drive_once(std::future::pending::<()>()).await;
        !driver.ended && !sender.is_closed()
    }
}

struct Driver {
    connection: Pin<Box<Connection>>,
    ended: bool,
    again: Again,
}

impl Driver {
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| self.step(future.as_mut(), cx)).await
    }

    /// As [`Self::drive`], without waiting for anything.
    async fn drive_once<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let output = poll_fn(|cx| match self.step(future.as_mut(), cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        });
        let output = output.await;
        // Whoever uses it next looks at it first.
        self.again.rest();
        output
    }

    fn step<F: Future>(&mut self, mut future: Pin<&mut F>, cx: &Context<'_>) -> Poll<F::Output> {
        let Self {
            connection,
            ended,
            again,
        } = self;
        again.poll(cx, |cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            if !*ended {
                // How it ended reaches the future too.
                *ended = connection.as_mut().poll(cx).is_ready();
            }
            future.as_mut().poll(cx)
        })
    }
}

async fn open(target: &HttpTarget, tls: Option<&Arc<ClientConfig>>) -> Result<Link, ConnectFault> {
    let tcp = connect(target).await?;
    // A request is one small write; waiting to fill a segment would delay it.
    tcp.set_nodelay(true)
        .map_err(|error| ConnectFault::Io(error.kind()))?;
    let io: Box<dyn Io> = match (tls, &target.tls) {
        (Some(config), Some(name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            Box::new(
                connector
                    .connect(name.clone(), tcp)
                    .await
                    .map_err(|e| tls_fault(&e))?,
            )
        }
        (None, _) | (_, None) => Box::new(tcp),
    };
    let mut builder = http1::Builder::new();
    builder.max_headers(MAX_HEADERS);
    let shaken = builder.handshake(TokioIo::new(io)).await;
    let (sender, connection) = shaken.map_err(|_| ConnectFault::Handshake)?;
    let driver = Driver {
        connection: Box::pin(connection),
        ended: false,
        again: Again::default(),
    };
    Ok(Link {
        sender,
        driver,
        idle_since: Instant::now(),
    })
}

async fn connect(target: &HttpTarget) -> Result<TcpStream, ConnectFault> {
    let addresses: Vec<SocketAddr> = match target.host.parse::<IpAddr>() {
        Ok(address) => vec![(address, target.port).into()],
        Err(_) => lookup_host((target.host.as_str(), target.port))
            .await
            .map_err(|_| ConnectFault::Resolve)?
            .collect(),
    };
    connect_to_first(addresses, target.reach).await
}

/// Connects to the first address that may be connected to. No name comes as far as here, so that
/// none can lead elsewhere between the check and the connection.
async fn connect_to_first(
    addresses: Vec<SocketAddr>,
    reach: Reach,
) -> Result<TcpStream, ConnectFault> {
    let mut fault = ConnectFault::Resolve;
    for address in addresses {
        if !reach.admits(address.ip()) {
            fault = ConnectFault::Address(address.ip());
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => fault = ConnectFault::Io(error.kind()),
        }
    }
    Err(fault)
}

fn tls_fault(error: &io::Error) -> ConnectFault {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure,
        )) => ConnectFault::Pin,
        Some(error) => ConnectFault::Tls(error.clone()),
        None => ConnectFault::Io(error.kind()),
    }
}

const MAX_HEADERS: usize = 64;

#[cfg(test)]
mod tests;
