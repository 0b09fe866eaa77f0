//! One message to the gateway, and what comes back of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    error::Code,
    headers::{META_VERSION, Mirrored, SESSION_ID},
    jsonrpc::{self, Id, Message, Outcome, Params, Request},
    sse,
    version::Version,
};
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, mpsc};

use super::{
    Token,
    failure::Failure,
    headers::{Session, add_modern, add_session, common, marks},
    target::{Target, TargetError},
    text,
    wire::{Answer, Wire, WireError},
};

/// The way between a host and a gateway.
pub(super) struct Relay {
    wire: Wire,
    common: HeaderMap,
    handshake: Arc<RwLock<Handshake>>,
    /// The arguments to mirror, of every tool that a modern listing has shown.
    marks: Mutex<HashMap<String, Vec<Mirrored>>>,
    host: mpsc::Sender<Bytes>,
}

/// The state of a legacy client.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    session: Session,
    /// The `initialize` that opened the session, to open another when the gateway has lost it.
    initialize: Option<(Request, Bytes)>,
}

/// An answer as the host gets it.
struct Reply {
    status: u16,
    session: Option<HeaderValue>,
    message: Bytes,
    outcome: Outcome,
}

impl Relay {
    pub(super) fn new(
        target: Target,
        token: Option<Token>,
        host: mpsc::Sender<Bytes>,
    ) -> Result<Self, TargetError> {
        Ok(Self {
            wire: Wire::new(target)?,
            common: common(token.as_ref()),
            handshake: Arc::default(),
            marks: Mutex::default(),
            host,
        })
    }

    pub(super) fn handshake(&self) -> Arc<RwLock<Handshake>> {
        Arc::clone(&self.handshake)
    }

    /// Opens a session; every other legacy message waits for `handshake`.
    pub(super) async fn initialize(
        &self,
        request: &Request,
        line: Bytes,
        mut handshake: OwnedRwLockWriteGuard<Handshake>,
    ) {
        *handshake = Handshake::default();
        let reply = self.open(request, &line, &mut handshake).await;
        drop(handshake);
        self.answer(&request.id, reply).await;
    }

    /// Sends a request and passes on what comes back, the answer last.
    pub(super) async fn request(&self, request: &Request, line: Bytes) {
        let reply = if request.params.meta(META_VERSION).is_some() {
            self.modern(request, &line).await
        } else {
            self.legacy(request, &line).await
        };
        self.answer(&request.id, reply).await;
    }

    /// Sends what wants no answer, and gives none whatever happens.
    pub(super) async fn forward(&self, line: Bytes) {
        let mut headers = self.common.clone();
        match jsonrpc::parse(&line, &Limits::REQUEST) {
            Ok(Message::Notification(note)) if note.params.meta(META_VERSION).is_some() => {
                add_modern(&mut headers, &note.method, &note.params, &[]);
            }
            Ok(_) | Err(_) => add_session(&mut headers, &self.handshake.read().await.session),
        }
        match self.wire.post(headers, line).await {
            Err(error) => tracing::warn!(%error, "a notification did not reach the gateway"),
            Ok(mut answer) => {
                let status = answer.response.status();
                if !status.is_success() {
                    tracing::warn!(%status, "the gateway refused a notification");
                }
                if answer.body().await.is_ok() {
                    self.wire.give_back(answer);
                }
            }
        }
    }

    async fn legacy(&self, request: &Request, line: &Bytes) -> Result<Reply, Failure> {
        let session = self.handshake.read().await.session.clone();
        let reply = self.in_session(request, line, &session).await;
        if session.id.is_none() || !is_lost(&reply) {
            return reply;
        }
        // The gateway does not know the session, so nothing has run.
        let session = self.reopen(&session).await?;
        self.in_session(request, line, &session).await
    }

    async fn modern(&self, request: &Request, line: &Bytes) -> Result<Reply, Failure> {
        let reply = self.mirrored(request, line).await?;
        if reply.error_code() != Some(Code::HeaderMismatch.value())
            || request.method != "tools/call"
        {
            return Ok(reply);
        }
        // A mismatch is found before anything runs. The tool's marks may be unknown here, or old.
        self.list_tools(&request.params).await?;
        self.mirrored(request, line).await
    }

    async fn in_session(
        &self,
        request: &Request,
        line: &Bytes,
        session: &Session,
    ) -> Result<Reply, Failure> {
        let mut headers = self.common.clone();
        add_session(&mut headers, session);
        self.exchange(headers, request, line).await
    }

    async fn mirrored(&self, request: &Request, line: &Bytes) -> Result<Reply, Failure> {
        let mut headers = self.common.clone();
        let marks = text_of(&request.params, "name").and_then(|name| {
            self.marks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(name)
                .cloned()
        });
        add_modern(
            &mut headers,
            &request.method,
            &request.params,
            &marks.unwrap_or_default(),
        );
        let reply = self.exchange(headers, request, line).await?;
        if request.method == "tools/list" {
            self.learn(&reply);
        }
        Ok(reply)
    }

    /// Lists tools for the marks alone, in the name of the request that lacked them.
    async fn list_tools(&self, params: &Params) -> Result<(), Failure> {
        let meta = params.get("_meta").cloned().unwrap_or(Value::Null);
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let mut members = Object::from([("_meta", meta.clone())]);
            if let Some(cursor) = cursor.take() {
                members.insert("cursor", cursor);
            }
            let id = Id::String("cmcp-bridge-list".to_owned());
            let params = Value::from(members).to_vec();
            let line = jsonrpc::request(&id, "tools/list", Some(&params));
            let Ok(Message::Request(request)) = jsonrpc::parse(&line, &Limits::REQUEST) else {
                return Ok(());
            };
            let mut headers = self.common.clone();
            add_modern(&mut headers, &request.method, &request.params, &[]);
            let reply = self.exchange(headers, &request, &line).await?;
            cursor = self.learn(&reply);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Remembers the marks of a listing; says where it goes on.
    fn learn(&self, reply: &Reply) -> Option<String> {
        let Outcome::Result { value, .. } = &reply.outcome else {
            return None;
        };
        self.marks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(marks(value));
        text(value, "nextCursor").map(str::to_owned)
    }

    /// Opens a session in place of one that the gateway no longer knows, unless that has been done.
    async fn reopen(&self, lost: &Session) -> Result<Session, Failure> {
        let mut handshake = self.handshake.write().await;
        if handshake.session.id == lost.id
            && let Some((request, line)) = handshake.initialize.clone()
        {
            self.open(&request, &line, &mut handshake).await?;
            let note = jsonrpc::notification("notifications/initialized", None);
            let mut headers = self.common.clone();
            add_session(&mut headers, &handshake.session);
            let mut answer = self.post(headers, note).await?;
            if answer.body().await.is_ok() {
                self.wire.give_back(answer);
            }
        }
        Ok(handshake.session.clone())
    }

    async fn open(
        &self,
        request: &Request,
        line: &Bytes,
        handshake: &mut Handshake,
    ) -> Result<Reply, Failure> {
        let reply = self.exchange(self.common.clone(), request, line).await?;
        if let Outcome::Result { value, .. } = &reply.outcome {
            let version = text(value, "protocolVersion").and_then(Version::parse);
            handshake.session = Session {
                id: reply.session.clone(),
                version,
            };
            handshake.initialize = Some((request.clone(), line.clone()));
        }
        Ok(reply)
    }

    async fn answer(&self, id: &Id, reply: Result<Reply, Failure>) {
        let message = match reply {
            Ok(reply) => reply.message,
            Err(failure) => {
                tracing::warn!(%failure, "no answer");
                failure.reply(id)
            }
        };
        self.tell(message).await;
    }

    /// A host that is gone needs no message.
    async fn tell(&self, message: Bytes) {
        let _ = self.host.send(message).await;
    }

    async fn post(&self, headers: HeaderMap, line: Bytes) -> Result<Answer, Failure> {
        self.wire
            .post(headers, line)
            .await
            .map_err(|cause| self.wire_failure(cause))
    }

    /// Posts a request and reads its answer; what comes before that on a stream goes to the host.
    async fn exchange(
        &self,
        headers: HeaderMap,
        request: &Request,
        line: &Bytes,
    ) -> Result<Reply, Failure> {
        let mut answer = self.post(headers, line.clone()).await?;
        let status = answer.response.status().as_u16();
        let session = answer.response.headers().get(SESSION_ID).cloned();
        let (message, outcome) = match Kind::of(&answer) {
            Kind::Json => {
                let body = answer
                    .body()
                    .await
                    .map_err(|cause| self.wire_failure(cause))?;
                self.wire.give_back(answer);
                read_answer(&request.id, &body).ok_or_else(|| self.refused(status, &body))?
            }
            // A stream is left as soon as the answer has come, and its connection with it.
            Kind::Events => self.read_events(&mut answer, &request.id).await?,
            Kind::Other => return Err(self.refused(status, &Bytes::new())),
        };
        Ok(Reply {
            status,
            session,
            message,
            outcome,
        })
    }

    async fn read_events(&self, answer: &mut Answer, id: &Id) -> Result<(Bytes, Outcome), Failure> {
        let mut decoder = sse::Decoder::new(Limits::RESPONSE.bytes);
        let mut events = Vec::new();
        let mut found = None;
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|cause| self.wire_failure(cause))?
        {
            if decoder.push(&chunk, &mut events).is_err() {
                return Err(self.wire_failure(WireError::TooLarge(Limits::RESPONSE.bytes)));
            }
            for event in events.drain(..).filter(|event| event.is_message()) {
                match jsonrpc::parse(&event.data, &Limits::RESPONSE) {
                    Ok(Message::Response(_)) if found.is_none() => {
                        found = read_answer(id, &event.data);
                    }
                    Ok(Message::Request(_) | Message::Notification(_)) => {
                        self.tell(event.data).await;
                    }
                    Ok(Message::Response(_)) | Err(_) => {}
                }
            }
            if found.is_some() {
                break;
            }
        }
        found.ok_or_else(|| self.wire_failure(WireError::Lost))
    }

    fn wire_failure(&self, cause: WireError) -> Failure {
        Failure::Wire {
            gateway: self.wire.target().to_string(),
            cause,
        }
    }

    fn refused(&self, status: u16, body: &Bytes) -> Failure {
        let gateway = self.wire.target().to_string();
        if (200..300).contains(&status) {
            return Failure::NoAnswer { gateway };
        }
        let value = parse(body, &Limits::REQUEST).unwrap_or(Value::Null);
        let word = |code: &&str| {
            code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let error_code = text(&value, "error_code").filter(word).map(str::to_owned);
        Failure::Status {
            gateway,
            status,
            error_code,
        }
    }
}

impl Reply {
    fn error_code(&self) -> Option<i64> {
        match &self.outcome {
            Outcome::Result { .. } => None,
            Outcome::Error { code, .. } => Some(*code),
        }
    }
}

/// Whether an answer says that the gateway does not know the session.
fn is_lost(reply: &Result<Reply, Failure>) -> bool {
    match reply {
        Ok(reply) => {
            reply.status == 404 && reply.error_code() != Some(Code::MethodNotFound.value())
        }
        Err(Failure::Status { status, .. }) => *status == 404,
        Err(Failure::Wire { .. } | Failure::NoAnswer { .. }) => false,
    }
}

/// What a body is.
enum Kind {
    Json,
    Events,
    Other,
}

impl Kind {
    fn of(answer: &Answer) -> Self {
        let value = answer.response.headers().get(header::CONTENT_TYPE);
        let value = value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case("text/event-stream") {
            Self::Events
        } else {
            Self::Other
        }
    }
}

/// Reads the answer to a request. An error whose id the gateway could not read is given the id of
/// the request that it came back for.
fn read_answer(id: &Id, body: &Bytes) -> Option<(Bytes, Outcome)> {
    let Ok(Message::Response(response)) = jsonrpc::parse(body, &Limits::RESPONSE) else {
        return None;
    };
    let message = match (&response.id, &response.outcome) {
        (Some(answered), _) if answered == id => body.clone(),
        (None, Outcome::Error { bytes, .. }) => jsonrpc::error_raw(id, bytes),
        (Some(_), _) | (None, Outcome::Result { .. }) => return None,
    };
    Some((message, response.outcome))
}

fn text_of<'a>(params: &'a Params, member: &str) -> Option<&'a str> {
    params.get(member).and_then(Value::as_str)
}

/// Pages of a listing that are read for a tool's marks.
const MAX_PAGES: usize = 32;
