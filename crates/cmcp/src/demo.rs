//! `cmcp demo`: a gateway with a sample server behind it, three calls, a resource, and their proof.

pub(crate) mod http;
pub(crate) mod say;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use cmcp_evidence::PublicKey;
use cmcp_json::{Limits, Object, Value, parse};

use crate::{demo::http::Answer, init::starter::PolicyFile};

/// The demo's policy.
pub(crate) const POLICY: PolicyFile = PolicyFile {
    name: "demo.cedar",
    text: include_str!("demo/demo.cedar"),
};

/// The configuration of the demo's gateway: everything in one folder, on loopback.
pub(crate) fn config(folder: &Path, listen: SocketAddr) -> String {
    // A JSON string is a double-quoted scalar of YAML.
    let path = |name: &str| Value::from(folder.join(name).to_string_lossy().into_owned());
    format!(
        "# Written by `cmcp demo`.\n\
         attestation:\n  provider: auto\n  enforcement_mode: enforcing\n\
         policy_bundle_path: {}\ncatalog_path: {}\naudit_db_path: {}\nlisten_addr: \"{listen}\"\n",
        path("policies"),
        path("catalog.json"),
        path("audit.db"),
    )
}

/// Why the demo did not go as told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the gateway ended before it listened; the lines above say why")]
    Ended,
    #[error("{} is not empty; choose another folder", .0.display())]
    Folder(PathBuf),
    #[error("the gateway did not answer {what}: {error}")]
    Http {
        what: &'static str,
        error: io::Error,
    },
    #[error("`{0}` is not an address on loopback; write `127.0.0.1:8443`")]
    Listen(String),
    #[error("the system gives no randomness for a folder's name")]
    Randomness,
    #[error("{what} came out otherwise: {found}")]
    Unexpected { what: &'static str, found: String },
}

/// A demo that is running.
pub(crate) struct Demo {
    pub(crate) addr: SocketAddr,
    pub(crate) key: PublicKey,
    pub(crate) folder: PathBuf,
}

/// What a call came to.
pub(crate) struct Called {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Demo {
    /// Posts `tools/call`, as any client without a session does.
    pub(crate) async fn call(
        &self,
        what: &'static str,
        tool: &str,
        arguments: Object,
    ) -> Result<Called, DemoError> {
        let params = Object::from([("name", Value::from(tool)), ("arguments", arguments.into())]);
        let request = Object::from([
            ("jsonrpc", Value::from("2.0")),
            ("id", Value::from(1i64)),
            ("method", Value::from("tools/call")),
            ("params", params.into()),
        ]);
        let answer = self
            .send(what, ("POST", "/mcp"), &[], Some(&request.into()))
            .await?;
        Called::read(what, &answer)
    }

    /// Posts `resources/read`, as a client of the newest revision does.
    pub(crate) async fn read(&self, what: &'static str, uri: &str) -> Result<Called, DemoError> {
        let own = |name| format!("io.modelcontextprotocol/{name}");
        let mut meta = Object::new();
        meta.insert(own("protocolVersion"), REVISION);
        meta.insert(own("clientCapabilities"), Object::new());
        let params = Object::from([("uri", Value::from(uri)), ("_meta", meta.into())]);
        let method = "resources/read";
        let request = Object::from([
            ("jsonrpc", Value::from("2.0")),
            ("id", Value::from(1i64)),
            ("method", Value::from(method)),
            ("params", params.into()),
        ]);
        let headers = [
            ("MCP-Protocol-Version", REVISION),
            ("Mcp-Method", method),
            ("Mcp-Name", uri),
        ];
        let answer = self
            .send(what, ("POST", "/mcp"), &headers, Some(&request.into()))
            .await?;
        Called::read(what, &answer)
    }

    /// Sends a request and takes a success, or nothing.
    pub(crate) async fn fetch(
        &self,
        what: &'static str,
        method: &str,
        path: &str,
    ) -> Result<Vec<u8>, DemoError> {
        let answer = self.send(what, (method, path), &[], None).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Err(DemoError::Unexpected {
            what,
            found: format!("HTTP {}: {text}", answer.status),
        })
    }

    async fn send(
        &self,
        what: &'static str,
        line: (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, DemoError> {
        http::request(self.addr, line, headers, body)
            .await
            .map_err(|error| DemoError::Http { what, error })
    }
}

impl Called {
    fn read(what: &'static str, answer: &Answer) -> Result<Self, DemoError> {
        let body =
            parse(&answer.body, &Limits::RESPONSE).map_err(|error| DemoError::Unexpected {
                what,
                found: format!("an answer that is no JSON ({error})"),
            })?;
        Ok(Self {
            status: answer.status,
            body,
        })
    }

    /// The text of the first content of a resource.
    pub(crate) fn text(&self) -> Option<&str> {
        let contents = self.body.get("result")?.get("contents")?;
        contents.as_array()?.first()?.get("text")?.as_str()
    }

    /// The session the call belonged to.
    pub(crate) fn session(&self) -> Option<&str> {
        self.body
            .get("result")?
            .get("_cmcp")?
            .get("session_id")?
            .as_str()
    }

    /// The structured content of the result.
    pub(crate) fn structured(&self) -> Option<&Value> {
        self.body.get("result")?.get("structuredContent")
    }

    /// The code and the advice of a refusal.
    pub(crate) fn refusal(&self) -> Option<(&str, Option<&Value>)> {
        let data = self.body.get("error")?.get("data")?;
        Some((data.get("error_code")?.as_str()?, data.get("advice")))
    }

    /// What else a step may have brought, in one line.
    pub(crate) fn found(&self) -> String {
        format!("HTTP {} {}", self.status, self.body)
    }
}

/// The revision of the protocol that needs no handshake.
const REVISION: &str = "2026-07-28";

#[cfg(test)]
mod tests;
