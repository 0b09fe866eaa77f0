//! A call that its server goes on with in the background. Its story stays open until the result is
//! there, has been looked through and is in the log; or until nobody can ask for it any more.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    jsonrpc::{self, Outcome},
    method::Method,
    server::Last,
    upstream::{Ask, Reply},
    version::Version,
};
use cmcp_policy::inspect;

use super::{
    Answered, Call, Case, Cleared, Story,
    asked::{Exchange, Heard},
    entry, rounds, server_of,
};
use crate::{
    ledger::{AppendRequest, Durability},
    refusal::Refusal,
    reply::{self, Dialect},
    sessions::Session,
    splice,
    startup::Gateway,
    tasks::{self, Form, Made, Status, Task},
    upstream::Seat,
};

/// A call whose result is still to come.
#[derive(Debug)]
pub(crate) struct OpenTask {
    pub(crate) call: Arc<Call>,
    pub(crate) session: Arc<Session>,
    pub(crate) seat: Arc<Seat>,
    call_id: String,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing is in the log yet but the intent.
    Open(Box<Story>),
    /// Somebody is at it.
    Busy,
    /// The outcome is in the log.
    Ended(Ended),
}

/// How a task ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// With a result or an error of its server, as the client may have it.
    Answered(Finished),
    /// Without one.
    Without,
}

/// What a client gets of a finished task.
#[derive(Clone, Debug)]
pub(crate) enum Finished {
    /// The `result` member.
    Result(Bytes),
    /// The `error` member.
    Error(Bytes),
}

/// A task that a server made for a call.
#[derive(Debug)]
pub(crate) struct NewTask {
    seat: Arc<Seat>,
    upstream: u64,
    form: Form,
    raw: Bytes,
    id: String,
    ttl: Option<Duration>,
}

/// Tasks as the gateway keeps them.
pub(crate) type OpenTasks = tasks::Tasks<OpenTask>;

impl Gateway {
    /// The task that an answer tells of; nothing where it is the call's own result.
    pub(super) fn task_of(
        &self,
        case: &mut Case<'_>,
        seat: &Arc<Seat>,
        reply: &Reply,
    ) -> Result<Option<NewTask>, Refusal> {
        let Reply::Result { bytes, value } = reply else {
            return Ok(None);
        };
        let flat = value.get("resultType").and_then(Value::as_str) == Some("task");
        let nested = case.call.task.is_some() && value.get("task").is_some();
        let form = match (flat, nested) {
            (true, _) => Form::Flat,
            (false, true) => Form::Nested,
            (false, false) => return Ok(None),
        };
        // Its result will be looked through; what is said beside it is read now.
        let inspected = inspect::inspect_notice(value);
        let inspected = inspected.map_err(|error| Refusal::OutputSchema(error.to_string()))?;
        self.note_inspected(inspected, case.session, case.story);
        let id = tasks::server_id(value, form);
        let id = id.ok_or_else(|| Refusal::OutputSchema("a task without an id".to_owned()))?;
        let link = case.call.rules.upstreams.link(case.item.server);
        let link = link.ok_or(Refusal::Fault("the catalog names no such server"))?;
        Ok(Some(NewTask {
            seat: Arc::clone(seat),
            upstream: link.id,
            form,
            raw: bytes.clone(),
            id: id.to_owned(),
            ttl: tasks::ttl(value, form).flatten(),
        }))
    }

    /// Keeps the story of a call open, and tells the client of its task.
    pub(super) async fn open_task(
        &self,
        call: &Arc<Call>,
        session: &Arc<Session>,
        (mut story, task): (Story, NewTask),
    ) -> Answered {
        if let Err(error) = self.begin_task(session, &mut story).await {
            return self.close_story(Err(error), call, session, story).await;
        }
        let (call_id, latency_us) = (story.call_id().to_owned(), story.latency_us);
        let NewTask {
            seat,
            upstream,
            form,
            raw,
            id,
            ttl,
        } = task;
        let payload = OpenTask {
            call: Arc::clone(call),
            session: Arc::clone(session),
            seat,
            call_id: call_id.clone(),
            state: Mutex::new(State::Open(Box::new(story))),
        };
        let made = Made {
            upstream,
            upstream_id: id,
            form,
            ttl,
            told: raw.clone(),
            payload,
        };
        let kept = match self.tasks.room(&call.principal.name) {
            Ok(room) => room.keep(made, Instant::now()),
            Err(error) => Err((error, made.payload)),
        };
        let task = match kept {
            Ok(task) => task,
            Err((error, payload)) => {
                let refusal = Refusal::OutputSchema(error.to_string());
                return match payload.take() {
                    Some(story) => self.close_story(Err(refusal), call, session, *story).await,
                    None => Answered::unlogged(refusal),
                };
            }
        };
        let bytes = tasks::created(&raw, (form, form_of(call)), &task.id);
        Answered {
            outcome: bytes
                .map(|bytes| Cleared::Asked { bytes })
                .ok_or_else(|| Refusal::OutputSchema("a task that cannot be told of".to_owned())),
            call_id,
            session_id: Some(session.id.clone()),
            receipt: None,
            waived: None,
            latency_us,
        }
    }

    /// Should this process end now, the log must know that something was begun.
    async fn begin_task(&self, session: &Session, story: &mut Story) -> Result<(), Refusal> {
        if story.intent.is_none() {
            let kind = entry::intent(story);
            let intent = AppendRequest::plain(session.log, kind, Durability::Disk);
            story.intent = Some(self.ledger.append(intent).await?.seq);
        }
        Ok(())
    }

    /// The result of a task, looked through, judged and logged once; later askers get the same.
    pub(crate) async fn finish_task(
        &self,
        task: &Task<OpenTask>,
        reply: Reply,
    ) -> Result<Finished, Last> {
        let open = &task.payload;
        let Some(_stay) = open.session.hold() else {
            return Err(self.closed(open));
        };
        let Some(mut story) = open.take() else {
            return match open.ended() {
                Some(Ended::Answered(finished)) => Ok(finished),
                Some(Ended::Without) | None => Err(self.closed(open)),
            };
        };
        let call = &open.call;
        let outcome = match call.rules.item(&call.wanted, self.clock.now()) {
            None => Err(Refusal::UnknownTool),
            Some(item) => {
                let mut case = Case {
                    call,
                    item,
                    session: &open.session,
                    story: &mut story,
                };
                server_of(call, item)
                    .and_then(|_| self.inspect(&mut case, reply))
                    .and_then(|response| self.clear(&mut case, response))
            }
        };
        let answered = self.close_story(outcome, call, &open.session, *story).await;
        match &answered.outcome {
            Ok(Cleared::Result { bytes, .. } | Cleared::Asked { bytes }) => {
                let finished = Finished::Result(bytes.clone());
                open.end(Ended::Answered(finished.clone()));
                Ok(finished)
            }
            Ok(Cleared::Error { bytes }) => {
                let finished = Finished::Error(bytes.clone());
                open.end(Ended::Answered(finished.clone()));
                Ok(finished)
            }
            Ok(Cleared::Task(_)) | Err(_) => {
                open.end(Ended::Without);
                Err(reply::reply(&self.settings, call, answered))
            }
        }
    }

    /// What a server says of a task, beside its result, is read like its other notices.
    pub(crate) fn overhear_task(&self, task: &Task<OpenTask>, reply: &Reply) {
        let inspected = match reply {
            Reply::Result { value, .. } => inspect::inspect_notice(value).ok(),
            Reply::Error { message, bytes, .. } => {
                let error = parse(bytes, &Limits::RESPONSE).unwrap_or(Value::Null);
                Some(inspect::inspect_error(message, error.get("data")))
            }
        };
        if let Some(inspected) = inspected {
            self.raise(&inspected, &task.payload.session);
        }
    }

    /// A task that ends without a result: cancelled, expired, or its session is closed.
    pub(crate) async fn abandon_task(&self, task: &Task<OpenTask>, refusal: Refusal) {
        let open = &task.payload;
        if let Some(story) = open.take() {
            self.close_story(Err(refusal), &open.call, &open.session, *story)
                .await;
            open.end(Ended::Without);
        }
    }

    /// Ends the tasks of a session that is being closed: nobody knows what becomes of them.
    pub(crate) async fn end_tasks_of(&self, session: &Arc<Session>) {
        for task in self.open_tasks(&session.principal.name) {
            if Arc::ptr_eq(&task.payload.session, session) {
                self.abandon_task(&task, Refusal::Cancelled { sent: true })
                    .await;
                self.tasks.end(&task);
                let open = &task.payload;
                let ask = Ask::new(
                    Method::TasksCancel,
                    vec![("taskId", text(&task.upstream_id))],
                    CANCEL_WITHIN,
                    MAX_TASK,
                );
                // A server that goes on nevertheless does so unheard.
                let _ = open.seat.server.ask(ask).await;
            }
        }
    }

    fn open_tasks(&self, principal: &str) -> Vec<Arc<Task<OpenTask>>> {
        self.tasks
            .page(principal, (None, usize::MAX), Instant::now())
            .0
    }

    /// What a task asks for, as its owner is shown it; each question is judged and in the log.
    pub(crate) async fn show_requests(
        &self,
        task: &Task<OpenTask>,
        requests: Option<&Bytes>,
    ) -> Result<Bytes, Refusal> {
        let raw = requests
            .cloned()
            .unwrap_or_else(|| Bytes::from_static(b"{}"));
        let members = splice::object(&raw).unwrap_or_default();
        let exchange = self.exchange_of(task)?;
        let mut shown: Vec<(String, Bytes)> = Vec::new();
        for (key, _) in members.iter() {
            let one = splice::member(&raw, &members, key).unwrap_or_default();
            let Some((method, params)) = rounds::read_request_with(&one) else {
                continue;
            };
            let mut heard = Heard::default();
            let outcome = self.question(&exchange, method, params.clone(), &mut heard);
            let told = entry::Told {
                method,
                params: params.as_deref().unwrap_or(b"{}"),
                answer: outcome.as_ref().map(|_| None),
                waived: outcome.as_ref().ok().and_then(|q| q.waived.clone()),
            };
            let recorded = self.record_exchange(&exchange, told, &heard).await;
            recorded.map_err(rounds::refused)?;
            let question = outcome.map_err(rounds::refused)?;
            let request = rounds::request(method, question.shown.as_ref());
            shown.push((key.to_owned(), request));
        }
        let members: Vec<(&str, &[u8])> = shown
            .iter()
            .map(|(key, bytes)| (key.as_str(), bytes.as_ref()))
            .collect();
        Ok(jsonrpc::with_members(b"{}", &members))
    }

    /// Whether an answer to one of a task's questions may go to its server.
    pub(crate) fn accept_for_task(
        &self,
        task: &Task<OpenTask>,
        asked: &Bytes,
        outcome: Outcome,
    ) -> Result<(), Refusal> {
        let exchange = self.exchange_of(task)?;
        let mut heard = Heard::default();
        let (method, params) = rounds::read_request_with(asked).ok_or(Refusal::Fault(
            "a question that was read before is no question",
        ))?;
        let question = self.question(&exchange, method, params, &mut heard);
        let question = question.map_err(rounds::refused)?;
        let accepted = self.accept(&exchange, &question, outcome, &mut heard);
        accepted.map(|_| ()).map_err(rounds::refused)
    }

    fn exchange_of<'a>(&self, task: &'a Task<OpenTask>) -> Result<Exchange<'a>, Refusal> {
        let open = &task.payload;
        let item = open.call.rules.item(&open.call.wanted, self.clock.now());
        Ok(Exchange {
            call: &open.call,
            session: &open.session,
            item: item.ok_or(Refusal::UnknownTool)?,
            parent: open.call_id.clone(),
        })
    }

    fn closed(&self, open: &OpenTask) -> Last {
        let refusal = Refusal::Cancelled { sent: true };
        reply::reply(&self.settings, &open.call, Answered::unlogged(refusal))
    }
}

impl OpenTask {
    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        match &*self.lock() {
            State::Ended(ended) => Some(ended.clone()),
            State::Open(_) | State::Busy => None,
        }
    }

    fn take(&self) -> Option<Box<Story>> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Busy) {
            State::Open(story) => Some(story),
            other @ (State::Busy | State::Ended(_)) => {
                *state = other;
                None
            }
        }
    }

    fn end(&self, ended: Ended) {
        *self.lock() = State::Ended(ended);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a client speaks of tasks.
pub(crate) fn form_of(call: &Call) -> Form {
    form(call.client.dialect, call.client.version)
}

fn form(dialect: Dialect, _: Version) -> Form {
    match dialect {
        Dialect::Modern => Form::Flat,
        Dialect::Compat | Dialect::Legacy => Form::Nested,
    }
}

/// Whether nothing follows.
pub(crate) fn is_over(status: Option<Status>) -> bool {
    status.is_some_and(Status::is_final)
}

pub(crate) fn text(text: &str) -> Bytes {
    Value::from(text).to_vec().into()
}

/// How long a server may take to hear that a task is not wanted any more.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
/// Description of a task without what stands beside it.
const MAX_TASK: usize = 64 << 10;
