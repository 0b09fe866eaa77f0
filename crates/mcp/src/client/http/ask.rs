//! Requests on somebody's behalf, listings, and what their answers tell of the server.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{sleep, timeout};

use super::{
    Inner,
    negotiate::{Peer, is_other_era},
    talk::{Answered, Question, Talk},
};
use crate::{
    client::{clock::Clock, handshake, listing, outgoing, own::Own},
    error::Code,
    headers::{self, METHOD, NAME},
    jsonrpc::{self, Id, Outcome},
    method::Method,
    upstream::{Ask, ConnectFault, Kind, Listing, LogLevel, Offers, Reply, Told, UpstreamError},
};

/// A request that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said that it did not look at it: another attempt is the first that counts.
    NotRun(UpstreamError),
    /// It may have run.
    Final(UpstreamError),
}

impl From<Failure> for UpstreamError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotRun(error) | Failure::Final(error) => error,
        }
    }
}

/// One attempt at a request.
struct Attempt<'a> {
    ask: &'a Ask,
    clock: &'a Arc<Clock>,
    sent: &'a AtomicBool,
}

impl Inner {
    pub(super) async fn ask(self: &Arc<Self>, ask: &Ask) -> Result<Reply, UpstreamError> {
        let clock = Arc::new(Clock::start(ask.deadline));
        let place = self.health.enter(clock.due()).await?;
        let sent = AtomicBool::new(false);
        let attempt = Attempt {
            ask,
            clock: &clock,
            sent: &sent,
        };
        let reply = tokio::select! {
            biased;
            reply = self.attempts(&attempt) => reply,
            // Whoever always has a little more ready uses up the budget that a timer needs too.
            () = tokio::task::unconstrained(clock.run_out()) => Err(UpstreamError::Timeout {
                sent: sent.load(Ordering::Acquire),
                after: clock.spent(),
            }),
        };
        place.leave(&reply);
        reply
    }

    /// A second attempt is made only where the first cannot have run.
    async fn attempts(self: &Arc<Self>, attempt: &Attempt<'_>) -> Result<Reply, UpstreamError> {
        let outcome = match self.attempt(attempt).await {
            Err(Failure::NotRun(error)) => {
                if is_down(&error) {
                    sleep(RETRIED_AFTER).await;
                }
                attempt.sent.store(false, Ordering::Release);
                self.attempt(attempt).await
            }
            other => other,
        };
        match outcome? {
            Outcome::Result { value, bytes } => Ok(Reply::Result { bytes, value }),
            Outcome::Error {
                code,
                message,
                bytes,
                data: _,
            } => Ok(Reply::Error {
                code,
                message,
                bytes,
            }),
        }
    }

    async fn attempt(self: &Arc<Self>, attempt: &Attempt<'_>) -> Result<Outcome, Failure> {
        let Attempt { ask, clock, sent } = *attempt;
        let peer = self.peer().await.map_err(unsent)?;
        self.set_level(&peer, ask.log_level).await;
        if ask.events.is_some() {
            peer.stream_settled().await;
        }
        let id = self.counters.next_id();
        let params = outgoing::ask_params(ask, id, peer.version, &self.own);
        let params = params.map_err(Failure::Final)?;
        let headers = self.headers_of(ask, &peer);
        let now = self.counters.generation_for(ask.method);
        if ask.listed.zip(now).is_some_and(|(then, now)| then != now) {
            return Err(Failure::Final(UpstreamError::Stale));
        }
        let body = jsonrpc::request(&Id::from(id), ask.method.as_str(), Some(&params));
        let mut cancel = Cancel {
            inner: self,
            peer: &peer,
            id: Id::from(id),
            sent,
            answered: false,
        };
        let talk = Talk::of(self, &peer, (ask, clock), id);
        let answered = talk.run(headers, body, sent).await;
        // Whatever went wrong, a server that was not heard to the end may be at it still.
        cancel.answered = answered.is_ok();
        let answered = answered.map_err(unsent)?;
        let outcome = self.judge(ask.method.as_str(), answered, &peer);
        if let Err(Failure::NotRun(UpstreamError::Rpc { code, .. })) = &outcome
            && *code == Code::HeaderMismatch.value()
        {
            let listed = self.list_from(&peer, Kind::Tools).await;
            listed.map_err(Failure::Final)?;
        }
        outcome
    }

    fn headers_of(&self, ask: &Ask, peer: &Peer) -> HeaderMap {
        let mut headers = self.headers(Some(peer));
        if !peer.version.is_modern() {
            return headers;
        }
        let method = ask.method.as_str();
        headers.insert(METHOD, HeaderValue::from_static(method));
        let Some(name) = headers::named_member(method).and_then(|member| text(ask, member)) else {
            return headers;
        };
        headers.insert(NAME, headers::encode(&name));
        if ask.method == Method::ToolsCall {
            let mirrored = self.mirror(&name, ask).into_iter();
            headers.extend(mirrored.map(|(name, value)| (Some(name), value)));
        }
        headers
    }

    /// The `Mcp-Param-*` headers of a call. Arguments that cannot be mirrored are left to the
    /// server to complain about.
    fn mirror(&self, tool: &str, ask: &Ask) -> Vec<(HeaderName, HeaderValue)> {
        let known = self.mirrored.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(mirrored), Some(arguments)) = (known.get(tool).cloned(), ask.param("arguments"))
        else {
            return Vec::new();
        };
        drop(known);
        let parsed = parse(arguments, &Limits::RESPONSE).ok();
        let object = parsed.as_ref().and_then(Value::as_object);
        object
            .and_then(|object: &Object| headers::encode_params(&mirrored, object).ok())
            .unwrap_or_default()
    }

    /// Says to a legacy server from which level on it is to log. Whether it does is its concern.
    async fn set_level(self: &Arc<Self>, peer: &Arc<Peer>, level: Option<LogLevel>) {
        let Some(level) = level.filter(|_| !peer.version.is_modern()) else {
            return;
        };
        if !peer.offers.has(&["logging"]) {
            return;
        }
        let mut said = peer.level.lock().await;
        if *said == Some(level) {
            return;
        }
        let params = format!("{{\"level\":\"{level}\"}}");
        if self.request(peer, SET_LEVEL, params.into()).await.is_ok() {
            *said = Some(level);
        }
    }

    /// A request of our own to a negotiated server.
    pub(super) async fn request(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        method: &'static str,
        params: Bytes,
    ) -> Result<Outcome, Failure> {
        let id = self.counters.next_id();
        let mut headers = self.headers(Some(peer));
        if peer.version.is_modern() {
            headers.insert(METHOD, HeaderValue::from_static(method));
        }
        let question = Question {
            id,
            headers,
            body: jsonrpc::request(&Id::from(id), method, Some(&params)),
            max_bytes: OWN_BYTES,
        };
        let answered = self.question(question, Some(peer)).await;
        self.judge(method, answered.map_err(unsent)?, peer)
    }

    pub(super) async fn tell(self: &Arc<Self>, told: Told) -> Result<(), UpstreamError> {
        let peer = self.peer().await?;
        let body = match told {
            Told::RootsChanged if self.own.declares(&["roots"]) => {
                jsonrpc::notification("notifications/roots/list_changed", None)
            }
            Told::RootsChanged => return Ok(()),
            Told::Progress(params) => {
                jsonrpc::notification("notifications/progress", Some(&params))
            }
        };
        if peer.version.is_modern() {
            return Ok(());
        }
        let within = self.timing.connect;
        let status = timeout(within, self.note(&peer, body)).await;
        match status.map_err(|_| UpstreamError::Timeout {
            sent: true,
            after: within,
        })?? {
            status if status.is_success() => Ok(()),
            status => Err(UpstreamError::Status {
                status: status.as_u16(),
            }),
        }
    }

    pub(super) async fn list(self: &Arc<Self>, kind: Kind) -> Result<Listing, UpstreamError> {
        let peer = self.peer().await?;
        let listing = self.list_from(&peer, kind).await;
        // Listing changes nothing, so it may be repeated when the server turned out to be another.
        if listing.is_ok() || self.is_current(&peer) {
            return listing;
        }
        let peer = self.peer().await?;
        self.list_from(&peer, kind).await
    }

    async fn list_from(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        kind: Kind,
    ) -> Result<Listing, UpstreamError> {
        let generation = self.counters.generation(kind);
        let server = Listed { inner: self, peer };
        let mut listing = listing::list(&server, kind, generation).await?;
        if peer.version.is_modern() && kind == Kind::Tools {
            self.remember_mirrored(&mut listing.items);
        }
        Ok(listing)
    }

    /// Keeps what headers the next calls need, and drops the tools whose marks cannot be honoured.
    fn remember_mirrored(&self, tools: &mut Vec<Value>) {
        let mut all = HashMap::new();
        tools.retain(|tool| {
            let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
            match tool
                .get("inputSchema")
                .map_or(Ok(Vec::new()), headers::mirrored)
            {
                Ok(mirrored) if mirrored.is_empty() => true,
                Ok(mirrored) => {
                    all.insert(name.to_owned(), mirrored.into());
                    true
                }
                Err(error) => {
                    tracing::warn!(endpoint = %self.target.endpoint, %error, "a tool was left out");
                    false
                }
            }
        });
        *self.mirrored.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// What an answer means for the request and for what is remembered of the server.
    fn judge(
        &self,
        method: &'static str,
        answered: Answered,
        peer: &Arc<Peer>,
    ) -> Result<Outcome, Failure> {
        let status = answered.status.as_u16();
        // The session is gone. Whatever else the server says, it has not run anything for it.
        if status == 404 && (peer.session.is_some() || peer.pair.is_some()) {
            self.forget(peer);
            return Err(Failure::NotRun(UpstreamError::Status { status }));
        }
        if is_other_era(&answered, peer.version) {
            self.forget(peer);
        }
        match answered.outcome {
            Some(outcome @ Outcome::Result { .. }) if answered.status.is_success() => Ok(outcome),
            None | Some(Outcome::Result { .. }) => {
                Err(Failure::Final(UpstreamError::Status { status }))
            }
            Some(Outcome::Error { code, message, .. })
                if code == Code::UnsupportedVersion.value()
                    || (code == Code::HeaderMismatch.value()
                        && method == Method::ToolsCall.as_str()
                        && peer.version.is_modern()) =>
            {
                if code == Code::UnsupportedVersion.value() {
                    self.forget(peer);
                }
                let message = handshake::shorten(&message);
                Err(Failure::NotRun(UpstreamError::Rpc {
                    method,
                    code,
                    message,
                }))
            }
            Some(error @ Outcome::Error { .. }) => Ok(error),
        }
    }
}

/// What never left may be tried again, where that can help.
fn unsent(error: UpstreamError) -> Failure {
    if is_down(&error) {
        Failure::NotRun(error)
    } else {
        Failure::Final(error)
    }
}

/// Whether the server could not be reached just now.
fn is_down(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Connect { cause, .. } => {
            matches!(cause, ConnectFault::Io(_) | ConnectFault::Handshake)
        }
        UpstreamError::Lost { sent } => !sent,
        UpstreamError::Negotiation(inner) => is_down(inner),
        UpstreamError::Timeout { .. }
        | UpstreamError::TooLarge { .. }
        | UpstreamError::Protocol(_)
        | UpstreamError::WrongId { .. }
        | UpstreamError::Status { .. }
        | UpstreamError::Rpc { .. }
        | UpstreamError::NoCommonVersion { .. }
        | UpstreamError::Spawn(_)
        | UpstreamError::BackOff { .. }
        | UpstreamError::Stale
        | UpstreamError::Meta
        | UpstreamError::Overloaded { .. }
        | UpstreamError::Closed => false,
    }
}

/// A member of the parameters that is a text.
fn text(ask: &Ask, member: &str) -> Option<String> {
    let value = parse(ask.param(member)?, &Limits::REQUEST).ok()?;
    value.as_str().map(str::to_owned)
}

/// A server that is being listed.
struct Listed<'a> {
    inner: &'a Arc<Inner>,
    peer: &'a Arc<Peer>,
}

impl listing::Pages for Listed<'_> {
    fn offers(&self) -> &Offers {
        &self.peer.offers
    }

    fn own(&self) -> &Own {
        &self.inner.own
    }

    async fn page(
        &self,
        kind: Kind,
        params: Option<Bytes>,
        max_bytes: usize,
    ) -> Result<Outcome, UpstreamError> {
        let method = kind.method();
        let mut headers = self.inner.headers(Some(self.peer));
        if self.peer.version.is_modern() {
            headers.insert(METHOD, HeaderValue::from_static(method));
        }
        let id = self.inner.counters.next_id();
        let question = Question {
            id,
            headers,
            body: jsonrpc::request(&Id::from(id), method, params.as_deref()),
            max_bytes,
        };
        let answered = self.inner.question(question, Some(self.peer)).await?;
        Ok(self.inner.judge(method, answered, self.peer)?)
    }
}

/// Tells a legacy server that a call is no longer waited for: there, hanging up says nothing.
struct Cancel<'a> {
    inner: &'a Arc<Inner>,
    peer: &'a Arc<Peer>,
    id: Id,
    sent: &'a AtomicBool,
    answered: bool,
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        if self.answered || self.peer.version.is_modern() || !self.sent.load(Ordering::Acquire) {
            return;
        }
        let notice = outgoing::cancelled(&self.id);
        let (inner, peer) = (Arc::clone(self.inner), Arc::clone(self.peer));
        self.inner.chores.spawn(async move {
            let _ = timeout(CANCEL_WITHIN, inner.note(&peer, notice)).await;
        });
    }
}

const SET_LEVEL: &str = "logging/setLevel";
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
/// A server that is being started again is there soon.
const RETRIED_AFTER: Duration = Duration::from_millis(100);
/// Answers to requests of our own say little.
const OWN_BYTES: usize = 1 << 20;
