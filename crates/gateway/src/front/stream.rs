//! Streams of the modern era: what a client listens to until it hangs up.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    jsonrpc::{self, Id},
    server::{Last, Port, Rejection, Request},
};
use cmcp_policy::engine::Principal;

use super::listen::{link_of, message};
use crate::{
    call::{Call, Cleared},
    hub::{Audience, List, Notice, Seat as HubSeat, Wants, addressed},
    splice,
    startup::Gateway,
    tasks,
};

/// A stream of the modern era before it listens.
pub(crate) struct Stream {
    wants: Wants,
    honoured: Object,
}

impl Gateway {
    /// `subscriptions/listen`: what of it is granted. Each resource is a decision of its own.
    pub(super) async fn stream(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
    ) -> Result<Stream, Rejection> {
        let Some(asked) = request
            .params
            .get("notifications")
            .and_then(Value::as_object)
        else {
            let message = "Invalid params: notifications must be an object";
            return Err(request.reject(Code::InvalidParams, message, None));
        };
        let mut stream = Stream {
            wants: Wants::default(),
            honoured: Object::new(),
        };
        for (member, list) in LISTS {
            if asked.get(member).and_then(Value::as_bool) == Some(true) {
                stream.wants.lists.insert(list);
                stream.honoured.insert(member, true);
            }
        }
        let uris = asked.get("resourceSubscriptions").and_then(Value::as_array);
        let mut granted = Vec::new();
        let named = uris.unwrap_or_default().iter().filter_map(Value::as_str);
        for uri in named.take(MAX_RESOURCES) {
            if let Some(link) = self.may_watch(principal, request, uri).await {
                stream.wants.resources.insert((link, uri.to_owned()));
                granted.push(Value::from(uri));
            }
        }
        if uris.is_some() {
            stream
                .honoured
                .insert("resourceSubscriptions", Value::Array(granted));
        }
        if let Some(ids) = asked.get("taskIds").and_then(Value::as_array) {
            let granted = self.watch_tasks(principal, ids, &mut stream.wants);
            stream.honoured.insert("taskIds", Value::Array(granted));
        }
        Ok(stream)
    }

    /// The tasks that a stream tells of: those of its own principal.
    fn watch_tasks(&self, principal: &Principal, ids: &[Value], wants: &mut Wants) -> Vec<Value> {
        let mut granted = Vec::new();
        for id in ids.iter().filter_map(Value::as_str).take(MAX_RESOURCES) {
            if let Some(task) = self.tasks.find(&principal.name, id, Instant::now()) {
                wants
                    .tasks
                    .insert((task.upstream, task.upstream_id.clone()));
                granted.push(Value::from(id));
            }
        }
        granted
    }

    /// What a server said of a task, under our id and without what stands beside it: that is looked
    /// through when its owner asks for it.
    fn task_status(&self, owner: &Arc<str>, notice: &Notice, id: &Id) -> Option<Bytes> {
        let Notice::TaskStatus {
            upstream,
            task,
            params,
        } = notice
        else {
            return None;
        };
        let task = self.tasks.of_upstream(owner, *upstream, task)?;
        let members = splice::object(params)?;
        let bare = splice::without(params, &members, &["result", "error", "inputRequests"]);
        let forms = (task.form, tasks::Form::Flat);
        let described = tasks::described(&bare, forms, &task.id, None)?;
        let params = addressed(&described, Audience::Modern(id))?;
        Some(jsonrpc::notification("notifications/tasks", Some(&params)))
    }

    async fn may_watch(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: &Request,
        uri: &str,
    ) -> Option<u64> {
        let rules = self.rules();
        let call = Arc::new(Call::new(
            Arc::clone(principal),
            Arc::clone(&rules),
            super::client(request, None),
            super::wanted::subscription(request, uri),
        ));
        let answered = self.answer(&call).await;
        matches!(answered.outcome, Ok(Cleared::Result { .. })).then_some(())?;
        let link = link_of(&rules, uri)?;
        self.tells_of_resources(principal, link)
            .await
            .then_some(link)
    }

    /// Whether a server says when a resource changes: what it does not offer is not acknowledged.
    async fn tells_of_resources(&self, principal: &Principal, link: u64) -> bool {
        let rules = self.rules();
        let server = rules.upstreams.server_of(link);
        let Some(link) = server.and_then(|server| rules.upstreams.link(server)) else {
            return false;
        };
        let Ok(lease) = link.seat(&principal.name, &self.bare).await else {
            return false;
        };
        let Ok(offers) = lease.seat.server.offers().await else {
            return false;
        };
        let resources = offers.capabilities.get("resources");
        let subscribe = resources.and_then(|resources| resources.get("subscribe"));
        subscribe.and_then(Value::as_bool) == Some(true)
    }

    /// Listens until the client hangs up.
    pub(super) fn listen(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        stream: Stream,
        id: Id,
        port: Port,
    ) {
        let Stream { wants, honoured } = stream;
        self.listeners.note(principal);
        port.notify(acknowledged(&id, honoured));
        let wanted = wants.resources.iter().chain(&wants.tasks);
        let links: BTreeSet<u64> = wanted.map(|(link, _)| *link).collect();
        let (target, own) = (port.clone(), id.clone());
        let (gateway, owner) = (Arc::downgrade(self), Arc::from(principal.name.as_str()));
        let joined = self.hub.join(&principal.name, wants, move |notice| {
            let of_task = || gateway.upgrade()?.task_status(&owner, notice, &own);
            if let Some(message) = message(notice, Audience::Modern(&own), None).or_else(of_task) {
                target.notify(message);
            }
        });
        let listening = match joined {
            Ok(listening) => listening,
            Err(error) => {
                let body = jsonrpc::error(&id, Code::RateLimited.value(), &error.to_string(), None);
                port.finish(Last::ok(body));
                return;
            }
        };
        let (gateway, listener) = (Arc::clone(self), Arc::clone(principal));
        tokio::spawn(async move {
            for upstream in links {
                let principal = Arc::from(listener.name.as_str());
                if let Err(error) = gateway
                    .settle_seat(&HubSeat {
                        upstream,
                        principal,
                    })
                    .await
                {
                    tracing::warn!(%error, "a server takes no subscription; its resources are not watched");
                }
            }
            tokio::select! {
                () = port.cancelled() => {}
                () = gateway.stopping.cancelled() => {
                    let meta = Object::from([(SUBSCRIPTION, id.to_value())]);
                    let result = Object::from([
                        ("resultType", Value::from("complete")),
                        ("_meta", meta.into()),
                    ]);
                    let body = jsonrpc::result(&id, &Value::from(result).to_vec());
                    port.finish(Last::ok(body));
                }
            }
            drop(listening);
        });
    }
}

fn acknowledged(id: &Id, honoured: Object) -> Bytes {
    let meta = Object::from([(SUBSCRIPTION, id.to_value())]);
    let params = Object::from([
        ("notifications", Value::from(honoured)),
        ("_meta", meta.into()),
    ]);
    let method = "notifications/subscriptions/acknowledged";
    jsonrpc::notification(method, Some(&Value::from(params).to_vec()))
}

const LISTS: [(&str, List); 3] = [
    ("toolsListChanged", List::Tools),
    ("promptsListChanged", List::Prompts),
    ("resourcesListChanged", List::Resources),
];
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// Resources of one stream.
const MAX_RESOURCES: usize = 256;
