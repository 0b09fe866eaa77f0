//! The client at the other end of a call: how it speaks, what it declared, and how it is reached
//! now. A modern client that is asked for input ends its request and comes back with another one;
//! the call is the same.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    jsonrpc::{self, Id},
    server::{Last, Port},
    upstream::LogLevel,
    version::Version,
};
use tokio::sync::watch;

use crate::{reply::Dialect, splice};

/// The client of one call.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) dialect: Dialect,
    pub(crate) version: Version,
    /// What it declared, an object.
    pub(crate) capabilities: Value,
    /// The least severe log message that it said it wants.
    pub(crate) level: Option<LogLevel>,
    reached: watch::Sender<Reached>,
    request: Mutex<Asking>,
    /// Held while it is asked something that ends its request: one thing at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

/// Whether there is anybody to speak to.
#[derive(Clone, Debug)]
enum Reached {
    Here(Port),
    /// It was asked something, and comes back with another request.
    Between,
    /// Nobody comes any more.
    Gone,
}

/// The request that waits for an answer now.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) id: Id,
    /// The client's progress token as it came.
    pub(crate) progress: Option<Bytes>,
}

/// How a client came to be asked for something.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) dialect: Dialect,
    pub(crate) version: Version,
    pub(crate) capabilities: Value,
    pub(crate) level: Option<LogLevel>,
}

impl Client {
    /// A client; without a port for what is answered at once.
    pub(crate) fn new(said: Said, port: Option<Port>, asking: Asking) -> Self {
        let Said {
            dialect,
            version,
            capabilities,
            level,
        } = said;
        Self {
            dialect,
            version,
            capabilities,
            level,
            reached: watch::Sender::new(port.map_or(Reached::Between, Reached::Here)),
            request: Mutex::new(asking),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// The id of the request that waits for an answer now.
    pub(crate) fn rpc_id(&self) -> Id {
        self.asking().id.clone()
    }

    /// Whether it wants to hear of progress.
    pub(crate) fn wants_progress(&self) -> bool {
        self.asking().progress.is_some()
    }

    /// Whether it declared a capability: a path of members.
    pub(crate) fn declares(&self, path: &[&str]) -> bool {
        let found = path
            .iter()
            .try_fold(&self.capabilities, |value, name| value.get(name));
        found.is_some_and(|value| !value.is_null())
    }

    /// Whether it wants log messages of that level. A modern client that does not ask gets none; to
    /// others their server tells what it likes.
    pub(crate) fn hears(&self, level: LogLevel) -> bool {
        match self.level {
            Some(least) => level >= least,
            None => self.dialect != Dialect::Modern,
        }
    }

    /// Where it is reached now; nowhere between two of its requests.
    pub(crate) fn port(&self) -> Option<Port> {
        match &*self.reached.borrow() {
            Reached::Here(port) => Some(port.clone()),
            Reached::Between | Reached::Gone => None,
        }
    }

    /// Tells it something that belongs to this call.
    pub(crate) fn notify(&self, method: &str, params: &[u8]) {
        if let Some(port) = self.port() {
            port.notify(jsonrpc::notification(method, Some(params)));
        }
    }

    /// Tells it of progress: the parameters are the upstream's, the token is the client's.
    pub(crate) fn progress(&self, params: &Bytes, members: &Object) {
        let token = self.asking().progress.clone();
        if let Some(token) = token {
            let params = splice::set(params, members, "progressToken", &token);
            self.notify("notifications/progress", &params);
        }
    }

    /// Answers its request.
    pub(crate) fn finish(&self, last: Last) {
        // First, so that its going away afterwards is no hang-up.
        if let Reached::Here(port) = self.reached.send_replace(Reached::Between) {
            port.finish(last);
        }
    }

    /// It came back with another request.
    pub(crate) fn returned(&self, port: Port, asking: Asking) {
        *self.asking() = asking;
        self.reached.send_replace(Reached::Here(port));
    }

    /// It did not come back in time.
    pub(crate) fn give_up(&self) {
        self.reached.send_replace(Reached::Gone);
    }

    /// Resolves when it does not want the answer any more.
    pub(crate) async fn cancelled(&self) {
        let mut reached = self.reached.subscribe();
        loop {
            let now = reached.borrow_and_update().clone();
            let moved = reached.changed();
            match now {
                Reached::Gone => return,
                // 0.7.1's callers hang up without meaning it.
                Reached::Here(port) if self.dialect != Dialect::Compat => {
                    tokio::select! {
                        // First: a port that was answered is dropped, and that is no hang-up.
                        biased;
                        _ = moved => {}
                        () = port.cancelled() => return,
                    }
                }
                // The sender is this client: it is there as long as anybody waits.
                Reached::Here(_) | Reached::Between => {
                    let _ = moved.await;
                }
            }
        }
    }

    /// Whether it does not want the answer any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.dialect != Dialect::Compat && self.port().is_some_and(|port| port.is_cancelled())
    }

    fn asking(&self) -> std::sync::MutexGuard<'_, Asking> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
