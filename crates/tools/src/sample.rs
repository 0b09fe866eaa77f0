//! A small shop, for trying things: customers, their orders, refunds, and an echo.
//!
//! The data are made up and built in. Refunds are kept in memory and end with the process.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    server::{Identity, stdio},
    upstream::{
        EvidenceClass, Listing, Observed, Page, ProtocolFault, Server, ToolCall, ToolReply,
        UpstreamError,
    },
};
use futures_util::future::{BoxFuture, FutureExt as _};

mod arguments;
mod shop;

use arguments::Arguments;
use shop::Shop;

/// The sample server.
#[derive(Debug, Default)]
pub struct Sample {
    shop: Mutex<Shop>,
    closed: AtomicBool,
}

impl Sample {
    /// A shop nobody has been in yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who it says it is.
    #[must_use]
    pub fn identity() -> Identity {
        Identity {
            name: "cmcp-sample".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: Some(
                "A made-up shop. Look customers up by an id such as C-1001.".to_owned(),
            ),
        }
    }

    fn run(&self, call: &ToolCall) -> Result<ToolReply, UpstreamError> {
        let arguments = match &call.arguments {
            None => Value::from(Object::new()),
            Some(bytes) => match parse(bytes, &Limits::REQUEST) {
                Ok(value) => value,
                Err(error) => return Ok(rpc_error(&format!("Invalid params: {error}"))),
            },
        };
        let arguments = Arguments(&arguments);
        let mut shop = self.shop.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match call.name.as_str() {
            "echo" => echo(arguments),
            "list_orders" => shop.list_orders(arguments),
            "lookup_customer" => shop.lookup_customer(arguments),
            "refund_order" => shop.refund_order(arguments),
            _ => return Ok(rpc_error("Unknown tool")),
        };
        result(outcome, call.max_bytes)
    }
}

impl Server for Sample {
    fn list(&self) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        async {
            if self.closed.load(Ordering::SeqCst) {
                return Err(UpstreamError::Closed);
            }
            let fault = UpstreamError::Protocol(ProtocolFault::Listing);
            let page = parse(DEFINITIONS, &Limits::DOCUMENT).map_err(|_| fault.clone())?;
            let tools = page
                .get("tools")
                .and_then(Value::as_array)
                .ok_or(fault)?
                .to_vec();
            let page = Page {
                cursor: None,
                bytes: Bytes::from_static(DEFINITIONS),
            };
            Ok(Listing {
                pages: vec![page],
                tools,
                complete: true,
                generation: GENERATION,
            })
        }
        .boxed()
    }

    fn call(&self, call: ToolCall) -> BoxFuture<'_, Result<ToolReply, UpstreamError>> {
        async move {
            if self.closed.load(Ordering::SeqCst) {
                return Err(UpstreamError::Closed);
            }
            match call.listed {
                Some(generation) if generation != GENERATION => Err(UpstreamError::Stale),
                Some(_) | None => self.run(&call),
            }
        }
        .boxed()
    }

    fn generation(&self) -> u64 {
        GENERATION
    }

    fn observed(&self) -> Observed {
        Observed {
            endpoint: "in-process:cmcp-sample".to_owned(),
            evidence: EvidenceClass::HashOnly,
            version: None,
            files: Vec::new(),
            confinement: None,
            downgrades: 0,
            dropped: 0,
            refused: 0,
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.closed.store(true, Ordering::SeqCst);
        async {}.boxed()
    }
}

/// Serves the shop on this process's standard input and output until the input ends.
///
/// # Errors
/// When input or output fails.
pub async fn serve_stdio() -> io::Result<()> {
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    stdio::serve(Arc::new(Sample::new()), Sample::identity(), input, output).await
}

/// What a tool came to: a structured result, or a sentence for the model to act on.
type Outcome = Result<Object, String>;

fn echo(arguments: Arguments<'_>) -> Outcome {
    let message = arguments.text("message")?;
    arguments.nothing_else(&["message"])?;
    Ok(Object::from([("message", message)]))
}

/// A `tools/call` result: the structured content, and the same as text for older clients.
fn result(outcome: Outcome, max_bytes: usize) -> Result<ToolReply, UpstreamError> {
    let text = |text: String| -> Value {
        vec![Object::from([("type", "text".to_owned()), ("text", text)])].into()
    };
    let value: Value = match outcome {
        Ok(structured) => {
            let structured = Value::from(structured);
            Object::from([
                ("content", text(structured.to_string())),
                ("structuredContent", structured),
            ])
        }
        Err(sentence) => {
            Object::from([("content", text(sentence)), ("isError", Value::Bool(true))])
        }
    }
    .into();
    let bytes = Bytes::from(value.to_vec());
    if bytes.len() > max_bytes {
        return Err(UpstreamError::TooLarge { limit: max_bytes });
    }
    Ok(ToolReply::Result { bytes, value })
}

fn rpc_error(message: &str) -> ToolReply {
    let code = cmcp_mcp::error::Code::InvalidParams.value();
    let object = Object::from([("code", Value::from(code)), ("message", message.into())]);
    let bytes = Value::from(object).to_vec().into();
    ToolReply::Error {
        code,
        message: message.to_owned(),
        bytes,
    }
}

/// The result of `tools/list`, as it goes out.
const DEFINITIONS: &[u8] = include_bytes!("sample/tools.json");
/// The tools never change while the process runs.
const GENERATION: u64 = 0;

#[cfg(test)]
mod tests;
