//! One message to the gateway, and what comes back of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    error::Code,
    headers::{META_VERSION, SESSION_ID},
    jsonrpc::{self, Id, Message, Outcome, Params, Request},
    version::Version,
};
use http::{HeaderMap, HeaderValue, Method};
use tokio::{
    sync::{OwnedRwLockWriteGuard, RwLock, mpsc, watch},
    time::timeout,
};

use super::{
    Token,
    failure::Failure,
    headers::{Session, add_modern, add_session, common},
    target::{Target, TargetError},
    text,
    wire::{Wire, WireError},
};

mod handshake;
mod marks;
mod stream;
mod unasked;

pub(super) use handshake::Handshake;
use marks::Marks;
use stream::Kind;

/// The way between a host and a gateway.
pub(super) struct Relay {
    wire: Wire,
    common: HeaderMap,
    handshake: Arc<RwLock<Handshake>>,
    /// The session whose handshake is complete.
    standing: watch::Sender<Option<Session>>,
    marks: Marks,
    host: mpsc::Sender<Bytes>,
}

/// A request on its way.
#[derive(Clone, Copy)]
struct Asked<'a> {
    request: &'a Request,
    line: &'a Bytes,
    /// Told when the gateway has it.
    arrival: Option<&'a watch::Sender<bool>>,
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
            standing: watch::Sender::new(None),
            marks: Marks::default(),
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
        self.standing.send_replace(None);
        let reply = self.open(request, &line, &mut handshake).await;
        drop(handshake);
        self.answer(&request.id, reply).await;
    }

    /// Completes a handshake; what the host says next waits for it, and the gateway may speak unasked
    /// from here on.
    pub(super) async fn initialized(
        &self,
        line: Bytes,
        handshake: OwnedRwLockWriteGuard<Handshake>,
    ) {
        let session = handshake.session.clone();
        let mut headers = self.common.clone();
        add_session(&mut headers, &session);
        if self.send_note(headers, line).await && session.id.is_some() {
            self.standing.send_replace(Some(session));
        }
    }

    /// Sends a request and passes on what comes back, the answer last.
    pub(super) async fn request(
        &self,
        request: &Request,
        line: Bytes,
        arrival: &watch::Sender<bool>,
    ) {
        let asked = Asked {
            request,
            line: &line,
            arrival: Some(arrival),
        };
        let reply = if request.params.meta(META_VERSION).is_some() {
            self.modern(asked).await
        } else {
            self.legacy(asked).await
        };
        self.answer(&request.id, reply).await;
    }

    /// Sends what wants no answer, and gives none whatever happens.
    pub(super) async fn forward(&self, line: Bytes) {
        let mut headers = self.common.clone();
        match jsonrpc::parse(&line, &Limits::RESPONSE) {
            Ok(Message::Notification(note)) if note.params.meta(META_VERSION).is_some() => {
                add_modern(&mut headers, &note.method, &note.params, &[]);
            }
            Ok(_) | Err(_) => add_session(&mut headers, &self.handshake.read().await.session),
        }
        self.send_note(headers, line).await;
    }

    /// Ends the session, if there is one, as far as the gateway lets itself be told.
    pub(super) async fn close(&self) {
        let session = self.handshake.read().await.session.clone();
        if session.id.is_none() {
            return;
        }
        let mut headers = self.common.clone();
        add_session(&mut headers, &session);
        let farewell = self.wire.send(Method::DELETE, headers, Bytes::new());
        match timeout(FAREWELL, farewell).await {
            Ok(Ok(answer)) => {
                tracing::debug!(status = %answer.response.status(), "ended the session");
            }
            Ok(Err(error)) => tracing::debug!(%error, "the session was left open"),
            Err(_) => tracing::debug!("the session was left open: no answer came in time"),
        }
    }

    /// Whether the gateway took it.
    async fn send_note(&self, headers: HeaderMap, line: Bytes) -> bool {
        match self.wire.send(Method::POST, headers, line).await {
            Err(error) => {
                tracing::warn!(%error, "a notification did not reach the gateway");
                false
            }
            Ok(mut answer) => {
                let status = answer.response.status();
                if !status.is_success() {
                    tracing::warn!(%status, "the gateway refused a notification");
                }
                if answer.body().await.is_ok() {
                    self.wire.give_back(answer);
                }
                status.is_success()
            }
        }
    }

    async fn legacy(&self, asked: Asked<'_>) -> Result<Reply, Failure> {
        let session = self.handshake.read().await.session.clone();
        let mut reply = self.in_session(asked, &session).await;
        if session.id.is_some() && is_lost(&reply) {
            // The gateway does not know the session, so nothing has run.
            let session = self.reopen(&session).await?;
            reply = self.in_session(asked, &session).await;
        }
        if let Ok(reply) = &reply
            && matches!(reply.outcome, Outcome::Result { .. })
            && Handshake::is_kept(asked.request)
        {
            let mut handshake = self.handshake.write().await;
            handshake.keep(asked.request, asked.line);
        }
        reply
    }

    async fn modern(&self, asked: Asked<'_>) -> Result<Reply, Failure> {
        let reply = self.mirrored(asked).await?;
        if reply.error_code() != Some(Code::HeaderMismatch.value())
            || asked.request.method != "tools/call"
        {
            return Ok(reply);
        }
        // A mismatch is found before anything runs. The tool's marks may be unknown here, or old.
        self.list_tools(&asked.request.params).await?;
        self.mirrored(asked).await
    }

    async fn in_session(&self, asked: Asked<'_>, session: &Session) -> Result<Reply, Failure> {
        let mut headers = self.common.clone();
        add_session(&mut headers, session);
        self.exchange(headers, asked, Some(session)).await
    }

    async fn mirrored(&self, asked: Asked<'_>) -> Result<Reply, Failure> {
        let Request { method, params, .. } = asked.request;
        let mut headers = self.common.clone();
        let name = params.get("name").and_then(Value::as_str);
        let marks = name.map(|name| self.marks.of(name)).unwrap_or_default();
        add_modern(&mut headers, method, params, &marks);
        let reply = self.exchange(headers, asked, None).await?;
        if let ("tools/list", Outcome::Result { value, .. }) = (method.as_str(), &reply.outcome) {
            self.marks.learn(value);
        }
        Ok(reply)
    }

    /// Lists tools for their marks alone, in the name of the request that lacked them.
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
            let listed = Asked {
                request: &request,
                line: &line,
                arrival: None,
            };
            let reply = self.mirrored(listed).await?;
            cursor = match &reply.outcome {
                Outcome::Result { value, .. } => text(value, "nextCursor").map(str::to_owned),
                Outcome::Error { .. } => None,
            };
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Opens a session in place of one that the gateway no longer knows, unless that has been done,
    /// and brings it to where the host left the other.
    async fn reopen(&self, lost: &Session) -> Result<Session, Failure> {
        let mut handshake = self.handshake.write().await;
        if handshake.session.id == lost.id
            && let Some((request, line)) = handshake.initialize.clone()
        {
            self.open(&request, &line, &mut handshake).await?;
            let session = handshake.session.clone();
            let mut headers = self.common.clone();
            add_session(&mut headers, &session);
            let note = jsonrpc::notification("notifications/initialized", None);
            self.send_note(headers, note).await;
            for (request, line) in handshake.kept() {
                let again = Asked {
                    request,
                    line,
                    arrival: None,
                };
                if let Err(failure) = self.in_session(again, &session).await {
                    tracing::warn!(%failure, method = request.method, "not asked again");
                }
            }
            if session.id.is_some() {
                self.standing.send_replace(Some(session));
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
        let asked = Asked {
            request,
            line,
            arrival: None,
        };
        let reply = self.exchange(self.common.clone(), asked, None).await?;
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

    /// Posts a request and reads its answer; what comes before that on a stream goes to the host. A
    /// stream that breaks off is taken up again where `session` allows that.
    async fn exchange(
        &self,
        headers: HeaderMap,
        asked: Asked<'_>,
        session: Option<&Session>,
    ) -> Result<Reply, Failure> {
        let Asked {
            request,
            line,
            arrival,
        } = asked;
        let failed = |cause| self.wire_failure(cause);
        let posted = self.wire.send(Method::POST, headers, line.clone());
        let mut answer = posted.await.map_err(failed)?;
        if let Some(arrival) = arrival {
            arrival.send_replace(true);
        }
        let status = answer.response.status().as_u16();
        let opened = answer.response.headers().get(SESSION_ID).cloned();
        let (message, outcome) = match Kind::of(&answer) {
            Kind::Json => {
                let body = answer.body().await.map_err(failed)?;
                self.wire.give_back(answer);
                read_answer(&request.id, &body).ok_or_else(|| self.refused(status, &body))?
            }
            Kind::Events => self.await_answer(answer, &request.id, session).await?,
            Kind::Other => return Err(self.refused(status, &Bytes::new())),
        };
        Ok(Reply {
            status,
            session: opened,
            message,
            outcome,
        })
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

/// Pages of a listing that are read for a tool's marks.
const MAX_PAGES: usize = 32;
/// How long the end of a session may hold the bridge's own end up.
const FAREWELL: Duration = Duration::from_secs(2);
