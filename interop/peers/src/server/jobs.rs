use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolResponse, CallToolResult, CreateTaskResult, InputRequest},
    service::RequestContext,
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions},
};
use serde_json::{Value, json};

use super::{
    Fixture,
    answers::{failure, missing, text},
    made,
};

const TASKS: &str = "io.modelcontextprotocol/tasks";
/// How often a client is told to look.
const POLL_MS: u64 = 200;

impl Fixture {
    /// The answer of a tool that is a task where the client knows tasks; nothing, if it is no such tool.
    pub(super) async fn job(
        &self,
        name: &str,
        arguments: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<CallToolResponse>, ErrorData> {
        let filename = named(arguments, "filename");
        let seconds = arguments.get("seconds").and_then(Value::as_f64);
        let time = Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default();
        let make: Box<dyn FnOnce(TaskContext) -> TaskFuture + Send> = match name {
            "slow_compute" if !declared(context) => {
                tokio::time::sleep(time).await;
                return Ok(Some(computed(arguments).into()));
            }
            "slow_compute" => {
                let result = computed(arguments);
                Box::new(move |task| Box::pin(slow(task, time, result)))
            }
            "failing_job" => Box::new(|_| {
                Box::pin(async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Ok(failure("The job has failed."))
                })
            }),
            "protocol_error_job" => Box::new(|_| {
                Box::pin(async {
                    let error = ErrorData::internal_error("The job has broken down.", None);
                    Err(TaskExit::Error(error))
                })
            }),
            "confirm_delete" => Box::new(|task| Box::pin(confirm(task, filename))),
            "multi_input" => Box::new(|task| Box::pin(two_questions(task))),
            _ => return Ok(None),
        };
        self.start(make, context).map(Some)
    }

    /// Goes on as a task that ends with `answer`.
    pub(super) fn finish_as_task(
        &self,
        answer: String,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let make = Box::new(|_| -> TaskFuture {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
                Ok(text(answer))
            })
        });
        self.start(make, context)
    }

    fn start(
        &self,
        make: Box<dyn FnOnce(TaskContext) -> TaskFuture + Send>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !declared(context) {
            return Err(missing(json!({"extensions": {TASKS: {}}})));
        }
        let options = TaskOptions::new().with_poll_interval_ms(POLL_MS);
        let task = self.shared.jobs.spawn(options, make);
        Ok(CreateTaskResult::new(task).into())
    }
}

fn declared(context: &RequestContext<RoleServer>) -> bool {
    let declared = context.client_capabilities();
    declared.is_some_and(|declared| declared.supports_tasks())
}

fn named(arguments: &Value, name: &str) -> String {
    let value = arguments.get(name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn computed(arguments: &Value) -> CallToolResult {
    text(format!("Computed: {}", named(arguments, "label")))
}

async fn slow(
    task: TaskContext,
    time: Duration,
    result: CallToolResult,
) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = task.cancelled() => Err(TaskExit::Cancelled),
        () = tokio::time::sleep(time) => Ok(result),
    }
}

async fn confirm(task: TaskContext, filename: String) -> Result<CallToolResult, TaskExit> {
    let question = question(&format!("Delete {filename}?"), &["confirm"])?;
    let answer = task.request_input("confirm", question).await?;
    Ok(text(format!("Asked about {filename}: {}", said(&answer))))
}

async fn two_questions(task: TaskContext) -> Result<CallToolResult, TaskExit> {
    let (first, second) = tokio::join!(
        task.request_input("first", question("The first name?", &["name", "confirm"])?),
        task.request_input(
            "second",
            question("The second name?", &["name", "confirm"])?
        ),
    );
    Ok(text(format!("{} {}", said(&first?), said(&second?))))
}

/// A form with some of two fields.
fn question(message: &str, fields: &[&str]) -> Result<InputRequest, TaskExit> {
    let mut known = json!({"name": {"type": "string"}, "confirm": {"type": "boolean"}});
    if let Some(members) = known.as_object_mut() {
        members.retain(|name, _| fields.contains(&name.as_str()));
    }
    let schema = json!({"type": "object", "properties": known, "required": fields});
    let params = json!({"message": message, "requestedSchema": schema});
    made(json!({"method": "elicitation/create", "params": params})).map_err(TaskExit::Error)
}

fn said(answer: &Value) -> String {
    answer.get("content").unwrap_or(answer).to_string()
}
