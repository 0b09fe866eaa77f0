//! The program that started the bridge: what it says, and what is under way for it.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::Limits;
use cmcp_mcp::{
    error::Code,
    headers::META_VERSION,
    jsonrpc::{self, Id, Message, Notification, ReplyTo, Request, RpcParseError},
    lines::{self, Line},
    method::Method,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{OwnedRwLockWriteGuard, mpsc, watch},
    task::{self, AbortHandle, JoinError, JoinSet},
    time::timeout,
};

use super::{
    BridgeError,
    relay::{Handshake, Relay},
};

/// The host, and its messages on their way.
pub(super) struct Host<W> {
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
    kind: Kind,
    /// Whether the gateway is known to have it.
    arrived: watch::Receiver<bool>,
}

/// What giving up a request takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The handshake, which nobody may give up.
    Initialize,
    /// A legacy request: the gateway has to be told.
    Legacy,
    /// A modern subscription, which ends when somebody hangs up and not before.
    Listen,
    /// A modern request: hanging up says it.
    Modern,
}

impl Kind {
    fn of(request: &Request) -> Self {
        let modern = request.params.meta(META_VERSION).is_some();
        match Method::parse(&request.method) {
            Some(Method::Initialize) if !modern => Self::Initialize,
            Some(Method::SubscriptionsListen) if modern => Self::Listen,
            Some(_) | None if modern => Self::Modern,
            Some(_) | None => Self::Legacy,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Input {
    Open,
    Ended,
}

impl<W: AsyncWrite + Unpin> Host<W> {
    pub(super) fn new(relay: Arc<Relay>, heard: mpsc::Receiver<Bytes>, stdout: W) -> Self {
        Self {
            relay,
            heard,
            stdout,
            tasks: JoinSet::new(),
            running: Vec::new(),
        }
    }

    /// Relays until the input ends, then waits for what is under way.
    pub(super) async fn serve<R>(&mut self, mut stdin: R) -> Result<(), BridgeError>
    where
        R: AsyncRead + Unpin,
    {
        let mut decoder = lines::Decoder::new(lines::MAX_LINE);
        let mut input = Input::Open;
        loop {
            tokio::select! {
                biased;
                Some(message) = self.heard.recv() => self.write(&message).await?,
                Some(done) = self.tasks.join_next_with_id() => self.finish(done).await?,
                line = decoder.read_from(&mut stdin), if input == Input::Open => {
                    match line.map_err(BridgeError::Input)? {
                        Some(line) => self.take(line).await?,
                        None => {
                            input = Input::Ended;
                            self.stop_listening();
                        }
                    }
                }
                else => return Ok(()),
            }
            if input == Input::Ended && self.tasks.is_empty() && self.heard.is_empty() {
                return Ok(());
            }
        }
    }

    /// Leaves whatever is under way.
    pub(super) async fn give_up(&mut self) {
        self.tasks.shutdown().await;
    }

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
        // The gateway has bounds of its own; here a line is bounded already.
        match jsonrpc::parse(&line, &Limits::RESPONSE) {
            Ok(Message::Request(request)) => self.request(request, line).await,
            Ok(Message::Notification(notification)) => self.notification(notification, line).await,
            Ok(Message::Response(_)) => self.forward(line).await,
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
        let (arrival, arrived) = watch::channel(false);
        let waiting = Waiting {
            id: request.id.clone(),
            kind: Kind::of(&request),
            arrived,
        };
        let relay = Arc::clone(&self.relay);
        let task = if waiting.kind == Kind::Initialize {
            // Taken here, so that whatever comes next waits for the session that this opens.
            let handshake = self.lock_handshake().await?;
            self.tasks
                .spawn(async move { relay.initialize(&request, line, handshake).await })
        } else {
            self.tasks
                .spawn(async move { relay.request(&request, line, &arrival).await })
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

    async fn notification(
        &mut self,
        notification: Notification,
        line: Bytes,
    ) -> Result<(), BridgeError> {
        let modern = notification.params.meta(META_VERSION).is_some();
        match notification.method.as_str() {
            "notifications/cancelled" => self.cancel(&notification, line).await,
            "notifications/initialized" if !modern => {
                self.make_room().await?;
                let handshake = self.lock_handshake().await?;
                let relay = Arc::clone(&self.relay);
                self.note(async move { relay.initialized(line, handshake).await });
                Ok(())
            }
            _ => self.forward(line).await,
        }
    }

    /// Gives up the request that the host no longer wants. One that is not under way has been
    /// answered, and nobody need hear of it.
    async fn cancel(
        &mut self,
        notification: &Notification,
        line: Bytes,
    ) -> Result<(), BridgeError> {
        let id = notification
            .params
            .get("requestId")
            .and_then(Id::from_value);
        let named = self.running.iter().find_map(|running| {
            let waiting = running.request.as_ref()?;
            (Some(&waiting.id) == id.as_ref()).then_some((running, waiting))
        });
        let Some((running, waiting)) = named else {
            return Ok(());
        };
        let task = running.task.clone();
        match waiting.kind {
            Kind::Initialize => Ok(()),
            Kind::Listen | Kind::Modern => {
                task.abort();
                Ok(())
            }
            Kind::Legacy => {
                let mut arrived = waiting.arrived.clone();
                self.make_room().await?;
                let relay = Arc::clone(&self.relay);
                self.note(async move {
                    // Two connections keep no order: what overtakes its request cancels nothing.
                    drop(timeout(ARRIVAL, arrived.wait_for(|arrived| *arrived)).await);
                    relay.forward(line).await;
                    task.abort();
                });
                Ok(())
            }
        }
    }

    /// Subscriptions end when nobody can hear them any more.
    fn stop_listening(&self) {
        for running in &self.running {
            let kind = running.request.as_ref().map(|waiting| waiting.kind);
            if kind == Some(Kind::Listen) {
                running.task.abort();
            }
        }
    }

    /// Sends what wants no answer.
    async fn forward(&mut self, line: Bytes) -> Result<(), BridgeError> {
        self.make_room().await?;
        let relay = Arc::clone(&self.relay);
        self.note(async move { relay.forward(line).await });
        Ok(())
    }

    fn note(&mut self, sending: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(sending);
        self.running.push(Running {
            task,
            request: None,
        });
    }

    /// Waits until one more notification or answer may be on its way: the gateway waits for answers,
    /// so none is dropped.
    async fn make_room(&mut self) -> Result<(), BridgeError> {
        let noted = |running: &&Running| running.request.is_none();
        while self.running.iter().filter(noted).count() >= MAX_NOTED {
            tokio::select! {
                Some(message) = self.heard.recv() => self.write(&message).await?,
                Some(done) = self.tasks.join_next_with_id() => self.finish(done).await?,
            }
        }
        Ok(())
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

/// Messages that may be on their way at once.
const MAX_RUNNING: usize = 256;
/// Of these, notifications and answers to the gateway.
const MAX_NOTED: usize = 64;
/// How long a cancellation waits for a sign that its request has arrived.
const ARRIVAL: Duration = Duration::from_secs(1);
