//! What every MCP server looks like to whoever calls it: a stranger's over HTTP, a child process,
//! or one of our own in the same process.

use std::sync::Arc;

use bytes::Bytes;
use cmcp_json::Value;
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::version::Version;

mod ask;
mod error;
mod level;
mod observed;
mod said;

pub use ask::{Answer, Ask, Event, Input, Reply, Request};
pub use error::{ConnectFault, ProtocolFault, UpstreamError};
pub use level::LogLevel;
pub use observed::{Bound, Confinement, EvidenceClass, FileRole, MeasuredFile, Observed};
pub use said::{Said, Told, Watch};

/// One server, reached with one identity.
pub trait Server: Send + Sync {
    /// Everything of a kind that the server offers now, all pages. A kind that the server does not
    /// declare is an empty, complete listing.
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Listing, UpstreamError>>;

    /// One request. It is sent at most once, and never again after it may have run. Dropping the
    /// future cancels the request as the era has it.
    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, UpstreamError>>;

    /// States all that the server is to tell of from now on, and returns what of it the server
    /// honours. It is stated again whenever the server had to be reached anew.
    fn watch(&self, wanted: Watch) -> BoxFuture<'_, Result<Watch, UpstreamError>>;

    /// Tells the server something. Where its era has no such notification nothing is sent, and
    /// that is well.
    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), UpstreamError>>;

    /// What the server says from now on without being asked, apart from what belongs to a request.
    fn said(&self) -> broadcast::Receiver<Said>;

    /// What the server says of itself; it is negotiated with if need be.
    fn offers(&self) -> BoxFuture<'_, Result<Arc<Offers>, UpstreamError>>;

    /// A number that grows whenever an earlier [`Listing`] of this kind may no longer be true: the
    /// server said so, its process ended, or it had to be reached or negotiated with anew.
    fn generation(&self, kind: Kind) -> u64;

    /// What has been seen of the server so far.
    fn observed(&self) -> Observed;

    /// Ends connections and processes. Requests after it fail with [`UpstreamError::Closed`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// What a listing lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Tools.
    Tools,
    /// Resources.
    Resources,
    /// Templates of resource URIs.
    ResourceTemplates,
    /// Prompts.
    Prompts,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Tools,
        Self::Resources,
        Self::ResourceTemplates,
        Self::Prompts,
    ];

    /// The word for messages to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resource templates",
            Self::Prompts => "prompts",
        }
    }

    /// The method that lists it.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Resources => "resources/list",
            Self::ResourceTemplates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }

    /// The member of the method's result that holds the items.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// The member of a server's capabilities that declares it.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources | Self::ResourceTemplates => "resources",
            Self::Prompts => "prompts",
        }
    }

    /// The member of an item that names it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }
}

/// What a server offers of a kind at one moment.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The `result` of each request, in order.
    pub pages: Vec<Page>,
    /// The definitions of all pages, in order.
    pub items: Vec<Value>,
    /// False when the server offered more than the limits on pages, items or bytes let in.
    pub complete: bool,
    /// [`Server::generation`] of the kind before the first page was asked for.
    pub generation: u64,
}

impl Listing {
    /// The listing of a kind that the server does not have.
    #[must_use]
    pub fn none(generation: u64) -> Self {
        Self {
            pages: Vec::new(),
            items: Vec::new(),
            complete: true,
            generation,
        }
    }
}

/// One page of a listing.
#[derive(Clone, Debug)]
pub struct Page {
    /// The cursor it was asked for with; `None` for the first page. The empty text is a cursor.
    pub cursor: Option<String>,
    /// Its `result` member exactly as received.
    pub bytes: Bytes,
}

/// What a server says of itself in the handshake.
#[derive(Clone, Debug, PartialEq)]
pub struct Offers {
    /// The revision in use.
    pub version: Version,
    /// Its capabilities, an object.
    pub capabilities: Value,
    /// Its instructions to models.
    pub instructions: Option<String>,
    /// Its name, version and the like.
    pub server_info: Option<Value>,
}

impl Offers {
    /// Whether the capabilities have this member, and below it these.
    #[must_use]
    pub fn has(&self, path: &[&str]) -> bool {
        let found = path
            .iter()
            .try_fold(&self.capabilities, |value, name| value.get(name));
        found.is_some_and(|value| !value.is_null() && value.as_bool() != Some(false))
    }
}

#[cfg(test)]
mod tests;
