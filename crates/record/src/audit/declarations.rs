//! What a server offers, as its lists were read.

use cmcp_evidence::{Sha256Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    action::Item,
    call::Server,
    entry::time,
    event::ELEMENTS_MAX,
    text::{Count, Text},
};

/// A server's complete list of tools, or of something else it offers, was read.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Declarations {
    /// When the list was read.
    #[serde(with = "time")]
    pub captured: Timestamp,
    /// Whether the server announced a change while it was read.
    pub change_notice: ChangeNotice,
    /// Whether the last page was reached.
    pub completeness: Completeness,
    /// What is listed; absent when it is tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// Number of pages.
    pub page_count: Count,
    /// The first pages, in order.
    pub pages: Vec<Page>,
    /// SHA-256 over the digests of all pages, in order.
    pub pages_digest: Sha256Digest,
    /// The server.
    pub server: Server,
}

impl Declarations {
    /// The list read from `server`, as cursors and the digests of the result bytes received.
    pub fn new(
        server: Server,
        pages: impl IntoIterator<Item = Page>,
        (completeness, change_notice): (Completeness, ChangeNotice),
        captured: Timestamp,
    ) -> Self {
        let mut count = 0u64;
        let mut digests = Vec::new();
        let mut kept = Vec::new();
        for page in pages {
            count = count.saturating_add(1);
            digests.extend_from_slice(page.digest.as_bytes());
            if kept.len() < ELEMENTS_MAX {
                kept.push(page);
            }
        }
        Self {
            captured,
            change_notice,
            completeness,
            item: None,
            page_count: Count::new(count),
            pages: kept,
            pages_digest: Sha256Digest::of(&digests),
            server,
        }
    }

    /// The same, of something else than tools.
    #[must_use]
    pub fn of(self, item: Item) -> Self {
        Self {
            item: Some(item),
            ..self
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Page {
    /// The cursor it was asked for with; absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Text>,
    /// SHA-256 of the result's bytes as received.
    pub digest: Sha256Digest,
}

/// Whether a list was read to its end.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// The last page was reached.
    Complete,
    /// A cursor came twice, or a limit was met.
    Incomplete,
}

/// Whether a server announced a change of a list while it was read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeNotice {
    /// It did not.
    None,
    /// It did.
    Seen,
}
