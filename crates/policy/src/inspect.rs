//! What a server answered or asks, and what a client answers it, before anyone reads it.
//!
//! Structure decides: an answer that is not a tool result, or breaks the approved output schema, is
//! an error. Content only labels: a finding never refuses anything by itself, policy decides on the
//! labels. What the catalog or a policy redacts is taken out here, from the structured output and
//! from the text that repeats it. Nothing of the content is in a finding.

mod asked;
mod blocks;
mod detect;
mod disagree;
mod form;
mod others;
mod redact;
mod rule;
mod seam;
mod structure;
mod url;

use std::collections::{BTreeMap, BTreeSet};

use cmcp_json::Value;

pub(crate) use self::detect::{detect, hidden};
pub use self::{
    asked::{Asked, inspect_answer, inspect_asked},
    form::{FormError, Misfit},
    others::{MAX_VALUES, inspect_completion, inspect_notice, inspect_prompt, inspect_resource},
    rule::{Family, Rule},
    structure::StructureError,
    url::UrlError,
};
use crate::{catalog::Approved, path::JsonPath, schema_check::SchemaViolation};

/// An answer that was looked through and may be judged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspected {
    /// What the content was found to be.
    pub labels: BTreeSet<&'static str>,
    /// Which rules found how much, by name.
    pub findings: Vec<Finding>,
    /// The paths at which something was taken out; when there is none, the result is untouched.
    pub redactions: Vec<String>,
    /// The built-in sensitivity label that the content calls for, which may only raise another.
    pub sensitivity: Option<&'static str>,
}

/// How often a rule matched; never what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The rule's name, such as `secret/github-token`.
    pub rule: &'static str,
    /// How often.
    pub count: usize,
}

/// Why an answer is not one that may be passed on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InspectError {
    /// The result, or a part of it, is of another kind than MCP says.
    #[error("`{place}` of the tool result is {found}, not {expected}")]
    Malformed {
        /// The part.
        place: &'static str,
        /// The kind it should have.
        expected: &'static str,
        /// The kind it has.
        found: &'static str,
    },
    /// The structured output breaks the approved schema.
    #[error("the structured output does not match the approved output schema: {0}")]
    OutputSchema(SchemaViolation),
    /// The structured output cannot be redacted and still match the approved schema.
    #[error("what `{paths}` name cannot be taken out without breaking the approved output schema")]
    Redaction {
        /// The paths.
        paths: String,
    },
}

/// Inspects the `result` of a `tools/call`: checks its structure, redacts it in place, labels it.
///
/// `extra` are the paths that policy adds to the catalog's.
///
/// # Errors
///
/// A result that is none, that breaks the approved output schema, or that cannot be redacted and
/// still satisfy it.
pub fn inspect(
    result: &mut Value,
    approved: &Approved,
    extra: &[JsonPath],
) -> Result<Inspected, InspectError> {
    check_shape(result)?;
    if let Some(structured) = structured(result) {
        approved
            .check_output(structured)
            .map_err(InspectError::OutputSchema)?;
    }
    let mut tally = Tally::default();
    if approved.promises_structure() && is_complete(result) && structured(result).is_none() {
        tally.add(Rule::OutputMissing);
    }
    disagree::check(result, &mut tally);
    let paths: Vec<&JsonPath> = approved.redact.iter().chain(extra).collect();
    let is_sound = |copy: &Value| {
        structured(copy).is_none_or(|structured| approved.check_output(structured).is_ok())
    };
    let redactions = redact::redact(result, &paths, &is_sound)
        .map_err(|paths| InspectError::Redaction { paths })?;
    look_through(result, &mut tally);
    seam::look_across(result, &mut tally);
    Ok(tally.into_inspected(redactions))
}

/// Labels the error that a server answered instead of a result.
#[must_use]
pub fn inspect_error(message: &str, data: Option<&Value>) -> Inspected {
    let mut tally = Tally::default();
    detect(message, &Family::ALL, &mut tally);
    if let Some(data) = data {
        look_through(data, &mut tally);
    }
    tally.into_inspected(Vec::new())
}

/// Labels one text with the given families of rules.
#[must_use]
pub fn inspect_text(text: &str, families: &[Family]) -> Inspected {
    let mut tally = Tally::default();
    detect(text, families, &mut tally);
    tally.into_inspected(Vec::new())
}

/// Counts matches by rule.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Rule, usize>,
}

impl Tally {
    pub(crate) fn add(&mut self, rule: Rule) {
        let count = self.counts.entry(rule).or_default();
        *count = count.saturating_add(1);
    }

    fn has(&self, rule: Rule) -> bool {
        self.counts.contains_key(&rule)
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = Rule> {
        self.counts.keys().copied()
    }

    fn into_inspected(self, redactions: Vec<String>) -> Inspected {
        Inspected {
            labels: self.counts.keys().map(|rule| rule.label()).collect(),
            sensitivity: self.counts.keys().find_map(|rule| rule.sensitivity()),
            findings: self
                .counts
                .into_iter()
                .map(|(rule, count)| Finding {
                    rule: rule.name(),
                    count,
                })
                .collect(),
            redactions,
        }
    }
}

fn check_shape(result: &Value) -> Result<(), InspectError> {
    let malformed = |place, expected, value: &Value| {
        Err(InspectError::Malformed {
            place,
            expected,
            found: value.kind(),
        })
    };
    let Some(object) = result.as_object() else {
        return malformed("result", "an object", result);
    };
    if let Some(value) = object
        .get("isError")
        .filter(|value| value.as_bool().is_none())
    {
        return malformed("isError", "a boolean", value);
    }
    let Some(content) = object.get("content") else {
        return Ok(());
    };
    let Some(blocks) = content.as_array() else {
        return malformed("content", "an array", content);
    };
    for block in blocks {
        let Some(object) = block.as_object() else {
            return malformed("content[*]", "an object", block);
        };
        match object.get("type") {
            Some(Value::String(kind)) if kind == "text" => match object.get("text") {
                Some(Value::String(_)) => {}
                Some(text) => return malformed("content[*].text", "a string", text),
                None => return malformed("content[*].text", "a string", &Value::Null),
            },
            Some(Value::String(_)) => {}
            Some(kind) => return malformed("content[*].type", "a string", kind),
            None => return malformed("content[*].type", "a string", &Value::Null),
        }
    }
    Ok(())
}

/// The structured output, where there is one. An older server may say that it has none with `null`,
/// which the approved schema then has to allow.
fn structured(result: &Value) -> Option<&Value> {
    result.get("structuredContent")
}

/// Whether a result is the answer itself: no error, no request for input, no task.
fn is_complete(result: &Value) -> bool {
    let is_error = result.get("isError").and_then(Value::as_bool) == Some(true);
    let kind = result.get("resultType").and_then(Value::as_str);
    !is_error && kind.is_none_or(|kind| kind == "complete")
}

/// Every string there is, member names included.
fn look_through(value: &Value, tally: &mut Tally) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => detect(text, &Family::ALL, tally),
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| look_through(element, tally)),
        Value::Object(object) => {
            for (name, value) in object.iter() {
                detect(name, &Family::ALL, tally);
                look_through(value, tally);
            }
        }
    }
}

#[cfg(test)]
mod tests;
