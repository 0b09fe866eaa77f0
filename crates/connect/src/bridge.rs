//! A gateway as a local MCP server on standard input and output, for hosts that start their
//! servers as programs.
//!
//! Messages go to the gateway byte for byte and come back so. The bridge adds what HTTP needs: the
//! token, the session and version of a legacy client, the mirrored headers of a modern one.

use std::{fmt, io, pin::pin, sync::Arc};

use bytes::Bytes;
use cmcp_json::{Limits, Value};
use cmcp_mcp::{
    error::Code,
    headers::META_VERSION,
    jsonrpc::{self, Id, Message, Notification, ReplyTo, Request, RpcParseError},
    lines::{self, Line},
};
use http::HeaderValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{OwnedRwLockWriteGuard, mpsc},
    task::{self, AbortHandle, JoinError, JoinSet},
};

mod failure;
mod headers;
mod relay;
mod target;
mod wire;

use relay::{Handshake, Relay};
use target::Target;
pub use target::TargetError;

/// What a bridge needs to know.
#[derive(Debug)]
pub struct Bridge {
    /// The gateway's MCP endpoint; without a path, `/mcp` is meant.
    pub url: String,
    /// What the gateway knows this client by, if it asks for that.
    pub token: Option<Token>,
}

/// A bearer token; never shown.
pub struct Token(HeaderValue);

impl Token {
    /// Takes a token.
    ///
    /// # Errors
    /// [`BridgeError::Token`] when no header can carry it.
    pub fn new(token: &str) -> Result<Self, BridgeError> {
        let token = token.trim();
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .ok()
            .filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or(BridgeError::Token)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a bridge could not be opened, or ended before its input did.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The URL cannot be a gateway's.
    #[error("gateway URL: {0}")]
    Target(#[from] TargetError),
    /// The token cannot be sent.
    #[error("the token is empty or has characters that a header cannot carry")]
    Token,
    /// The host's messages can no longer be read.
    #[error("standard input cannot be read: {0}")]
    Input(#[source] io::Error),
    /// The host no longer takes messages.
    #[error("standard output cannot be written: {0}")]
    Output(#[source] io::Error),
}

/// Relays until the input ends, then waits for what is under way.
///
/// # Errors
/// [`BridgeError`]. A gateway that cannot be reached is none: each request is answered with an
/// error that says so, and the next one tries again.
pub async fn run<R, W>(bridge: Bridge, mut stdin: R, stdout: W) -> Result<(), BridgeError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Bridge { url, token } = bridge;
    let target = Target::parse(&url)?;
    if token.is_some() && target.is_exposed() {
        tracing::warn!(gateway = %target, "the token travels unencrypted; use an https URL");
    }
    let (say, heard) = mpsc::channel(MAX_UNWRITTEN);
    let relay = Arc::new(Relay::new(target, token, say)?);
    let mut host = Host {
        relay,
        heard,
        stdout,
        tasks: JoinSet::new(),
        running: Vec::new(),
    };
    let mut decoder = lines::Decoder::new(lines::MAX_LINE);
    let mut input = Input::Open;
    loop {
        tokio::select! {
            biased;
            Some(message) = host.heard.recv() => host.write(&message).await?,
            Some(done) = host.tasks.join_next_with_id() => host.finish(done).await?,
            line = decoder.read_from(&mut stdin), if input == Input::Open => {
                match line.map_err(BridgeError::Input)? {
                    Some(line) => host.take(line).await?,
                    None => input = Input::Ended,
                }
            }
            else => break,
        }
        if input == Input::Ended && host.tasks.is_empty() && host.heard.is_empty() {
            break;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Input {
    Open,
    Ended,
}

/// The program that started the bridge.
struct Host<W> {
    relay: Arc<Relay>,
    /// What the relay has for the host.
    heard: mpsc::Receiver<Bytes>,
    stdout: W,
    tasks: JoinSet<()>,
    running: Vec<Running>,
}

/// A message on its way.
struct Running {
    task: AbortHandle,
    /// The request that somebody waits for.
    request: Option<Waiting>,
}

struct Waiting {
    id: Id,
    era: Era,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Era {
    Legacy,
    Modern,
}

impl<W: AsyncWrite + Unpin> Host<W> {
    async fn take(&mut self, line: Line) -> Result<(), BridgeError> {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong { .. } => {
                let message = format!("the message is longer than {} bytes", lines::MAX_LINE);
                return self
                    .refuse(ReplyTo::Unknown, Code::InvalidRequest, &message)
                    .await;
            }
        };
        match jsonrpc::parse(&line, &Limits::REQUEST) {
            Ok(Message::Request(request)) => self.request(request, line).await,
            Ok(Message::Notification(notification)) => {
                self.notification(&notification, line);
                Ok(())
            }
            Ok(Message::Response(_)) => {
                self.forward(line);
                Ok(())
            }
            Err(error) => {
                let code = match error {
                    RpcParseError::Json(_) => Code::ParseError,
                    RpcParseError::Batch
                    | RpcParseError::NotAnObject
                    | RpcParseError::Version { .. }
                    | RpcParseError::Id
                    | RpcParseError::Method { .. }
                    | RpcParseError::Params { .. }
                    | RpcParseError::Shape { .. }
                    | RpcParseError::ErrorObject { .. } => Code::InvalidRequest,
                };
                let to = error.id().map_or(ReplyTo::Unknown, ReplyTo::Request);
                self.refuse(to, code, &error.to_string()).await
            }
        }
    }

    async fn request(&mut self, request: Request, line: Bytes) -> Result<(), BridgeError> {
        if self.running.len() >= MAX_RUNNING {
            let message = format!("{MAX_RUNNING} messages are on their way; wait for an answer");
            return self.refuse(&request.id, Code::RateLimited, &message).await;
        }
        let era = match request.params.meta(META_VERSION) {
            Some(_) => Era::Modern,
            None => Era::Legacy,
        };
        let waiting = Waiting {
            id: request.id.clone(),
            era,
        };
        let relay = Arc::clone(&self.relay);
        let task = if era == Era::Legacy && request.method == "initialize" {
            // Taken here, so that whatever comes next waits for the session that this opens.
            let handshake = self.lock_handshake().await?;
            self.tasks
                .spawn(async move { relay.initialize(&request, line, handshake).await })
        } else {
            self.tasks
                .spawn(async move { relay.request(&request, line).await })
        };
        self.running.push(Running {
            task,
            request: Some(waiting),
        });
        Ok(())
    }

    /// Waits for whoever is shaking hands already, and goes on writing meanwhile: that one may have
    /// something to say first.
    async fn lock_handshake(&mut self) -> Result<OwnedRwLockWriteGuard<Handshake>, BridgeError> {
        let mut lock = pin!(self.relay.handshake().write_owned());
        loop {
            tokio::select! {
                handshake = &mut lock => return Ok(handshake),
                Some(message) = self.heard.recv() => self.write(&message).await?,
            }
        }
    }

    /// Over HTTP a modern request is cancelled by hanging up, not by saying so.
    fn notification(&mut self, notification: &Notification, line: Bytes) {
        if notification.method == "notifications/cancelled" {
            let id = notification
                .params
                .get("requestId")
                .and_then(Id::from_value);
            let hung_up = self.running.iter().find(|running| {
                running.request.as_ref().is_some_and(|waiting| {
                    waiting.era == Era::Modern && Some(&waiting.id) == id.as_ref()
                })
            });
            if let Some(running) = hung_up {
                running.task.abort();
                return;
            }
        }
        self.forward(line);
    }

    /// Sends what wants no answer.
    fn forward(&mut self, line: Bytes) {
        if self.running.len() >= MAX_RUNNING {
            tracing::warn!("a notification was dropped: {MAX_RUNNING} messages are on their way");
            return;
        }
        let relay = Arc::clone(&self.relay);
        let task = self.tasks.spawn(async move { relay.forward(line).await });
        self.running.push(Running {
            task,
            request: None,
        });
    }

    /// Forgets a task that has ended. One that fell over leaves somebody waiting.
    async fn finish(&mut self, done: Result<(task::Id, ()), JoinError>) -> Result<(), BridgeError> {
        let ended = match &done {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        let place = self
            .running
            .iter()
            .position(|running| running.task.id() == ended);
        let request = place.and_then(|place| self.running.swap_remove(place).request);
        match (done, request) {
            (Err(error), Some(waiting)) if error.is_panic() => {
                self.refuse(&waiting.id, Code::Internal, "Internal error")
                    .await
            }
            (Ok(_) | Err(_), _) => Ok(()),
        }
    }

    async fn refuse<'a>(
        &mut self,
        to: impl Into<ReplyTo<'a>>,
        code: Code,
        message: &str,
    ) -> Result<(), BridgeError> {
        self.write(&jsonrpc::error(to, code.value(), message, None))
            .await
    }

    async fn write(&mut self, message: &[u8]) -> Result<(), BridgeError> {
        let line = lines::encode(message);
        self.stdout
            .write_all(&line)
            .await
            .map_err(BridgeError::Output)?;
        self.stdout.flush().await.map_err(BridgeError::Output)
    }
}

/// The text of a member of a JSON object, if it is one.
fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

/// Messages that may be on their way at once.
const MAX_RUNNING: usize = 64;
/// Messages for the host that may lie unwritten.
const MAX_UNWRITTEN: usize = 64;

#[cfg(test)]
mod tests;
