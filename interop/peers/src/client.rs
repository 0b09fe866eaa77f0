//! A client of the Rust SDK that does what a job says and reports what it received at each step.

mod steps;

use std::{
    collections::BTreeMap,
    io,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderName, HeaderValue};
use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServiceExt,
    model::{
        ClientConfig, ElicitRequestParams, ElicitResult, ErrorCode, ProgressNotificationParam,
        ProtocolVersion,
    },
    service::{
        ClientInitializeError, ClientLifecycleMode, ClientServiceExt, NotificationContext,
        RequestContext, RunningService, ServiceError,
    },
    transport::{
        StreamableHttpClientTransport, TokioChildProcess,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    process::Command,
    sync::{Notify, futures::Notified},
};

pub use self::steps::Step;

/// What to connect to, what to do there, and what to answer when asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    target: Target,
    steps: Vec<Step>,
    answer: Value,
}

impl Job {
    /// A job as the suites write it.
    #[expect(clippy::disallowed_methods, reason = "written by our own suites")]
    pub fn read(text: &str) -> Result<Self, JobError> {
        Ok(serde_json::from_str(text)?)
    }
}

/// A server, or a gateway in front of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Target {
    Http {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Stdio {
        command: String,
        args: Vec<String>,
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
}

/// How the client begins.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Era {
    /// With the handshake.
    Legacy,
    /// With `server/discover`, and with the handshake where that is unknown.
    Auto,
}

/// Why a job came to no end.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The job is not what the suites write.
    #[error("cannot read the job: {0}")]
    Job(#[from] serde_json::Error),
    /// The server cannot be started.
    #[error("cannot start the server: {0}")]
    Start(#[from] io::Error),
    /// A header of the job is none.
    #[error("cannot send the header: {0}")]
    Header(#[from] http::Error),
    /// The two did not come together.
    #[error("cannot connect: {0}")]
    Connect(#[from] Box<ClientInitializeError>),
    /// A step failed with something other than an answer of the server.
    #[error("a step failed: {0}")]
    Step(#[from] ServiceError),
}

type Connection = RunningService<RoleClient, Watcher>;

/// Does the job and returns what was received, with the version that was spoken.
pub async fn run(job: Job, era: Era) -> Result<Value, JobError> {
    let Job {
        target,
        steps,
        answer,
    } = job;
    let watcher = Watcher::new(answer);
    let client = connect(target, era, watcher.clone()).await?;
    let mut results = Vec::new();
    for step in steps {
        watcher.seen().clear();
        let mut result = step.take(&client, &watcher).await?;
        let seen = std::mem::take(&mut *watcher.seen());
        if let Some(members) = result.as_object_mut() {
            if !seen.asked.is_empty() {
                members.insert("asked".to_owned(), Value::Array(seen.asked));
            }
            if step.reports_progress() {
                members.insert("progress".to_owned(), Value::Array(seen.progress));
            }
        }
        results.push(result);
    }
    let version = client.peer_info().map(|info| info.protocol_version.clone());
    Ok(json!({"version": version, "results": results}))
}

async fn connect(target: Target, era: Era, watcher: Watcher) -> Result<Connection, JobError> {
    let connected = match target {
        Target::Http { url, headers } => {
            let mut config = StreamableHttpClientTransportConfig::with_uri(url);
            for (name, value) in headers {
                let name = HeaderName::try_from(name).map_err(http::Error::from)?;
                let value = HeaderValue::try_from(value).map_err(http::Error::from)?;
                config.custom_headers.insert(name, value);
            }
            let transport = StreamableHttpClientTransport::from_config(config);
            match era {
                Era::Legacy => watcher.serve(transport).await,
                Era::Auto => watcher.serve_with_lifecycle(transport, auto()).await,
            }
        }
        Target::Stdio { command, args, env } => {
            let mut program = Command::new(command);
            program.args(args).envs(env);
            let (transport, _) = TokioChildProcess::builder(program)
                .stderr(Stdio::null())
                .spawn()?;
            match era {
                Era::Legacy => watcher.serve(transport).await,
                Era::Auto => watcher.serve_with_lifecycle(transport, auto()).await,
            }
        }
    };
    connected.map_err(|error| JobError::Connect(Box::new(error)))
}

fn auto() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    }
}

/// Hears what the server says and asks while a step is taken.
#[derive(Clone)]
pub(crate) struct Watcher {
    answer: Arc<Value>,
    seen: Arc<Mutex<Seen>>,
    reported: Arc<Notify>,
}

#[derive(Default)]
struct Seen {
    asked: Vec<Value>,
    progress: Vec<Value>,
}

impl Seen {
    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Watcher {
    fn new(answer: Value) -> Self {
        Self {
            answer: Arc::new(answer),
            seen: Arc::default(),
            reported: Arc::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a report of progress that comes after this was called, awaited or not.
    pub(crate) fn progress(&self) -> Notified<'_> {
        self.reported.notified()
    }
}

impl ClientHandler for Watcher {
    fn get_info(&self) -> ClientConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "cmcp-peers", "version": env!("CARGO_PKG_VERSION")},
        });
        serde_json::from_value(info).unwrap_or_default()
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = plain(&request);
        let mut answer = (*self.answer).clone();
        // Only what the form asks for.
        let form = asked.pointer("/requestedSchema/properties");
        if let Some(content) = answer.get_mut("content").and_then(Value::as_object_mut) {
            content.retain(|name, _| form.is_some_and(|form| form.get(name).is_some()));
        }
        self.seen().asked.push(asked);
        serde_json::from_value(answer)
            .map_err(|error| ErrorData::new(ErrorCode::INTERNAL_ERROR, error.to_string(), None))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let ProgressNotificationParam {
            progress,
            total,
            message,
            ..
        } = params;
        let report = json!({"progress": progress, "total": total, "message": message});
        self.seen().progress.push(report);
        self.reported.notify_waiters();
    }
}

pub(crate) fn plain(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
