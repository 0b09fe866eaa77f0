//! A small shop, for trying things: customers, their orders, refunds, a stock to count, and an echo;
//! a price list and every order to read and to watch, and a prompt.
//!
//! The data are made up and built in. Refunds are kept in memory and end with the process.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    error::Code,
    method::Method,
    server::{Identity, stdio},
    upstream::{
        Ask, EvidenceClass, Kind, Listing, Observed, Offers, Page, ProtocolFault, Reply, Said,
        Server, Told, UpstreamError, Watch,
    },
    version::Version,
};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::broadcast;

mod arguments;
mod documents;
mod shop;
mod stock;

use arguments::Arguments;
use shop::Shop;

/// The sample server.
#[derive(Debug)]
pub struct Sample {
    shop: Mutex<Shop>,
    /// URIs of the documents whose changes somebody waits for.
    watched: Mutex<BTreeSet<String>>,
    said: broadcast::Sender<Said>,
    closed: AtomicBool,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            shop: Mutex::default(),
            watched: Mutex::default(),
            said: broadcast::Sender::new(SAID_KEPT),
            closed: AtomicBool::new(false),
        }
    }
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

    async fn answer(&self, ask: &Ask) -> Result<Reply, UpstreamError> {
        let arguments = match ask.param("arguments") {
            None => Value::from(Object::new()),
            Some(bytes) => match parse(bytes, &Limits::REQUEST) {
                Ok(value) => value,
                Err(error) => return Ok(invalid(&format!("Invalid params: {error}"))),
            },
        };
        let arguments = Arguments(&arguments);
        match ask.method {
            Method::ToolsCall => self.run(ask, arguments).await,
            Method::ResourcesRead => self.read(ask),
            Method::PromptsGet => self.prompt(ask, arguments),
            Method::CompletionComplete => complete(ask),
            Method::Initialize
            | Method::LoggingSetLevel
            | Method::Ping
            | Method::PromptsList
            | Method::ResourcesList
            | Method::ResourcesSubscribe
            | Method::ResourcesTemplatesList
            | Method::ResourcesUnsubscribe
            | Method::ServerDiscover
            | Method::SubscriptionsListen
            | Method::TasksCancel
            | Method::TasksGet
            | Method::TasksList
            | Method::TasksResult
            | Method::TasksUpdate
            | Method::ToolsList => {
                let refused = rpc_error(Code::MethodNotFound, "Method not found", None);
                Ok(refused)
            }
        }
    }

    async fn run(&self, ask: &Ask, arguments: Arguments<'_>) -> Result<Reply, UpstreamError> {
        let outcome = match text_of(ask, "name").as_str() {
            "count_stock" => stock::count(ask, arguments).await,
            "echo" => echo(arguments),
            "list_orders" => self.shop().list_orders(arguments),
            "lookup_customer" => self.shop().lookup_customer(arguments),
            "refund_order" => {
                let refunded = self.shop().refund_order(arguments);
                if let (Ok(_), Ok(id)) = (&refunded, arguments.text("order_id")) {
                    self.tell_of(&documents::uri_of(id));
                }
                refunded
            }
            _ => return Ok(invalid("Unknown tool")),
        };
        tool_result(outcome, ask.max_bytes)
    }

    fn read(&self, ask: &Ask) -> Result<Reply, UpstreamError> {
        let uri = text_of(ask, "uri");
        match documents::read(&self.shop(), &uri) {
            Some(read) => result(read.into(), ask.max_bytes),
            None => {
                let data = Object::from([("uri", uri)]);
                Ok(rpc_error(
                    Code::InvalidParams,
                    "Resource not found",
                    Some(data),
                ))
            }
        }
    }

    fn prompt(&self, ask: &Ask, arguments: Arguments<'_>) -> Result<Reply, UpstreamError> {
        if text_of(ask, "name") != documents::LETTER {
            return Ok(invalid("Unknown prompt"));
        }
        match documents::letter(&self.shop(), arguments) {
            Ok(prompt) => result(prompt.into(), ask.max_bytes),
            Err(sentence) => Ok(invalid(&format!("Invalid params: {sentence}"))),
        }
    }

    /// Says that a document is another than before, where somebody waits for that.
    fn tell_of(&self, uri: &str) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.contains(uri) {
            let params = Value::from(Object::from([("uri", uri)]));
            // Whoever waited may have gone.
            let _ = self.said.send(Said::ResourceUpdated {
                uri: uri.to_owned(),
                params: params.to_vec().into(),
            });
        }
    }

    fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self) -> Result<(), UpstreamError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(UpstreamError::Closed);
        }
        Ok(())
    }
}

impl Server for Sample {
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        async move {
            self.check_open()?;
            let fault = UpstreamError::Protocol(ProtocolFault::Listing);
            let definitions = definitions(kind);
            let page = parse(definitions, &Limits::DOCUMENT).map_err(|_| fault.clone())?;
            let items = page
                .get(kind.member())
                .and_then(Value::as_array)
                .ok_or(fault)?
                .to_vec();
            let page = Page {
                cursor: None,
                bytes: Bytes::from_static(definitions),
            };
            Ok(Listing {
                pages: vec![page],
                items,
                complete: true,
                generation: GENERATION,
            })
        }
        .boxed()
    }

    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, UpstreamError>> {
        async move {
            self.check_open()?;
            match ask.listed {
                Some(generation) if generation != GENERATION => Err(UpstreamError::Stale),
                Some(_) | None => self.answer(&ask).await,
            }
        }
        .boxed()
    }

    fn watch(&self, wanted: Watch) -> BoxFuture<'_, Result<Watch, UpstreamError>> {
        async move {
            self.check_open()?;
            let resources: BTreeSet<String> = wanted
                .resources
                .into_iter()
                .filter(|uri| documents::exists(uri))
                .collect();
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.clone_from(&resources);
            Ok(Watch {
                resources,
                ..Watch::default()
            })
        }
        .boxed()
    }

    fn tell(&self, _: Told) -> BoxFuture<'_, Result<(), UpstreamError>> {
        async { Ok(()) }.boxed()
    }

    fn said(&self) -> broadcast::Receiver<Said> {
        self.said.subscribe()
    }

    fn offers(&self) -> BoxFuture<'_, Result<Arc<Offers>, UpstreamError>> {
        async {
            let none = || Value::from(Object::new());
            let resources = Object::from([("subscribe", true)]);
            let capabilities = Object::from([
                ("tools", none()),
                ("resources", resources.into()),
                ("prompts", none()),
                ("completions", none()),
            ]);
            Ok(Arc::new(Offers {
                version: Version::V2026_07_28,
                capabilities: capabilities.into(),
                instructions: Self::identity().instructions,
                server_info: None,
            }))
        }
        .boxed()
    }

    fn generation(&self, _: Kind) -> u64 {
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

fn complete(ask: &Ask) -> Result<Reply, UpstreamError> {
    let parsed = |name| parse(ask.param(name)?, &Limits::REQUEST).ok();
    let (about, argument) = (parsed("ref"), parsed("argument"));
    let values = about
        .zip(argument)
        .and_then(|(about, argument)| documents::complete(&about, &argument));
    match values {
        Some(values) => {
            let total = u64::try_from(values.len()).unwrap_or(u64::MAX);
            let completion = Object::from([
                ("values", Value::from(values)),
                ("total", total.into()),
                ("hasMore", false.into()),
            ]);
            result(
                Object::from([("completion", completion)]).into(),
                ask.max_bytes,
            )
        }
        None => Ok(invalid("Invalid params: nothing by that name is completed")),
    }
}

/// The text of a parameter; empty where there is none.
fn text_of(ask: &Ask, name: &str) -> String {
    let value = ask.param(name);
    let value = value.and_then(|value| parse(value, &Limits::REQUEST).ok());
    let text = value.as_ref().and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// A `tools/call` result: the structured content, and the same as text for older clients.
fn tool_result(outcome: Outcome, max_bytes: usize) -> Result<Reply, UpstreamError> {
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
    result(value, max_bytes)
}

fn result(value: Value, max_bytes: usize) -> Result<Reply, UpstreamError> {
    let bytes = Bytes::from(value.to_vec());
    if bytes.len() > max_bytes {
        return Err(UpstreamError::TooLarge { limit: max_bytes });
    }
    Ok(Reply::Result { bytes, value })
}

fn invalid(message: &str) -> Reply {
    rpc_error(Code::InvalidParams, message, None)
}

fn rpc_error(code: Code, message: &str, data: Option<Object>) -> Reply {
    let code = code.value();
    let mut object = Object::from([("code", Value::from(code)), ("message", message.into())]);
    if let Some(data) = data {
        object.insert("data", data);
    }
    let bytes = Value::from(object).to_vec().into();
    Reply::Error {
        code,
        message: message.to_owned(),
        bytes,
    }
}

/// The result of the method that lists a kind, as it goes out.
fn definitions(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Tools => include_bytes!("sample/tools.json"),
        Kind::Resources => include_bytes!("sample/resources.json"),
        Kind::ResourceTemplates => include_bytes!("sample/resource_templates.json"),
        Kind::Prompts => include_bytes!("sample/prompts.json"),
    }
}

/// What is offered never changes while the process runs.
const GENERATION: u64 = 0;
const SAID_KEPT: usize = 64;

#[cfg(test)]
mod tests;
