//! Streams of events: read as they come, and taken up again where they broke off.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cmcp_json::Limits;
use cmcp_mcp::{
    jsonrpc::{self, Id, Message, Outcome},
    sse,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::time::timeout;

use super::{Relay, read_answer};
use crate::bridge::{
    failure::Failure,
    headers::{Session, add_session},
    wire::{Answer, WireError},
};

/// How far a stream was read.
#[derive(Debug)]
pub(super) struct Place {
    /// The last event that had an id.
    pub(super) last: Option<HeaderValue>,
    /// How long the gateway asks to wait before coming back.
    retry: Option<Duration>,
    /// When a message last came.
    heard: Instant,
}

impl Place {
    pub(super) fn start() -> Self {
        Self {
            last: None,
            retry: None,
            heard: Instant::now(),
        }
    }

    /// How long to wait before the next attempt, after as many that failed in a row.
    pub(super) fn pause(&self, failed: u32) -> Duration {
        let asked = self.retry.unwrap_or(PAUSE).clamp(LEAST_PAUSE, MOST_PAUSE);
        asked
            .saturating_mul(2u32.saturating_pow(failed.min(16)))
            .min(MOST_PAUSE.max(asked))
    }

    fn note(&mut self, event: &sse::Event) {
        if let Some(id) = &event.id {
            let id = HeaderValue::from_bytes(id).ok();
            self.last = id.filter(|id| !id.is_empty());
        }
        if !event.data.is_empty() {
            self.heard = Instant::now();
        }
    }
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum Closed {
    /// The gateway has none to offer.
    Refused(StatusCode),
    /// It may have one later.
    Unreachable,
}

/// What a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Json,
    Events,
    Other,
}

impl Kind {
    pub(super) fn of(answer: &Answer) -> Self {
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

impl Relay {
    /// Reads the stream that a request was answered with to its answer, over as many connections as
    /// that takes.
    pub(super) async fn await_answer(
        &self,
        mut answer: Answer,
        id: &Id,
        session: Option<&Session>,
    ) -> Result<(Bytes, Outcome), Failure> {
        let mut place = Place::start();
        let mut failed = 0u32;
        loop {
            match self.read_events(&mut answer, Some(id), &mut place).await {
                Ok(Some(found)) => {
                    self.finish(answer).await;
                    return Ok(found);
                }
                Err(cause @ WireError::TooLarge(_)) => return Err(self.wire_failure(cause)),
                Ok(None) | Err(_) => {}
            }
            drop(answer);
            answer = loop {
                let session = session.filter(|open| open.id.is_some() && failed < MAX_FAILED);
                let (Some(session), Some(last)) = (session, place.last.clone()) else {
                    return Err(self.wire_failure(WireError::Lost));
                };
                if place.heard.elapsed() > MAX_SILENT {
                    return Err(self.wire_failure(WireError::Silence));
                }
                tokio::time::sleep(place.pause(failed)).await;
                match self.open_stream(session, Some(last)).await {
                    Ok(answer) => break answer,
                    Err(Closed::Refused(_)) => return Err(self.wire_failure(WireError::Lost)),
                    Err(Closed::Unreachable) => failed = failed.saturating_add(1),
                }
            };
            failed = 0;
        }
    }

    /// Asks for the stream of what the gateway says unasked, or for the rest of another one.
    pub(super) async fn open_stream(
        &self,
        session: &Session,
        last: Option<HeaderValue>,
    ) -> Result<Answer, Closed> {
        let mut headers = self.common.clone();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("text/event-stream"),
        );
        if let Some(last) = last {
            headers.insert(LAST_EVENT_ID, last);
        }
        add_session(&mut headers, session);
        let asked = self.wire.send(Method::GET, headers, Bytes::new()).await;
        let answer = asked.map_err(|_| Closed::Unreachable)?;
        let status = answer.response.status();
        match Kind::of(&answer) {
            Kind::Events if status.is_success() => Ok(answer),
            Kind::Events | Kind::Json | Kind::Other
                if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS =>
            {
                Err(Closed::Unreachable)
            }
            Kind::Events | Kind::Json | Kind::Other => Err(Closed::Refused(status)),
        }
    }

    /// Reads a stream to its end, or to the answer that is waited for; every other message goes to
    /// the host as it comes.
    pub(super) async fn read_events(
        &self,
        answer: &mut Answer,
        id: Option<&Id>,
        place: &mut Place,
    ) -> Result<Option<(Bytes, Outcome)>, WireError> {
        let mut decoder = sse::Decoder::new(Limits::RESPONSE.bytes);
        let mut events = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            let read = decoder.push(&chunk, &mut events);
            if let Some(milliseconds) = decoder.retry() {
                place.retry = Some(Duration::from_millis(milliseconds));
            }
            for event in events.drain(..) {
                place.note(&event);
                if !event.is_message() || event.data.is_empty() {
                    continue;
                }
                match jsonrpc::parse(&event.data, &Limits::RESPONSE) {
                    Ok(Message::Response(_)) => {
                        let found = id.and_then(|id| read_answer(id, &event.data));
                        if found.is_some() {
                            return Ok(found);
                        }
                    }
                    Ok(Message::Request(_) | Message::Notification(_)) => {
                        self.tell(event.data).await;
                    }
                    Err(error) => tracing::warn!(%error, "an event holds no message"),
                }
            }
            if read.is_err() {
                return Err(WireError::TooLarge(Limits::RESPONSE.bytes));
            }
        }
        Ok(None)
    }

    /// Keeps the connection of a stream that ends with its answer, as it should.
    async fn finish(&self, mut answer: Answer) {
        if let Ok(Ok(None)) = timeout(LINGER, answer.chunk()).await {
            self.wire.give_back(answer);
        }
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Attempts in a row that may come to nothing before an answer is given up.
const MAX_FAILED: u32 = 6;
/// How long a call may be without any message over all its connections.
const MAX_SILENT: Duration = Duration::from_secs(3_600);
const PAUSE: Duration = Duration::from_secs(1);
const LEAST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(30);
/// How long a stream may stay open behind its answer.
const LINGER: Duration = Duration::from_millis(50);
