//! Clients of both eras.

use std::sync::atomic::{AtomicU64, Ordering};

use cmcp_json::Value;

pub(crate) use crate::incoming::{Event, Got, Incoming};
use crate::support::{Gateway, json};

/// A client of the legacy era.
pub(crate) struct Session<'g> {
    gateway: &'g Gateway,
    token: &'static str,
    pub(crate) id: String,
    next: AtomicU64,
}

impl<'g> Session<'g> {
    pub(crate) fn open(gateway: &'g Gateway, token: &'static str, capabilities: &str) -> Self {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"clientInfo":{{"name":"t","version":"1"}}}}}}"#
        );
        let answer = gateway.post_as(token, body.as_bytes(), &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.header("mcp-session-id").unwrap().to_owned();
        let session = Self {
            gateway,
            token,
            id,
            next: AtomicU64::new(1),
        };
        assert_eq!(session.notify("notifications/initialized", "{}"), 202);
        session
    }

    /// Sends a request, under an id of its own.
    pub(crate) fn send(&self, method: &str, params: &str) -> Incoming<'g> {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        self.send_as(&id.to_string(), method, params)
    }

    pub(crate) fn send_as(&self, id: &str, method: &str, params: &str) -> Incoming<'g> {
        self.post(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&self, method: &str, params: &str) -> Got {
        self.send(method, params).answer()
    }

    /// Calls a tool that takes a text.
    pub(crate) fn call(&self, tool: &str) -> Got {
        self.ask("tools/call", &calling(tool))
    }

    /// Answers a question of the gateway's.
    pub(crate) fn respond(&self, question: &Value, result: &str) -> u16 {
        let id = question.get("id").unwrap();
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        self.post(&body).status()
    }

    pub(crate) fn notify(&self, method: &str, params: &str) -> u16 {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        self.post(&body).status()
    }

    pub(crate) fn post(&self, body: &str) -> Incoming<'g> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Accept", "application/json, text/event-stream"),
            ("Content-Type", "application/json"),
            ("Mcp-Session-Id", &self.id),
            ("MCP-Protocol-Version", "2025-11-25"),
        ];
        Incoming::open(self.gateway, "POST /mcp", &headers, body.as_bytes())
    }

    /// The stream of what belongs to no request, or one that is taken up again.
    pub(crate) fn get(&self, behind: Option<&str>) -> Incoming<'g> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("Authorization", bearer.as_str()),
            ("Accept", "text/event-stream"),
            ("Mcp-Session-Id", &self.id),
            ("MCP-Protocol-Version", "2025-11-25"),
        ];
        headers.extend(behind.map(|id| ("Last-Event-ID", id)));
        Incoming::open(self.gateway, "GET /mcp", &headers, b"")
    }

    /// Ends the session; the HTTP status.
    pub(crate) fn delete(&self) -> u16 {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Mcp-Session-Id", &self.id),
        ];
        Incoming::open(self.gateway, "DELETE /mcp", &headers, b"").status()
    }
}

/// A client of the modern era.
#[derive(Clone)]
pub(crate) struct Modern<'g> {
    gateway: &'g Gateway,
    token: &'static str,
    capabilities: String,
    meta: String,
}

impl<'g> Modern<'g> {
    pub(crate) fn new(gateway: &'g Gateway, token: &'static str) -> Self {
        Self {
            gateway,
            token,
            capabilities: "{}".to_owned(),
            meta: String::new(),
        }
    }

    pub(crate) fn declaring(self, capabilities: &str) -> Self {
        Self {
            capabilities: capabilities.to_owned(),
            ..self
        }
    }

    /// More members of `_meta`.
    pub(crate) fn saying(self, meta: &str) -> Self {
        Self {
            meta: format!(",{meta}"),
            ..self
        }
    }

    pub(crate) fn send(&self, method: &str, params: &str) -> Incoming<'g> {
        self.send_as("1", method, params)
    }

    pub(crate) fn send_as(&self, id: &str, method: &str, params: &str) -> Incoming<'g> {
        let (capabilities, meta) = (&self.capabilities, &self.meta);
        let meta = format!(
            r#"{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}{meta}}}"#
        );
        let inner = params.strip_prefix('{').unwrap().trim();
        let comma = if inner == "}" { "" } else { "," };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{meta}{comma}{inner}}}"#
        );
        let named = match method {
            "resources/read" => "uri",
            method if method.starts_with("tasks/") => "taskId",
            _ => "name",
        };
        let name = json(params);
        let name = name.get(named).and_then(Value::as_str).unwrap_or_default();
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("Authorization", bearer.as_str()),
            ("Accept", "application/json, text/event-stream"),
            ("Content-Type", "application/json"),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", method),
        ];
        if !name.is_empty() {
            headers.push(("Mcp-Name", name));
        }
        Incoming::open(self.gateway, "POST /mcp", &headers, body.as_bytes())
    }

    pub(crate) fn ask(&self, method: &str, params: &str) -> Got {
        self.send(method, params).answer()
    }

    pub(crate) fn call(&self, tool: &str) -> Got {
        self.ask("tools/call", &calling(tool))
    }

    /// The same call again, with the state that it was given and these answers.
    pub(crate) fn call_again(&self, tool: &str, state: &Value, answers: &str) -> Got {
        self.ask("tools/call", &again(&calling(tool), state, answers))
    }
}

/// Parameters with a request's state and answers.
pub(crate) fn again(params: &str, state: &Value, answers: &str) -> String {
    let inner = params.strip_suffix('}').unwrap();
    format!(r#"{inner},"requestState":{state},"inputResponses":{answers}}}"#)
}

/// Parameters of a call with one text.
pub(crate) fn calling(tool: &str) -> String {
    format!(r#"{{"name":"{tool}","arguments":{{"text":"hello"}}}}"#)
}

pub(crate) fn method_of(message: &Value) -> &str {
    let method = message.get("method").and_then(Value::as_str);
    method.unwrap_or_default()
}

/// A member by its path; null where there is none.
pub(crate) fn at(value: &Value, path: &str) -> Value {
    let found = path.split('.').try_fold(value, |value, name| {
        match (value.as_array(), name.parse::<usize>()) {
            (Some(all), Ok(index)) => all.get(index),
            _ => value.get(name),
        }
    });
    found.cloned().unwrap_or(Value::Null)
}
