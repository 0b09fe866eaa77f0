//! Notifications, in both directions.

use std::fmt;

use crate::version::Version;

/// A notification that a client may send. Whatever else comes is dropped and counted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ClientNote {
    /// `notifications/cancelled`: of the legacy era, and of the modern one on standard input.
    Cancelled,
    /// `notifications/initialized`, of the legacy era.
    Initialized,
    /// `notifications/progress` about a request of the server's, of the legacy era.
    Progress,
    /// `notifications/roots/list_changed`, of the legacy era.
    RootsListChanged,
}

impl ClientNote {
    /// Every one there is.
    pub const ALL: [Self; 4] = [
        Self::Cancelled,
        Self::Initialized,
        Self::Progress,
        Self::RootsListChanged,
    ];

    /// Finds a notification by its exact bytes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|note| note.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "notifications/cancelled",
            Self::Initialized => "notifications/initialized",
            Self::Progress => "notifications/progress",
            Self::RootsListChanged => "notifications/roots/list_changed",
        }
    }

    /// Whether this revision has it. The modern `cancelled` exists on standard input alone.
    #[must_use]
    pub fn exists_in(self, version: Version) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Initialized | Self::Progress | Self::RootsListChanged => !version.is_modern(),
        }
    }
}

impl fmt::Display for ClientNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A notification that a server may send.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ServerNote {
    /// `notifications/subscriptions/acknowledged`, of the modern era.
    Acknowledged,
    /// `notifications/cancelled`: of a request of the server's in the legacy era, and of a listen
    /// stream in the modern one.
    Cancelled,
    /// `notifications/elicitation/complete`, of 2025-11-25 alone.
    ElicitationComplete,
    /// `notifications/message`.
    Message,
    /// `notifications/progress`.
    Progress,
    /// `notifications/prompts/list_changed`.
    PromptsListChanged,
    /// `notifications/resources/updated`.
    ResourceUpdated,
    /// `notifications/resources/list_changed`.
    ResourcesListChanged,
    /// `notifications/tasks/status`, of 2025-11-25 alone.
    TaskStatus,
    /// `notifications/tasks`, of the modern era.
    Tasks,
    /// `notifications/tools/list_changed`.
    ToolsListChanged,
}

impl ServerNote {
    /// Every one there is.
    pub const ALL: [Self; 11] = [
        Self::Acknowledged,
        Self::Cancelled,
        Self::ElicitationComplete,
        Self::Message,
        Self::Progress,
        Self::PromptsListChanged,
        Self::ResourceUpdated,
        Self::ResourcesListChanged,
        Self::TaskStatus,
        Self::Tasks,
        Self::ToolsListChanged,
    ];

    /// Finds a notification by its exact bytes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|note| note.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "notifications/subscriptions/acknowledged",
            Self::Cancelled => "notifications/cancelled",
            Self::ElicitationComplete => "notifications/elicitation/complete",
            Self::Message => "notifications/message",
            Self::Progress => "notifications/progress",
            Self::PromptsListChanged => "notifications/prompts/list_changed",
            Self::ResourceUpdated => "notifications/resources/updated",
            Self::ResourcesListChanged => "notifications/resources/list_changed",
            Self::TaskStatus => "notifications/tasks/status",
            Self::Tasks => "notifications/tasks",
            Self::ToolsListChanged => "notifications/tools/list_changed",
        }
    }

    /// Whether this revision has it.
    #[must_use]
    pub fn exists_in(self, version: Version) -> bool {
        match self {
            Self::Acknowledged | Self::Tasks => version.is_modern(),
            Self::ElicitationComplete | Self::TaskStatus => version == Version::V2025_11_25,
            Self::Cancelled
            | Self::Message
            | Self::Progress
            | Self::PromptsListChanged
            | Self::ResourceUpdated
            | Self::ResourcesListChanged
            | Self::ToolsListChanged => true,
        }
    }
}

impl fmt::Display for ServerNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
