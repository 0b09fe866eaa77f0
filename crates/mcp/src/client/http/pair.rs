//! The transport of 2024-11-05: a GET opens the one stream on which everything comes, and its
//! first event says where to POST to.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Uri;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    Inner,
    calls::Calls,
    listen::{Pace, parsed},
    pool::Lease,
    reading::is_event_stream,
    send::Parcel,
    talk::{ENVELOPE, fault},
    target::HttpTarget,
};
use crate::{
    jsonrpc::Message,
    sse::{self, Event},
    upstream::{ProtocolFault, UpstreamError},
};

/// A stream that stands, and the place that belongs to it.
#[derive(Debug)]
pub(super) struct Pair {
    /// Path and query that messages are sent to.
    pub(super) path: Uri,
    calls: Arc<Calls>,
    ended: AtomicBool,
}

impl Pair {
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The requests that wait for an answer on the stream.
    pub(super) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    fn end(&self, error: &UpstreamError) {
        self.ended.store(true, Ordering::Release);
        self.calls.end(error);
    }
}

impl Inner {
    /// Opens the stream; `None` where there is none.
    pub(super) async fn open_pair(self: &Arc<Self>) -> Result<Option<Arc<Pair>>, UpstreamError> {
        let parcel = Parcel::get(self.headers(None));
        let (lease, response) = self.send(parcel, &AtomicBool::new(false)).await?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() || !is_event_stream(&head.headers) {
            return Ok(None);
        }
        let mut stream = Stream {
            lease,
            body,
            decoder: sse::Decoder::new(LARGEST_EVENT),
            events: Vec::new(),
        };
        let named = timeout(ENDPOINT_WITHIN, stream.endpoint()).await;
        let named = named.ok().flatten();
        let path = named.and_then(|named| self.target.within(&named));
        let pair = Arc::new(Pair {
            path: path.ok_or(fault(ProtocolFault::Endpoint))?,
            calls: Arc::default(),
            ended: AtomicBool::new(false),
        });
        self.keep_reading(stream, Kept(Arc::clone(&pair)));
        Ok(Some(pair))
    }

    fn keep_reading(self: &Arc<Self>, stream: Stream, pair: Kept) {
        let inner = Arc::clone(self);
        self.listener.replace(async move {
            inner.read_pair(stream, pair).await;
            if inner.watching.is_wanted() && !inner.is_closed() {
                // Whoever watches is not to wait for the next request. Reached anew, the server
                // gets another reader than this one.
                let _ = inner.peer().await;
            }
        });
    }

    async fn read_pair(self: &Arc<Self>, mut stream: Stream, pair: Kept) {
        let calls = pair.0.calls();
        let mut pace = Pace::default();
        loop {
            let mut other: usize = 0;
            for event in stream.events.drain(..) {
                if !event.data.is_empty() && event.is_message() {
                    let size = event.data.len();
                    let is_answer = self.sort(&event.data, calls);
                    other = other.saturating_add(if is_answer { 0 } else { size });
                }
            }
            let largest = calls.largest().saturating_add(ENVELOPE).max(LARGEST_EVENT);
            stream.decoder.set_limit(largest);
            if !pace.allows(other, Instant::now()) {
                return pair.0.end(&fault(ProtocolFault::Flood));
            }
            match stream.next().await {
                Some(Ok(())) => {}
                Some(Err(limit)) => return pair.0.end(&UpstreamError::TooLarge { limit }),
                None => return,
            }
        }
    }

    /// Brings a message to whom it is for; true for an answer.
    fn sort(self: &Arc<Self>, text: &Bytes, calls: &Calls) -> bool {
        let Ok(message) = parsed(text, calls.largest().saturating_add(ENVELOPE)) else {
            // It may have been the answer of the one that waits.
            if !calls.spoil(&fault(ProtocolFault::NotJsonRpc)) {
                self.counters.drop_one();
            }
            return false;
        };
        let is_answer = matches!(message, Message::Response(_));
        if let Some(message) = calls.route(message, text.len()) {
            let peer = self.known().peer.clone();
            self.unattached(message, peer.as_ref());
        }
        is_answer
    }
}

/// Ends a pair with its reader.
struct Kept(Arc<Pair>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.end(&UpstreamError::Lost { sent: true });
    }
}

/// The stream, and the events that were read of it and not looked at.
struct Stream {
    lease: Lease,
    body: Incoming,
    decoder: sse::Decoder,
    events: Vec<Event>,
}

impl Stream {
    /// What the first event names; `None` when it is another event or none.
    async fn endpoint(&mut self) -> Option<String> {
        while self.events.is_empty() {
            self.next().await?.ok()?;
        }
        let first = self.events.remove(0);
        let named = std::str::from_utf8(&first.data).ok()?;
        (first.name == "endpoint").then(|| named.to_owned())
    }

    /// Reads on; the limit, when an event is larger.
    async fn next(&mut self) -> Option<Result<(), usize>> {
        let frame = self.lease.link.frame(&mut self.body).await?.ok()?;
        let data = frame.into_data().unwrap_or_default();
        let pushed = self.decoder.push(&data, &mut self.events);
        Some(pushed.map_err(|sse::SseError::TooLarge { limit }| limit))
    }
}

impl HttpTarget {
    /// The path and query that a URL of this server's own leads to, whole or as a reference.
    /// Anywhere else a server may not send us.
    fn within(&self, named: &str) -> Option<Uri> {
        let uri = match named.chars().next()? {
            '/' if !named.starts_with("//") => Uri::from_str(named).ok()?,
            '/' => return None,
            '?' => Uri::from_str(&format!("{}{named}", self.path.path())).ok()?,
            _ if named.contains("://") => {
                let uri = Uri::from_str(named).ok()?;
                if !self.is_origin_of(&uri) {
                    return None;
                }
                uri
            }
            _ => {
                let (folder, _) = self.path.path().rsplit_once('/')?;
                Uri::from_str(&format!("{folder}/{named}")).ok()?
            }
        };
        let path = uri.path_and_query()?.as_str();
        // A reference with dots means another path than it says.
        let dotted = path
            .split(['/', '?'])
            .any(|part| part == "." || part == "..");
        (!dotted).then(|| path.parse().ok()).flatten()
    }

    fn is_origin_of(&self, uri: &Uri) -> bool {
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return false,
        };
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = uri
            .authority()
            .is_some_and(|all| !all.as_str().contains('@'));
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        plain
            && encrypted == self.tls.is_some()
            && host.eq_ignore_ascii_case(&self.host)
            && port == self.port
    }
}

/// What a server says there besides answers.
const LARGEST_EVENT: usize = 256 << 10;
const ENDPOINT_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
