//! The configured sink limits: structural, so that the enforcement mode does not matter.

use cmcp_policy::{
    catalog::Approved,
    sensitivity::{Sensitivity, Vocabulary},
};

use crate::{refusal::Refusal, settings::SinkPolicy};

impl SinkPolicy {
    /// Whether data of the session's sensitivity may enter the tool.
    pub(crate) fn admits(
        &self,
        vocabulary: &Vocabulary,
        tool: &Approved,
        session: &Sensitivity,
    ) -> Result<(), Refusal> {
        let limit = limit(&self.tool_max, vocabulary, tool, "tool_max_sensitivity")?;
        within(limit, session, "the session has seen")
    }

    /// Whether the tool's response may return.
    pub(crate) fn releases(&self, vocabulary: &Vocabulary, tool: &Approved) -> Result<(), Refusal> {
        let limit = limit(
            &self.response_max,
            vocabulary,
            tool,
            "response_max_sensitivity",
        )?;
        within(limit, &tool.sensitivity, "the response is")
    }
}

fn limit(
    table: &std::collections::BTreeMap<String, String>,
    vocabulary: &Vocabulary,
    tool: &Approved,
    key: &str,
) -> Result<Sensitivity, Refusal> {
    table
        .get(&tool.name)
        .and_then(|label| vocabulary.sensitivity(label))
        .ok_or_else(|| Refusal::Sink(format!("`{key}` does not name this tool")))
}

fn within(limit: Sensitivity, seen: &Sensitivity, what: &str) -> Result<(), Refusal> {
    if seen.rank() <= limit.rank() {
        return Ok(());
    }
    Err(Refusal::Sink(format!(
        "{what} `{seen}`, the limit is `{limit}`"
    )))
}
