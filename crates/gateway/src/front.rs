//! What a request of a client leads to, whichever transport it came by. What is known at once is
//! answered at once; the rest runs in a task of its own.

mod listen;
mod lists;
mod stream;
mod tasks;
mod wanted;

use std::sync::Arc;

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    headers::check_params,
    jsonrpc::Outcome,
    method::Method,
    server::{Last, Port, Rejection, Request, call::Caps},
    upstream::LogLevel,
    version::Version,
};
use cmcp_policy::{Compat, catalog::ItemKind, engine::Principal};
use http::HeaderMap;

use tokio::task::JoinHandle;

use crate::{
    call::{Call, Meta, Operation, Reopened, Resumed, Retry},
    client::{Asking, Client, Said},
    reply::{self, Dialect},
    rules::Rules,
    sealed::{Handle, NotOurs},
    startup::Gateway,
};

pub(crate) use listen::Listeners;
pub(crate) use stream::Stream;

/// How far a request is answered.
pub(crate) enum Begun {
    /// The `result` member.
    Known(Bytes),
    /// The whole answer.
    Ended(Last),
    /// What takes its time.
    Rest(Rest),
}

/// What takes its time.
pub(crate) enum Rest {
    /// A call.
    Call(Box<Started>),
    /// The answers that a call waits for.
    Waiting(Waiting),
    /// A stream of what changes.
    Listen(Arc<Principal>, Stream),
    /// The result of a task that may be working still.
    Result(Arc<Principal>),
}

/// The answers that a call waits for.
pub(crate) struct Waiting {
    principal: Arc<Principal>,
    handle: Handle,
    answers: Vec<(String, Outcome)>,
}

/// A call before it runs.
pub(crate) struct Started {
    principal: Arc<Principal>,
    rules: Arc<Rules>,
    wanted: Operation,
    meta: Meta,
    retry: Option<Retry>,
    task: Option<Bytes>,
}

impl Gateway {
    /// Takes a request up; `headers` are those it came with over HTTP.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
        headers: Option<&HeaderMap>,
    ) -> Result<Begun, Rejection> {
        let known = match request.method {
            Method::ToolsCall
            | Method::ResourcesRead
            | Method::PromptsGet
            | Method::CompletionComplete => {
                return self.start(principal, request, headers).map(Begun::Rest);
            }
            Method::ServerDiscover => self
                .identity()
                .discover_result(&self.capabilities(version(&request.dialect))),
            Method::Ping => Bytes::from_static(b"{}"),
            Method::LoggingSetLevel => set_level(request)?,
            Method::ToolsList
            | Method::PromptsList
            | Method::ResourcesList
            | Method::ResourcesTemplatesList => self.list(principal, request).await?,
            Method::ResourcesSubscribe => return self.subscribe(principal, request).await,
            Method::ResourcesUnsubscribe => self.unsubscribe(request)?,
            Method::SubscriptionsListen => {
                let stream = self.stream(principal, request).await?;
                return Ok(Begun::Rest(Rest::Listen(Arc::clone(principal), stream)));
            }
            Method::TasksCancel | Method::TasksGet | Method::TasksList | Method::TasksUpdate => {
                return self.task_request(principal, request).await;
            }
            Method::TasksResult => return Ok(Begun::Rest(Rest::Result(Arc::clone(principal)))),
            Method::Initialize => {
                return Err(request.reject(Code::MethodNotFound, "Method not found", None));
            }
        };
        Ok(Begun::Known(known))
    }

    /// The same in a task of its own: a client that hangs up meanwhile takes no record along.
    pub(crate) async fn begin_apart(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
        headers: Option<&HeaderMap>,
    ) -> Result<Begun, Rejection> {
        if matches!(
            request.method,
            Method::ToolsCall
                | Method::ResourcesRead
                | Method::PromptsGet
                | Method::CompletionComplete
        ) {
            // These only begin here.
            return self.begin(principal, request, headers).await;
        }
        let (gateway, caller, asked) = (Arc::clone(self), Arc::clone(principal), request.clone());
        let begun = tokio::spawn(async move { gateway.begin(&caller, &asked, None).await });
        let failed = |_| Err(request.reject(Code::Internal, "Internal error", None));
        begun.await.unwrap_or_else(failed)
    }

    /// Runs what takes its time, with a port to its client.
    pub(crate) fn run_rest(
        self: &Arc<Self>,
        rest: Rest,
        request: &Request,
        port: Port,
    ) -> Option<JoinHandle<()>> {
        match rest {
            Rest::Call(started) => {
                let client = client(request, Some(port));
                let gateway = Arc::clone(self);
                Some(tokio::spawn(async move {
                    let call = Arc::new(started.with(client));
                    let answered = gateway.answer(&call).await;
                    call.client
                        .finish(reply::reply(&gateway.settings, &call, answered));
                }))
            }
            Rest::Waiting(waiting) => {
                let Waiting {
                    principal,
                    handle,
                    answers,
                } = waiting;
                self.resume(&principal.name, (&handle, answers), request, port);
                None
            }
            Rest::Listen(principal, stream) => {
                self.listen(&principal, stream, request.id.clone(), port);
                None
            }
            Rest::Result(principal) => {
                let (gateway, request) = (Arc::clone(self), request.clone());
                Some(tokio::spawn(async move {
                    gateway.wait_for_task(&principal, &request, port).await;
                }))
            }
        }
    }

    fn caps(&self) -> Caps {
        match self.settings.compat {
            Compat::Off => Caps::Standard,
            Compat::V07 => Caps::V07,
        }
    }

    /// Hands a call the answers that it waits for, and the request that brought them.
    fn resume(
        &self,
        principal: &str,
        (handle, answers): (&Handle, Vec<(String, Outcome)>),
        request: &Request,
        port: Port,
    ) {
        let resumed = Resumed {
            port,
            asking: asking(request),
            answers,
        };
        let lost = match self.parking.take(principal, handle) {
            Some(waiting) => waiting.hand(resumed).err(),
            None => Some(resumed),
        };
        if let Some(Resumed { port, .. }) = lost {
            let rejection = request.reject(Code::InvalidParams, &NotOurs.to_string(), None);
            port.finish(Last {
                status: rejection.status,
                headers: HeaderMap::new(),
                body: rejection.body,
            });
        }
    }

    fn start(
        &self,
        principal: &Arc<Principal>,
        request: &Request,
        headers: Option<&HeaderMap>,
    ) -> Result<Rest, Rejection> {
        let (mut wanted, meta) = wanted::read(request, self.caps())?;
        if self.settings.compat == Compat::V07 && wanted.kind == ItemKind::Tool {
            wanted.target = wanted.target.to_ascii_lowercase();
        }
        let rules = self.rules();
        if request.dialect.is_modern()
            && wanted.kind == ItemKind::Tool
            && let Some(headers) = headers
            && let Some(mirrored) = rules.mirrored(principal, self.settings.mode, &wanted.target)
            && let Some(arguments) = wanted.arguments().as_object()
        {
            check_params(headers, mirrored, arguments).map_err(|e| request.reject_headers(&e))?;
        }
        let task = self.task_member(principal, request, (&rules, &wanted))?;
        let reopened = if request.dialect.is_modern() {
            self.reopen((&principal.name, &rules), &wanted, &request.params)
                .map_err(|error| request.reject(Code::InvalidParams, &error.to_string(), None))?
        } else {
            None
        };
        let retry = match reopened {
            Some(Reopened::Waiting(handle, answers)) => {
                let principal = Arc::clone(principal);
                return Ok(Rest::Waiting(Waiting {
                    principal,
                    handle,
                    answers,
                }));
            }
            Some(Reopened::Again(retry)) => Some(retry),
            None => None,
        };
        Ok(Rest::Call(Box::new(Started {
            principal: Arc::clone(principal),
            rules,
            wanted,
            meta,
            retry,
            task,
        })))
    }
}

impl Started {
    fn with(self, client: Client) -> Call {
        let Self {
            principal,
            rules,
            wanted,
            meta,
            retry,
            task,
        } = self;
        let mut call = Call::new(principal, rules, client, (wanted, meta));
        call.retry = retry;
        call.task = task;
        call
    }
}

/// The revision that a client speaks; of 0.7.1's callers the newest they could.
fn version(dialect: &cmcp_mcp::server::Dialect) -> Version {
    match dialect {
        cmcp_mcp::server::Dialect::Compat => Version::NEWEST_LEGACY,
        cmcp_mcp::server::Dialect::Legacy { version, .. }
        | cmcp_mcp::server::Dialect::Modern { version } => *version,
    }
}

/// The client behind a request.
pub(crate) fn client(request: &Request, port: Option<Port>) -> Client {
    let dialect = Dialect::from(&request.dialect);
    let said = Said {
        dialect,
        version: version(&request.dialect),
        capabilities: request
            .capabilities()
            .cloned()
            .unwrap_or_else(|| Value::Object(Object::new())),
        level: request.log_level(),
    };
    Client::new(said, port, asking(request))
}

pub(crate) fn asking(request: &Request) -> Asking {
    Asking {
        id: request.id.clone(),
        progress: request.progress_token(),
    }
}

fn set_level(request: &Request) -> Result<Bytes, Rejection> {
    let level = request.params.get("level").and_then(Value::as_str);
    let Some(level) = level.and_then(LogLevel::parse) else {
        let message = "Invalid params: `level` is not a log level";
        return Err(request.reject(Code::InvalidParams, message, None));
    };
    if let Some(session) = request.dialect.session() {
        session.set_level(level);
    }
    Ok(Bytes::from_static(b"{}"))
}

impl From<&cmcp_mcp::server::Dialect> for Dialect {
    fn from(dialect: &cmcp_mcp::server::Dialect) -> Self {
        match dialect {
            cmcp_mcp::server::Dialect::Compat => Self::Compat,
            cmcp_mcp::server::Dialect::Legacy { .. } => Self::Legacy,
            cmcp_mcp::server::Dialect::Modern { .. } => Self::Modern,
        }
    }
}
