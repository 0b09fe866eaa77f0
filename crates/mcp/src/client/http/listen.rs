//! The stream on which a server speaks of its own accord.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_json::Limits;
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;
use tokio::time::{sleep, timeout};

use super::{
    Inner,
    negotiate::{self, Peer},
    pool::Lease,
    reading::{LAST_EVENT_ID, is_event_stream},
    send::Parcel,
};
use crate::{
    client::{
        handshake::{self, LISTEN},
        heard::Wanted,
        turn,
    },
    headers::METHOD,
    jsonrpc::{self, Id, Message, Notification, Outcome, RpcParseError},
    sse::{self, Event},
    upstream::{Kind, Watch},
};

/// Why a stream is heard no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It ended, as streams do.
    Closed,
    /// The server has none, or misuses it.
    Useless,
    /// The session is gone.
    Lost,
}

/// A stream that stands.
struct Stream {
    lease: Lease,
    body: Incoming,
    decoder: sse::Decoder,
    pace: Pace,
    events: Vec<Event>,
}

impl Inner {
    /// Listens to a server, until it is negotiated with anew. Whoever does not announce changes is
    /// listed again by the clock; so is one whose stream is down.
    pub(super) fn listen_to(self: &Arc<Self>, peer: &Arc<Peer>) {
        if self.is_closed() {
            return self.listener.abort();
        }
        if !peer.version.is_modern() && self.watching.is_wanted() {
            let (inner, peer) = (Arc::clone(self), Arc::clone(peer));
            self.chores
                .spawn(async move { inner.subscribe_again(&peer).await });
        }
        if peer.pair.is_some() {
            return;
        }
        let (inner, peer) = (Arc::clone(self), Arc::clone(peer));
        if peer.version.is_modern() {
            self.listener
                .replace(async move { inner.listen(&peer).await });
        } else if self.may_speak(&peer) {
            peer.stream.send_replace(negotiate::Stream::Opening);
            self.listener
                .replace(async move { inner.attend(&peer).await });
        } else {
            self.listener.abort();
        }
    }

    /// Whether a legacy server may have anything to say unasked.
    fn may_speak(&self, peer: &Peer) -> bool {
        let offers = &peer.offers;
        let announced = Kind::ALL
            .iter()
            .any(|kind| handshake::announces(offers, *kind));
        let speaks = [&["logging"][..], &["tasks"], &["resources", "subscribe"]];
        announced || self.own.can_be_asked() || speaks.iter().any(|path| offers.has(path))
    }

    /// Hears a legacy session's own stream.
    async fn attend(self: Arc<Self>, peer: &Arc<Peer>) {
        let mut rests = Rests::default();
        let mut last_id: Option<Bytes> = None;
        let mut opened_before = false;
        while self.is_current(peer) && !self.is_closed() {
            let begun = Instant::now();
            let mut asked_pause = None;
            let end = match self.open_stream(peer, last_id.as_ref()).await {
                Ok(mut stream) => {
                    peer.stream.send_replace(negotiate::Stream::Open);
                    if std::mem::replace(&mut opened_before, true) {
                        self.counters.outdate_all();
                    }
                    let end = self.hear(&mut stream, peer).await;
                    last_id = stream.decoder.last_id().cloned().or(last_id);
                    asked_pause = stream.decoder.retry().map(Duration::from_millis);
                    end
                }
                Err(end) => end,
            };
            peer.stream.send_replace(negotiate::Stream::Absent);
            match end {
                End::Closed => {}
                End::Useless => return,
                End::Lost => break,
            }
            sleep(rests.next(begun.elapsed(), asked_pause)).await;
        }
        self.reopen(peer).await;
    }

    /// The server is not what it was negotiated to be, or has ended the session. Whoever watches is
    /// not to wait for the next request until it is reached anew.
    async fn reopen(self: &Arc<Self>, peer: &Arc<Peer>) {
        self.forget(peer);
        if self.watching.is_wanted() && !self.is_closed() {
            let _ = self.peer().await;
        }
    }

    async fn open_stream(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        last_id: Option<&Bytes>,
    ) -> Result<Stream, End> {
        let mut headers = self.headers(Some(peer));
        if let Some(last) = last_id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
            headers.insert(LAST_EVENT_ID, last);
        }
        // A server may keep back even the head until it has something to say.
        self.open(Parcel::get(headers), peer).await
    }

    /// Hears what a modern server was asked to tell of, and asks anew when that is something else.
    async fn listen(self: Arc<Self>, peer: &Arc<Peer>) {
        let mut wanted = self.watching.subscribe();
        let mut rests = Rests::default();
        let mut opened_before = false;
        // The one before, which is heard no more and ends when its successor stands.
        let mut stream: Option<Stream> = None;
        while self.is_current(peer) && !self.is_closed() {
            let (round, watch) = wanted.borrow_and_update().clone();
            let honoured = handshake::honoured(&peer.offers, &watch);
            if honoured == Watch::default() {
                stream = None;
                self.watching.honour(round, honoured);
                if wanted.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let begun = Instant::now();
            let broken = stream.is_none() && opened_before;
            let end = match self.open_listen(peer, &watch).await {
                Ok((opened, told)) => {
                    opened_before = true;
                    self.watching.honour(round, told);
                    if broken {
                        self.counters.outdate_all();
                    }
                    let opened = stream.insert(opened);
                    tokio::select! {
                        end = self.hear(opened, peer) => end,
                        changed = wanted.changed() => match changed {
                            Ok(()) => continue,
                            Err(_) => return,
                        },
                    }
                }
                Err(end) => end,
            };
            stream = None;
            self.watching.honour(round, Watch::default());
            if end == End::Useless {
                if wanted.changed().await.is_err() {
                    return;
                }
                continue;
            }
            // Another wish is heard at once.
            let rest = rests.next(begun.elapsed(), None);
            let _ = timeout(rest, wanted.changed()).await;
        }
        self.reopen(peer).await;
    }

    /// Opens a stream and waits for its first word: what the server will tell of.
    async fn open_listen(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        watch: &Watch,
    ) -> Result<(Stream, Watch), End> {
        let mut headers = self.headers(Some(peer));
        headers.insert(METHOD, HeaderValue::from_static(LISTEN));
        let id = Id::from(self.counters.next_id());
        let params = handshake::listen_params(&self.own, &peer.offers, watch);
        let body = jsonrpc::request(&id, LISTEN, Some(&params));
        let opening = self.open(Parcel::post(headers, body), peer);
        let opened = timeout(OPENED_WITHIN, opening).await;
        let mut stream = opened.unwrap_or(Err(End::Closed))?;
        let first = timeout(OPENED_WITHIN, self.first_word(&mut stream, peer)).await;
        // One that never says so is heard even so.
        let told = first.unwrap_or(Ok(Watch::default()))?;
        Ok((stream, told))
    }

    async fn first_word(
        self: &Arc<Self>,
        stream: &mut Stream,
        peer: &Arc<Peer>,
    ) -> Result<Watch, End> {
        loop {
            let events = std::mem::take(&mut stream.events);
            let mut told = None;
            for event in events.into_iter().filter(|event| !event.data.is_empty()) {
                match parsed(&event.data, LARGEST_EVENT) {
                    Ok(Message::Notification(Notification { method, params }))
                        if method == ACKNOWLEDGED && told.is_none() =>
                    {
                        told = Some(handshake::acknowledged(&params));
                    }
                    message => self.heard(message, event.data.len(), peer)?,
                }
            }
            if let Some(told) = told {
                return Ok(told);
            }
            stream.next().await?;
        }
    }

    async fn open(self: &Arc<Self>, parcel: Parcel, peer: &Peer) -> Result<Stream, End> {
        let answer = self.send(parcel, &AtomicBool::new(false)).await;
        let (lease, response) = answer.map_err(|_| End::Closed)?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::NOT_FOUND && peer.session.is_some() {
            return Err(End::Lost);
        }
        // It may be only for the moment.
        if head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(End::Closed);
        }
        if !head.status.is_success() || !is_event_stream(&head.headers) {
            return Err(End::Useless);
        }
        Ok(Stream {
            lease,
            body,
            decoder: sse::Decoder::new(LARGEST_EVENT),
            pace: Pace::default(),
            events: Vec::new(),
        })
    }

    async fn hear(self: &Arc<Self>, stream: &mut Stream, peer: &Arc<Peer>) -> End {
        loop {
            for event in stream
                .events
                .drain(..)
                .filter(|event| !event.data.is_empty())
            {
                let message = parsed(&event.data, LARGEST_EVENT);
                if let Err(end) = self.heard(message, event.data.len(), peer) {
                    return end;
                }
            }
            if let Err(end) = stream.next().await {
                return end;
            }
        }
    }

    fn heard(
        self: &Arc<Self>,
        message: Result<Message, RpcParseError>,
        size: usize,
        peer: &Arc<Peer>,
    ) -> Result<(), End> {
        match message {
            Err(_) => self.counters.drop_one(),
            // A modern server says so when it has no such stream, and when it ends one.
            Ok(Message::Response(response)) if peer.version.is_modern() => {
                return Err(match response.outcome {
                    Outcome::Error { .. } => End::Useless,
                    Outcome::Result { .. } => End::Closed,
                });
            }
            Ok(Message::Response(_)) => self.counters.drop_one(),
            Ok(message) => {
                if let Some(message) = peer.calls.route(message, size) {
                    self.unattached(message, Some(peer));
                }
            }
        }
        Ok(())
    }

    /// A message that is about no request under way.
    pub(super) fn unattached(self: &Arc<Self>, message: Message, peer: Option<&Arc<Peer>>) {
        match message {
            Message::Response(_) => self.counters.drop_one(),
            Message::Notification(notification) => self.counters.notified(&notification),
            Message::Request(request) => {
                let reply = match Wanted::of(&request, &self.own) {
                    Wanted::Reply(reply) => reply,
                    Wanted::Refuse(reply) => {
                        self.counters.refuse_one();
                        reply
                    }
                    // Nobody can tell on whose behalf it asks.
                    Wanted::Of(_) => {
                        self.counters.refuse_one();
                        turn::fault(&request.id)
                    }
                };
                self.answer(peer, reply);
            }
        }
    }
}

impl Stream {
    async fn next(&mut self) -> Result<(), End> {
        let frame = self.lease.link.frame(&mut self.body).await;
        let Some(Ok(frame)) = frame else {
            return Err(End::Closed);
        };
        let data = frame.into_data().unwrap_or_default();
        let pushed = self.decoder.push(&data, &mut self.events);
        if pushed.is_err() || !self.pace.allows(data.len(), Instant::now()) {
            return Err(End::Useless);
        }
        Ok(())
    }
}

/// Reads a message of at most `largest` bytes.
pub(super) fn parsed(text: &Bytes, largest: usize) -> Result<Message, RpcParseError> {
    let limits = Limits {
        bytes: largest.max(LARGEST_EVENT),
        ..Limits::RESPONSE
    };
    jsonrpc::parse(text, &limits)
}

/// The pauses between streams: what the server asks for, else ever longer ones.
#[derive(Debug)]
struct Rests(Duration);

impl Default for Rests {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Rests {
    fn next(&mut self, lasted: Duration, asked: Option<Duration>) -> Duration {
        if lasted > LONGEST_PAUSE {
            self.0 = FIRST_PAUSE;
        }
        let own = self.0;
        self.0 = own.saturating_mul(2).min(LONGEST_PAUSE);
        asked.unwrap_or(own).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }
}

/// How much may be said on a stream that nobody waits for.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    bytes: usize,
}

impl Pace {
    pub(super) fn allows(&mut self, bytes: usize, now: Instant) -> bool {
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

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const LARGEST_EVENT: usize = 256 << 10;
const PACE_WINDOW: Duration = Duration::from_secs(10);
const PACE_BYTES: usize = 4 << 20;
const OPENED_WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
