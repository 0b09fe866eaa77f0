//! The reading of an answer: one text, or a stream of events that may break off and go on.

use std::{sync::atomic::AtomicBool, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use hyper::body::{Body as _, Incoming};
use tokio::time::{sleep, timeout};

use super::{
    Inner,
    pool::Lease,
    send::Parcel,
    talk::{Answered, Talk, fault},
};
use crate::{
    headers::SESSION_ID,
    jsonrpc::{Message, Outcome},
    sse,
    upstream::{ProtocolFault, UpstreamError},
};

/// Where a stream stands that may be gone on with.
#[derive(Debug, Default)]
struct Trail {
    last_id: Option<Bytes>,
    retry: Option<Duration>,
    /// How often it was gone on with.
    resumed: u32,
    /// Attempts in a row that led nowhere.
    failed: u32,
}

/// How one piece of a stream ended.
enum End {
    Answered(Outcome),
    Broken(UpstreamError),
}

impl Talk<'_> {
    pub(super) async fn read(
        mut self,
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

    async fn json(
        &mut self,
        mut lease: Lease,
        mut body: Incoming,
    ) -> Result<Outcome, UpstreamError> {
        let limit = self.message_limit();
        let size = body.size_hint();
        if size.lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(self.too_large());
        }
        let whole = size.exact().and_then(|size| usize::try_from(size).ok());
        let mut text = Bytes::new();
        let mut parts = BytesMut::new();
        while let Some(frame) = self.meanwhile(lease.link.frame(&mut body)).await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
                continue;
            };
            let so_far = text.len().saturating_add(parts.len());
            if so_far.saturating_add(data.len()) > limit {
                return Err(self.too_large());
            }
            // Small answers come in one part, which is then not copied.
            if so_far == 0 {
                text = data;
            } else {
                if parts.is_empty() {
                    parts.reserve(whole.unwrap_or(0));
                }
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

    /// Reads the stream, and goes on with it elsewhere when it breaks off and says how.
    async fn events(&mut self, lease: Lease, body: Incoming) -> Result<Outcome, UpstreamError> {
        let mut trail = Trail::default();
        let mut stream = (lease, body);
        loop {
            match self.stream(stream, &mut trail).await? {
                End::Answered(outcome) => return Ok(outcome),
                End::Broken(error) => stream = self.resume(&mut trail, error).await?,
            }
        }
    }

    async fn stream(
        &mut self,
        (mut lease, mut body): (Lease, Incoming),
        trail: &mut Trail,
    ) -> Result<End, UpstreamError> {
        let mut decoder = sse::Decoder::new(self.message_limit());
        let mut events = Vec::new();
        let end = loop {
            let data = match self.meanwhile(lease.link.frame(&mut body)).await {
                None => break fault(ProtocolFault::NoAnswer),
                Some(Err(error)) => break broken(&error),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            let pushed = decoder.push(&data, &mut events);
            for event in events.drain(..) {
                if event.data.is_empty() || !event.is_message() {
                    self.budget.spend(event.data.len())?;
                    continue;
                }
                let message = self.message(&event.data)?;
                if let Some(outcome) = self.hear(message, event.data.len()).await? {
                    self.inner.settle(lease, body);
                    return Ok(End::Answered(outcome));
                }
            }
            pushed.map_err(|_| self.too_large())?;
            self.budget.spend_stream(data.len())?;
        };
        if let Some(id) = decoder.last_id() {
            trail.last_id = Some(id.clone());
        }
        if let Some(retry) = decoder.retry() {
            trail.retry = Some(Duration::from_millis(retry));
        }
        Ok(End::Broken(end))
    }

    /// Finds the rest of a stream that broke off. Only servers of the legacy era keep it, and only
    /// those that numbered an event. The request itself is not sent again.
    async fn resume(
        &mut self,
        trail: &mut Trail,
        error: UpstreamError,
    ) -> Result<(Lease, Incoming), UpstreamError> {
        let inner = self.inner;
        let peer = self.peer.filter(|peer| !peer.version.is_modern());
        let last = trail.last_id.as_ref();
        let last = last.and_then(|last| HeaderValue::from_bytes(last).ok());
        let (Some(peer), Some(last)) = (peer, last) else {
            return Err(error);
        };
        while trail.resumed < MOST_RESUMED && trail.failed < MOST_FAILED {
            self.meanwhile(sleep(trail.pause())).await;
            trail.resumed = trail.resumed.saturating_add(1);
            trail.failed = trail.failed.saturating_add(1);
            let mut headers = peer.headers.clone();
            headers.insert(LAST_EVENT_ID, last.clone());
            let unsent = AtomicBool::new(false);
            let answer = self.meanwhile(inner.send(Parcel::get(headers), &unsent));
            let Ok((lease, response)) = answer.await else {
                continue;
            };
            let (head, body) = response.into_parts();
            match head.status.as_u16() {
                200 if is_event_stream(&head.headers) => {
                    trail.failed = 0;
                    return Ok((lease, body));
                }
                // It may be only for the moment.
                429 | 500.. => {}
                404 if peer.session.is_some() => {
                    inner.forget(peer);
                    return Err(error);
                }
                _ => return Err(error),
            }
        }
        Err(error)
    }
}

impl Trail {
    /// What the server asked for; without that, longer after each failure.
    fn pause(&self) -> Duration {
        let own = FIRST_PAUSE.saturating_mul(1 << self.failed.min(8));
        let asked = self.retry.unwrap_or(own);
        if self.failed == 0 {
            asked
        } else {
            asked.max(own)
        }
        .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }
}

impl Inner {
    /// Reads what little may stand behind the answer, so that the connection can be used again.
    pub(super) fn settle(self: &std::sync::Arc<Self>, mut lease: Lease, mut body: Incoming) {
        let inner = std::sync::Arc::downgrade(self);
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

pub(super) fn broken(error: &hyper::Error) -> UpstreamError {
    if error.is_parse() || error.is_parse_too_large() {
        fault(ProtocolFault::Http)
    } else {
        UpstreamError::Lost { sent: true }
    }
}

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Read of bodies that say nothing.
const SMALL: usize = 64 << 10;
const SETTLE_WITHIN: Duration = Duration::from_millis(500);
/// Of one stream, however often its server closes it.
const MOST_RESUMED: u32 = 1_000;
/// Attempts in a row to find the rest of a stream.
const MOST_FAILED: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
