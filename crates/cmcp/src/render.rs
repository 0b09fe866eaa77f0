//! Results for a person, and for a program.

pub(crate) mod evidence;
pub(crate) mod fragment;
pub(crate) mod report;
pub(crate) mod table;

use cmcp_json::Value;

/// A document for people: indented, with a line break at the end.
pub(crate) fn pretty(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_else(|_| document.to_string());
    text.push('\n');
    text
}
