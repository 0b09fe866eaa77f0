//! The upstream of the conformance suite: its tools, prompts and resources under the names that the
//! suite looks for. What they say is data, below `server/data`; in the handshake era a tool that needs
//! something asks the client for it, in the stateless era its result says what is missing.

mod answers;
mod http;
mod jobs;
mod rounds;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
        CompleteResult, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult,
        ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
        LoggingLevel, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, RequestStateCodec, RequestStateError, ServerConfig,
        SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
        UnsubscribeRequestParams, UpdateTaskParams,
    },
    service::{RequestContext, SubscriptionContext, SubscriptionSink},
    task_manager::TaskManager,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use self::http::serve;
use self::rounds::Plan;

/// Why the upstream could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// A file below `server/data` does not fit the types of the SDK.
    #[error("cannot read the definitions: {0}")]
    Definitions(#[from] serde_json::Error),
    /// The key for request states.
    #[error("cannot seal request states: {0}")]
    Seal(#[from] RequestStateError),
}

/// One session with the upstream, or one request where there are no sessions.
#[derive(Clone)]
pub struct Fixture {
    shared: Arc<Shared>,
    level: Arc<Mutex<LoggingLevel>>,
    /// The resources this session subscribed to, in the handshake era.
    subscribed: Arc<Mutex<BTreeSet<String>>>,
}

struct Shared {
    tools: Vec<Tool>,
    prompts: Value,
    messages: Map<String, Value>,
    resources: Value,
    answers: Map<String, Value>,
    plans: BTreeMap<String, Plan>,
    seal: RequestStateCodec,
    jobs: TaskManager,
    listening: Mutex<Vec<SubscriptionSink>>,
    cancelled: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Fixture").finish_non_exhaustive()
    }
}

impl Fixture {
    /// The upstream with its definitions, and no session yet.
    pub fn new() -> Result<Self, FixtureError> {
        let shared = Shared {
            tools: tools()?,
            prompts: parsed(include_str!("server/data/prompts.json"))?,
            messages: parsed(include_str!("server/data/messages.json"))?,
            resources: parsed(include_str!("server/data/resources.json"))?,
            answers: parsed(include_str!("server/data/answers.json"))?,
            plans: parsed(include_str!("server/data/rounds.json"))?,
            // Nothing that is sealed is secret, and one process opens what it sealed.
            seal: RequestStateCodec::try_new(*b"cmcp-peers: no secret, only a key")?,
            jobs: TaskManager::new(),
            listening: Mutex::default(),
            cancelled: Mutex::default(),
        };
        Ok(Self::over(Arc::new(shared)))
    }

    /// A further session with the same upstream.
    #[must_use]
    pub fn session(&self) -> Self {
        Self::over(self.shared.clone())
    }

    fn over(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            level: Arc::new(Mutex::new(LoggingLevel::Debug)),
            subscribed: Arc::default(),
        }
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {
                "completions": {},
                "logging": {},
                "prompts": {"listChanged": true},
                "resources": {"listChanged": true, "subscribe": true},
                "tools": {"listChanged": true},
                "extensions": {"io.modelcontextprotocol/tasks": {}},
            },
            "serverInfo": {"name": "cmcp-peers", "version": env!("CARGO_PKG_VERSION")},
            "instructions": "An upstream for conformance tests.",
        });
        made(info).unwrap_or_default()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.shared.tools.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let mut tools = self.shared.tools.iter();
        tools.find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request, &context).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        complete(json!({"prompts": self.shared.prompts}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.prompt(request, &context).await
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        complete(json!({"resources": self.shared.resources.get("resources")}))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        complete(json!({"resourceTemplates": self.shared.resources.get("templates")}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let contents = self.shared.resources.get("contents");
        let found = match contents.and_then(|contents| contents.get(&uri)) {
            Some(found) => found.clone(),
            None => from_template(&uri).ok_or_else(|| {
                ErrorData::resource_not_found("Resource not found", Some(json!({"uri": uri})))
            })?,
        };
        let read: ReadResourceResult = complete(json!({"contents": [found]}))?;
        Ok(read.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let typed = request.argument.value;
        let words = [
            "paris",
            "park",
            "party",
            "test",
            "testValue1",
            "testValue2",
            "123",
        ];
        let fitting: Vec<_> = words
            .into_iter()
            .filter(|word| word.starts_with(&typed))
            .collect();
        let completion = json!({"values": fitting, "total": fitting.len(), "hasMore": false});
        complete(json!({"completion": completion}))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *held(&self.level) = request.level;
        Ok(())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        held(&self.subscribed).insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        held(&self.subscribed).remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let sink = subscription.sink().clone();
        let id = sink.id().clone();
        held(&self.shared.listening).push(sink);
        subscription.cancelled().await;
        held(&self.shared.listening).retain(|sink| *sink.id() != id);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let task = self.shared.jobs.get_task(&request.task_id)?;
        Ok(GetTaskResult::new(task))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let UpdateTaskParams {
            task_id,
            input_responses,
            ..
        } = request;
        self.shared.jobs.update_task(&task_id, input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.shared.jobs.cancel_task(&request.task_id)
    }
}

/// What stands at a URI that fits `test://template/{id}/data`.
fn from_template(uri: &str) -> Option<Value> {
    let id = uri
        .strip_prefix("test://template/")?
        .strip_suffix("/data")
        .filter(|id| !id.is_empty() && !id.contains('/'))?;
    let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
    Some(json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()}))
}

/// The definitions of the tools. None of them does anything, and an absent schema means that a tool
/// takes no arguments.
fn tools() -> Result<Vec<Tool>, serde_json::Error> {
    let definitions: Vec<Map<String, Value>> = parsed(include_str!("server/data/tools.json"))?;
    let completed = definitions.into_iter().map(|mut definition| {
        let schema = definition.entry("inputSchema");
        schema.or_insert_with(|| json!({"type": "object", "properties": {}}));
        definition.insert("annotations".to_owned(), json!({"readOnlyHint": true}));
        serde_json::from_value(Value::Object(definition))
    });
    completed.collect()
}

#[expect(clippy::disallowed_methods, reason = "files of our own, compiled in")]
fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

/// A value as one of the SDK's types.
fn made<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// The same for a result, which the stateless era wants marked; the SDK leaves the mark out in the other.
fn complete<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    if let Some(members) = result.as_object_mut() {
        members.insert("resultType".to_owned(), json!("complete"));
    }
    made(result)
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
