//! One request while it is served: what the server says about it, and what it is owed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, parse};
use futures_util::{
    StreamExt,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    clock::Clock,
    counters::Counters,
    heard::{Heard, Wanted},
    own::Own,
};
use crate::{
    error::Code,
    jsonrpc::{self, Id, Notification},
    upstream::{Answer, Ask, Event, Request},
    version::Version,
};

/// What a request needs to be told of while it is served. The one who reads the server's messages
/// hands them over and sends the replies.
pub(super) struct Turn {
    /// The token of its progress, where that is wanted: the number that is its id too.
    token: Option<u64>,
    messages: bool,
    events: Option<mpsc::Sender<Event>>,
    counters: Arc<Counters>,
    own: Arc<Own>,
    clock: Arc<Clock>,
    owed: FuturesUnordered<BoxFuture<'static, Option<(String, Bytes)>>>,
    // By the server's id as JSON: `1` and `"1"` are two.
    waiting: HashMap<String, AbortHandle>,
}

impl Turn {
    pub(super) fn new(ask: &Ask, id: u64, version: Version, of: &Context) -> Self {
        Self {
            token: ask.progress.then_some(id),
            // A modern server that was named no level has nothing to log.
            messages: !version.is_modern() || ask.log_level.is_some(),
            events: ask.events.clone(),
            counters: Arc::clone(&of.counters),
            own: Arc::clone(&of.own),
            clock: Arc::clone(&of.clock),
            owed: FuturesUnordered::new(),
            waiting: HashMap::new(),
        }
    }

    /// A request of our own, on nobody's behalf.
    pub(super) fn quiet(counters: &Arc<Counters>, own: &Arc<Own>) -> Self {
        Self {
            token: None,
            messages: true,
            events: None,
            counters: Arc::clone(counters),
            own: Arc::clone(own),
            clock: Arc::new(Clock::start(Duration::MAX)),
            owed: FuturesUnordered::new(),
            waiting: HashMap::new(),
        }
    }

    /// Takes a notification that came for this request. Waits while its listener is behind.
    pub(super) async fn notified(&mut self, notification: &Notification) {
        let event = match Heard::of(notification) {
            Heard::Progress { token, params } if self.token == Some(token) => {
                self.clock.wind();
                Event::Progress(params)
            }
            Heard::Message(params) if self.messages => Event::Message(params),
            Heard::ElicitationComplete(params) => Event::ElicitationComplete(params),
            Heard::TaskStatus(params) => Event::TaskStatus(params),
            Heard::Cancelled(id) => return self.withdrawn(&id),
            Heard::Progress { .. } | Heard::Message(_) => return self.counters.drop_one(),
            Heard::Changed(_) | Heard::Updated { .. } | Heard::Acknowledged | Heard::Unknown => {
                return self.counters.notified(notification);
            }
        };
        self.tell(event).await;
    }

    /// Takes a request of the server's. What comes back is to be sent at once.
    pub(super) async fn asked(&mut self, request: jsonrpc::Request) -> Option<Bytes> {
        let method = match Wanted::of(&request, &self.own) {
            Wanted::Of(method) => method,
            Wanted::Reply(reply) => return Some(reply),
            Wanted::Refuse(reply) => {
                self.counters.refuse_one();
                return Some(reply);
            }
        };
        let key = request.id.to_string();
        // A second request under an id that is not answered yet could only be confused with it.
        let refused = self.waiting.contains_key(&key) || self.waiting.len() >= MOST_WAITING;
        if refused || self.events.is_none() {
            self.counters.refuse_one();
            return Some(fault(&request.id));
        }
        let (answer, answered) = oneshot::channel();
        let (abort, registration) = AbortHandle::new_pair();
        self.waiting.insert(key.clone(), abort);
        let id = request.id.clone();
        let reply = async move {
            match answered.await {
                Ok(Answer::Result(bytes)) => jsonrpc::result(&id, &bytes),
                Ok(Answer::Error { code, message }) => jsonrpc::error(&id, code, &message, None),
                Err(_) => fault(&id),
            }
        };
        let reply = Abortable::new(reply, registration);
        self.owed.push(Box::pin(async move {
            let reply = reply.await.ok()?;
            Some((key, reply))
        }));
        self.clock.stop();
        let params = request.params.bytes();
        self.tell(Event::Request(Request {
            method,
            params,
            answer,
        }))
        .await;
        None
    }

    /// The next reply to a request of the server's; never, while none is owed.
    pub(super) async fn reply(&mut self) -> Bytes {
        loop {
            let Some(next) = self.owed.next().await else {
                std::future::pending::<()>().await;
                continue;
            };
            if let Some((key, _)) = &next {
                self.waiting.remove(key);
            }
            if self.owed.is_empty() {
                self.clock.go_on();
            }
            if let Some((_, reply)) = next {
                return reply;
            }
        }
    }

    /// The ids of the server's requests that nobody has answered yet.
    pub(super) fn owes(&self) -> Vec<Id> {
        let parsed = |id: &String| parse(id.as_bytes(), &Limits::REQUEST).ok();
        let parsed = self.waiting.keys().filter_map(parsed);
        parsed.filter_map(|id| Id::from_value(&id)).collect()
    }

    /// The server does not want an answer any more.
    fn withdrawn(&mut self, id: &Id) {
        match self.waiting.remove(&id.to_string()) {
            Some(abort) => abort.abort(),
            None => self.counters.drop_one(),
        }
    }

    async fn tell(&mut self, event: Event) {
        match &self.events {
            // Whoever listened may have gone.
            Some(events) => drop(events.send(event).await),
            None => self.counters.drop_one(),
        }
    }
}

/// What a turn is taken in.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) counters: Arc<Counters>,
    pub(super) own: Arc<Own>,
    pub(super) clock: Arc<Clock>,
}

/// Nobody here can answer.
pub(super) fn fault(id: &Id) -> Bytes {
    let message = "nobody could be asked";
    jsonrpc::error(id, Code::Internal.value(), message, None)
}

/// Requests of the server that may wait for an answer at once.
const MOST_WAITING: usize = 16;

#[cfg(test)]
mod tests;
