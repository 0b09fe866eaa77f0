//! What the server is to tell of, and what it said that it would.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cmcp_json::Value;
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

use super::{
    Inner,
    ask::Failure,
    negotiate::{Peer, Stream},
};
use crate::{
    client::{handshake, outgoing::own_params},
    jsonrpc::Outcome,
    upstream::{UpstreamError, Watch},
};

/// Wishes and answers are numbered, so that an answer is not taken for that of a later wish.
#[derive(Debug, Default)]
pub(super) struct Watching {
    one: Mutex<()>,
    wanted: watch::Sender<(u64, Watch)>,
    honoured: watch::Sender<(u64, Watch)>,
}

impl Watching {
    pub(super) fn subscribe(&self) -> watch::Receiver<(u64, Watch)> {
        self.wanted.subscribe()
    }

    /// Whether anything is to be told of that a server does not tell anyway.
    pub(super) fn is_wanted(&self) -> bool {
        let wanted = &self.wanted.borrow().1;
        wanted.lists || !wanted.resources.is_empty() || !wanted.tasks.is_empty()
    }

    pub(super) fn honour(&self, round: u64, honoured: Watch) {
        self.honoured.send_replace((round, honoured));
    }

    fn want(&self, wanted: Watch) -> u64 {
        let mut round = 0;
        self.wanted.send_modify(|(now, held)| {
            *now = now.saturating_add(1);
            round = *now;
            *held = wanted;
        });
        round
    }

    async fn told(&self, round: u64) -> Option<Watch> {
        let mut honoured = self.honoured.subscribe();
        let told = honoured.wait_for(|(of, _)| *of >= round).await;
        told.ok().map(|told| told.1.clone())
    }
}

impl Inner {
    pub(super) async fn watch(self: &Arc<Self>, wanted: Watch) -> Result<Watch, UpstreamError> {
        let _one = self.watching.one.lock().await;
        let peer = self.peer().await?;
        let round = self.watching.want(wanted.clone());
        if !peer.version.is_modern() {
            return self.subscribe(&peer, &wanted).await;
        }
        let told = timeout(TOLD_WITHIN, self.watching.told(round)).await;
        let told = told.map_err(|_| UpstreamError::Timeout {
            sent: true,
            after: TOLD_WITHIN,
        })?;
        told.ok_or(UpstreamError::Closed)
    }

    /// Subscribes to what a session is not subscribed to yet, and unsubscribes from the rest.
    async fn subscribe(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        wanted: &Watch,
    ) -> Result<Watch, UpstreamError> {
        let mut honoured = handshake::honoured(&peer.offers, wanted);
        peer.stream_settled().await;
        // What is said where nobody can hear it is not told.
        if peer.pair.is_none() && *peer.stream.borrow() == Stream::Absent {
            honoured = Watch::default();
        }
        let mut subscribed = peer.subscribed.lock().await;
        let gone: Vec<_> = subscribed
            .difference(&honoured.resources)
            .cloned()
            .collect();
        for uri in gone {
            self.about(peer, UNSUBSCRIBE, &uri).await?;
            subscribed.remove(&uri);
        }
        let new: Vec<_> = honoured
            .resources
            .difference(&subscribed)
            .cloned()
            .collect();
        for uri in new {
            if self.about(peer, SUBSCRIBE, &uri).await? {
                subscribed.insert(uri);
            }
        }
        honoured.resources = BTreeSet::clone(&subscribed);
        Ok(honoured)
    }

    /// What had been wanted of an earlier session.
    pub(super) async fn subscribe_again(self: &Arc<Self>, peer: &Arc<Peer>) {
        let wanted = self.watching.subscribe().borrow().1.clone();
        if let Err(error) = self.subscribe(peer, &wanted).await {
            tracing::warn!(endpoint = %self.target.endpoint, %error, "subscriptions were lost");
        }
    }

    /// One request about a resource; false when the server refuses it.
    async fn about(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        method: &'static str,
        uri: &str,
    ) -> Result<bool, UpstreamError> {
        let params = own_params("uri", &Value::from(uri));
        let within = self.timing.list;
        let answer = timeout(within, self.request(peer, method, params)).await;
        match answer {
            Ok(Ok(Outcome::Result { .. })) => Ok(true),
            Ok(Ok(Outcome::Error { .. })) => Ok(false),
            Ok(Err(Failure::NotRun(error) | Failure::Final(error))) => Err(error),
            Err(_) => Err(UpstreamError::Timeout {
                sent: true,
                after: within,
            }),
        }
    }
}

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";
/// Past the time that a stream takes to be opened and to say its first word.
const TOLD_WITHIN: Duration = Duration::from_secs(25);
