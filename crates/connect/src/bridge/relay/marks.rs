//! Which arguments of which tool a header mirrors.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cmcp_json::Value;
use cmcp_mcp::headers::{Mirrored, mirrored};

use crate::bridge::text;

/// The marks of every tool that a modern listing has shown.
#[derive(Default)]
pub(super) struct Marks(Mutex<HashMap<String, Vec<Mirrored>>>);

impl Marks {
    /// The marks of one tool; none where it was never listed.
    pub(super) fn of(&self, tool: &str) -> Vec<Mirrored> {
        let tools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tools.get(tool).cloned().unwrap_or_default()
    }

    /// Remembers the marks of a `tools/list` result.
    pub(super) fn learn(&self, result: &Value) {
        let listed = result.get("tools").and_then(Value::as_array);
        let mut tools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in listed.unwrap_or_default() {
            let Some(name) = text(tool, "name") else {
                continue;
            };
            let marks = tool
                .get("inputSchema")
                .and_then(|schema| mirrored(schema).ok())
                .unwrap_or_default();
            if marks.is_empty() {
                tools.remove(name);
            } else if tools.len() < MAX_TOOLS || tools.contains_key(name) {
                tools.insert(name.to_owned(), marks);
            }
        }
    }
}

/// Tools with marks that are remembered.
const MAX_TOOLS: usize = 10_000;
