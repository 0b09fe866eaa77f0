//! A server that lists, answers, and says nothing else.

use std::sync::Arc;

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    upstream::{
        Ask, EvidenceClass, Kind, Listing, Observed, Offers, Page, Reply, Said, Server, Told,
        UpstreamError, Watch,
    },
    version::Version,
};
use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::broadcast;

/// What it does.
pub(crate) trait Plain: Send + Sync {
    /// Its tools.
    fn tools(&self) -> Vec<Value>;

    /// The `result` of a request.
    fn answer(&self, ask: &Ask) -> &'static [u8] {
        let _ = ask;
        br#"{"content":[]}"#
    }

    /// How often its lists have changed.
    fn generation(&self) -> u64 {
        1
    }
}

/// It, as a server.
pub(crate) struct PlainServer<S>(pub(crate) Arc<S>, broadcast::Sender<Said>);

impl<S> PlainServer<S> {
    pub(crate) fn new(server: &Arc<S>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(server), broadcast::Sender::new(8)))
    }
}

impl<S: Plain> Server for PlainServer<S> {
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        async move {
            let generation = self.0.generation();
            if kind != Kind::Tools {
                return Ok(Listing::none(generation));
            }
            let items = self.0.tools();
            let page = Object::from([("tools", Value::Array(items.clone()))]);
            let bytes = Bytes::from(Value::from(page).to_vec());
            Ok(Listing {
                pages: vec![Page {
                    cursor: None,
                    bytes,
                }],
                items,
                complete: true,
                generation,
            })
        }
        .boxed()
    }

    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, UpstreamError>> {
        async move {
            let bytes = Bytes::from_static(self.0.answer(&ask));
            let value = cmcp_json::parse(&bytes, &cmcp_json::Limits::RESPONSE).unwrap();
            Ok(Reply::Result { bytes, value })
        }
        .boxed()
    }

    fn watch(&self, _: Watch) -> BoxFuture<'_, Result<Watch, UpstreamError>> {
        async { Ok(Watch::default()) }.boxed()
    }

    fn tell(&self, _: Told) -> BoxFuture<'_, Result<(), UpstreamError>> {
        async { Ok(()) }.boxed()
    }

    fn said(&self) -> broadcast::Receiver<Said> {
        self.1.subscribe()
    }

    fn offers(&self) -> BoxFuture<'_, Result<Arc<Offers>, UpstreamError>> {
        let offers = Offers {
            version: Version::NEWEST_LEGACY,
            capabilities: Object::from([("tools", Object::new())]).into(),
            instructions: None,
            server_info: None,
        };
        async { Ok(Arc::new(offers)) }.boxed()
    }

    fn generation(&self, _: Kind) -> u64 {
        self.0.generation()
    }

    fn observed(&self) -> Observed {
        Observed {
            endpoint: "plain".to_owned(),
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
        async {}.boxed()
    }
}
