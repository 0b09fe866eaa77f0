//! One request that is being served: what is said to the client meanwhile, and what it gets.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use tokio::sync::mpsc;

use crate::{
    error::Code,
    jsonrpc::{self, Id, Outcome},
    method::ClientMethod,
    sse,
};

use super::{
    channel::{Channel, First, Framing, Pushed, Weight},
    reply::{self, Left, ReplyBody, StreamBody},
    session::Session,
};

/// What may be said to a client while one of its requests is served. Cheap to clone. When the last
/// clone is dropped and none has called [`Port::finish`], the client hears of an internal error.
#[derive(Clone)]
pub struct Port(Arc<Served>);

struct Served {
    id: Id,
    channel: Arc<Channel>,
    way: Way,
    finished: AtomicBool,
}

/// The client's end of a [`Port`]. Dropped, the client has hung up.
pub struct Feed {
    channel: Arc<Channel>,
    way: Way,
    left: bool,
}

/// How this client is reached.
#[derive(Clone)]
enum Way {
    /// It gets one JSON body and nothing else.
    Plain,
    /// On this request's stream; hanging up cancels.
    Modern,
    /// On this request's stream, which it may take up again.
    Legacy(Session),
    /// On the one line that its session has, as a client of the modern era or of the legacy one.
    Line { session: Session, asks: Asks },
}

/// Whether a client may be asked something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asks {
    Never,
    Declared,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Last {
    /// The HTTP status, where it is one JSON body. A stream has said 200 already.
    pub status: StatusCode,
    /// More HTTP headers for that case.
    pub headers: HeaderMap,
    /// A JSON-RPC response.
    pub body: Bytes,
}

/// Why a client gave no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AskError {
    /// It never declared that it would answer, or its era knows no such requests.
    #[error("the client cannot be asked that: it did not declare the capability")]
    Unable,
    /// It has gone, ended its session, or withdrawn the request on whose behalf it was asked.
    #[error("the client has gone")]
    Gone,
    /// So many questions wait for answers already.
    #[error("{most} questions wait for the client's answers already; try again later")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
}

/// Where the client's progress with an answer goes.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The `progressToken` in the parameters of the question.
    pub token: Id,
    /// Takes the parameters of `notifications/progress`, as received. What does not fit in is lost.
    pub progress: mpsc::Sender<Bytes>,
}

impl Last {
    /// An answer with HTTP status 200.
    #[must_use]
    pub fn ok(body: Bytes) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// An answer with a status of its own.
    #[must_use]
    pub fn new(status: StatusCode, body: Bytes) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body,
        }
    }
}

impl From<super::http::Rejection> for Last {
    fn from(rejection: super::http::Rejection) -> Self {
        Self::new(rejection.status, rejection.body)
    }
}

impl Port {
    /// For a client of the 0.7.1 dialect: it is sent one JSON body, and hanging up changes nothing.
    #[must_use]
    pub fn plain(id: &Id) -> (Self, Feed) {
        Self::pair(id, Framing::Events, Way::Plain)
    }

    /// For a stateless request: hanging up cancels it.
    #[must_use]
    pub fn modern(id: &Id) -> (Self, Feed) {
        Self::pair(id, Framing::Events, Way::Modern)
    }

    pub(super) fn legacy(id: &Id, framing: Framing, session: Session) -> (Self, Feed) {
        Self::pair(id, framing, Way::Legacy(session))
    }

    pub(super) fn line(id: &Id, session: Session, asks: Asks) -> (Self, Feed) {
        Self::pair(id, Framing::Events, Way::Line { session, asks })
    }

    fn pair(id: &Id, framing: Framing, way: Way) -> (Self, Feed) {
        let channel = Arc::new(Channel::quiet(framing));
        let feed = Feed {
            channel: Arc::clone(&channel),
            way: way.clone(),
            left: false,
        };
        let port = Self(Arc::new(Served {
            id: id.clone(),
            channel,
            way,
            finished: AtomicBool::new(false),
        }));
        (port, feed)
    }

    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.0.channel
    }

    /// The id of the request.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.0.id
    }

    /// The client's session: none in the stateless era, save on standard input.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.0.way {
            Way::Plain | Way::Modern => None,
            Way::Legacy(session) | Way::Line { session, asks: _ } => Some(session),
        }
    }

    /// Sends a whole JSON-RPC notification. Nobody waits: a client that reads too slowly loses its
    /// stream, and the modern one its request with it.
    pub fn notify(&self, message: Bytes) {
        self.say(&message, Weight::Note);
    }

    fn say(&self, message: &Bytes, weight: Weight) -> Pushed {
        let Served {
            id: _,
            channel,
            way,
            finished,
        } = &*self.0;
        match way {
            Way::Plain => Pushed::Dropped,
            Way::Modern => {
                channel.open_as(0);
                let pushed = channel.push(message, weight);
                if pushed == Pushed::CutOff {
                    channel.cancel();
                }
                pushed
            }
            Way::Legacy(session) => {
                session.stream(channel);
                let pushed = channel.push(message, weight);
                session.trim();
                pushed
            }
            Way::Line { .. } if self.is_cancelled() || finished.load(Ordering::Acquire) => {
                Pushed::Dropped
            }
            Way::Line { session, asks: _ } => session.say(message, weight),
        }
    }

    /// Asks the client something, under an id of our own. The caller bounds the time; when this is
    /// dropped before the answer has come, the client is told not to bother.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        method: ClientMethod,
        params: Option<&[u8]>,
    ) -> Result<Outcome, AskError> {
        self.ask_watched(method, params, None).await
    }

    /// Asks the client something, and listens for its progress.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask_watched(
        &self,
        method: ClientMethod,
        params: Option<&[u8]>,
        watched: Option<Watched>,
    ) -> Result<Outcome, AskError> {
        let session = match &self.0.way {
            Way::Legacy(session)
            | Way::Line {
                session,
                asks: Asks::Declared,
            } => session,
            Way::Plain
            | Way::Modern
            | Way::Line {
                session: _,
                asks: Asks::Never,
            } => return Err(AskError::Unable),
        };
        if !session.can(method) {
            return Err(AskError::Unable);
        }
        let (id, answer) = session.question(watched)?;
        let mut question = Question {
            port: self,
            session,
            id,
            answered: false,
        };
        let request = jsonrpc::request(&Id::from(id), method.as_str(), params);
        if self.say(&request, Weight::Must) == Pushed::Dropped {
            question.answered = true;
            return Err(AskError::Gone);
        }
        tokio::select! {
            biased;
            answer = answer => {
                question.answered = true;
                answer.map_err(|_| AskError::Gone)
            }
            () = self.cancelled() => Err(AskError::Gone),
        }
    }

    /// Resolves when the client does not want the answer any more: it cancelled the request, or in
    /// the stateless era hung up.
    pub async fn cancelled(&self) {
        self.0.channel.cancelled().await;
    }

    /// Whether the client does not want the answer any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.channel.is_cancelled()
    }

    /// Answers the request. Only the first answer counts.
    pub fn finish(self, last: Last) {
        self.0.end(last);
    }
}

impl Served {
    fn end(&self, last: Last) {
        if self.finished.swap(true, Ordering::AcqRel) {
            return;
        }
        let Self {
            id,
            channel,
            way,
            finished: _,
        } = self;
        match way {
            Way::Plain | Way::Modern => channel.finish(last),
            Way::Legacy(session) => {
                // First, so that the client may use the id again as soon as it reads the answer.
                session.forget(id);
                channel.finish(last);
                session.trim();
            }
            Way::Line { session, asks: _ } => {
                session.forget(id);
                // Who cancelled a request wants no answer to it.
                if !channel.is_cancelled() {
                    session.say(&last.body, Weight::Must);
                }
                session.end_line_if_idle();
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if *self.finished.get_mut() {
            return;
        }
        let body = jsonrpc::error(&self.id, Code::Internal.value(), "Internal error", None);
        let status = match &self.way {
            Way::Plain => StatusCode::INTERNAL_SERVER_ERROR,
            Way::Modern | Way::Legacy(_) | Way::Line { .. } => StatusCode::OK,
        };
        self.end(Last::new(status, body));
    }
}

impl Feed {
    /// The HTTP response: one JSON body where the answer is the first thing said, else a stream of
    /// events. A stream is opened too when nothing has been said for the time of `patience`, so
    /// that whoever stands between does not give up; wherever it is silent for `keep_alive`, a
    /// comment goes out.
    pub async fn into_response(
        mut self,
        keep_alive: Duration,
        patience: Duration,
    ) -> Response<ReplyBody> {
        let first = poll_fn(|context| self.channel.poll_first(context));
        let first = match &self.way {
            Way::Line { .. } => return reply::accepted(),
            Way::Plain => Ok(first.await),
            Way::Modern | Way::Legacy(_) => tokio::time::timeout(patience, first).await,
        };
        // Something has to go out, or whoever stands between waits on.
        let mut silent = Bytes::new();
        let first = match first {
            Ok(first) => first,
            Err(_) => {
                self.open();
                silent = sse::keep_alive();
                poll_fn(|context| self.channel.poll_first(context)).await
            }
        };
        match first {
            First::Last(Last {
                status,
                headers,
                body,
            }) => reply::json_with(status, headers, body),
            First::Stream => self.stream(silent, keep_alive).into_response(),
        }
    }

    fn open(&self) {
        match &self.way {
            Way::Plain | Way::Line { .. } => {}
            Way::Modern => self.channel.open_as(0),
            Way::Legacy(session) => session.stream(&self.channel),
        }
    }

    fn stream(&mut self, silent: Bytes, keep_alive: Duration) -> StreamBody {
        self.left = true;
        let (nth, id) = self.channel.reader();
        let (first, left) = match &self.way {
            Way::Legacy(session) => (session.first_event(&id), Left::Nothing),
            Way::Modern => (silent, Left::Cancels),
            Way::Plain | Way::Line { .. } => (silent, Left::Nothing),
        };
        StreamBody::new(Arc::clone(&self.channel), nth, first, left, keep_alive)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        match &self.way {
            Way::Modern => self.channel.cancel(),
            Way::Plain | Way::Legacy(_) => {}
            Way::Line { .. } => return,
        }
        let (nth, _) = self.channel.reader();
        self.channel.leave(nth);
    }
}

/// A question that waits for its answer.
struct Question<'a> {
    port: &'a Port,
    session: &'a Session,
    id: u64,
    answered: bool,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.session.withdraw(self.id);
        if !self.answered {
            let params = format!("{{\"requestId\":{}}}", self.id);
            let message = jsonrpc::notification("notifications/cancelled", Some(params.as_bytes()));
            self.port.say(&message, Weight::Note);
        }
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
