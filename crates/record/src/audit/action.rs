//! What an entry is about, where it is not what every entry was about at first: a call of a tool.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was asked for. A call of a tool has no word: its entries leave the member out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A client asked to complete an argument of a prompt or a resource template.
    Complete,
    /// A server asked a client for its user's input.
    Elicit,
    /// A client asked for a prompt.
    GetPrompt,
    /// A client asked which resources there are.
    ListResources,
    /// A server asked a client for its roots.
    ListRoots,
    /// A client asked for a resource.
    ReadResource,
    /// A server asked a client for a completion of its model.
    Sample,
    /// A client asked to be told when a resource changes.
    Subscribe,
}

impl Action {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Elicit => "elicit",
            Self::GetPrompt => "get_prompt",
            Self::ListResources => "list_resources",
            Self::ListRoots => "list_roots",
            Self::ReadResource => "read_resource",
            Self::Sample => "sample",
            Self::Subscribe => "subscribe",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a server offers. A tool has no word: entries about tools leave the member out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A prompt.
    Prompt,
    /// A resource with a URI of its own.
    Resource,
    /// A template of resources' URIs.
    ResourceTemplate,
}
