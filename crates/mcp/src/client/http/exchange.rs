//! One POST and what comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use cmcp_json::Limits;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::{Inner, Peer, link::SendFailure, pool::Lease};
use crate::{
    headers::SESSION_ID,
    jsonrpc::{self, Id, Message, Outcome},
    sse,
    upstream::{ProtocolFault, UpstreamError},
};

/// A message to send, and what is expected back.
pub(super) struct Question {
    pub(super) id: Id,
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

impl Inner {
    /// Sends a request and reads its answer. `sent` is set from the moment on when bytes of it may
    /// have reached the server.
    pub(super) async fn ask(
        self: &Arc<Self>,
        question: Question,
        peer: Option<&Peer>,
        sent: &AtomicBool,
    ) -> Result<Answered, UpstreamError> {
        let Question {
            id,
            headers,
            body,
            max_bytes,
        } = question;
        let (lease, response) = self.post(headers, body, sent).await?;
        let reading = Reading {
            inner: self,
            peer,
            id: &id,
            max_bytes,
        };
        reading.read(lease, response).await
    }

    /// Sends a message that has no answer.
    pub(super) async fn tell(
        self: &Arc<Self>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<StatusCode, UpstreamError> {
        let sent = AtomicBool::new(false);
        let (mut lease, response) = self.post(headers, body, &sent).await?;
        let (head, mut rest) = response.into_parts();
        let mut left = SMALL;
        while let Some(Ok(frame)) = lease.link.frame(&mut rest).await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            left = match left.checked_sub(size) {
                Some(left) => left,
                None => return Ok(head.status),
            };
        }
        self.pool.put(lease, &self.chores).await;
        Ok(head.status)
    }

    async fn post(
        self: &Arc<Self>,
        headers: HeaderMap,
        body: Bytes,
        sent: &AtomicBool,
    ) -> Result<(Lease, Response<Incoming>), UpstreamError> {
        self.send(Method::POST, headers, body, sent).await
    }

    pub(super) async fn send(
        self: &Arc<Self>,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
        sent: &AtomicBool,
    ) -> Result<(Lease, Response<Incoming>), UpstreamError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.target.path.clone();
        *request.headers_mut() = headers;
        let mut lease = self.reached(self.pool.lease(&self.target).await)?;
        sent.store(true, Ordering::Release);
        let mut failure = match lease.link.send(request).await {
            Ok(response) => return Ok((lease, response)),
            Err(failure) => failure,
        };
        if let SendFailure::Unsent(request) = failure {
            // The server had closed a connection that we kept. Nothing was written, so this is
            // still the first time that the request is sent.
            sent.store(false, Ordering::Release);
            lease = self.reached(self.pool.fresh(&self.target).await)?;
            sent.store(true, Ordering::Release);
            failure = match lease.link.send(*request).await {
                Ok(response) => return Ok((lease, response)),
                Err(failure) => failure,
            };
        }
        Err(match failure {
            SendFailure::Unsent(_) => UpstreamError::Lost { sent: false },
            SendFailure::Broken(error) => broken(&error),
        })
    }

    /// Notes whether the server could be reached: after an interruption it may be another one.
    fn reached(&self, lease: Result<Lease, UpstreamError>) -> Result<Lease, UpstreamError> {
        match &lease {
            Ok(_) if self.unreachable.swap(false, Ordering::AcqRel) => self.counters.outdate(),
            Err(UpstreamError::Connect { .. }) => self.unreachable.store(true, Ordering::Release),
            Ok(_) | Err(_) => {}
        }
        lease
    }
}

/// The reading of one response.
struct Reading<'a> {
    inner: &'a Arc<Inner>,
    peer: Option<&'a Peer>,
    id: &'a Id,
    max_bytes: usize,
}

impl Reading<'_> {
    async fn read(
        self,
        lease: Lease,
        response: Response<Incoming>,
    ) -> Result<Answered, UpstreamError> {
        let (head, body) = response.into_parts();
        let success = head.status.is_success();
        let outcome = match content(&head.headers) {
            Content::Json if success => Some(self.json(lease, body).await?),
            Content::Events if success => Some(self.events(lease, body).await?),
            Content::Json => self.json(lease, body).await.ok(),
            Content::Compressed if success => return Err(fault(ProtocolFault::ContentEncoding)),
            Content::Other if success && head.status != StatusCode::OK => {
                return Err(fault(ProtocolFault::NoAnswer));
            }
            Content::Other if success => return Err(fault(ProtocolFault::ContentType)),
            Content::Events | Content::Compressed | Content::Other => None,
        };
        let session = head.headers.get(SESSION_ID).cloned();
        Ok(Answered {
            status: head.status,
            session,
            outcome,
        })
    }

    async fn json(&self, mut lease: Lease, mut body: Incoming) -> Result<Outcome, UpstreamError> {
        let limit = self.message_limit();
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(self.too_large());
        }
        let mut text = Bytes::new();
        let mut parts = BytesMut::new();
        while let Some(frame) = lease.link.frame(&mut body).await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
                continue;
            };
            if text
                .len()
                .saturating_add(parts.len())
                .saturating_add(data.len())
                > limit
            {
                return Err(self.too_large());
            }
            // Small answers come in one part, which is then not copied.
            if text.is_empty() && parts.is_empty() {
                text = data;
            } else {
                parts.extend_from_slice(&std::mem::take(&mut text));
                parts.extend_from_slice(&data);
            }
        }
        self.inner.pool.put(lease, &self.inner.chores).await;
        let text = if parts.is_empty() {
            text
        } else {
            parts.freeze()
        };
        match self.message(&text)? {
            Message::Response(response) => self.check(response),
            Message::Request(_) | Message::Notification(_) => Err(fault(ProtocolFault::NoAnswer)),
        }
    }

    async fn events(&self, mut lease: Lease, mut body: Incoming) -> Result<Outcome, UpstreamError> {
        let mut decoder = sse::Decoder::new(self.message_limit());
        let mut budget = Budget::new(self.max_bytes);
        let mut events = Vec::new();
        while let Some(frame) = lease.link.frame(&mut body).await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
                continue;
            };
            let pushed = decoder.push(&data, &mut events);
            for event in events.drain(..) {
                if event.data.is_empty() || !event.is_message() {
                    budget.spend(event.data.len())?;
                    continue;
                }
                match self.message(&event.data)? {
                    Message::Response(response) => {
                        let outcome = self.check(response)?;
                        self.inner.settle(lease, body);
                        return Ok(outcome);
                    }
                    Message::Notification(notification) => {
                        budget.spend(event.data.len())?;
                        self.inner.counters.notified(&notification);
                    }
                    Message::Request(request) => {
                        budget.spend(event.data.len())?;
                        budget.reply()?;
                        let reply = self.inner.counters.asked(&request);
                        if let Some(peer) = self.peer {
                            self.inner.reply(peer, reply).await;
                        }
                    }
                }
            }
            pushed.map_err(|_| self.too_large())?;
            budget.spend_stream(data.len())?;
        }
        Err(fault(ProtocolFault::NoAnswer))
    }

    fn message(&self, text: &Bytes) -> Result<Message, UpstreamError> {
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
    fn check(&self, response: jsonrpc::Response) -> Result<Outcome, UpstreamError> {
        if let Some(got) = response.id.filter(|got| got != self.id) {
            let got = super::handshake::shorten(&got.to_string());
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

    fn message_limit(&self) -> usize {
        self.max_bytes.saturating_add(ENVELOPE)
    }

    fn too_large(&self) -> UpstreamError {
        UpstreamError::TooLarge {
            limit: self.max_bytes,
        }
    }
}

impl Inner {
    /// Answers a request of the server's. In the modern era there is no way to, and none is asked.
    pub(super) async fn reply(self: &Arc<Self>, peer: &Peer, reply: Bytes) {
        if peer.version.is_modern() {
            return;
        }
        // What becomes of it is the server's concern; what we wait for goes on.
        let told = Box::pin(self.tell(self.headers(Some(peer)), reply));
        let _ = timeout(REPLY_WITHIN, told).await;
    }

    /// Reads what little may stand behind the answer, so that the connection can be used again.
    fn settle(self: &Arc<Self>, mut lease: Lease, mut body: Incoming) {
        let inner = Arc::downgrade(self);
        self.chores.spawn(async move {
            let rest = async {
                let mut left = SMALL;
                while let Some(frame) = lease.link.frame(&mut body).await {
                    let size = frame.ok()?.data_ref().map_or(0, Bytes::len);
                    left = left.checked_sub(size)?;
                }
                Some(())
            };
            let ended = timeout(SETTLE_WITHIN, rest).await;
            if let (Ok(Some(())), Some(inner)) = (ended, inner.upgrade()) {
                inner.pool.put(lease, &inner.chores).await;
            }
        });
    }
}

/// What a server may send besides the answer.
struct Budget {
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
            replies: 32,
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), UpstreamError> {
        self.bytes = take(self.bytes, bytes)?;
        self.messages = take(self.messages, 1)?;
        Ok(())
    }

    fn spend_stream(&mut self, bytes: usize) -> Result<(), UpstreamError> {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Json,
    Events,
    Compressed,
    Other,
}

fn content(headers: &HeaderMap) -> Content {
    let coding = headers.get(CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Content::Compressed;
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Content::Json
    } else if kind.eq_ignore_ascii_case("text/event-stream") {
        Content::Events
    } else {
        Content::Other
    }
}

pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    content(headers) == Content::Events
}

fn broken(error: &hyper::Error) -> UpstreamError {
    if error.is_parse() || error.is_parse_too_large() {
        fault(ProtocolFault::Http)
    } else {
        UpstreamError::Lost { sent: true }
    }
}

pub(super) fn fault(fault: ProtocolFault) -> UpstreamError {
    UpstreamError::Protocol(fault)
}

/// Room for what stands around the `result` member.
const ENVELOPE: usize = 1 << 10;
/// Read of bodies that say nothing.
const SMALL: usize = 64 << 10;
const REPLY_WITHIN: Duration = Duration::from_secs(5);
const SETTLE_WITHIN: Duration = Duration::from_millis(500);
