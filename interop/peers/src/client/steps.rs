use std::time::Duration;

use rmcp::{
    model::{
        CallToolRequest, CallToolRequestParams, ClientRequest, GetPromptRequestParams, JsonObject,
        ReadResourceRequestParams,
    },
    service::{PeerRequestOptions, ServiceError},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Connection, Watcher, plain};

/// How often an answer that is not yet the one waited for is asked again, and how soon.
const TRIES: usize = 100;
const PACE: Duration = Duration::from_millis(50);

/// One thing to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Step {
    /// List everything of one kind, all pages.
    List {
        /// The kind.
        of: Kind,
    },
    /// Call a tool.
    Call {
        /// The tool.
        name: String,
        /// What it is given.
        arguments: JsonObject,
        /// Whether the progress it reports is part of the answer.
        #[serde(default)]
        progress: bool,
        /// The text to wait for, calling again.
        until: Option<String>,
    },
    /// Call a tool and cancel the call when it first reports progress.
    Cancel {
        /// The tool.
        name: String,
        /// What it is given.
        arguments: JsonObject,
    },
    /// Read a resource.
    Read {
        /// The resource.
        uri: String,
    },
    /// Get a prompt.
    Get {
        /// The prompt.
        name: String,
        /// What it is given.
        arguments: JsonObject,
    },
}

/// What can be listed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl Step {
    /// Takes the step; an error that the server answered is a result.
    pub(super) async fn take(
        &self,
        client: &Connection,
        watcher: &Watcher,
    ) -> Result<Value, ServiceError> {
        match self.result(client, watcher).await {
            Err(ServiceError::McpError(error)) => Ok(json!({"error": error})),
            other => other,
        }
    }

    pub(super) const fn reports_progress(&self) -> bool {
        matches!(self, Self::Call { progress: true, .. })
    }

    async fn result(&self, client: &Connection, watcher: &Watcher) -> Result<Value, ServiceError> {
        match self {
            Self::List { of } => {
                let items = match of {
                    Kind::Tools => plain(&client.list_all_tools().await?),
                    Kind::Prompts => plain(&client.list_all_prompts().await?),
                    Kind::Resources => plain(&client.list_all_resources().await?),
                    Kind::Templates => plain(&client.list_all_resource_templates().await?),
                };
                Ok(json!({"items": items}))
            }
            Self::Call {
                name,
                arguments,
                until,
                ..
            } => {
                let mut result = Value::Null;
                for _ in 0..TRIES {
                    result = plain(&client.call_tool(call(name, arguments)).await?);
                    if until.as_ref().is_none_or(|text| says(&result, text)) {
                        break;
                    }
                    tokio::time::sleep(PACE).await;
                }
                Ok(json!({"result": result}))
            }
            Self::Cancel { name, arguments } => {
                let request =
                    ClientRequest::CallToolRequest(CallToolRequest::new(call(name, arguments)));
                let options = PeerRequestOptions::no_options();
                let begun = watcher.progress();
                let handle = client.send_cancellable_request(request, options).await?;
                begun.await;
                handle.cancel(Some("interop".to_owned())).await?;
                Ok(json!({"cancelled": true}))
            }
            Self::Read { uri } => {
                let result = client
                    .read_resource(ReadResourceRequestParams::new(uri))
                    .await?;
                Ok(json!({"result": result}))
            }
            Self::Get { name, arguments } => {
                let params = GetPromptRequestParams::new(name).with_arguments(arguments.clone());
                Ok(json!({"result": client.get_prompt(params).await?}))
            }
        }
    }
}

fn call(name: &str, arguments: &JsonObject) -> CallToolRequestParams {
    CallToolRequestParams::new(name.to_owned()).with_arguments(arguments.clone())
}

fn says(result: &Value, text: &str) -> bool {
    let blocks = result.get("content").and_then(Value::as_array);
    let mut blocks = blocks.into_iter().flatten();
    blocks.any(|block| block.get("text").and_then(Value::as_str) == Some(text))
}
