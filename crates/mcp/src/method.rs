//! The methods this gateway answers. What is not listed is refused, never forwarded.

use std::fmt;

use crate::version::Version;

/// A request that a client may send.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// `initialize`: the handshake of the legacy era.
    Initialize,
    /// `ping`, of the legacy era.
    Ping,
    /// `server/discover`, of the modern era.
    ServerDiscover,
    /// `tools/call`.
    ToolsCall,
    /// `tools/list`.
    ToolsList,
}

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 5] = [
        Self::Initialize,
        Self::Ping,
        Self::ServerDiscover,
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
            Self::Initialize => "initialize",
            Self::Ping => "ping",
            Self::ServerDiscover => "server/discover",
            Self::ToolsCall => "tools/call",
            Self::ToolsList => "tools/list",
        }
    }

    /// Whether the era that `version` belongs to has this method.
    #[must_use]
    pub fn exists_in(self, version: Version) -> bool {
        match self {
            Self::Initialize | Self::Ping => !version.is_modern(),
            Self::ServerDiscover => version.is_modern(),
            Self::ToolsCall | Self::ToolsList => true,
        }
    }
}

impl fmt::Display for Method {
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
