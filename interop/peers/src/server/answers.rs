use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock,
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, LoggingLevel,
        LoggingMessageNotificationParam, ProgressNotificationParam,
        ResourceUpdatedNotificationParam,
    },
    service::RequestContext,
};
use serde_json::{Map, Value, json};

use super::{
    Fixture, complete, held,
    http::HangUp,
    made,
    rounds::{Step, Wish},
};
use crate::template::filled;

/// Between two reports of one tool.
const PACE: Duration = Duration::from_millis(50);
/// How long a tool that has hung up leaves its caller to come back before it answers.
const AWAY: Duration = Duration::from_millis(1_000);
const WATCHED: &str = "test://watched-resource";

impl Fixture {
    pub(super) async fn call(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        let arguments = Value::Object(request.arguments.clone().unwrap_or_default());
        if name == "test_streaming_elicitation" {
            self.progress(context, 1.0, None).await;
        }
        if let Some(plan) = self.shared.plans.get(&*name) {
            let wish = Wish {
                name: &name,
                arguments: &arguments,
                responses: request.input_responses,
                state: request.request_state,
                context,
            };
            return match self.round(plan, wish).await? {
                Step::Ask(question) => Ok(question.into()),
                Step::Answer(answer) if name == "test_tool_with_task" => {
                    self.finish_as_task(answer, context)
                }
                Step::Answer(answer) => Ok(text(answer).into()),
                Step::Unable(why) => Ok(failure(why).into()),
            };
        }
        if let Some(answer) = self.shared.answers.get(&*name) {
            let result: CallToolResult =
                complete(filled(answer, &json!({"arguments": arguments})))?;
            return Ok(result.into());
        }
        if let Some(response) = self.job(&name, &arguments, context).await? {
            return Ok(response);
        }
        self.act(&name, &arguments, context)
            .await
            .map(CallToolResponse::from)
    }

    /// Tools that do something while they run.
    async fn act(
        &self,
        name: &str,
        arguments: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        match name {
            "test_tool_with_progress" => {
                for (done, message) in [(0.0, "started"), (50.0, "halfway"), (100.0, "done")] {
                    self.progress(context, done, Some(message)).await;
                    tokio::time::sleep(PACE).await;
                }
                Ok(text("Progress reported."))
            }
            "test_tool_with_logging" => {
                for message in [
                    "Tool execution started",
                    "Tool processing data",
                    "Tool execution completed",
                ] {
                    self.log(context, message).await;
                    tokio::time::sleep(PACE).await;
                }
                Ok(text("Messages logged."))
            }
            "test_logging_tool" => {
                self.log(context, "The tool runs").await;
                Ok(text("One message logged, if the request asked for it."))
            }
            "test_missing_capability" => {
                let declared = context.client_capabilities().unwrap_or_default();
                if declared.sampling.is_none() {
                    return Err(missing(json!({"sampling": {}})));
                }
                Ok(text("The client can sample."))
            }
            "test_reconnection" => {
                tokio::time::sleep(PACE).await;
                hang_up(context);
                tokio::time::sleep(AWAY).await;
                Ok(text("Answered long after the call was made."))
            }
            "wait" => self.wait(arguments, context).await,
            "was_cancelled" => {
                let key = arguments.get("key").and_then(Value::as_str);
                let known = key.is_some_and(|key| held(&self.shared.cancelled).contains(key));
                Ok(text(if known { "cancelled" } else { "not cancelled" }))
            }
            _ => self.change(name, context).await,
        }
    }

    /// Tools that say to everybody who listens that something has changed.
    async fn change(
        &self,
        name: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let sinks = held(&self.shared.listening).clone();
        let legacy = context.meta.protocol_version().is_none();
        // Who is gone by now hears nothing; that is no failure of the tool.
        match name {
            "test_trigger_tool_change" => {
                for sink in sinks {
                    let _gone = sink.notify_tool_list_changed().await;
                }
                if legacy {
                    let _gone = context.peer.notify_tool_list_changed().await;
                }
            }
            "test_trigger_prompt_change" => {
                for sink in sinks {
                    let _gone = sink.notify_prompt_list_changed().await;
                }
                if legacy {
                    let _gone = context.peer.notify_prompt_list_changed().await;
                }
            }
            "test_trigger_resource_update" => {
                for sink in sinks {
                    let _gone = sink.notify_resource_updated(WATCHED).await;
                }
                if held(&self.subscribed).contains(WATCHED) {
                    let params = ResourceUpdatedNotificationParam::new(WATCHED);
                    let _gone = context.peer.notify_resource_updated(params).await;
                }
            }
            _ => {
                return Err(ErrorData::invalid_params(
                    format!("Unknown tool: {name}"),
                    None,
                ));
            }
        }
        Ok(text("Said."))
    }

    async fn wait(
        &self,
        arguments: &Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let key = arguments
            .get("key")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let seconds = arguments
            .get("seconds")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
        let mut reported = 0.0;
        while tokio::time::Instant::now() < end {
            reported += 1.0;
            self.progress(context, reported, None).await;
            tokio::select! {
                () = context.ct.cancelled() => {
                    held(&self.shared.cancelled).insert(key.to_owned());
                    return Ok(failure("cancelled"));
                }
                () = tokio::time::sleep(2 * PACE) => {}
            }
        }
        Ok(text("The time is over."))
    }

    pub(super) async fn prompt(
        &self,
        request: GetPromptRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let GetPromptRequestParams {
            name,
            arguments,
            input_responses,
            request_state,
            ..
        } = request;
        let arguments = Value::Object(arguments.unwrap_or_default());
        let Some(messages) = self.shared.messages.get(&name) else {
            return Err(ErrorData::invalid_params(
                format!("Unknown prompt: {name}"),
                None,
            ));
        };
        let mut scope = Map::from_iter([("arguments".to_owned(), arguments.clone())]);
        if let Some(plan) = self.shared.plans.get(&name) {
            let wish = Wish {
                name: &name,
                arguments: &arguments,
                responses: input_responses,
                state: request_state,
                context,
            };
            match self.round(plan, wish).await? {
                Step::Ask(question) => return Ok(question.into()),
                Step::Unable(why) => return Err(ErrorData::invalid_request(why, None)),
                Step::Answer(answer) => {
                    let said = json!({"content": {"context": answer}});
                    scope.insert("user_context".to_owned(), said);
                }
            }
        }
        let messages = filled(messages, &Value::Object(scope));
        let result: GetPromptResult = complete(json!({"messages": messages}))?;
        Ok(result.into())
    }

    async fn progress(
        &self,
        context: &RequestContext<RoleServer>,
        done: f64,
        message: Option<&str>,
    ) {
        let Some(token) = context.meta.get_progress_token() else {
            return;
        };
        let mut params = ProgressNotificationParam::new(token, done).with_total(100.0);
        params.message = message.map(str::to_owned);
        let _gone = context.peer.notify_progress(params).await;
    }

    /// Says `message` at level `info`, where the session or the request wants that level.
    async fn log(&self, context: &RequestContext<RoleServer>, message: &str) {
        let wanted = match context.meta.protocol_version() {
            Some(_) => context.meta.log_level(),
            None => Some(*held(&self.level)),
        };
        let hears_info = matches!(wanted, Some(LoggingLevel::Debug | LoggingLevel::Info));
        if hears_info {
            let params = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(message))
                .with_logger("cmcp-peers");
            let _gone = context.peer.notify_logging_message(params).await;
        }
    }
}

/// The error for a call that needs what its client has not declared.
pub(super) fn missing(capabilities: Value) -> ErrorData {
    let required: Result<ClientCapabilities, _> = made(capabilities);
    required.map_or_else(|error| error, ErrorData::missing_required_client_capability)
}

pub(super) fn text(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text.into())])
}

pub(super) fn failure(text: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text.into())])
}

/// Ends the stream of this call, where there is one and it can be resumed.
fn hang_up(context: &RequestContext<RoleServer>) {
    if context.meta.protocol_version().is_some() {
        return;
    }
    let parts = context.extensions.get::<http::request::Parts>();
    if let Some(hang_up) = parts.and_then(|parts| parts.extensions.get::<HangUp>()) {
        hang_up.now();
    }
}
