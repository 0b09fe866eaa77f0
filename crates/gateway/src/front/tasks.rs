//! `tasks/*`: what an owner asks of its own tasks, under ids of ours.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    jsonrpc::{self, Outcome},
    method::Method,
    server::{Last, Port, Rejection, Request},
    upstream::{Ask, Reply},
};
use cmcp_policy::{
    catalog::{Approved, ItemKind},
    engine::Principal,
};

use super::Begun;
use crate::{
    call::{Ended, Finished, OpenTask, Operation, is_over, text},
    cursor::Listed,
    refusal::Refusal,
    rules::Rules,
    splice,
    startup::Gateway,
    tasks::{self, Attached, Form, Status, Task},
};

impl Gateway {
    /// The `task` member that a call goes out with. Newer clients have no such member: for them, a
    /// tool of an older server that only runs as a task is given one.
    pub(super) fn task_member(
        &self,
        principal: &Principal,
        request: &Request,
        (rules, wanted): (&Rules, &Operation),
    ) -> Result<Option<Bytes>, Rejection> {
        if !request.dialect.is_modern() {
            return Ok(request.params.raw("task"));
        }
        let item = rules.item(wanted, self.clock.now());
        let hides = self.settings.mode.refuses();
        let seen = |item: &&Approved| !hides || rules.visible(principal, item);
        if item
            .filter(|item| only_as_task(item))
            .filter(seen)
            .is_none()
        {
            return Ok(None);
        }
        if knows_tasks(request) {
            Ok(Some(Bytes::from_static(b"{}")))
        } else {
            Err(needs_tasks(request))
        }
    }

    /// A request about tasks.
    pub(super) async fn task_request(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
    ) -> Result<Begun, Rejection> {
        if request.dialect.is_modern() && !knows_tasks(request) {
            return Err(needs_tasks(request));
        }
        if request.method == Method::TasksList {
            return self.list_tasks(principal, request).map(Begun::Known);
        }
        let id = request.params.get("taskId").and_then(Value::as_str);
        let task = id.and_then(|id| self.tasks.find(&principal.name, id, Instant::now()));
        let Some(task) = task else {
            let message = "Invalid params: unknown task";
            return Err(request.reject(Code::InvalidParams, message, None));
        };
        if self.kill_switch.blocks(&principal.name) {
            let message = "Agent identity blocked by the kill switch";
            return Err(request.reject(Code::KillSwitchTripped, message, None));
        }
        let about = About {
            task: &task,
            request,
            to: if request.dialect.is_modern() {
                Form::Flat
            } else {
                Form::Nested
            },
        };
        if request.method == Method::TasksCancel {
            self.cancel_task(&about).await
        } else if request.method == Method::TasksUpdate {
            self.update_task(&about).await
        } else if request.method == Method::TasksResult {
            self.task_result(&about).await
        } else {
            self.task_now(&about).await
        }
    }

    /// `tasks/result`, for as long as its task takes, or until its client does not want it any more.
    pub(super) async fn wait_for_task(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
        port: Port,
    ) {
        let begun = tokio::select! {
            biased;
            () = port.cancelled() => return,
            begun = self.task_request(principal, request) => begun,
        };
        port.finish(match begun {
            Ok(Begun::Known(result)) => Last::ok(jsonrpc::result(&request.id, &result)),
            Ok(Begun::Ended(last)) => last,
            Err(rejection) => rejection.into(),
            Ok(Begun::Rest(_)) => {
                let failed = request.reject(Code::Internal, "Internal error", None);
                failed.into()
            }
        });
    }

    /// `tasks/get`: how far it is, and what stands beside that.
    async fn task_now(self: &Arc<Self>, about: &About<'_>) -> Result<Begun, Rejection> {
        let task = about.task;
        if let Some(ended) = task.payload.ended() {
            return about.known(&task.told(), &ended);
        }
        let (raw, value) = match self.of_server(about, Method::TasksGet).await? {
            Reply::Result { bytes, value } => (bytes, value),
            Reply::Error { bytes, .. } => {
                return Ok(Begun::Ended(Last::ok(jsonrpc::error_raw(
                    &about.request.id,
                    &bytes,
                ))));
            }
        };
        task.tell(raw.clone());
        match tasks::status(&value, task.form) {
            Some(Status::Completed | Status::Failed) => {
                match self.finish(about, &raw, &value).await? {
                    Ok(finished) => about.known(&raw, &Ended::Answered(finished)),
                    Err(last) => Ok(Begun::Ended(about.answered(last))),
                }
            }
            Some(Status::Cancelled) => {
                self.abandon_task(task, Refusal::Cancelled { sent: true })
                    .await;
                about.described(&raw, None)
            }
            Some(Status::InputRequired) if task.form == Form::Flat => {
                let requests = tasks::beside(&raw, Status::InputRequired);
                let shown = self.show_requests(task, requests.as_ref()).await;
                let shown = shown.map_err(|error| about.refused(&error))?;
                about.described(&raw, Some(Attached::InputRequests(&shown)))
            }
            Some(Status::InputRequired | Status::Working) | None => about.described(&raw, None),
        }
    }

    /// `tasks/result` of 2025-11-25: waits for the end.
    async fn task_result(self: &Arc<Self>, about: &About<'_>) -> Result<Begun, Rejection> {
        let task = about.task;
        loop {
            if let Some(ended) = task.payload.ended() {
                return about.result(&ended);
            }
            let Reply::Result { bytes, value } = self.of_server(about, Method::TasksGet).await?
            else {
                return Err(about.gone());
            };
            task.tell(bytes.clone());
            if is_over(tasks::status(&value, task.form)) {
                return match self.finish(about, &bytes, &value).await? {
                    Ok(finished) => about.result(&Ended::Answered(finished)),
                    Err(last) => Ok(Begun::Ended(about.answered(last))),
                };
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fetches the result of a task that has ended, and closes its call.
    async fn finish(
        self: &Arc<Self>,
        about: &About<'_>,
        raw: &Bytes,
        value: &Value,
    ) -> Result<Result<Finished, Last>, Rejection> {
        let task = about.task;
        let status = tasks::status(value, task.form);
        let reply = match task.form {
            Form::Nested => match self.of_server(about, Method::TasksResult).await? {
                Reply::Result { bytes, value } => {
                    let bytes = tasks::unrelated(&bytes).unwrap_or(bytes);
                    Reply::Result { bytes, value }
                }
                error @ Reply::Error { .. } => error,
            },
            Form::Flat => {
                let beside = status.and_then(|status| tasks::beside(raw, status));
                let beside = beside.ok_or_else(|| about.gone())?;
                let parsed = splice::object(&beside).ok_or_else(|| about.gone())?;
                if status == Some(Status::Failed) {
                    let code = parsed.get("code").and_then(Value::as_i64);
                    let message = parsed.get("message").and_then(Value::as_str);
                    Reply::Error {
                        code: code.unwrap_or_default(),
                        message: message.unwrap_or_default().to_owned(),
                        bytes: beside,
                    }
                } else {
                    Reply::Result {
                        bytes: beside,
                        value: parsed.into(),
                    }
                }
            }
        };
        // To its end, even where the client does not want it any more meanwhile.
        let (gateway, task) = (Arc::clone(self), Arc::clone(task));
        let finishing = tokio::spawn(async move { gateway.finish_task(&task, reply).await });
        finishing.await.map_err(|_| about.gone())
    }

    /// `tasks/cancel`.
    async fn cancel_task(&self, about: &About<'_>) -> Result<Begun, Rejection> {
        match self.of_server(about, Method::TasksCancel).await? {
            Reply::Result { .. } if about.to == Form::Flat => Ok(Begun::Known(Bytes::from_static(
                br#"{"resultType":"complete"}"#,
            ))),
            Reply::Result { bytes, .. } if about.task.form == Form::Nested => {
                about.task.tell(bytes.clone());
                about.described(&bytes, None)
            }
            Reply::Result { .. } => {
                let now = self.of_server(about, Method::TasksGet).await?;
                match now {
                    Reply::Result { bytes, .. } => about.described(&bytes, None),
                    Reply::Error { .. } => Err(about.gone()),
                }
            }
            Reply::Error { bytes, .. } => Ok(Begun::Ended(Last::ok(jsonrpc::error_raw(
                &about.request.id,
                &bytes,
            )))),
        }
    }

    /// `tasks/update`: the answers to what a task asks for.
    async fn update_task(&self, about: &About<'_>) -> Result<Begun, Rejection> {
        let task = about.task;
        let invalid = |what: &str| {
            let message = format!("Invalid params: {what}");
            about.request.reject(Code::InvalidParams, &message, None)
        };
        let raw = about.request.params.raw("inputResponses");
        let raw = raw.ok_or_else(|| invalid("inputResponses is missing"))?;
        let given = splice::object(&raw);
        let given = given.ok_or_else(|| invalid("inputResponses must be an object"))?;
        let asked = tasks::beside(&task.told(), Status::InputRequired).unwrap_or_default();
        let asked_members = splice::object(&asked).unwrap_or_default();
        let mut answers: Vec<(String, Bytes)> = Vec::new();
        for (key, value) in given.iter() {
            // What was never asked is ignored.
            let Some(one) = splice::member(&asked, &asked_members, key) else {
                continue;
            };
            let Some(bytes) = splice::member(&raw, &given, key) else {
                continue;
            };
            let outcome = Outcome::Result {
                value: value.clone(),
                bytes: bytes.clone(),
            };
            self.accept_for_task(task, &one, outcome)
                .map_err(|error| invalid(&error.to_string()))?;
            answers.push((key.to_owned(), bytes));
        }
        let members: Vec<(&str, &[u8])> = answers
            .iter()
            .map(|(key, bytes)| (key.as_str(), bytes.as_ref()))
            .collect();
        let responses = jsonrpc::with_members(b"{}", &members);
        let ask = Ask::new(
            Method::TasksUpdate,
            vec![
                ("taskId", text(&task.upstream_id)),
                ("inputResponses", responses),
            ],
            self.settings.upstream_timeout,
            self.settings.max_response_bytes,
        );
        match task.payload.seat.server.ask(ask).await {
            Ok(Reply::Result { .. }) => Ok(Begun::Known(Bytes::from_static(
                br#"{"resultType":"complete"}"#,
            ))),
            Ok(Reply::Error { bytes, .. }) => Ok(Begun::Ended(Last::ok(jsonrpc::error_raw(
                &about.request.id,
                &bytes,
            )))),
            Err(_) => Err(about.gone()),
        }
    }

    fn list_tasks(
        &self,
        principal: &Arc<Principal>,
        request: &Request,
    ) -> Result<Bytes, Rejection> {
        let listed = Listed {
            principal: &principal.name,
            method: request.method.as_str(),
            generation: 0,
        };
        let cursor = request.params.get("cursor").and_then(Value::as_str);
        let (behind, _) = match cursor.map(|cursor| self.cursors.open(&listed, cursor)) {
            None => (None, ()),
            Some(Ok(crate::cursor::Place::Offset(at))) => (Some(at), ()),
            Some(Ok(crate::cursor::Place::Upstream { .. }) | Err(_)) => {
                let message = "Invalid params: the cursor is not one of this list";
                return Err(request.reject(Code::InvalidParams, message, None));
            }
        };
        let now = Instant::now();
        let (page, more) = self.tasks.page(&principal.name, (behind, PAGE), now);
        let described = page.iter().filter_map(|task| {
            let told = task.told();
            tasks::described(&told, (task.form, Form::Nested), &task.id, None)
        });
        let all: Vec<Bytes> = described.collect();
        let mut out = b"{\"tasks\":[".to_vec();
        out.extend(all.join(&b','));
        out.push(b']');
        let next = more.and_then(|at| {
            let place = crate::cursor::Place::Offset(at);
            self.cursors.seal(&listed, &place).ok()
        });
        if let Some(next) = next {
            out.extend_from_slice(b",\"nextCursor\":");
            out.extend(Value::from(next).to_vec());
        }
        out.push(b'}');
        Ok(out.into())
    }

    async fn of_server(&self, about: &About<'_>, method: Method) -> Result<Reply, Rejection> {
        let ask = Ask::new(
            method,
            vec![("taskId", text(&about.task.upstream_id))],
            self.settings.upstream_timeout,
            self.settings.max_response_bytes,
        );
        let server = &about.task.payload.seat.server;
        let reply = server.ask(ask).await.map_err(|_| about.gone())?;
        // Its result is looked through by itself.
        if method != Method::TasksResult {
            self.overhear_task(about.task, &reply);
        }
        Ok(reply)
    }
}

/// Whether a client of the modern era declares that it knows tasks.
fn knows_tasks(request: &Request) -> bool {
    let declared = request.capabilities().and_then(|all| all.get("extensions"));
    declared.and_then(|all| all.get(TASKS)).is_some()
}

fn needs_tasks(request: &Request) -> Rejection {
    let tasks = Object::from([(TASKS, Object::new())]);
    request.reject_capabilities(Object::from([("extensions", tasks)]).into())
}

/// Whether a tool of the legacy era refuses calls that are no tasks.
fn only_as_task(item: &Approved) -> bool {
    let execution = item.definition.get("execution");
    let support = execution.and_then(|execution| execution.get("taskSupport"));
    item.kind == ItemKind::Tool && support.and_then(Value::as_str) == Some("required")
}

/// A request about one task.
struct About<'a> {
    task: &'a Arc<Task<OpenTask>>,
    request: &'a Request,
    to: Form,
}

impl About<'_> {
    /// The answer about a task that has ended.
    fn known(&self, raw: &Bytes, ended: &Ended) -> Result<Begun, Rejection> {
        match ended {
            Ended::Answered(Finished::Result(bytes)) => {
                self.described(raw, Some(Attached::Result(bytes)))
            }
            Ended::Answered(Finished::Error(bytes)) => {
                self.described(raw, Some(Attached::Error(bytes)))
            }
            Ended::Without => self.described(raw, None),
        }
    }

    fn described(&self, raw: &Bytes, beside: Option<Attached<'_>>) -> Result<Begun, Rejection> {
        let forms = (self.task.form, self.to);
        let described = tasks::described(raw, forms, &self.task.id, beside);
        let described = described.ok_or_else(|| self.gone())?;
        Ok(Begun::Known(match self.to {
            Form::Flat => complete(described),
            Form::Nested => described,
        }))
    }

    /// The answer to `tasks/result`.
    fn result(&self, ended: &Ended) -> Result<Begun, Rejection> {
        match ended {
            Ended::Answered(Finished::Result(bytes)) => {
                let related = tasks::related(bytes, &self.task.id);
                Ok(Begun::Known(related.unwrap_or_else(|| bytes.clone())))
            }
            Ended::Answered(Finished::Error(bytes)) => Ok(Begun::Ended(Last::ok(
                jsonrpc::error_raw(&self.request.id, bytes),
            ))),
            Ended::Without => Err(self.gone()),
        }
    }

    /// An answer that was made for the call, under this request's id.
    fn answered(&self, last: Last) -> Last {
        let error = splice::object(&last.body)
            .and_then(|members| splice::member(&last.body, &members, "error"));
        match error {
            Some(error) => Last {
                body: jsonrpc::error_raw(&self.request.id, &error),
                ..last
            },
            None => last,
        }
    }

    fn refused(&self, error: &Refusal) -> Rejection {
        self.request
            .reject(Code::PolicyDenied, &error.to_string(), None)
    }

    fn gone(&self) -> Rejection {
        let message = "the server does not tell of this task";
        self.request
            .reject(Code::UpstreamUnavailable, message, None)
    }
}

fn complete(raw: Bytes) -> Bytes {
    match splice::object(&raw) {
        Some(members) => splice::set(&raw, &members, "resultType", br#""complete""#),
        None => raw,
    }
}

const TASKS: &str = "io.modelcontextprotocol/tasks";
/// Between two looks at a task that somebody waits for.
const POLL: std::time::Duration = std::time::Duration::from_millis(500);
/// Tasks of one page.
const PAGE: usize = 200;
