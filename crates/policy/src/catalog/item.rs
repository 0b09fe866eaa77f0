use std::fmt;

/// What kind of thing a server offers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ItemKind {
    /// A tool, called by name.
    Tool,
    /// A resource that its server lists, read by its URI.
    Resource,
    /// A template of URIs that its server answers.
    ResourceTemplate,
    /// A prompt, got by name.
    Prompt,
}

impl ItemKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Tool,
        Self::Resource,
        Self::ResourceTemplate,
        Self::Prompt,
    ];

    /// Its name in policies: the attribute `kind` of such an item.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::ResourceTemplate => "resource_template",
            Self::Prompt => "prompt",
        }
    }

    /// The member of a catalog document that holds such items.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::ResourceTemplate => "resource_templates",
            Self::Prompt => "prompts",
        }
    }

    /// The member of a definition that its server knows the item by.
    #[must_use]
    pub fn identity(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource => "uri",
            Self::ResourceTemplate => "uriTemplate",
        }
    }

    /// The members that the result of using such an item can have and that may be redacted.
    #[must_use]
    pub(crate) fn result_members(self) -> &'static [&'static str] {
        match self {
            Self::Tool => &["structuredContent", "content", "_meta"],
            Self::Resource | Self::ResourceTemplate => &["contents", "_meta"],
            Self::Prompt => &["messages", "description", "_meta"],
        }
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::ResourceTemplate => "resource template",
            Self::Prompt => "prompt",
        })
    }
}
