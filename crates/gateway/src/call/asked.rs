//! What a server asks of the client behind a call: judged, looked through both ways, and in the log
//! as an exchange of its own, whatever came of it.

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    error::Code,
    jsonrpc::Outcome,
    method::ClientMethod,
    upstream::{Answer, Request},
};
use cmcp_policy::{
    catalog::{Approved, ServerSpec},
    decide::{Action, Facts, Phase},
    inspect::{self, Asked, Inspected},
    mode::Mode,
};
use std::sync::Arc;

use super::{Call, entry, guard, server_of};
use crate::{
    ids::CallRandom,
    ledger::{AppendRequest, Durability},
    refusal::Denial,
    sessions::Session,
    splice,
    startup::Gateway,
};

/// A call on whose behalf its server may ask something.
#[derive(Clone)]
pub(super) struct Exchange<'a> {
    pub(super) call: &'a Call,
    pub(super) session: &'a Arc<Session>,
    pub(super) item: &'a Approved,
    /// The call's id.
    pub(super) parent: String,
}

/// What was found in what was said, question and answer.
#[derive(Default)]
pub(super) struct Heard(pub(super) Vec<Inspected>);

/// Why a server gets no answer of the client.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Policy does not let it ask.
    #[error("policy does not let this server ask that of the client")]
    Denied(Denial),
    /// The client cannot do that.
    #[error("the client did not declare the capability that this needs")]
    Unable,
    /// The question cannot be put to anybody.
    #[error("the request is malformed: {0}")]
    Question(String),
    /// The answer does not fit the question.
    #[error("the client's answer does not fit what was asked: {0}")]
    Answer(String),
    /// The client answered with an error.
    #[error("{message}")]
    Error {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// The client is gone, or did not answer in time.
    #[error("the client did not answer")]
    Gone,
    /// The log could not be written.
    #[error("the exchange could not be recorded")]
    Unrecorded,
}

impl Unanswered {
    /// The word in the log.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "policy_deny",
            Self::Unable => "client_capability_missing",
            Self::Question(_) => "arguments_invalid",
            Self::Answer(_) => "answer_invalid",
            Self::Error { .. } => "client_error",
            Self::Gone => "cancelled",
            Self::Unrecorded => "audit_unavailable",
        }
    }

    pub(crate) fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) => Some(denial),
            Self::Unable
            | Self::Question(_)
            | Self::Answer(_)
            | Self::Error { .. }
            | Self::Gone
            | Self::Unrecorded => None,
        }
    }

    fn rpc(&self) -> Answer {
        let code = match self {
            Self::Error { code, .. } => *code,
            Self::Denied(_) => Code::PolicyDenied.value(),
            Self::Unable => Code::MethodNotFound.value(),
            Self::Question(_) => Code::InvalidParams.value(),
            Self::Answer(_) | Self::Gone | Self::Unrecorded => Code::Internal.value(),
        };
        Answer::Error {
            code,
            message: self.to_string(),
        }
    }
}

/// A question that may be put to the client.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: ClientMethod,
    /// Its parameters as the client is shown them.
    pub(super) shown: Option<Bytes>,
    /// What an elicitation's answer is held against.
    pub(super) schema: Option<Value>,
    /// The denial that the mode lets pass.
    pub(super) waived: Option<Denial>,
}

impl Question {
    /// The mode of an elicitation, as policy knows it: only a form has a schema.
    fn mode(&self) -> &'static str {
        match (self.method, &self.schema) {
            (ClientMethod::Elicit, Some(_)) => "form",
            (ClientMethod::Elicit, None) => "url",
            (ClientMethod::Sample | ClientMethod::ListRoots, _) => "",
        }
    }
}

impl Gateway {
    /// A legacy server's request, from its arrival to the answer that goes back.
    pub(super) async fn answer_server(&self, exchange: Exchange<'_>, request: Request) -> Heard {
        let Request {
            method,
            params,
            mut answer,
        } = request;
        let mut heard = Heard::default();
        let asked = self.exchange(&exchange, method, params.clone(), &mut heard);
        let outcome = tokio::select! {
            biased;
            outcome = asked => outcome,
            // It withdrew the question, or has answered without waiting.
            () = answer.closed() => Err(Unanswered::Gone),
        };
        let told = entry::Told {
            method,
            params: params.as_deref().unwrap_or(b"{}"),
            answer: outcome
                .as_ref()
                .map(|answered| Some(answered.bytes.as_ref())),
            waived: outcome.as_ref().ok().and_then(|a| a.waived.clone()),
        };
        let outcome = match self.record_exchange(&exchange, told, &heard).await {
            Ok(()) => outcome,
            Err(unrecorded) => Err(unrecorded),
        };
        // A server that has gone on meanwhile wants no answer any more.
        let _ = answer.send(match outcome {
            Ok(answered) => Answer::Result(answered.bytes),
            Err(unanswered) => unanswered.rpc(),
        });
        heard
    }

    async fn exchange(
        &self,
        exchange: &Exchange<'_>,
        method: ClientMethod,
        params: Option<Bytes>,
        heard: &mut Heard,
    ) -> Result<Answered, Unanswered> {
        let question = self.question(exchange, method, params, heard)?;
        let outcome = self.put(exchange.call, exchange.item, &question).await?;
        let bytes = self.accept(exchange, &question, outcome, heard)?;
        Ok(Answered {
            bytes,
            waived: question.waived,
        })
    }

    /// Whether the server may ask that, and how the client is shown it.
    pub(super) fn question(
        &self,
        exchange: &Exchange<'_>,
        method: ClientMethod,
        params: Option<Bytes>,
        heard: &mut Heard,
    ) -> Result<Question, Unanswered> {
        let value = match &params {
            None => Value::Object(Object::new()),
            Some(bytes) => parse(bytes, &Limits::RESPONSE)
                .map_err(|error| Unanswered::Question(error.to_string()))?,
        };
        let mode = elicit_mode(method, &value);
        if !able(exchange.call, method, mode) {
            return Err(Unanswered::Unable);
        }
        let inspected = inspect::inspect_asked(asked(method), &value)
            .map_err(|error| Unanswered::Question(error.to_string()))?;
        self.raise(&inspected, exchange.session);
        let server = self.server_of(exchange)?;
        let size = params.as_ref().map_or(0, Bytes::len);
        let waived = self.judge_asked(exchange, (method, mode), (&inspected, size))?;
        heard.0.push(inspected);
        Ok(Question {
            method,
            shown: params.map(|params| named(&params, &server.name)),
            schema: value.get("requestedSchema").cloned(),
            waived,
        })
    }

    /// Looks through the client's answer: what goes back to the server.
    pub(super) fn accept(
        &self,
        exchange: &Exchange<'_>,
        question: &Question,
        outcome: Outcome,
        heard: &mut Heard,
    ) -> Result<Bytes, Unanswered> {
        // Of a stopped agent nothing goes on to a server.
        if self.kill_switch.blocks(&exchange.call.principal.name) {
            return Err(Unanswered::Gone);
        }
        let (value, bytes) = match outcome {
            Outcome::Result { value, bytes } => (value, bytes),
            Outcome::Error { code, message, .. } => {
                return Err(Unanswered::Error { code, message });
            }
        };
        let kind = asked(question.method);
        let inspected = inspect::inspect_answer(kind, &value, question.schema.as_ref())
            .map_err(|error| Unanswered::Answer(error.to_string()))?;
        self.raise(&inspected, exchange.session);
        let asked = (question.method, question.mode());
        self.judge_asked(exchange, asked, (&inspected, bytes.len()))?;
        heard.0.push(inspected);
        Ok(bytes)
    }

    fn judge_asked(
        &self,
        exchange: &Exchange<'_>,
        (method, mode): (ClientMethod, &str),
        (inspected, size): (&Inspected, usize),
    ) -> Result<Option<Denial>, Unanswered> {
        let Exchange {
            call,
            session,
            item,
            ..
        } = exchange;
        let server = self.server_of(exchange)?;
        let labels = inspected.labels.iter().map(|l| (*l).to_owned()).collect();
        let view = session.view();
        let facts = Facts {
            action: action(method),
            item: None,
            target: &server.name,
            asked_by: &call.wanted.target,
            elicit_mode: mode,
            ..self.facts(
                call,
                (Some(item), server),
                &view,
                Phase::Egress {
                    response_size_bytes: u64::try_from(size).unwrap_or(u64::MAX),
                    labels: &labels,
                },
            )
        };
        let judged = guard::judge(&call.rules.policy, self.settings.mode, &facts, ());
        judged
            .map(|judged| judged.waived)
            .map_err(Unanswered::Denied)
    }

    fn server_of<'a>(&self, exchange: &Exchange<'a>) -> Result<&'a ServerSpec, Unanswered> {
        server_of(exchange.call, exchange.item)
            .map_err(|error| Unanswered::Question(error.to_string()))
    }

    /// The one entry of an exchange.
    pub(super) async fn record_exchange(
        &self,
        exchange: &Exchange<'_>,
        told: entry::Told<'_>,
        heard: &Heard,
    ) -> Result<(), Unanswered> {
        let random = CallRandom::draw().map_err(|_| Unanswered::Unrecorded)?;
        let kind = entry::exchange(exchange, &told, heard, &random);
        let request = AppendRequest {
            salts: Some(Box::new(random.salts())),
            ..AppendRequest::plain(exchange.session.log, kind, Durability::Process)
        };
        let appended = self.ledger.append(request).await;
        appended.map(|_| ()).map_err(|_| Unanswered::Unrecorded)
    }

    /// The capabilities that servers are told of: what the client declared, as far as policy may
    /// ever let this server ask for it.
    pub(super) fn declared(&self, call: &Call, server: usize) -> Arc<str> {
        let Some(declared) = call.client.capabilities.as_object() else {
            return self.no_capabilities();
        };
        if declared.is_empty() && call.task.is_none() {
            return self.no_capabilities();
        }
        let Some(spec) = call.rules.catalog.servers().get(server) else {
            return self.no_capabilities();
        };
        let may = |action| {
            let lets_pass = self.settings.mode != Mode::Enforcing;
            lets_pass || call.rules.policy.may(&call.principal, action, spec)
        };
        let mut told = Object::new();
        for (name, action) in CAPABILITIES {
            if let Some(value) = declared.get(name).filter(|value| !value.is_null())
                && may(action)
            {
                told.insert(name, value.clone());
            }
        }
        let tasks = declared.get("extensions").and_then(|all| all.get(TASKS));
        if let Some(tasks) = tasks {
            told.insert("extensions", Object::from([(TASKS, tasks.clone())]));
        } else if call.task.is_some() {
            told.insert("extensions", Object::from([(TASKS, Object::new())]));
        }
        if told.is_empty() {
            return self.no_capabilities();
        }
        Arc::from(Value::Object(told).to_string())
    }

    fn no_capabilities(&self) -> Arc<str> {
        Arc::clone(&self.bare)
    }
}

/// What came of an exchange.
struct Answered {
    bytes: Bytes,
    waived: Option<Denial>,
}

/// What policy calls it.
pub(super) fn action(method: ClientMethod) -> Action {
    match method {
        ClientMethod::Sample => Action::Sample,
        ClientMethod::Elicit => Action::Elicit,
        ClientMethod::ListRoots => Action::ListRoots,
    }
}

fn asked(method: ClientMethod) -> Asked {
    match method {
        ClientMethod::Sample => Asked::Sample,
        ClientMethod::Elicit => Asked::Elicit,
        ClientMethod::ListRoots => Asked::ListRoots,
    }
}

fn elicit_mode(method: ClientMethod, params: &Value) -> &'static str {
    match method {
        ClientMethod::Elicit => match params.get("mode").and_then(Value::as_str) {
            Some("url") => "url",
            Some(_) | None => "form",
        },
        ClientMethod::Sample | ClientMethod::ListRoots => "",
    }
}

/// Whether the client can be asked that at all.
fn able(call: &Call, method: ClientMethod, mode: &str) -> bool {
    let client = &call.client;
    match method {
        ClientMethod::Sample => client.declares(&["sampling"]),
        ClientMethod::ListRoots => client.declares(&["roots"]),
        ClientMethod::Elicit if mode == "url" => client.declares(&["elicitation", "url"]),
        // An empty declaration means forms.
        ClientMethod::Elicit => {
            client.declares(&["elicitation", "form"])
                || (client.declares(&["elicitation"]) && !client.declares(&["elicitation", "url"]))
        }
    }
}

/// The parameters with the asking server's name, so that a person can be told who asks.
fn named(params: &Bytes, server: &str) -> Bytes {
    let Some(members) = splice::object(params) else {
        return params.clone();
    };
    let name = Value::from(server).to_vec();
    let meta = match splice::member(params, &members, "_meta") {
        Some(meta) => match splice::object(&meta) {
            Some(inner) => splice::set(&meta, &inner, ASKED_BY, &name),
            None => return params.clone(),
        },
        None => Value::from(Object::from([(ASKED_BY, server)]))
            .to_vec()
            .into(),
    };
    splice::set(params, &members, "_meta", &meta)
}

/// In `_meta` of what a client is asked: the server that asks.
const ASKED_BY: &str = "cmcp.dev/server";
const TASKS: &str = "io.modelcontextprotocol/tasks";
/// What a client declares, and the action it lets a server ask for.
const CAPABILITIES: [(&str, Action); 3] = [
    ("sampling", Action::Sample),
    ("elicitation", Action::Elicit),
    ("roots", Action::ListRoots),
];
