//! A server reached over Streamable HTTP.

mod chores;
mod exchange;
mod link;
mod listen;
mod negotiate;
mod pool;
mod target;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use tokio::time::timeout;

use self::{
    chores::Chores,
    exchange::{Answered, Question},
    negotiate::{Known, Peer, is_other_era},
    pool::Pool,
};
use super::{Timing, counters::Counters, flight::Flight, handshake, listing, outgoing};
use crate::{
    error::Code,
    headers::{self, METHOD, Mirrored, NAME},
    jsonrpc::{self, Id, Outcome},
    tls,
    upstream::{EvidenceClass, Listing, Observed, Server, ToolCall, ToolReply, UpstreamError},
};

pub use target::{Credential, HttpTarget, Reach, TargetError};

/// A server reached over Streamable HTTP, in whichever era it speaks.
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    target: HttpTarget,
    timing: Timing,
    base: HeaderMap,
    pool: Arc<Pool>,
    counters: Counters,
    known: Mutex<Known>,
    negotiation: Flight<Arc<Peer>>,
    /// Per tool, the arguments that headers mirror; from the last listing.
    mirrored: Mutex<HashMap<String, Arc<[Mirrored]>>>,
    unreachable: AtomicBool,
    closed: AtomicBool,
    chores: Chores,
    /// The task that hears of changes. It holds the client's inner half.
    listener: Chores,
}

impl HttpClient {
    /// A client that connects when it is first asked something.
    ///
    /// # Errors
    /// [`TargetError::Tls`] when the pin is a placeholder.
    pub fn new(target: HttpTarget, timing: Timing) -> Result<Self, TargetError> {
        let tls = target
            .tls
            .is_some()
            .then(|| tls::client_config(target.pin))
            .transpose()?;
        let mut base = HeaderMap::new();
        base.insert(HOST, target.authority.clone());
        base.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        base.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(credential) = &target.credential {
            base.insert(AUTHORIZATION, credential.expose().clone());
        }
        let pool = Arc::new(Pool::new(tls, timing.connect));
        Ok(Self {
            inner: Arc::new(Inner {
                target,
                timing,
                base,
                pool,
                counters: Counters::default(),
                known: Mutex::default(),
                negotiation: Flight::new(),
                mirrored: Mutex::default(),
                unreachable: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                chores: Chores::default(),
                listener: Chores::default(),
            }),
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.inner.target.endpoint();
        f.debug_struct("HttpClient")
            .field("endpoint", &endpoint)
            .finish_non_exhaustive()
    }
}

impl Drop for HttpClient {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::Release);
        self.inner.listener.abort();
    }
}

impl Server for HttpClient {
    fn list(&self) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        Box::pin(async {
            let within = self.inner.timing.list;
            let late = UpstreamError::Timeout {
                sent: true,
                after: within,
            };
            timeout(within, self.inner.list())
                .await
                .unwrap_or(Err(late))
        })
    }

    fn call(&self, call: ToolCall) -> BoxFuture<'_, Result<ToolReply, UpstreamError>> {
        Box::pin(async move {
            let sent = AtomicBool::new(false);
            let reply = timeout(call.deadline, self.inner.call(&call, &sent)).await;
            reply.unwrap_or_else(|_| {
                let sent = sent.load(Ordering::Acquire);
                Err(UpstreamError::Timeout {
                    sent,
                    after: call.deadline,
                })
            })
        })
    }

    fn generation(&self) -> u64 {
        self.inner.counters.generation()
    }

    fn observed(&self) -> Observed {
        let Inner {
            target, counters, ..
        } = &*self.inner;
        let pinned = target.tls.is_some() && target.pin.is_pinned();
        Observed {
            endpoint: target.endpoint.clone(),
            evidence: if pinned {
                EvidenceClass::TlsPinned
            } else {
                EvidenceClass::HashOnly
            },
            version: self.inner.known().last,
            files: Vec::new(),
            confinement: None,
            downgrades: counters.downgrades(),
            dropped: counters.dropped(),
            refused: counters.refused(),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if !self.inner.closed.swap(true, Ordering::AcqRel) {
                self.inner.end_session().await;
            }
            self.inner.listener.end().await;
            self.inner.chores.end().await;
            self.inner.pool.clear();
        })
    }
}

/// A request that failed.
enum Failure {
    /// The server said that it did not look at it: another attempt is the first that counts.
    NotRun(UpstreamError),
    /// It may have run.
    Final(UpstreamError),
}

impl Inner {
    async fn list(self: &Arc<Self>) -> Result<Listing, UpstreamError> {
        let peer = self.peer().await?;
        let listing = self.list_from(&peer).await;
        // Listing changes nothing, so it may be repeated when the server turned out to be another.
        if listing.is_ok() || self.is_current(&peer) {
            return listing;
        }
        let peer = self.peer().await?;
        self.list_from(&peer).await
    }

    async fn list_from(self: &Arc<Self>, peer: &Arc<Peer>) -> Result<Listing, UpstreamError> {
        let mut listing =
            listing::list(&Listed { inner: self, peer }, self.counters.generation()).await?;
        if peer.version.is_modern() {
            self.remember_mirrored(&mut listing.tools);
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

    async fn call(
        self: &Arc<Self>,
        call: &ToolCall,
        sent: &AtomicBool,
    ) -> Result<ToolReply, UpstreamError> {
        let first = self.attempt(call, sent).await;
        let outcome = match first {
            Err(Failure::NotRun(_)) => {
                sent.store(false, Ordering::Release);
                self.attempt(call, sent).await
            }
            other => other,
        };
        match outcome {
            Ok(Outcome::Result { value, bytes }) => Ok(ToolReply::Result { bytes, value }),
            Ok(Outcome::Error {
                code,
                message,
                bytes,
                data: _,
            }) => Ok(ToolReply::Error {
                code,
                message,
                bytes,
            }),
            Err(Failure::NotRun(error) | Failure::Final(error)) => Err(error),
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        call: &ToolCall,
        sent: &AtomicBool,
    ) -> Result<Outcome, Failure> {
        let peer = self.peer().await.map_err(Failure::Final)?;
        let params = outgoing::call_params(call, peer.version).map_err(Failure::Final)?;
        let mut headers = self.headers(Some(&peer));
        if peer.version.is_modern() {
            headers.insert(METHOD, HeaderValue::from_static(CALL));
            headers.insert(NAME, headers::encode(&call.name));
            headers.extend(
                self.mirror(call)
                    .into_iter()
                    .map(|(name, value)| (Some(name), value)),
            );
        }
        if call
            .listed
            .is_some_and(|listed| listed != self.counters.generation())
        {
            return Err(Failure::Final(UpstreamError::Stale));
        }
        let id = Id::from(self.counters.next_id());
        let body = jsonrpc::request(&id, CALL, Some(&params));
        let mut cancel = Cancel {
            inner: self,
            peer: &peer,
            id: id.clone(),
            sent,
            answered: false,
        };
        let question = Question {
            id,
            headers,
            body,
            max_bytes: call.max_bytes,
        };
        let answered = self.ask(question, Some(&peer), sent).await;
        cancel.answered = true;
        let outcome = self.judge(CALL, answered.map_err(Failure::Final)?, &peer);
        if let Err(Failure::NotRun(UpstreamError::Rpc { code, .. })) = &outcome
            && *code == Code::HeaderMismatch.value()
        {
            self.list_from(&peer).await.map_err(Failure::Final)?;
        }
        outcome
    }

    /// The `Mcp-Param-*` headers of a call. Arguments that cannot be mirrored are left to the
    /// server to complain about.
    fn mirror(&self, call: &ToolCall) -> Vec<(HeaderName, HeaderValue)> {
        let known = self.mirrored.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(mirrored), Some(arguments)) = (known.get(&call.name).cloned(), &call.arguments)
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

    /// What an answer means for the request and for what is remembered of the server.
    fn judge(
        &self,
        method: &'static str,
        answered: Answered,
        peer: &Arc<Peer>,
    ) -> Result<Outcome, Failure> {
        let status = answered.status.as_u16();
        // The session is gone. Whatever else the server says, it has not run anything for it.
        if status == 404 && peer.session.is_some() {
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
                    || (code == Code::HeaderMismatch.value() && peer.version.is_modern()) =>
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

    fn headers(&self, peer: Option<&Peer>) -> HeaderMap {
        peer.map_or(&self.base, |peer| &peer.headers).clone()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A server that is being listed.
struct Listed<'a> {
    inner: &'a Arc<Inner>,
    peer: &'a Arc<Peer>,
}

impl listing::Pages for Listed<'_> {
    fn version(&self) -> crate::version::Version {
        self.peer.version
    }

    async fn page(
        &self,
        params: Option<Bytes>,
        max_bytes: usize,
    ) -> Result<Outcome, UpstreamError> {
        let mut headers = self.inner.headers(Some(self.peer));
        if self.peer.version.is_modern() {
            headers.insert(METHOD, HeaderValue::from_static(listing::LIST));
        }
        let id = Id::from(self.inner.counters.next_id());
        let body = jsonrpc::request(&id, listing::LIST, params.as_deref());
        let question = Question {
            id,
            headers,
            body,
            max_bytes,
        };
        let answered = self
            .inner
            .ask(question, Some(self.peer), &AtomicBool::new(false))
            .await?;
        self.inner
            .judge(listing::LIST, answered, self.peer)
            .map_err(|failure| match failure {
                Failure::NotRun(error) | Failure::Final(error) => error,
            })
    }
}

/// Tells a legacy server that a call is no longer waited for: there, hanging up says nothing.
struct Cancel<'a> {
    inner: &'a Arc<Inner>,
    peer: &'a Peer,
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
        let headers = self.inner.headers(Some(self.peer));
        let inner = Arc::clone(self.inner);
        self.inner.chores.spawn(async move {
            let _ = timeout(CANCEL_WITHIN, inner.tell(headers, notice)).await;
        });
    }
}

const CALL: &str = "tools/call";
const AGENT: &str = concat!("cmcp/", env!("CARGO_PKG_VERSION"));
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
