//! Every method of the protocol: who may send it, in which revisions. What is not listed is
//! refused, never forwarded.

use std::fmt;

use crate::version::Version;

mod note;

pub use note::{ClientNote, ServerNote};

/// A request that a client may send to a server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Method {
    /// `completion/complete`.
    CompletionComplete,
    /// `initialize`: the handshake of the legacy era.
    Initialize,
    /// `logging/setLevel`, of the legacy era.
    LoggingSetLevel,
    /// `ping`, of the legacy era.
    Ping,
    /// `prompts/get`.
    PromptsGet,
    /// `prompts/list`.
    PromptsList,
    /// `resources/list`.
    ResourcesList,
    /// `resources/read`.
    ResourcesRead,
    /// `resources/subscribe`, of the legacy era.
    ResourcesSubscribe,
    /// `resources/templates/list`.
    ResourcesTemplatesList,
    /// `resources/unsubscribe`, of the legacy era.
    ResourcesUnsubscribe,
    /// `server/discover`, of the modern era.
    ServerDiscover,
    /// `subscriptions/listen`, of the modern era.
    SubscriptionsListen,
    /// `tasks/cancel`, since 2025-11-25.
    TasksCancel,
    /// `tasks/get`, since 2025-11-25.
    TasksGet,
    /// `tasks/list`, of 2025-11-25 alone.
    TasksList,
    /// `tasks/result`, of 2025-11-25 alone.
    TasksResult,
    /// `tasks/update`, of the modern era.
    TasksUpdate,
    /// `tools/call`.
    ToolsCall,
    /// `tools/list`.
    ToolsList,
}

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 20] = [
        Self::CompletionComplete,
        Self::Initialize,
        Self::LoggingSetLevel,
        Self::Ping,
        Self::PromptsGet,
        Self::PromptsList,
        Self::ResourcesList,
        Self::ResourcesRead,
        Self::ResourcesSubscribe,
        Self::ResourcesTemplatesList,
        Self::ResourcesUnsubscribe,
        Self::ServerDiscover,
        Self::SubscriptionsListen,
        Self::TasksCancel,
        Self::TasksGet,
        Self::TasksList,
        Self::TasksResult,
        Self::TasksUpdate,
        Self::ToolsCall,
        Self::ToolsList,
    ];

    /// Finds a method by its exact bytes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CompletionComplete => "completion/complete",
            Self::Initialize => "initialize",
            Self::LoggingSetLevel => "logging/setLevel",
            Self::Ping => "ping",
            Self::PromptsGet => "prompts/get",
            Self::PromptsList => "prompts/list",
            Self::ResourcesList => "resources/list",
            Self::ResourcesRead => "resources/read",
            Self::ResourcesSubscribe => "resources/subscribe",
            Self::ResourcesTemplatesList => "resources/templates/list",
            Self::ResourcesUnsubscribe => "resources/unsubscribe",
            Self::ServerDiscover => "server/discover",
            Self::SubscriptionsListen => "subscriptions/listen",
            Self::TasksCancel => "tasks/cancel",
            Self::TasksGet => "tasks/get",
            Self::TasksList => "tasks/list",
            Self::TasksResult => "tasks/result",
            Self::TasksUpdate => "tasks/update",
            Self::ToolsCall => "tools/call",
            Self::ToolsList => "tools/list",
        }
    }

    /// Whether this revision has the method.
    #[must_use]
    pub fn exists_in(self, version: Version) -> bool {
        match self {
            Self::Initialize
            | Self::LoggingSetLevel
            | Self::Ping
            | Self::ResourcesSubscribe
            | Self::ResourcesUnsubscribe => !version.is_modern(),
            Self::ServerDiscover | Self::SubscriptionsListen | Self::TasksUpdate => {
                version.is_modern()
            }
            Self::TasksList | Self::TasksResult => version == Version::V2025_11_25,
            Self::TasksCancel | Self::TasksGet => version >= Version::V2025_11_25,
            Self::CompletionComplete
            | Self::PromptsGet
            | Self::PromptsList
            | Self::ResourcesList
            | Self::ResourcesRead
            | Self::ResourcesTemplatesList
            | Self::ToolsCall
            | Self::ToolsList => true,
        }
    }

    /// Whether it is answered without handshake and without a revision, as 0.7.1 answers.
    #[must_use]
    pub fn exists_without_handshake(self) -> bool {
        match self {
            Self::Initialize | Self::Ping | Self::ToolsCall | Self::ToolsList => true,
            Self::CompletionComplete
            | Self::LoggingSetLevel
            | Self::PromptsGet
            | Self::PromptsList
            | Self::ResourcesList
            | Self::ResourcesRead
            | Self::ResourcesSubscribe
            | Self::ResourcesTemplatesList
            | Self::ResourcesUnsubscribe
            | Self::ServerDiscover
            | Self::SubscriptionsListen
            | Self::TasksCancel
            | Self::TasksGet
            | Self::TasksList
            | Self::TasksResult
            | Self::TasksUpdate => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a server may ask of its client: a request of the legacy era, or one of `inputRequests` in
/// the modern one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ClientMethod {
    /// `elicitation/create`, since 2025-06-18.
    Elicit,
    /// `roots/list`.
    ListRoots,
    /// `sampling/createMessage`.
    Sample,
}

impl ClientMethod {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Elicit, Self::ListRoots, Self::Sample];

    /// Finds a method by its exact bytes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elicit => "elicitation/create",
            Self::ListRoots => "roots/list",
            Self::Sample => "sampling/createMessage",
        }
    }

    /// The member of the client's capabilities that allows it.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Elicit => "elicitation",
            Self::ListRoots => "roots",
            Self::Sample => "sampling",
        }
    }

    /// Whether this revision has it, as a request or among `inputRequests`.
    #[must_use]
    pub fn exists_in(self, version: Version) -> bool {
        match self {
            Self::Elicit => version >= Version::V2025_06_18,
            Self::ListRoots | Self::Sample => true,
        }
    }
}

impl fmt::Display for ClientMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text of error -32601: at most 64 characters of what was asked for, in ASCII, so that the
/// answer is bounded and cannot carry a look-alike back into a log or a terminal.
#[must_use]
pub fn not_found_text(method: &str) -> String {
    let echo: String = method
        .chars()
        .take(64)
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .collect();
    format!("Method not found: {echo}")
}

#[cfg(test)]
mod tests;
