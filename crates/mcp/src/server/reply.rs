//! What goes back over HTTP: one body, or a stream of events.

use std::{
    array, fmt,
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::{
    channel::{Channel, CutOff},
    session::Session,
};
use crate::sse;

/// The body of an answer.
#[derive(Debug)]
pub enum ReplyBody {
    /// All of it; `None` once it has been sent.
    Whole(Option<Bytes>),
    /// Events.
    Events(Box<StreamBody>),
}

/// A stream of events, with a comment wherever nothing else was said for a while.
pub struct StreamBody {
    channel: Arc<Channel>,
    nth: u64,
    parts: array::IntoIter<Bytes, 3>,
    left: Left,
    keep_alive: Duration,
    sent: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// What it means that the client goes away.
pub(super) enum Left {
    /// That it does not want an answer any more.
    Cancels,
    /// Nothing: it may come back.
    Nothing,
    /// That the session is over.
    Ends(Session),
}

impl StreamBody {
    pub(super) fn new(
        channel: Arc<Channel>,
        nth: u64,
        first: Bytes,
        left: Left,
        keep_alive: Duration,
    ) -> Self {
        Self {
            channel,
            nth,
            parts: [first, Bytes::new(), Bytes::new()].into_iter(),
            left,
            keep_alive,
            sent: Instant::now(),
            alarm: None,
        }
    }

    /// The response that carries it.
    #[must_use]
    pub fn into_response(self) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::Events(Box::new(self)));
        let headers = response.headers_mut();
        let value = HeaderValue::from_static;
        headers.insert(header::CONTENT_TYPE, value("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, value("no-cache"));
        headers.insert("x-accel-buffering", value("no"));
        response
    }

    /// Whether it is time for a comment.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.sent + self.keep_alive;
            let alarm = self
                .alarm
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if due <= now {
                self.sent = now;
                alarm.as_mut().reset(now + self.keep_alive);
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        loop {
            if let Some(part) = self.parts.by_ref().find(|part| !part.is_empty()) {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            match self.channel.poll_next(self.nth, context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.parts = frame.into_iter();
                    self.sent = Instant::now();
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    return self
                        .poll_silence(context)
                        .map(|()| Some(Ok(Frame::data(sse::keep_alive()))));
                }
            }
        }
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        match &self.left {
            Left::Cancels => self.channel.cancel(),
            Left::Nothing => {}
            Left::Ends(session) => session.end(),
        }
        self.channel.leave(self.nth);
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(events) => Pin::new(events).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// An answer of one JSON body.
#[must_use]
pub fn json(status: StatusCode, body: Bytes) -> Response<ReplyBody> {
    json_with(status, HeaderMap::new(), body)
}

pub(super) fn json_with(
    status: StatusCode,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<ReplyBody> {
    let value = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, value("application/json"));
    headers.insert(header::CACHE_CONTROL, value("no-store"));
    let mut response = Response::new(ReplyBody::Whole(Some(body)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The answer to what wants none: HTTP 202 without body.
#[must_use]
pub fn accepted() -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(None));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

#[cfg(test)]
mod tests;
