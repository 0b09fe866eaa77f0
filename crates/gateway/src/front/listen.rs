//! What clients hear unasked: subscriptions of the legacy era, and the changes that servers announce
//! behind those and behind the streams of the modern one.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{
    error::Code,
    jsonrpc,
    server::{Rejection, Request, Session},
    upstream::{Said, Told, UpstreamError, Watch},
};
use cmcp_policy::{catalog::ItemKind, engine::Principal, inspect};

use super::Begun;
use crate::{
    call::Call,
    hub::{Audience, List, Listening, Notice, Seat as HubSeat, Wants, addressed},
    refusal::Refusal,
    rules::Rules,
    startup::Gateway,
    upstream::Heard,
};

/// What a legacy session holds of ours: its place among the listeners.
#[derive(Default)]
pub(crate) struct Subscriber(Mutex<Option<(Listening, Arc<Principal>)>>);

/// The principals that listen, by name.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<HashMap<String, Weak<Principal>>>);

impl Listeners {
    pub(super) fn note(&self, principal: &Arc<Principal>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY {
            all.retain(|_, principal| principal.strong_count() > 0);
        }
        all.insert(principal.name.clone(), Arc::downgrade(principal));
    }

    fn get(&self, name: &str) -> Option<Arc<Principal>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name)?.upgrade()
    }
}

impl Gateway {
    /// Lets a session hear of changed lists and of what it subscribes to.
    pub(crate) fn attach(&self, session: &Session, principal: &Arc<Principal>) {
        self.listeners.note(principal);
        let wants = Wants {
            lists: BTreeSet::from(List::ALL),
            as_session: true,
            ..Wants::default()
        };
        let target = session.clone();
        let joined = self.hub.join(&principal.name, wants, move |notice| {
            if let Some(message) = message(notice, Audience::Legacy, target.level()) {
                target.announce(message);
            }
        });
        match joined {
            Ok(listening) => {
                let subscriber = session.attached(Subscriber::default);
                let mut place = subscriber.0.lock().unwrap_or_else(PoisonError::into_inner);
                *place = Some((listening, Arc::clone(principal)));
            }
            Err(error) => {
                let principal = &principal.name;
                tracing::warn!(%principal, %error, "a session hears of no changes");
            }
        }
    }

    /// `resources/subscribe`: judged like a read, then passed on once for all who want it.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
    ) -> Result<Begun, Rejection> {
        let (wanted, meta) = super::wanted::read(request, self.caps())?;
        let uri = wanted.target.clone();
        let rules = self.rules();
        let call = Arc::new(Call::new(
            Arc::clone(principal),
            Arc::clone(&rules),
            super::client(request, None),
            (wanted, meta),
        ));
        let answered = self.answer(&call).await;
        if answered.outcome.is_err() {
            let last = crate::reply::reply(&self.settings, &call, answered);
            return Ok(Begun::Ended(last));
        }
        let link = link_of(&rules, &uri);
        self.change(request, |wants| {
            if let Some(link) = link {
                wants.resources.insert((link, uri.clone()));
            }
        })?;
        if let Some(upstream) = link {
            let principal = Arc::from(principal.name.as_str());
            let settled = self
                .settle_seat(&HubSeat {
                    upstream,
                    principal,
                })
                .await;
            if let Err(error) = settled {
                tracing::warn!(%error, "a server takes no subscription; its resource is not watched");
            }
        }
        Ok(Begun::Known(Bytes::from_static(b"{}")))
    }

    /// `resources/unsubscribe`.
    pub(super) fn unsubscribe(&self, request: &Request) -> Result<Bytes, Rejection> {
        let uri = request.params.get("uri").and_then(Value::as_str);
        let Some(uri) = uri else {
            let message = "Invalid params: uri must be a string";
            return Err(request.reject(Code::InvalidParams, message, None));
        };
        self.change(request, |wants| {
            wants.resources.retain(|(_, subscribed)| subscribed != uri);
        })?;
        Ok(Bytes::from_static(b"{}"))
    }

    fn change(&self, request: &Request, change: impl FnOnce(&mut Wants)) -> Result<(), Rejection> {
        let Some(session) = request.dialect.session() else {
            return Ok(());
        };
        let subscriber = session.attached(Subscriber::default);
        let place = subscriber.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place
            .as_ref()
            .map(|(listening, _)| listening.change(change))
        {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(request.reject(Code::RateLimited, &error.to_string(), None)),
        }
    }

    /// Tells a server what is wanted of it now.
    pub(super) async fn settle_seat(&self, seat: &HubSeat) -> Result<Watch, UpstreamError> {
        let rules = self.rules();
        let link = rules.upstreams.server_of(seat.upstream);
        let Some(link) = link.and_then(|server| rules.upstreams.link(server)) else {
            return Ok(Watch::default());
        };
        let lease = match link.seat(&seat.principal, &self.bare).await {
            Ok(lease) => lease,
            Err(Refusal::Upstream(error)) => return Err(error),
            Err(_) => return Err(UpstreamError::Closed),
        };
        let watch = |wanted: Watch| {
            lease.seat.note_watch(&wanted);
            let server = Arc::clone(&lease.seat.server);
            async move { server.watch(wanted).await }
        };
        self.hub.settle(seat, watch).await
    }

    /// Keeps servers told of what is wanted of them. It never ends.
    pub(crate) async fn tend_subscriptions(self: Arc<Self>) {
        loop {
            for seat in self.hub.unsettled().await {
                if let Err(error) = self.settle_seat(&seat).await {
                    tracing::debug!(%error, "a server takes no subscription");
                }
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }

    /// Tells of changed lists those who may see any of the server's items. It never ends.
    pub(crate) async fn tell_of_lists(self: Arc<Self>) {
        let sees =
            |principal: &str, upstream: u64, list: List| self.sees(principal, upstream, list);
        self.hub.run(sees).await;
    }

    fn sees(&self, principal: &str, upstream: u64, list: List) -> bool {
        let rules = self.rules();
        let Some(server) = rules.upstreams.server_of(upstream) else {
            return false;
        };
        let Some(principal) = self.listeners.get(principal) else {
            return false;
        };
        let kinds: &[ItemKind] = match list {
            List::Tools => &[ItemKind::Tool],
            List::Prompts => &[ItemKind::Prompt],
            List::Resources => &[ItemKind::Resource, ItemKind::ResourceTemplate],
        };
        let hides = self.settings.mode.refuses();
        kinds.iter().any(|kind| {
            let mut items = rules.catalog.items(*kind).filter(|i| i.server == server);
            items.any(|item| !hides || rules.visible(&principal, item))
        })
    }

    /// A client's roots are others now: told to the servers that know of its roots.
    pub(crate) async fn roots_changed(&self, principal: &str) {
        let rules = self.rules();
        for seat in rules.upstreams.seats_of(principal) {
            // A server that cannot be told now asks when it needs them.
            let _ = seat.server.tell(Told::RootsChanged).await;
        }
    }

    /// Tells of lists that were found to be others than before.
    pub(crate) fn note_changed(&self, rules: &Rules) {
        for (link, kind) in rules.upstreams.take_changed() {
            self.hub.changed(link, List::of(kind));
        }
    }

    /// What a server said unasked.
    pub(crate) async fn heard(&self, heard: Heard) {
        let Heard {
            link,
            principal,
            seat,
            said,
        } = heard;
        let rules = self.rules();
        let Some(server) = rules.upstreams.server_of(link) else {
            return;
        };
        match &said {
            Said::ListChanged(kind) => {
                let place = (server, &rules.catalog);
                let offered = rules.upstreams.relist(place, &seat, *kind).await;
                for (item, found) in offered.iter().flat_map(|offered| offered.drifted()) {
                    tracing::warn!(%item, ?found, "an item drifted");
                }
                self.note_changed(&rules);
            }
            Said::Message(params)
            | Said::ResourceUpdated { params, .. }
            | Said::TaskStatus(params)
            | Said::ElicitationComplete(params) => {
                let parsed = cmcp_json::parse(params, &cmcp_json::Limits::RESPONSE);
                let Some(inspected) = parsed.ok().and_then(|v| inspect::inspect_notice(&v).ok())
                else {
                    return;
                };
                self.raise_principal(&inspected, &principal);
            }
            Said::Reconnected => {}
        }
        let seat = HubSeat {
            upstream: link,
            principal,
        };
        self.hub.heard(&seat, said);
    }
}

/// The link to the server of a resource.
pub(super) fn link_of(rules: &Rules, uri: &str) -> Option<u64> {
    let item = rules.catalog.resource(uri)?;
    Some(rules.upstreams.link(item.server)?.id)
}

/// A notice as a message; nothing where this audience does not hear of it.
pub(super) fn message(
    notice: &Notice,
    audience: Audience<'_>,
    level: Option<cmcp_mcp::upstream::LogLevel>,
) -> Option<Bytes> {
    let with = |method: &str, params: &Bytes| {
        let params = addressed(params, audience)?;
        Some(jsonrpc::notification(method, Some(&params)))
    };
    match notice {
        Notice::ListChanged(list) => Some(list.notification(audience)),
        Notice::ResourceUpdated { params } => with("notifications/resources/updated", params),
        Notice::Message { params } => {
            let said = cmcp_json::parse(params, &cmcp_json::Limits::RESPONSE).ok()?;
            let said = said.get("level").and_then(Value::as_str);
            let said = said.and_then(cmcp_mcp::upstream::LogLevel::parse)?;
            let heard = level.is_none_or(|least| said >= least);
            heard
                .then(|| with("notifications/message", params))
                .flatten()
        }
        Notice::ElicitationComplete { params, .. } => {
            with("notifications/elicitation/complete", params)
        }
        Notice::TaskStatus { .. } => None,
    }
}

/// Principals from which on those that are gone are looked for.
const MANY: usize = 1_024;
/// Between two rounds of telling servers what is wanted of them.
const SETTLE_PAUSE: Duration = Duration::from_millis(100);
