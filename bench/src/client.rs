//! A client of one connection, in either era, as small as one can be.

use std::net::SocketAddr;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::{HeaderValue, StatusCode, header, request::Builder};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming};

use crate::wire::{self, Fault, Sender};

/// Where MCP is served, and how to speak there.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Where MCP is served; the path is `/mcp`.
    #[arg(long)]
    pub(crate) to: SocketAddr,
    #[arg(long)]
    bearer: Option<String>,
    #[arg(long, value_enum, default_value_t = Dialect::Modern)]
    pub(crate) dialect: Dialect,
}

/// What the requests look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// Revision 2026-07-28.
    Modern,
    /// Revision 2025-11-25: a handshake first.
    Legacy,
    /// A bare POST that never negotiated, as the Python cMCP expects it.
    Plain,
}

/// A call of a tool that takes a message.
pub(crate) struct Call<'a> {
    pub(crate) id: u64,
    pub(crate) tool: &'a str,
    pub(crate) message: &'a str,
    /// Whether to ask for progress.
    pub(crate) progress: bool,
}

/// One connection, and the session that was made on it.
pub(crate) struct Client {
    target: Target,
    sender: Sender,
    session: Option<HeaderValue>,
}

impl Target {
    /// Connects, and shakes hands where that is done.
    pub(crate) async fn client(&self) -> Result<Client, Fault> {
        let mut client = Client {
            sender: wire::connect(self.to).await?,
            target: self.clone(),
            session: None,
        };
        if self.dialect == Dialect::Legacy {
            client.shake_hands().await?;
        }
        Ok(client)
    }

    fn request(&self, method: http::Method) -> Builder {
        let request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header(header::HOST, self.to.to_string());
        match &self.bearer {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }
}

impl Client {
    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Calls a tool; its answer is still to be read.
    pub(crate) async fn call(&mut self, call: &Call<'_>) -> Result<Response<Incoming>, Fault> {
        let request = self.posted().body(body(&self.target, call))?;
        let request = match self.target.dialect {
            Dialect::Modern => modern(request, call.tool)?,
            Dialect::Legacy | Dialect::Plain => request,
        };
        self.send(request).await
    }

    /// Opens the stream of what belongs to no request.
    pub(crate) async fn listen(&mut self) -> Result<Response<Incoming>, Fault> {
        let request = self.target.request(http::Method::GET);
        let request = self
            .in_session(request)
            .header(header::ACCEPT, "text/event-stream")
            .body(Full::default())?;
        let answer = self.send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(format!("the stream was answered with {status}").into()),
        }
    }

    async fn shake_hands(&mut self) -> Result<(), Fault> {
        let request = self.posted().body(Full::from(INITIALIZE))?;
        let answer = self.send(request).await?;
        let session = answer.headers().get(SESSION).cloned();
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK {
            return Err(format!("{status} {}", String::from_utf8_lossy(&said)).into());
        }
        self.session = session;
        let request = self.in_session(self.posted());
        let answer = self.send(request.body(Full::from(INITIALIZED))?).await?;
        answer.into_body().collect().await?;
        Ok(())
    }

    fn posted(&self) -> Builder {
        let request = self
            .target
            .request(http::Method::POST)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        self.in_session(request)
    }

    fn in_session(&self, request: Builder) -> Builder {
        match &self.session {
            Some(session) => request
                .header(SESSION, session)
                .header(VERSION, "2025-11-25"),
            None => request,
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Fault> {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}

fn body(target: &Target, call: &Call<'_>) -> Full<Bytes> {
    let Call {
        id, tool, message, ..
    } = call;
    let mut meta = Vec::new();
    if target.dialect == Dialect::Modern {
        meta.push(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#.to_owned());
    }
    if call.progress {
        meta.push(format!(r#""progressToken":{id}"#));
    }
    let meta = match meta.is_empty() {
        true => String::new(),
        false => format!(r#","_meta":{{{}}}"#, meta.join(",")),
    };
    Full::from(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{message}"}}{meta}}}}}"#
    ))
}

fn modern(mut request: Request<Full<Bytes>>, tool: &str) -> Result<Request<Full<Bytes>>, Fault> {
    let headers = request.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static("2026-07-28"));
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert("mcp-name", HeaderValue::from_str(tool)?);
    Ok(request)
}

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
