//! What is said without being asked, in both directions.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::sync::broadcast;

use super::Kind;

/// What a server says that belongs to no request. Parameters are as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It offers other items of this kind than before.
    ListChanged(Kind),
    /// A watched resource has changed.
    ResourceUpdated {
        /// Which one.
        uri: String,
        /// The notification's parameters.
        params: Bytes,
    },
    /// The parameters of `notifications/message`.
    Message(Bytes),
    /// The parameters of a task's change of status.
    TaskStatus(Bytes),
    /// The parameters of `notifications/elicitation/complete`.
    ElicitationComplete(Bytes),
    /// The server had to be reached or negotiated with anew; what it said meanwhile is lost.
    Reconnected,
}

impl Said {
    /// The receiver for a server that never says anything unasked.
    #[must_use]
    pub fn nothing() -> broadcast::Receiver<Self> {
        broadcast::channel(1).1
    }
}

/// What a server is to tell of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// URIs of resources whose changes matter.
    pub resources: BTreeSet<String>,
    /// Whether changed lists matter. They are listened for anyway; as an answer it says whether
    /// the server announces any.
    pub lists: bool,
    /// Tasks whose status matters.
    pub tasks: BTreeSet<String>,
}

/// What a client tells its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Its roots are others than before. For legacy servers that roots were declared to.
    RootsChanged,
    /// The parameters of `notifications/progress` about a [`Request`](super::Request) of the
    /// server's. For legacy servers.
    Progress(Bytes),
}
