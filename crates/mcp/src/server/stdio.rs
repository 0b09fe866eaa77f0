//! A server on standard input and output: one message per line, both eras, interleaved as the
//! client likes.

use std::{io, sync::Arc};

use bytes::Bytes;
use cmcp_json::{Limits, Value};
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    task::JoinSet,
};

use crate::{
    error::Code,
    jsonrpc::{self, Id, LONGEST_ID, Message, ReplyTo, RpcParseError},
    lines::{self, Line},
    method::{ClientNote, Method, not_found_text},
    upstream::Server,
};

use super::{
    Identity,
    channel::Weight,
    incoming::{Dialect, Heard, Request},
    meta,
    port::{Asks, Port},
    session::{Bounds, Handshake, OpenError, Session},
};

mod exposed;
mod write;

use exposed::Exposed;

/// What answers requests from standard input.
pub trait Handler: Send + Sync {
    /// Answers a request by finishing its port. Of `initialize` and `ping` too; what the former
    /// agreed on is the revision of the port's session. It runs beside all other requests.
    fn request(&self, request: Request, port: Port) -> BoxFuture<'_, ()>;

    /// Does what is left to do about a notification.
    fn heard(&self, heard: Heard, session: &Session);
}

/// Serves a server of tools, resources and prompts until `input` ends, then finishes what is under
/// way and closes it.
///
/// # Errors
/// When `input` or `output` fails; the client is gone then.
pub async fn serve<R, W>(
    server: Arc<dyn Server>,
    identity: Identity,
    input: R,
    output: W,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let session = Session::stdio(Bounds::default());
    let exposed = Arc::new(Exposed::new(Arc::clone(&server), identity));
    let telling = exposed.tell(&session);
    let handler: Arc<dyn Handler> = Arc::clone(&exposed) as _;
    let served = tokio::select! {
        served = run_in(&session, handler, input, output) => served,
        never = telling => match never {},
    };
    server.close().await;
    served
}

/// Serves until `input` ends, then finishes what is under way. Streams that are listened to end
/// with the input.
///
/// # Errors
/// When `input` or `output` fails; the client is gone then, and what is under way is cancelled.
pub async fn run<R, W>(handler: Arc<dyn Handler>, input: R, output: W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    run_in(&Session::stdio(Bounds::default()), handler, input, output).await
}

async fn run_in<R, W>(
    session: &Session,
    handler: Arc<dyn Handler>,
    input: R,
    output: W,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Some(line) = session.line().cloned() else {
        return Ok(());
    };
    let written = Notify::new();
    let mut front = Front {
        handler,
        session: session.clone(),
        tasks: JoinSet::new(),
        listening: Vec::new(),
    };
    let mut writing = std::pin::pin!(write::all(&line, output, &written));
    let served = tokio::select! {
        // Only an error ends it before the line has ended.
        written = &mut writing => written,
        read = front.read(input, &written) => {
            line.end();
            writing.await.and(read)
        }
    };
    session.end();
    // Handlers hear of it through their ports; none is left running.
    front.tasks.shutdown().await;
    served
}

struct Front {
    handler: Arc<dyn Handler>,
    session: Session,
    tasks: JoinSet<()>,
    /// Listen streams, which end with the input.
    listening: Vec<Id>,
}

impl Front {
    /// Takes messages until the input ends, then waits for what is under way.
    async fn read<R: AsyncRead + Unpin>(
        &mut self,
        mut input: R,
        written: &Notify,
    ) -> io::Result<()> {
        let mut decoder = lines::Decoder::new(Limits::REQUEST.bytes);
        let read = loop {
            // Who does not read answers is not asked for more questions.
            while self.session.line().is_some_and(|line| line.is_far_behind()) {
                written.notified().await;
            }
            tokio::select! {
                line = decoder.read_from(&mut input) => match line {
                    Ok(Some(line)) => self.take(line),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                },
                Some(_) = self.tasks.join_next() => {}
            }
        };
        self.session.withdraw_all();
        for id in &self.listening {
            self.session.cancel(id);
        }
        while self.tasks.join_next().await.is_some() {}
        read
    }

    fn take(&mut self, line: Line) {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong { .. } => {
                let message = format!("the line is longer than {} bytes", Limits::REQUEST.bytes);
                self.refuse(ReplyTo::Unknown, Code::InvalidRequest, &message);
                return;
            }
        };
        match jsonrpc::parse(&line, &Limits::REQUEST) {
            Ok(Message::Request(request)) => self.request(request, line),
            Ok(Message::Notification(notification)) => self.note(&notification),
            Ok(Message::Response(response)) => {
                if !self.session.respond(response) {
                    self.session.count_dropped();
                }
            }
            Err(error) => {
                let to = error.id().map_or(ReplyTo::Unknown, ReplyTo::Request);
                self.refuse(to, code(&error), &error.to_string());
            }
        }
    }

    fn request(&mut self, request: jsonrpc::Request, body: Bytes) {
        if request.id.is_too_long() {
            let message = format!("Invalid Request: `id` is longer than {LONGEST_ID} bytes");
            return self.refuse(ReplyTo::Unknown, Code::InvalidRequest, &message);
        }
        let dialect = match self.dialect(&request) {
            Ok(dialect) => dialect,
            Err(refused) => return self.say(&refused.to(&request.id)),
        };
        let jsonrpc::Request {
            id,
            method: name,
            params,
        } = request;
        let Some(method) = dialect.method(&name) else {
            return self.refuse(&id, Code::MethodNotFound, &not_found_text(&name));
        };
        let port = if method == Method::Initialize {
            if !self.session.shake(Handshake::read(&params)) {
                let message = "Invalid Request: initialized already";
                return self.refuse(&id, Code::InvalidRequest, message);
            }
            // Not among those that can be cancelled.
            Some(Port::line(&id, self.session.clone(), Asks::Never).0)
        } else {
            self.open(&id, &dialect)
        };
        let Some(port) = port else {
            return;
        };
        if method == Method::SubscriptionsListen {
            self.listening.retain(|id| self.session.is_serving(id));
            self.listening.push(id.clone());
        }
        let dialect = match dialect {
            Dialect::Legacy { session, .. } => Dialect::Legacy {
                version: session.version(),
                session,
            },
            Dialect::Compat | Dialect::Modern { .. } => dialect,
        };
        let request = Request {
            dialect,
            id,
            method,
            params,
            body,
        };
        let handler = Arc::clone(&self.handler);
        self.tasks
            .spawn(async move { handler.request(request, port).await });
    }

    fn open(&self, id: &Id, dialect: &Dialect) -> Option<Port> {
        let asks = if dialect.is_modern() {
            Asks::Never
        } else {
            Asks::Declared
        };
        match self.session.open_for(id, asks) {
            Ok((port, _)) => Some(port),
            Err(error) => {
                let message = error.to_string();
                match error {
                    // Without the id: the client would take it for the first request's answer.
                    OpenError::InUse => {
                        self.refuse(ReplyTo::Unknown, Code::InvalidRequest, &message);
                    }
                    OpenError::TooMany { most: _ } => {
                        self.refuse(id, Code::RateLimited, &message);
                    }
                    OpenError::Ended => {}
                }
                None
            }
        }
    }

    fn note(&self, notification: &jsonrpc::Notification) {
        let jsonrpc::Notification { method, params } = notification;
        let known = ClientNote::parse(method)
            .filter(|note| *note == ClientNote::Cancelled || self.session.is_initialized());
        let heard = known.map_or(Heard::Dropped, |note| self.session.hear(note, params));
        match heard {
            Heard::Dropped => self.session.count_dropped(),
            Heard::Done => {}
            Heard::Initialized | Heard::RootsChanged => self.handler.heard(heard, &self.session),
        }
    }

    /// How a request speaks: `_meta` makes it modern, else there must have been a handshake.
    fn dialect(&self, request: &jsonrpc::Request) -> Result<Dialect, Refused> {
        let meta = |error: meta::MetaError| Refused {
            code: error.code(),
            message: error.to_string(),
            data: error.data(),
        };
        if let Some(name) = meta::named_version(&request.params).map_err(meta)? {
            let version = meta::served_version(name).map_err(meta)?;
            meta::check(&request.params).map_err(meta)?;
            return Ok(Dialect::Modern { version });
        }
        let first = matches!(
            Method::parse(&request.method),
            Some(Method::Initialize | Method::Ping) | None
        );
        if first || self.session.is_initialized() {
            return Ok(Dialect::Legacy {
                session: self.session.clone(),
                version: self.session.version(),
            });
        }
        let message = "Invalid Request: initialize first, or name the protocol version in `_meta`";
        Err(Refused {
            code: Code::InvalidRequest,
            message: message.to_owned(),
            data: None,
        })
    }

    fn refuse<'a>(&self, to: impl Into<ReplyTo<'a>>, code: Code, message: &str) {
        self.say(&jsonrpc::error(to, code.value(), message, None));
    }

    fn say(&self, message: &Bytes) {
        self.session.say(message, Weight::Must);
    }
}

/// A refusal that does not know yet whose it is.
struct Refused {
    code: Code,
    message: String,
    data: Option<Value>,
}

impl Refused {
    fn to(&self, id: &Id) -> Bytes {
        jsonrpc::error(id, self.code.value(), &self.message, self.data.as_ref())
    }
}

fn code(error: &RpcParseError) -> Code {
    match error {
        RpcParseError::Json(_) => Code::ParseError,
        RpcParseError::Batch
        | RpcParseError::NotAnObject
        | RpcParseError::Version { .. }
        | RpcParseError::Id
        | RpcParseError::Method { .. }
        | RpcParseError::Params { .. }
        | RpcParseError::Shape { .. }
        | RpcParseError::ErrorObject { .. } => Code::InvalidRequest,
    }
}

#[cfg(test)]
mod tests;
