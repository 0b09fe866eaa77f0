//! A request on its way: sent, answered, and everything that is said in between.

use std::{pin::pin, sync::Arc, sync::atomic::AtomicBool, time::Duration};

use bytes::Bytes;
use cmcp_json::Limits;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::timeout;

use super::{
    Inner, Peer,
    calls::{Hears, Inbox},
    send::Parcel,
};
use crate::{
    client::{clock::Clock, turn::Context, turn::Turn},
    jsonrpc::{self, Id, Message, Outcome},
    upstream::{Ask, ProtocolFault, UpstreamError},
};

/// A message to send, and what is expected back.
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Cap on the `result` member.
    pub(super) max_bytes: usize,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// The session id that the server sent along.
    pub(super) session: Option<HeaderValue>,
    /// The JSON-RPC answer. Statuses that are no success may come without.
    pub(super) outcome: Option<Outcome>,
}

/// One request and its answer.
pub(super) struct Talk<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) peer: Option<&'a Arc<Peer>>,
    pub(super) id: Id,
    pub(super) max_bytes: usize,
    pub(super) budget: Budget,
    turn: Turn,
    inbox: Option<Inbox>,
    /// What came of it, where that was told on another stream than was looked at.
    early: Option<Result<Outcome, UpstreamError>>,
}

impl<'a> Talk<'a> {
    /// A request on somebody's behalf.
    pub(super) fn of(
        inner: &'a Arc<Inner>,
        peer: &'a Arc<Peer>,
        (ask, clock): (&Ask, &Arc<Clock>),
        id: u64,
    ) -> Self {
        let context = Context {
            counters: Arc::clone(&inner.counters),
            own: Arc::clone(&inner.own),
            clock: Arc::clone(clock),
        };
        let hears = match &ask.events {
            Some(_) => Hears::Requests,
            None => Hears::Nothing,
        };
        let turn = Turn::new(ask, id, peer.version, &context);
        // Modern servers have no stream but the request's own.
        let beside = !peer.version.is_modern() && (ask.events.is_some() || peer.pair.is_some());
        Self {
            inbox: beside.then(|| peer.calls.enter(id, hears, ask.max_bytes)),
            ..Self::with(inner, Some(peer), turn, (id, ask.max_bytes))
        }
    }

    /// A request of our own.
    pub(super) fn own(
        inner: &'a Arc<Inner>,
        peer: Option<&'a Arc<Peer>>,
        id: u64,
        max_bytes: usize,
    ) -> Self {
        let turn = Turn::quiet(&inner.counters, &inner.own);
        let pair = peer.filter(|peer| peer.pair.is_some());
        let inbox = pair.map(|peer| peer.calls.enter(id, Hears::Nothing, max_bytes));
        Self {
            inbox,
            ..Self::with(inner, peer, turn, (id, max_bytes))
        }
    }

    fn with(
        inner: &'a Arc<Inner>,
        peer: Option<&'a Arc<Peer>>,
        turn: Turn,
        (id, max_bytes): (u64, usize),
    ) -> Self {
        Self {
            inner,
            peer,
            id: Id::from(id),
            max_bytes,
            budget: Budget::new(max_bytes),
            turn,
            inbox: None,
            early: None,
        }
    }

    /// Sends the request and reads its answer. `sent` is set from the moment on when bytes of it
    /// may have reached the server.
    pub(super) async fn run(
        mut self,
        headers: HeaderMap,
        body: Bytes,
        sent: &AtomicBool,
    ) -> Result<Answered, UpstreamError> {
        let (inner, pair) = (self.inner, self.peer.and_then(|peer| peer.pair.as_ref()));
        let parcel = Parcel::post(headers, body).to(pair.map(|pair| &pair.path));
        let (lease, response) = self.meanwhile(inner.send(parcel, sent)).await?;
        if pair.is_none() || !response.status().is_success() {
            return self.read(lease, response).await;
        }
        let status = response.status();
        inner.settle(lease, response.into_body());
        let outcome = Some(self.elsewhere().await?);
        Ok(Answered {
            status,
            session: None,
            outcome,
        })
    }

    /// Waits for something, and serves the server's wishes meanwhile.
    pub(super) async fn meanwhile<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                reply = self.turn.reply() => self.inner.answer(self.peer, reply),
                next = next(self.inbox.as_ref()) => match next {
                    Ok((message, size)) => self.beside(message, size).await,
                    Err(error) => {
                        self.inbox = None;
                        self.early = Some(Err(error));
                    }
                },
            }
        }
    }

    /// Waits for the answer on a stream that is not this request's.
    async fn elsewhere(&mut self) -> Result<Outcome, UpstreamError> {
        loop {
            if let Some(early) = self.early.take() {
                return early;
            }
            let Some(inbox) = &self.inbox else {
                return Err(UpstreamError::Lost { sent: true });
            };
            tokio::select! {
                biased;
                reply = self.turn.reply() => self.inner.answer(self.peer, reply),
                next = inbox.next() => {
                    let (message, size) = next?;
                    if let Some(outcome) = self.hear(message, size).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    async fn beside(&mut self, message: Message, size: usize) {
        if let Some(early) = self.hear(message, size).await.transpose() {
            self.early = Some(early);
        }
    }

    /// Takes a message; gives the answer, if it is one.
    pub(super) async fn hear(
        &mut self,
        message: Message,
        size: usize,
    ) -> Result<Option<Outcome>, UpstreamError> {
        match message {
            Message::Response(response) => return self.check(response).map(Some),
            Message::Notification(notification) => {
                self.budget.spend(size)?;
                self.turn.notified(&notification).await;
            }
            Message::Request(request) => {
                self.budget.spend(size)?;
                self.budget.reply()?;
                if self.peer.is_none_or(|peer| peer.version.is_modern()) {
                    // There is no way to answer, and nothing may be asked.
                    self.inner.counters.refuse_one();
                } else if let Some(reply) = self.turn.asked(request).await {
                    self.inner.answer(self.peer, reply);
                }
            }
        }
        Ok(None)
    }

    /// Reads one message.
    pub(super) fn message(&self, text: &Bytes) -> Result<Message, UpstreamError> {
        let limits = Limits {
            bytes: self.message_limit(),
            ..Limits::RESPONSE
        };
        jsonrpc::parse(text, &limits).map_err(|error| match error {
            jsonrpc::RpcParseError::Json(_) => fault(ProtocolFault::NotJson),
            jsonrpc::RpcParseError::Batch
            | jsonrpc::RpcParseError::NotAnObject
            | jsonrpc::RpcParseError::Version { .. }
            | jsonrpc::RpcParseError::Id
            | jsonrpc::RpcParseError::Method { .. }
            | jsonrpc::RpcParseError::Params { .. }
            | jsonrpc::RpcParseError::Shape { .. }
            | jsonrpc::RpcParseError::ErrorObject { .. } => fault(ProtocolFault::NotJsonRpc),
        })
    }

    /// An error without an id is ours too: this response can only belong to this request.
    pub(super) fn check(&self, response: jsonrpc::Response) -> Result<Outcome, UpstreamError> {
        if let Some(got) = response.id.filter(|got| *got != self.id) {
            let got = crate::client::handshake::shorten(&got.to_string());
            return Err(UpstreamError::WrongId {
                expected: self.id.to_string(),
                got,
            });
        }
        match &response.outcome {
            Outcome::Result { bytes, .. } | Outcome::Error { bytes, .. }
                if bytes.len() > self.max_bytes =>
            {
                Err(self.too_large())
            }
            Outcome::Result { .. } | Outcome::Error { .. } => Ok(response.outcome),
        }
    }

    pub(super) fn message_limit(&self) -> usize {
        self.max_bytes.saturating_add(ENVELOPE)
    }

    pub(super) fn too_large(&self) -> UpstreamError {
        UpstreamError::TooLarge {
            limit: self.max_bytes,
        }
    }
}

async fn next(inbox: Option<&Inbox>) -> Result<(Message, usize), UpstreamError> {
    match inbox {
        Some(inbox) => inbox.next().await,
        None => std::future::pending().await,
    }
}

impl Inner {
    /// Asks the server something on our own behalf.
    pub(super) async fn question(
        self: &Arc<Self>,
        question: Question,
        peer: Option<&Arc<Peer>>,
    ) -> Result<Answered, UpstreamError> {
        let Question {
            id,
            headers,
            body,
            max_bytes,
        } = question;
        let talk = Talk::own(self, peer, id, max_bytes);
        talk.run(headers, body, &AtomicBool::new(false)).await
    }

    /// Sends a message that has no answer.
    pub(super) async fn note(
        self: &Arc<Self>,
        peer: &Peer,
        body: Bytes,
    ) -> Result<StatusCode, UpstreamError> {
        let path = peer.pair.as_ref().map(|pair| &pair.path);
        let parcel = Parcel::post(peer.headers.clone(), body).to(path);
        let (lease, response) = self.send(parcel, &AtomicBool::new(false)).await?;
        let status = response.status();
        self.settle(lease, response.into_body());
        Ok(status)
    }

    /// Answers a request of the server's. What becomes of the answer is the server's concern; what
    /// we wait for goes on.
    pub(super) fn answer(self: &Arc<Self>, peer: Option<&Arc<Peer>>, reply: Bytes) {
        let Some(peer) = peer.filter(|peer| !peer.version.is_modern()) else {
            return;
        };
        let (inner, peer) = (Arc::clone(self), Arc::clone(peer));
        self.chores.spawn(async move {
            let _ = timeout(REPLY_WITHIN, inner.note(&peer, reply)).await;
        });
    }
}

/// What a server may send besides the answer.
pub(super) struct Budget {
    bytes: usize,
    stream: usize,
    messages: usize,
    replies: usize,
}

impl Budget {
    fn new(max_bytes: usize) -> Self {
        let bytes = max_bytes.max(1 << 20);
        // Framing at most doubles what it frames, but for events that carry nothing.
        Self {
            bytes,
            stream: bytes.saturating_mul(4),
            messages: 10_000,
            replies: 256,
        }
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), UpstreamError> {
        self.bytes = take(self.bytes, bytes)?;
        self.messages = take(self.messages, 1)?;
        Ok(())
    }

    pub(super) fn spend_stream(&mut self, bytes: usize) -> Result<(), UpstreamError> {
        self.stream = take(self.stream, bytes)?;
        Ok(())
    }

    fn reply(&mut self) -> Result<(), UpstreamError> {
        self.replies = take(self.replies, 1)?;
        Ok(())
    }
}

fn take(left: usize, spent: usize) -> Result<usize, UpstreamError> {
    left.checked_sub(spent)
        .ok_or_else(|| fault(ProtocolFault::Flood))
}

pub(super) fn fault(fault: ProtocolFault) -> UpstreamError {
    UpstreamError::Protocol(fault)
}

/// Room for what stands around the `result` member.
pub(super) const ENVELOPE: usize = 1 << 10;
const REPLY_WITHIN: Duration = Duration::from_secs(10);
