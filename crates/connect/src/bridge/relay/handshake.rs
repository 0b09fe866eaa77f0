//! What a legacy client's session consists of.

use std::collections::BTreeMap;

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{jsonrpc::Request, method::Method};

use crate::bridge::headers::Session;

/// The state of a legacy client.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Handshake {
    pub(super) session: Session,
    /// The `initialize` that opened the session, to open another when the gateway has lost it.
    pub(super) initialize: Option<(Request, Bytes)>,
    /// The last `logging/setLevel`.
    level: Option<(Request, Bytes)>,
    /// The `resources/subscribe` of every URI, as long as it was not taken back.
    subscribed: BTreeMap<String, (Request, Bytes)>,
}

impl Handshake {
    /// Whether a session remembers that this was asked.
    pub(super) fn is_kept(request: &Request) -> bool {
        matches!(
            Method::parse(&request.method),
            Some(
                Method::LoggingSetLevel | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe
            )
        )
    }

    /// Notes what the session remembers now that the gateway agreed.
    pub(super) fn keep(&mut self, request: &Request, line: &Bytes) {
        let uri = request.params.get("uri").and_then(Value::as_str);
        match (Method::parse(&request.method), uri) {
            (Some(Method::LoggingSetLevel), _) => {
                self.level = Some((request.clone(), line.clone()));
            }
            (Some(Method::ResourcesSubscribe), Some(uri)) => {
                if self.subscribed.len() < MAX_SUBSCRIBED {
                    self.subscribed
                        .insert(uri.to_owned(), (request.clone(), line.clone()));
                }
            }
            (Some(Method::ResourcesUnsubscribe), Some(uri)) => {
                self.subscribed.remove(uri);
            }
            (Some(_) | None, _) => {}
        }
    }

    /// What another session has to be asked to be where this one was.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&Request, &Bytes)> {
        let kept = self.level.iter().chain(self.subscribed.values());
        kept.map(|(request, line)| (request, line))
    }
}

/// Subscriptions that are remembered.
const MAX_SUBSCRIBED: usize = 1_024;
