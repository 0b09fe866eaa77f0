//! Uses everything a server offers, once, as the official conformance suite asks clients to.
//!
//! ```sh
//! conformance client --command target/debug/examples/conformance_client --requirements 2026-07-28
//! ```
//!
//! The suite names its scenario and what belongs to it in the environment and appends the server's
//! URL. What is not about authorization is answered by one behaviour: list, call, read, get, and
//! give whatever the server asks for its defaults.

use std::{error::Error, io::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    Server,
    client::{
        HttpClient, HttpTarget, Identity, Timing,
        oauth::{Authority, Client, ClientSettings, Proof, SecretSource, Source},
    },
    fetch::{Fetcher, Listed},
    jose::Algorithm,
    method::{ClientMethod, Method},
    tls::TlsPin,
    upstream::{Answer, Ask, Event, Input, Kind, Reply},
};
use tokio::sync::mpsc;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let url = std::env::args().next_back().ok_or("name a URL")?;
    let variable = |name: &str| {
        let mut all = std::env::vars();
        all.find(|(other, _)| other == name).map(|(_, value)| value)
    };
    let capabilities = parse(CAPABILITIES, &Limits::REQUEST)?;
    let identity = Identity::with_capabilities(capabilities);
    let mut target = HttpTarget::parse(&url, TlsPin::WebPki)?;
    let context = variable("MCP_CONFORMANCE_CONTEXT");
    let context = context.map(|text| parse(text.as_bytes(), &Limits::REQUEST));
    let context = context.transpose()?.unwrap_or(Value::Null);
    if let Some(credential) = credential(&context, &url)? {
        target = target.with_credential(Arc::new(credential));
    }
    let run = Run {
        client: HttpClient::new(target, Timing::default(), identity)?,
        context,
    };
    let outcome = run.everything().await;
    run.client.close().await;
    outcome
}

/// The credentials that the suite hands out, for whichever issuer its server names.
fn credential(context: &Value, url: &str) -> Outcome<Option<Source>> {
    let text = |name: &str| context.get(name).and_then(Value::as_str);
    let secret = text("client_secret").map(str::to_owned);
    let key = text("private_key_pem").map(str::to_owned);
    let proof = match (secret, key) {
        (Some(secret), _) => Proof::Secret {
            secret: SecretSource::fixed(secret),
            method: None,
        },
        (None, Some(key)) => Proof::Key {
            key: SecretSource::fixed(key),
            algorithm: text("signing_algorithm").and_then(Algorithm::parse),
            kid: None,
        },
        (None, None) => return Ok(None),
    };
    let settings = ClientSettings {
        upstream: url.parse()?,
        authority: Authority::OfServer,
        client_id: text("client_id").ok_or("no client id")?.to_owned(),
        proof,
        scope: None,
        resource: None,
    };
    // Everything of the suite is on this machine.
    let here = ["localhost", "127.0.0.1"].map(str::to_owned);
    let fetcher = Fetcher::new(Listed::hosts(here))?;
    let client = Client::new(settings, fetcher, Arc::new(unix_seconds));
    Ok(Some(Source::client(client)))
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own has a clock of its own"
)]
fn unix_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

struct Run {
    client: HttpClient,
    context: Value,
}

impl Run {
    async fn everything(&self) -> Outcome<()> {
        self.client.offers().await?;
        let tools = self.client.list(Kind::Tools).await?.items;
        // The suite names calls itself where arguments matter.
        let named = self.context.get("toolCalls").and_then(Value::as_array);
        match named {
            Some(calls) => {
                for call in calls {
                    let arguments = call.get("arguments").ok_or("no arguments")?;
                    self.call(&tools, name(call)?, arguments.clone()).await?;
                }
            }
            None => {
                for tool in &tools {
                    self.call(&tools, name(tool)?, arguments(tool, &tools))
                        .await?;
                }
            }
        }
        for resource in self.client.list(Kind::Resources).await?.items {
            let uri = resource.get("uri").ok_or("no URI")?;
            self.ask(Method::ResourcesRead, vec![("uri", raw(uri))])
                .await?;
        }
        for prompt in self.client.list(Kind::Prompts).await?.items {
            let name = prompt.get("name").ok_or("no name")?;
            self.ask(Method::PromptsGet, vec![("name", raw(name))])
                .await?;
        }
        Ok(())
    }

    /// Calls a tool, round after round while it asks for input.
    async fn call(&self, tools: &[Value], tool: &str, arguments: Value) -> Outcome<()> {
        let params = vec![
            ("name", raw(&Value::from(tool))),
            ("arguments", raw(&arguments)),
        ];
        let mut answer = self.ask(Method::ToolsCall, params.clone()).await?;
        for _ in 0..MOST_ROUNDS {
            let Some(input) = answer.as_ref().and_then(input) else {
                return Ok(());
            };
            // Another call in between must not carry anything of this one.
            if let Some(other) = tools.iter().find(|t| name(t).is_ok_and(|n| n == UNRELATED)) {
                let params = vec![
                    ("name", raw(&Value::from(name(other)?))),
                    ("arguments", Bytes::from_static(b"{}")),
                ];
                self.ask(Method::ToolsCall, params).await?;
            }
            let again = Ask {
                input: Some(input),
                ..ask(Method::ToolsCall, params.clone())
            };
            answer = self.send(again).await?;
        }
        Err("the server never stops asking".into())
    }

    async fn ask(
        &self,
        method: Method,
        params: Vec<(&'static str, Bytes)>,
    ) -> Outcome<Option<Value>> {
        self.send(ask(method, params)).await
    }

    /// Sends a request and answers what the server asks meanwhile.
    async fn send(&self, ask: Ask) -> Outcome<Option<Value>> {
        let (sender, mut events) = mpsc::channel(16);
        let ask = Ask {
            events: Some(sender),
            progress: true,
            ..ask
        };
        let answering = async {
            while let Some(event) = events.recv().await {
                if let Event::Request(request) = event {
                    let params = request.params.as_ref();
                    let params = params.and_then(|params| parse(params, &Limits::REQUEST).ok());
                    let answer = given(request.method, &params.unwrap_or(Value::Null));
                    // The server may not wait any more.
                    let _ = request.answer.send(Answer::Result(raw(&answer)));
                }
            }
        };
        let (reply, ()) = tokio::join!(self.client.ask(ask), answering);
        let mut out = std::io::stdout();
        match reply? {
            Reply::Result { value, bytes } => {
                out.write_all(&bytes)?;
                writeln!(out)?;
                Ok(Some(value))
            }
            Reply::Error { bytes, .. } => {
                out.write_all(&bytes)?;
                writeln!(out)?;
                Ok(None)
            }
        }
    }
}

fn ask(method: Method, params: Vec<(&'static str, Bytes)>) -> Ask {
    Ask::new(method, params, Duration::from_secs(20), 8 << 20)
}

fn raw(value: &Value) -> Bytes {
    value.to_vec().into()
}

fn name(item: &Value) -> Outcome<&str> {
    Ok(item.get("name").and_then(Value::as_str).ok_or("no name")?)
}

/// What a result asks for, answered; `None` when it asks for nothing.
fn input(result: &Value) -> Option<Input> {
    let kind = result.get("resultType").and_then(Value::as_str);
    kind.filter(|kind| *kind == "input_required")?;
    let requests = result.get("inputRequests").and_then(Value::as_object);
    let mut responses = Object::new();
    for (key, request) in requests.iter().flat_map(|requests| requests.iter()) {
        let method = request.get("method").and_then(Value::as_str)?;
        let method = ClientMethod::parse(method)?;
        let params = request.get("params").cloned().unwrap_or(Value::Null);
        responses.insert(key, given(method, &params));
    }
    Some(Input {
        responses: raw(&Value::Object(responses)),
        state: result.get("requestState").map(raw),
    })
}

/// What a client gives a server that asks.
fn given(method: ClientMethod, params: &Value) -> Value {
    let text = match method {
        ClientMethod::ListRoots => r#"{"roots":[]}"#,
        ClientMethod::Sample => {
            r#"{"role":"assistant","model":"none","content":{"type":"text","text":"ok"}}"#
        }
        ClientMethod::Elicit => {
            let schema = params.get("requestedSchema").unwrap_or(&Value::Null);
            let content = filled(schema, &[]);
            let answer: Object = [("action", Value::from("accept")), ("content", content)].into();
            return Value::Object(answer);
        }
    };
    parse(text.as_bytes(), &Limits::REQUEST).unwrap_or(Value::Null)
}

/// The arguments that a tool needs. One that wants to see another's schema is shown it.
fn arguments(tool: &Value, tools: &[Value]) -> Value {
    let schema = tool.get("inputSchema").unwrap_or(&Value::Null);
    filled(schema, tools)
}

/// An object with every default, and something for whatever else is required.
fn filled(schema: &Value, tools: &[Value]) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let mut object = Object::new();
    for (name, property) in properties.iter().flat_map(|all| all.iter()) {
        let needed = required.is_some_and(|all| all.iter().any(|r| r.as_str() == Some(name)));
        let shown = tools
            .iter()
            .find(|tool| tool.get("name").and_then(Value::as_str) == Some(FOCAL));
        let value = match property.get("default") {
            Some(default) => default.clone(),
            None if name == "schema" && shown.is_some() => {
                let schema = shown.and_then(|tool| tool.get("inputSchema"));
                schema.cloned().unwrap_or(Value::Null)
            }
            None if needed => something(property),
            None => continue,
        };
        object.insert(name, value);
    }
    Value::Object(object)
}

fn something(property: &Value) -> Value {
    match property.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => Value::from(5_u64),
        Some("boolean") => Value::Bool(true),
        Some("array") => Value::Array(Vec::new()),
        Some("object") => Value::Object(Object::new()),
        Some(_) | None => Value::from("text"),
    }
}

const CAPABILITIES: &[u8] =
    br#"{"elicitation":{"form":{"applyDefaults":true}},"sampling":{},"roots":{}}"#;
/// The tool whose schema the suite wants to see again.
const FOCAL: &str = "json_schema_2020_12_tool";
const UNRELATED: &str = "test_mrtr_unrelated";
const MOST_ROUNDS: usize = 8;
