//! A [`Server`] as it answers a client that is at the other end of a pipe.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{Notify, broadcast, broadcast::error::RecvError, mpsc};

use crate::{
    error::Code,
    jsonrpc::{self, Outcome},
    method::{Method, ServerNote, not_found_text},
    server::{
        Filter, Handler, Heard, Identity, Last, Listener, Port, Request, Session,
        call::{CallParams, Caps, InvalidParams},
        modern_list, modern_result, params,
    },
    upstream::{
        Answer, Ask, Event, Input, Kind, Reply, Request as Wanted, Said, Server, Told,
        UpstreamError, Watch,
    },
};

/// A server, and who listens to it.
pub(super) struct Exposed {
    server: Arc<dyn Server>,
    identity: Identity,
    heard: Mutex<Hearers>,
    /// The client's roots have changed, and the server is to be told.
    roots: Notify,
}

/// Who wants to hear of what.
#[derive(Default)]
struct Hearers {
    /// What the legacy client has subscribed to.
    resources: BTreeSet<String>,
    streams: Vec<(Filter, Arc<Listener>)>,
}

impl Handler for Exposed {
    fn request(&self, request: Request, port: Port) -> BoxFuture<'_, ()> {
        async move {
            let answering = self.answer(&request, &port);
            let body = tokio::select! {
                answer = answering => answer,
                () = port.cancelled() => Some(Err(Refused::internal())),
            };
            let body = match body {
                None => return,
                Some(Ok(result)) => result,
                Some(Err(Refused { code, message })) => {
                    jsonrpc::error(&request.id, code.value(), &message, None)
                }
            };
            port.finish(Last::ok(body));
        }
        .boxed()
    }

    fn heard(&self, heard: Heard, _: &Session) {
        match heard {
            Heard::RootsChanged => self.roots.notify_one(),
            Heard::Done | Heard::Dropped | Heard::Initialized => {}
        }
    }
}

/// Why there is no result.
struct Refused {
    code: Code,
    message: String,
}

/// A whole response, a refusal, or nothing, where the answer is still to come.
type Answered = Option<Result<Bytes, Refused>>;

impl Exposed {
    pub(super) fn new(server: Arc<dyn Server>, identity: Identity) -> Self {
        Self {
            server,
            identity,
            heard: Mutex::default(),
            roots: Notify::new(),
        }
    }

    async fn answer(&self, request: &Request, port: &Port) -> Answered {
        let answered = match request.method {
            Method::SubscriptionsListen => match self.listen(request, port).await {
                Ok(()) => return None,
                Err(refused) => Err(refused),
            },
            Method::Initialize | Method::ServerDiscover => self.introduce(request).await,
            Method::Ping => Ok(Bytes::from_static(b"{}")),
            Method::LoggingSetLevel => set_level(request),
            Method::ToolsList => self.list(Kind::Tools, request).await,
            Method::PromptsList => self.list(Kind::Prompts, request).await,
            Method::ResourcesList => self.list(Kind::Resources, request).await,
            Method::ResourcesTemplatesList => self.list(Kind::ResourceTemplates, request).await,
            Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
                self.subscribe(request).await
            }
            Method::CompletionComplete
            | Method::PromptsGet
            | Method::ResourcesRead
            | Method::TasksCancel
            | Method::TasksGet
            | Method::TasksResult
            | Method::TasksUpdate
            | Method::ToolsCall => return Some(self.ask(request, port).await),
            Method::TasksList => {
                let message = not_found_text(request.method.as_str());
                Err(Refused::new(Code::MethodNotFound, &message))
            }
        };
        Some(answered.map(|result| jsonrpc::result(&request.id, &result)))
    }

    async fn introduce(&self, request: &Request) -> Result<Bytes, Refused> {
        let offers = self.server.offers().await?;
        let capabilities = &offers.capabilities;
        Ok(match request.dialect.session() {
            Some(session) => self
                .identity
                .initialize_result(session.version(), capabilities),
            None => self.identity.discover_result(capabilities),
        })
    }

    async fn list(&self, kind: Kind, request: &Request) -> Result<Bytes, Refused> {
        let cursor = params::cursor(&request.params)?;
        let listing = self.server.list(kind).await?;
        let empty = format!("{{\"{}\":[]}}", kind.member());
        let page = listing
            .pages
            .iter()
            .find(|page| page.cursor.as_deref() == cursor)
            .map(|page| page.bytes.clone())
            .or_else(|| (listing.pages.is_empty() && cursor.is_none()).then(|| empty.into()))
            .ok_or_else(|| Refused::new(Code::InvalidParams, "Invalid params: no such cursor"))?;
        if !request.dialect.is_modern() {
            return Ok(page);
        }
        let value = parse(&page, &Limits::RESPONSE).map_err(|_| Refused::internal())?;
        Ok(modern_list(&page, &value))
    }

    /// Passes a request on, and on the way back all that is said meanwhile.
    async fn ask(&self, request: &Request, port: &Port) -> Result<Bytes, Refused> {
        if request.method == Method::ToolsCall {
            CallParams::read(&request.params, Caps::Standard)?;
        }
        let (events, mut said) = mpsc::channel(EVENTS);
        let mut asking = self.server.ask(ask(request, events)?);
        let reply = loop {
            tokio::select! {
                biased;
                Some(event) = said.recv() => pass(event, request, port).await,
                reply = &mut asking => break reply?,
            }
        };
        while let Ok(event) = said.try_recv() {
            pass(event, request, port).await;
        }
        Ok(match reply {
            Reply::Result { bytes, value } if request.dialect.is_modern() => {
                jsonrpc::result(&request.id, &modern_result(&bytes, &value))
            }
            Reply::Result { bytes, value: _ } => jsonrpc::result(&request.id, &bytes),
            Reply::Error { bytes, .. } => jsonrpc::error_raw(&request.id, &bytes),
        })
    }

    async fn subscribe(&self, request: &Request) -> Result<Bytes, Refused> {
        let uri = params::uri(&request.params)?.to_owned();
        {
            let mut heard = self.hearers();
            if request.method == Method::ResourcesSubscribe {
                heard.resources.insert(uri);
            } else {
                heard.resources.remove(&uri);
            }
        }
        self.watch().await?;
        Ok(Bytes::from_static(b"{}"))
    }

    async fn listen(&self, request: &Request, port: &Port) -> Result<(), Refused> {
        let wanted = Filter::read(&request.params)?;
        let resources = wanted.resources.clone();
        self.hearers().resources.extend(resources);
        let honoured = self.watch().await?;
        let honoured = Filter {
            lists: wanted
                .lists
                .into_iter()
                .filter(|_| honoured.lists)
                .collect(),
            resources: wanted
                .resources
                .intersection(&honoured.resources)
                .cloned()
                .collect(),
            tasks: wanted
                .tasks
                .intersection(&honoured.tasks)
                .cloned()
                .collect(),
        };
        let listener = Arc::new(Listener::open(port.clone(), &honoured));
        let mut heard = self.hearers();
        heard.streams.retain(|(_, listener)| !listener.is_closed());
        heard.streams.push((honoured, listener));
        Ok(())
    }

    async fn watch(&self) -> Result<Watch, Refused> {
        let resources = {
            let heard = self.hearers();
            let streams = heard.streams.iter();
            let of_streams = streams.flat_map(|(filter, _)| &filter.resources);
            heard.resources.iter().chain(of_streams).cloned().collect()
        };
        let watch = Watch {
            resources,
            lists: true,
            tasks: BTreeSet::new(),
        };
        Ok(self.server.watch(watch).await?)
    }

    /// Passes on what the server says unasked, and tells it what has changed at the client.
    pub(super) async fn tell(&self, session: &Session) -> Infallible {
        let silence = broadcast::Sender::new(1);
        let mut said = self.server.said();
        loop {
            let heard = tokio::select! {
                heard = said.recv() => heard,
                () = self.roots.notified() => {
                    if let Err(error) = self.server.tell(Told::RootsChanged).await {
                        tracing::warn!(%error, "the server was not told of the client's roots");
                    }
                    continue;
                }
            };
            match heard {
                Ok(said) => self.pass_on(said, session),
                // What was missed can only be found out by asking anew.
                Err(RecvError::Lagged(_)) => {}
                // From a server that says nothing unasked any more nothing comes.
                Err(RecvError::Closed) => said = silence.subscribe(),
            }
        }
    }

    fn pass_on(&self, said: Said, session: &Session) {
        let list = |kind| match kind {
            Kind::Tools => ServerNote::ToolsListChanged,
            Kind::Prompts => ServerNote::PromptsListChanged,
            Kind::Resources | Kind::ResourceTemplates => ServerNote::ResourcesListChanged,
        };
        let (note, params) = match &said {
            Said::ListChanged(kind) => (list(*kind), None),
            Said::ResourceUpdated { uri: _, params } => (ServerNote::ResourceUpdated, Some(params)),
            Said::ElicitationComplete(params) => (ServerNote::ElicitationComplete, Some(params)),
            Said::Message(params) => (ServerNote::Message, Some(params)),
            Said::TaskStatus(params) => (ServerNote::TaskStatus, Some(params)),
            Said::Reconnected => return,
        };
        let mut heard = self.hearers();
        heard.streams.retain(|(_, listener)| !listener.is_closed());
        for (filter, listener) in &heard.streams {
            let wanted = match &said {
                Said::ListChanged(Kind::ResourceTemplates) => {
                    filter.lists.contains(&Kind::Resources)
                }
                Said::ListChanged(kind) => filter.lists.contains(kind),
                Said::ResourceUpdated { uri, params: _ } => filter.resources.contains(uri),
                Said::ElicitationComplete(_)
                | Said::Message(_)
                | Said::TaskStatus(_)
                | Said::Reconnected => false,
            };
            if wanted {
                listener.notify(note, params);
            }
        }
        if session.is_initialized() && note.exists_in(session.version()) {
            let params = params.map(AsRef::as_ref);
            session.announce(jsonrpc::notification(note.as_str(), params));
        }
    }

    fn hearers(&self) -> MutexGuard<'_, Hearers> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_level(request: &Request) -> Result<Bytes, Refused> {
    let level = params::level(&request.params)?;
    if let Some(session) = request.dialect.session() {
        session.set_level(level);
    }
    Ok(Bytes::from_static(b"{}"))
}

/// The request as it goes to the server: every member of its own kept.
fn ask(request: &Request, events: mpsc::Sender<Event>) -> Result<Ask, Refused> {
    let kept = [
        "name",
        "arguments",
        "uri",
        "ref",
        "argument",
        "context",
        "taskId",
    ];
    let members = kept
        .into_iter()
        .filter_map(|name| Some((name, request.params.raw(name)?)))
        .collect();
    let retry = params::retry(&request.params)?;
    let state = request.params.raw("requestState");
    let repeated = retry.responses.is_some() || state.is_some();
    Ok(Ask {
        meta: request.params.raw("_meta"),
        progress: request.progress_token().is_some(),
        log_level: request.log_level(),
        input: repeated.then(|| Input {
            responses: retry.responses_bytes.unwrap_or(Bytes::from_static(b"{}")),
            state,
        }),
        task: request.params.raw("task"),
        events: Some(events),
        ..Ask::new(request.method, members, DEADLINE, Limits::RESPONSE.bytes)
    })
}

async fn pass(event: Event, request: &Request, port: &Port) {
    let (note, params) = match event {
        Event::Progress(params) => match request.progress_token() {
            Some(token) => (ServerNote::Progress, with_token(&params, &token)),
            None => return,
        },
        Event::Message(params) => (ServerNote::Message, params),
        Event::ElicitationComplete(params) => (ServerNote::ElicitationComplete, params),
        Event::TaskStatus(params) => (ServerNote::TaskStatus, params),
        Event::Request(wanted) => return put(wanted, port).await,
    };
    port.notify(jsonrpc::notification(note.as_str(), Some(&params)));
}

/// Puts a question of the server to the client.
async fn put(wanted: Wanted, port: &Port) {
    let Wanted {
        method,
        params,
        answer,
    } = wanted;
    let said = match port.ask(method, params.as_deref()).await {
        Ok(Outcome::Result { value: _, bytes }) => Answer::Result(bytes),
        Ok(Outcome::Error { code, message, .. }) => Answer::Error { code, message },
        Err(error) => Answer::Error {
            code: Code::MethodNotFound.value(),
            message: error.to_string(),
        },
    };
    // A server that waits no more is told nothing.
    let _ = answer.send(said);
}

/// The parameters of progress under the client's own token.
fn with_token(params: &Bytes, token: &Bytes) -> Bytes {
    let parsed = parse(params, &Limits::RESPONSE);
    let members = parsed.as_ref().ok().and_then(Value::as_object);
    let kept: Vec<(&str, &[u8])> = members
        .into_iter()
        .flat_map(|members| members.keys().map(move |name| (members, name)))
        .filter(|(_, name)| *name != "progressToken")
        .filter_map(|(members, name)| Some((name, params.get(members.span(name)?)?)))
        .chain([("progressToken", &token[..])])
        .collect();
    jsonrpc::with_members(b"{}", &kept)
}

impl Refused {
    fn new(code: Code, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }

    fn internal() -> Self {
        Self::new(Code::Internal, "Internal error")
    }
}

impl From<UpstreamError> for Refused {
    fn from(error: UpstreamError) -> Self {
        Self::new(Code::UpstreamUnavailable, &error.to_string())
    }
}

impl From<InvalidParams> for Refused {
    fn from(error: InvalidParams) -> Self {
        Self::new(Code::InvalidParams, &format!("Invalid params: {error}"))
    }
}

const DEADLINE: Duration = Duration::from_secs(300);
const EVENTS: usize = 64;
