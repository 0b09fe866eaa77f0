//! A server that does as its tools are named.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, parse};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{broadcast, oneshot};

use crate::{
    method::ClientMethod,
    upstream::{
        Answer, Ask, Event, EvidenceClass, Kind, Listing, Observed, Offers, Page, Reply,
        Request as Wanted, Said, Server, Told, UpstreamError, Watch,
    },
    version::Version,
};

/// Echoes arguments; `hang` never answers, `panic` panics, `refuse` gives an error, `gone` fails,
/// `talk` says something of each kind first, and `question` asks the client.
pub(super) struct Fixture {
    pub(super) closed: AtomicBool,
    pub(super) said: broadcast::Sender<Said>,
    pub(super) told: Mutex<Vec<Told>>,
    pub(super) watched: Mutex<BTreeSet<String>>,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            closed: AtomicBool::new(false),
            said: broadcast::Sender::new(16),
            told: Mutex::default(),
            watched: Mutex::default(),
        }
    }
}

pub(super) fn raw(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn result(text: String) -> Reply {
    let value = parse(text.as_bytes(), &Limits::REQUEST).unwrap();
    Reply::Result {
        bytes: text.into(),
        value,
    }
}

async fn talk(ask: &Ask) -> Reply {
    let events = ask.events.as_ref().unwrap();
    for event in [
        Event::Progress(raw(r#"{"progressToken":77,"progress":1e0}"#)),
        Event::Message(raw(r#"{"level":"info","data": "x"}"#)),
    ] {
        events.send(event).await.unwrap();
    }
    result(format!(
        r#"{{"progress":{},"level":"{:?}"}}"#,
        ask.progress, ask.log_level
    ))
}

async fn question(ask: &Ask) -> Reply {
    let (answer, answered) = oneshot::channel();
    let wanted = Wanted {
        method: ClientMethod::Sample,
        params: Some(raw(r#"{"maxTokens": 1}"#)),
        answer,
    };
    let events = ask.events.as_ref().unwrap();
    events.send(Event::Request(wanted)).await.unwrap();
    match answered.await.unwrap() {
        Answer::Result(bytes) => {
            result(format!(r#"{{"said":{}}}"#, String::from_utf8_lossy(&bytes)))
        }
        Answer::Error { code, .. } => result(format!(r#"{{"code":{code}}}"#)),
    }
}

impl Fixture {
    async fn run(&self, ask: Ask) -> Result<Reply, UpstreamError> {
        let named = |member| {
            let found = ask.params.iter().find(|(name, _)| *name == member);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        match &named("name")[..] {
            b"\"hang\"" => std::future::pending().await,
            b"\"panic\"" => panic!("on purpose"),
            b"\"talk\"" => Ok(talk(&ask).await),
            b"\"question\"" => Ok(question(&ask).await),
            b"\"refuse\"" => Ok(Reply::Error {
                code: -32602,
                message: "Unknown tool".into(),
                bytes: raw(r#"{"code":-32602, "message":"Unknown tool"}"#),
            }),
            b"\"gone\"" => Err(UpstreamError::Closed),
            _ => {
                let given = [named("arguments"), named("uri")].concat();
                Ok(result(format!(
                    r#"{{"got": {}}}"#,
                    String::from_utf8_lossy(&given)
                )))
            }
        }
    }
}

impl Server for Fixture {
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        let page = |cursor: Option<&str>, bytes: &'static str| Page {
            cursor: cursor.map(str::to_owned),
            bytes: raw(bytes),
        };
        let pages = match kind {
            Kind::Tools => vec![
                page(None, r#"{"tools":[{"name":"echo"}],"nextCursor":""}"#),
                page(Some(""), r#"{"tools":[ {"name":"hang"} ]}"#),
            ],
            Kind::Resources | Kind::ResourceTemplates | Kind::Prompts => Vec::new(),
        };
        async {
            Ok(Listing {
                pages,
                items: Vec::new(),
                complete: true,
                generation: 0,
            })
        }
        .boxed()
    }

    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, UpstreamError>> {
        self.run(ask).boxed()
    }

    fn watch(&self, wanted: Watch) -> BoxFuture<'_, Result<Watch, UpstreamError>> {
        self.watched.lock().unwrap().clone_from(&wanted.resources);
        async { Ok(wanted) }.boxed()
    }

    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), UpstreamError>> {
        self.told.lock().unwrap().push(told);
        async { Ok(()) }.boxed()
    }

    fn said(&self) -> broadcast::Receiver<Said> {
        self.said.subscribe()
    }

    fn offers(&self) -> BoxFuture<'_, Result<Arc<Offers>, UpstreamError>> {
        async {
            Ok(Arc::new(Offers {
                version: Version::V2026_07_28,
                capabilities: Object::from([("tools", Object::new())]).into(),
                instructions: None,
                server_info: None,
            }))
        }
        .boxed()
    }

    fn generation(&self, _: Kind) -> u64 {
        0
    }

    fn observed(&self) -> Observed {
        Observed {
            endpoint: "fixture".into(),
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
