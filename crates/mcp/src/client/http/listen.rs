//! The stream on which a server tells that its tools have changed.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use tokio::time::{sleep, timeout};

use super::{Inner, exchange::is_event_stream, negotiate::Peer};
use crate::{
    client::handshake::{self, Changes, LISTEN},
    headers::METHOD,
    jsonrpc::{self, Id, Message, Outcome},
    sse,
};

/// Why a stream is heard no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It ended, as streams do.
    Closed,
    /// The server has none, or misuses it.
    Useless,
}

impl Inner {
    /// Listens to a server that announces changes, until it is negotiated with anew. Whoever does
    /// not announce any is listed again by the clock; so is one whose stream is down.
    pub(super) fn listen_to(self: &Arc<Self>, peer: &Arc<Peer>) {
        match peer.changes {
            Changes::Announced if !self.is_closed() => {
                let (inner, peer) = (Arc::clone(self), Arc::clone(peer));
                self.listener
                    .replace(async move { inner.listen(&peer).await });
            }
            Changes::Announced | Changes::Silent => self.listener.abort(),
        }
    }

    async fn listen(self: Arc<Self>, peer: &Arc<Peer>) {
        let mut pause = FIRST_PAUSE;
        while self.is_current(peer) && !self.is_closed() {
            let begun = Instant::now();
            if self.hear(peer).await == End::Useless {
                return;
            }
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    async fn hear(self: &Arc<Self>, peer: &Arc<Peer>) -> End {
        let mut headers = self.headers(Some(peer));
        let (method, body) = if peer.version.is_modern() {
            headers.insert(METHOD, HeaderValue::from_static(LISTEN));
            let id = Id::from(self.counters.next_id());
            let params = handshake::listen_params(peer.version);
            (Method::POST, jsonrpc::request(&id, LISTEN, Some(&params)))
        } else {
            headers.remove(CONTENT_TYPE);
            (Method::GET, Bytes::new())
        };
        let sent = AtomicBool::new(false);
        let answer = timeout(OPENED_WITHIN, self.send(method, headers, body, &sent)).await;
        let Ok(Ok((mut lease, response))) = answer else {
            return End::Closed;
        };
        let (head, mut body) = response.into_parts();
        if !head.status.is_success() || !is_event_stream(&head.headers) {
            return End::Useless;
        }
        let mut decoder = sse::Decoder::new(LARGEST_EVENT);
        let mut pace = Pace::default();
        let mut events = Vec::new();
        while let Some(Ok(frame)) = lease.link.frame(&mut body).await {
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let pushed = decoder.push(&data, &mut events);
            if pushed.is_err() || !pace.allows(data.len(), Instant::now()) {
                return End::Useless;
            }
            for event in events.drain(..).filter(|event| !event.data.is_empty()) {
                if self.heard(&event.data, peer).await == Some(End::Useless) {
                    return End::Useless;
                }
            }
        }
        End::Closed
    }

    async fn heard(self: &Arc<Self>, text: &Bytes, peer: &Arc<Peer>) -> Option<End> {
        match jsonrpc::parse(text, &cmcp_json::Limits::REQUEST) {
            Ok(Message::Notification(notification)) => self.counters.notified(&notification),
            Ok(Message::Request(request)) => {
                let reply = self.counters.asked(&request);
                self.reply(peer, reply).await;
            }
            // A modern server says so when it has no such stream.
            Ok(Message::Response(response)) => {
                return matches!(response.outcome, Outcome::Error { .. }).then_some(End::Useless);
            }
            Err(_) => self.counters.drop_one(),
        }
        None
    }
}

/// How much may be said on a stream that nobody waits for.
#[derive(Debug, Default)]
struct Pace {
    since: Option<Instant>,
    bytes: usize,
}

impl Pace {
    fn allows(&mut self, bytes: usize, now: Instant) -> bool {
        let fresh = self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= PACE_WINDOW);
        if fresh {
            *self = Self {
                since: Some(now),
                bytes: 0,
            };
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.bytes <= PACE_BYTES
    }
}

const LARGEST_EVENT: usize = 256 << 10;
const PACE_WINDOW: Duration = Duration::from_secs(10);
const PACE_BYTES: usize = 1 << 20;
const OPENED_WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
