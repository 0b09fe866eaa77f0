//! What is not a tool result: resources, prompts, completions, notices.

use cmcp_json::Value;

use super::{
    Inspected, Tally,
    blocks::{self, BOOLEAN, Blocks},
    is_complete, look_through, redact, seam,
    structure::{StructureError, array, malformed, object, optional, optional_string},
};
use crate::{catalog::Approved, path::JsonPath};

/// Inspects the `result` of a `resources/read`, as [`super::inspect`] does that of a call: checks its
/// structure, redacts it in place, labels it.
///
/// # Errors
///
/// A result that is none, or one that cannot be redacted and still be one.
pub fn inspect_resource(
    result: &mut Value,
    approved: &Approved,
    extra: &[JsonPath],
) -> Result<Inspected, StructureError> {
    inspected(result, (approved, extra), resource)
}

/// Inspects the `result` of a `prompts/get`: checks its structure, redacts it in place, labels it.
///
/// # Errors
///
/// A result that is none, or one that cannot be redacted and still be one.
pub fn inspect_prompt(
    result: &mut Value,
    approved: &Approved,
    extra: &[JsonPath],
) -> Result<Inspected, StructureError> {
    inspected(result, (approved, extra), prompt)
}

/// Inspects the `result` of a `completion/complete`.
///
/// # Errors
///
/// A result that is none, or one of more than [`MAX_VALUES`] values.
pub fn inspect_completion(result: &Value) -> Result<Inspected, StructureError> {
    let completion = object(result, "result")?.get("completion");
    let completion = object(completion.unwrap_or(&Value::Null), "completion")?;
    let values = array(completion, "values", "completion.values")?;
    if values.len() > MAX_VALUES {
        return Err(StructureError::TooMany {
            place: "completion.values",
            most: MAX_VALUES,
        });
    }
    if let Some(other) = values.iter().find(|value| value.as_str().is_none()) {
        return Err(malformed("completion.values[*]", "a string", other));
    }
    optional(completion, "hasMore", "completion.hasMore", BOOLEAN)?;
    optional(
        completion,
        "total",
        "completion.total",
        ("a number", |value| value.as_number().is_some()),
    )?;
    Ok(labelled(result))
}

/// Inspects the `params` of what a server says unasked: a log message, progress, a task's status.
///
/// # Errors
///
/// Params that are no object.
pub fn inspect_notice(params: &Value) -> Result<Inspected, StructureError> {
    object(params, "params")?;
    Ok(labelled(params))
}

/// Labels everything that can be read in a value.
pub(super) fn labelled(value: &Value) -> Inspected {
    let mut tally = Tally::default();
    look_through(value, &mut tally);
    tally.into_inspected(Vec::new())
}

fn inspected(
    result: &mut Value,
    (approved, extra): (&Approved, &[JsonPath]),
    check: fn(&Value) -> Result<(), StructureError>,
) -> Result<Inspected, StructureError> {
    check(result)?;
    let paths: Vec<&JsonPath> = approved.redact.iter().chain(extra).collect();
    let redactions = redact::redact(result, &paths, &|copy| check(copy).is_ok())
        .map_err(|paths| StructureError::Redaction { paths })?;
    let mut tally = Tally::default();
    look_through(result, &mut tally);
    seam::look_between(&texts(result), &mut tally);
    Ok(tally.into_inspected(redactions))
}

fn resource(result: &Value) -> Result<(), StructureError> {
    let object = object(result, "result")?;
    if !is_complete(result) {
        return Ok(());
    }
    let all = array(object, "contents", "contents")?;
    all.iter()
        .try_for_each(|one| blocks::contents(one, "contents[*]"))
}

fn prompt(result: &Value) -> Result<(), StructureError> {
    let object = object(result, "result")?;
    if !is_complete(result) {
        return Ok(());
    }
    optional_string(object, "description", "description")?;
    let messages = array(object, "messages", "messages")?;
    blocks::messages(messages, Blocks::OfPrompt)
}

/// The texts that a model reads one after the other.
fn texts(result: &Value) -> Vec<&str> {
    let member = |name| result.get(name).and_then(Value::as_array);
    let contents = member("contents").unwrap_or_default().iter();
    let messages = member("messages").unwrap_or_default().iter();
    contents
        .chain(messages.filter_map(|message| message.get("content")))
        .filter_map(|holder| {
            holder
                .get("text")
                .or_else(|| holder.get("resource")?.get("text"))
        })
        .filter_map(Value::as_str)
        .collect()
}

/// Values that a completion may have.
pub const MAX_VALUES: usize = 100;
