//! HTTP/1.1 to the gateway, with connections kept for the next message.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cmcp_mcp::tls::{self, TlsPin};
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::target::{Target, TargetError};

/// The way to one gateway.
pub(super) struct Wire {
    target: Target,
    tls: TlsConnector,
    idle: Mutex<Vec<Connection>>,
}

/// Why no answer came over the wire.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum WireError {
    #[error("{0}")]
    Connect(io::ErrorKind),
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    #[error("no connection within {} s", CONNECT.as_secs())]
    ConnectTimeout,
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silence,
    #[error("the connection broke")]
    Lost,
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl WireError {
    /// Whether the message may have reached the gateway.
    pub(super) fn sent(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Tls(_) | Self::ConnectTimeout => false,
            Self::Silence | Self::Lost | Self::TooLarge(_) => true,
        }
    }
}

/// An open connection. Dropping it closes it, which is how a request is given up.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer whose body has not been read yet.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    connection: Connection,
}

impl Wire {
    pub(super) fn new(target: Target) -> Result<Self, TargetError> {
        let tls = TlsConnector::from(tls::client_config(TlsPin::WebPki)?);
        Ok(Self {
            target,
            tls,
            idle: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends one request. It is sent once: a kept connection that turns out to be closed gives it back
    /// unsent.
    pub(super) async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, WireError> {
        let mut request = self.request(method, headers, body);
        while let Some(mut connection) = self.take_idle() {
            match timeout(SILENCE, connection.sender.try_send_request(request)).await {
                Err(_) => return Err(WireError::Silence),
                Ok(Ok(response)) => return Ok(Answer::new(response, connection)),
                Ok(Err(mut error)) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(WireError::Lost),
                },
            }
        }
        let connecting = timeout(CONNECT, self.connect()).await;
        let mut connection = connecting.map_err(|_| WireError::ConnectTimeout)??;
        match timeout(SILENCE, connection.sender.send_request(request)).await {
            Err(_) => Err(WireError::Silence),
            Ok(Err(_)) => Err(WireError::Lost),
            Ok(Ok(response)) => Ok(Answer::new(response, connection)),
        }
    }

    /// Takes back the connection of an answer that was read to its end.
    pub(super) fn give_back(&self, answer: Answer) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(answer.connection);
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn request(&self, method: Method, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.target.path.clone();
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .insert(header::HOST, self.target.authority.clone());
        request
    }

    async fn connect(&self) -> Result<Connection, WireError> {
        let connect = |error: io::Error| WireError::Connect(error.kind());
        let stream = TcpStream::connect((self.target.host.as_str(), self.target.port))
            .await
            .map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        match &self.target.tls {
            None => handshake(stream).await,
            Some(name) => {
                let stream = self.tls.connect(name.clone(), stream).await;
                handshake(stream.map_err(|error| WireError::Tls(error.to_string()))?).await
            }
        }
    }
}

impl Answer {
    fn new(response: Response<Incoming>, connection: Connection) -> Self {
        Self {
            response,
            connection,
        }
    }

    /// The next bytes of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, WireError> {
        loop {
            let frame = timeout(SILENCE, self.response.frame()).await;
            let Some(frame) = frame.map_err(|_| WireError::Silence)? else {
                return Ok(None);
            };
            let Ok(data) = frame.map_err(|_| WireError::Lost)?.into_data() else {
                continue;
            };
            return Ok(Some(data));
        }
    }

    /// The whole body.
    pub(super) async fn body(&mut self) -> Result<Bytes, WireError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if chunk.len() > MAX_BODY.saturating_sub(body.len()) {
                return Err(WireError::TooLarge(MAX_BODY));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

async fn handshake<S>(stream: S) -> Result<Connection, WireError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| WireError::Lost)?;
    let driver = tokio::spawn(async move {
        // Whoever waits for an answer hears of the failure.
        let _ = connection.await;
    });
    Ok(Connection { sender, driver })
}

const CONNECT: Duration = Duration::from_secs(10);
/// How long the gateway may say nothing while an answer is due, or on an open stream: it sends
/// comments to keep one open.
const SILENCE: Duration = Duration::from_secs(300);
const MAX_IDLE: usize = 16;
const MAX_BODY: usize = 64 << 20;
