//! A server on standard input and output: one message per line, both eras, interleaved as the
//! client likes.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    task::{self, AbortHandle, JoinError, JoinSet},
};

use crate::{
    error::Code,
    jsonrpc::{self, Id, Message, Notification, Params, ReplyTo, Request, RpcParseError},
    lines::{self, Line},
    method::{Method, not_found_text},
    upstream::{Server, ToolCall, ToolReply, UpstreamError},
    version::Version,
};

use super::{
    Identity,
    call::{CallParams, Caps},
    meta, modern_list, modern_result,
};

/// Serves until `input` ends, then finishes what is under way.
///
/// # Errors
/// When `input` or `output` fails; the client is gone then.
pub async fn serve<R, W>(
    server: Arc<dyn Server>,
    identity: Identity,
    mut input: R,
    output: W,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut front = Front {
        server,
        identity,
        output,
        handshake: None,
        tasks: JoinSet::new(),
        running: Vec::new(),
    };
    let mut decoder = lines::Decoder::new(Limits::REQUEST.bytes);
    let served = loop {
        tokio::select! {
            line = decoder.read_from(&mut input) => match line {
                Ok(Some(line)) => front.take(line).await?,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            },
            Some(done) = front.tasks.join_next_with_id() => front.finish(done).await?,
        }
    };
    while let Some(done) = front.tasks.join_next_with_id().await {
        front.finish(done).await?;
    }
    front.server.close().await;
    served
}

struct Front<W> {
    server: Arc<dyn Server>,
    identity: Identity,
    output: W,
    /// What `initialize` agreed on, once it has.
    handshake: Option<Version>,
    tasks: JoinSet<Bytes>,
    running: Vec<Running>,
}

/// A request whose answer is being worked out.
struct Running {
    id: Id,
    task: AbortHandle,
}

/// How a request goes on.
enum Step {
    Reply(Bytes),
    List {
        id: Id,
        era: Era,
        cursor: Option<String>,
    },
    Call {
        id: Id,
        era: Era,
        call: ToolCall,
    },
}

#[derive(Clone, Copy)]
enum Era {
    Legacy,
    Modern,
}

impl<W: AsyncWrite + Unpin> Front<W> {
    async fn take(&mut self, line: Line) -> io::Result<()> {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong { .. } => {
                let message = format!("the line is longer than {} bytes", Limits::REQUEST.bytes);
                return self
                    .send(&refusal(ReplyTo::Unknown, Code::InvalidRequest, &message))
                    .await;
            }
        };
        match jsonrpc::parse(&line, &Limits::REQUEST) {
            Ok(Message::Request(request)) => {
                let step = self.step(request);
                self.go(step).await
            }
            Ok(Message::Notification(notification)) => {
                self.note(&notification);
                Ok(())
            }
            // Nothing was asked of the client.
            Ok(Message::Response(_)) => Ok(()),
            Err(error) => {
                let code = match error {
                    RpcParseError::Json(_) => Code::ParseError,
                    RpcParseError::Batch
                    | RpcParseError::NotAnObject
                    | RpcParseError::Version { .. }
                    | RpcParseError::Id
                    | RpcParseError::Method { .. }
                    | RpcParseError::Params { .. }
                    | RpcParseError::Shape { .. }
                    | RpcParseError::ErrorObject { .. } => Code::InvalidRequest,
                };
                let to = error.id().map_or(ReplyTo::Unknown, ReplyTo::Request);
                self.send(&refusal(to, code, &error.to_string())).await
            }
        }
    }

    async fn go(&mut self, step: Step) -> io::Result<()> {
        let server = Arc::clone(&self.server);
        let (id, task) = match step {
            Step::Reply(reply) => return self.send(&reply).await,
            Step::List { id, .. } | Step::Call { id, .. } if self.is_running(&id) => {
                // Without the id: the client would take it for the answer to its first request.
                let message = format!("a request with the id {id} is still being answered");
                return self
                    .send(&refusal(ReplyTo::Unknown, Code::InvalidRequest, &message))
                    .await;
            }
            Step::List { id, .. } | Step::Call { id, .. } if self.running.len() >= MAX_RUNNING => {
                let message = format!("{MAX_RUNNING} requests are being answered; wait for one");
                return self.send(&refusal(&id, Code::RateLimited, &message)).await;
            }
            Step::List { id, era, cursor } => (
                id.clone(),
                self.tasks
                    .spawn(async move { list(&*server, &id, era, cursor).await }),
            ),
            Step::Call { id, era, call } => (
                id.clone(),
                self.tasks
                    .spawn(async move { call_tool(&*server, &id, era, call).await }),
            ),
        };
        self.running.push(Running { id, task });
        Ok(())
    }

    /// Sends the answer of a task that has ended; one that was cancelled gives none.
    async fn finish(&mut self, done: Result<(task::Id, Bytes), JoinError>) -> io::Result<()> {
        let ended = match &done {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let place = self
            .running
            .iter()
            .position(|running| running.task.id() == ended);
        let id = place.map(|place| self.running.swap_remove(place).id);
        match (done, id) {
            (Ok((_, reply)), _) => self.send(&reply).await,
            (Err(error), Some(id)) if error.is_panic() => {
                self.send(&refusal(&id, Code::Internal, "Internal error"))
                    .await
            }
            (Err(_), _) => Ok(()),
        }
    }

    fn note(&mut self, notification: &Notification) {
        if notification.method == "notifications/cancelled"
            && let Some(id) = notification
                .params
                .get("requestId")
                .and_then(Id::from_value)
            && let Some(running) = self.running.iter().find(|running| running.id == id)
        {
            running.task.abort();
        }
    }

    fn step(&mut self, request: Request) -> Step {
        let Request { id, method, params } = request;
        let era = match self.era(&method, &params) {
            Ok(era) => era,
            Err(refused) => return Step::Reply(refused.to(&id)),
        };
        let version = match era {
            Era::Legacy => Version::NEWEST_LEGACY,
            Era::Modern => Version::V2026_07_28,
        };
        match Method::parse(&method).filter(|method| method.exists_in(version)) {
            None => Step::Reply(refusal(&id, Code::MethodNotFound, &not_found_text(&method))),
            Some(Method::Initialize) => {
                let requested = params.get("protocolVersion").and_then(Value::as_str);
                let version = Version::negotiate(requested.unwrap_or_default());
                self.handshake = Some(version);
                Step::Reply(jsonrpc::result(
                    &id,
                    &self.identity.initialize_result(version),
                ))
            }
            Some(Method::Ping) => Step::Reply(jsonrpc::result(&id, b"{}")),
            Some(Method::ServerDiscover) => {
                Step::Reply(jsonrpc::result(&id, &self.identity.discover_result()))
            }
            Some(Method::ToolsList) => {
                let cursor = params
                    .get("cursor")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                Step::List { id, era, cursor }
            }
            Some(Method::ToolsCall) => match CallParams::read(&params, Caps::Standard) {
                Ok(call) => Step::Call {
                    id,
                    era,
                    call: tool_call(call),
                },
                Err(error) => {
                    let message = format!("Invalid params: {error}");
                    Step::Reply(refusal(&id, Code::InvalidParams, &message))
                }
            },
        }
    }

    /// The era of a request: `_meta` makes it modern, else there must have been a handshake.
    fn era(&self, method: &str, params: &Params) -> Result<Era, Refused> {
        let meta = |error: meta::MetaError| Refused {
            code: error.code(),
            message: error.to_string(),
            data: error.data(),
        };
        if let Some(name) = meta::named_version(params).map_err(meta)? {
            meta::served_version(name).map_err(meta)?;
            meta::check(params).map_err(meta)?;
            return Ok(Era::Modern);
        }
        let first = matches!(
            Method::parse(method),
            Some(Method::Initialize | Method::Ping) | None
        );
        if self.handshake.is_some() || first {
            return Ok(Era::Legacy);
        }
        let message = "Invalid Request: initialize first, or name the protocol version in `_meta`";
        Err(Refused {
            code: Code::InvalidRequest,
            message: message.to_owned(),
            data: None,
        })
    }

    fn is_running(&self, id: &Id) -> bool {
        self.running.iter().any(|running| running.id == *id)
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.output.write_all(&lines::encode(message)).await?;
        self.output.flush().await
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

fn tool_call(call: CallParams) -> ToolCall {
    ToolCall {
        name: call.name,
        arguments: call.arguments_bytes,
        meta: call.meta_bytes,
        deadline: DEADLINE,
        max_bytes: Limits::RESPONSE.bytes,
        listed: None,
    }
}

async fn list(server: &dyn Server, id: &Id, era: Era, cursor: Option<String>) -> Bytes {
    let listing = match server.list().await {
        Ok(listing) => listing,
        Err(error) => return failure(id, &error),
    };
    let Some(page) = listing.pages.iter().find(|page| page.cursor == cursor) else {
        return refusal(id, Code::InvalidParams, "Invalid params: no such cursor");
    };
    match (era, parse(&page.bytes, &Limits::RESPONSE)) {
        (Era::Legacy, _) => jsonrpc::result(id, &page.bytes),
        (Era::Modern, Ok(value)) => jsonrpc::result(id, &modern_list(&page.bytes, &value)),
        (Era::Modern, Err(_)) => refusal(id, Code::Internal, "Internal error"),
    }
}

async fn call_tool(server: &dyn Server, id: &Id, era: Era, call: ToolCall) -> Bytes {
    match (server.call(call).await, era) {
        (Ok(ToolReply::Result { bytes, value: _ }), Era::Legacy) => jsonrpc::result(id, &bytes),
        (Ok(ToolReply::Result { bytes, value }), Era::Modern) => {
            jsonrpc::result(id, &modern_result(&bytes, &value))
        }
        (Ok(ToolReply::Error { bytes, .. }), _) => jsonrpc::error_raw(id, &bytes),
        (Err(error), _) => failure(id, &error),
    }
}

fn failure(id: &Id, error: &UpstreamError) -> Bytes {
    refusal(id, Code::UpstreamUnavailable, &error.to_string())
}

fn refusal<'a>(to: impl Into<ReplyTo<'a>>, code: Code, message: &str) -> Bytes {
    jsonrpc::error(to, code.value(), message, None)
}

const MAX_RUNNING: usize = 64;
const DEADLINE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests;
