use cmcp_json::{Limits, Object, Value, parse};

use super::{Rule, Tally};

/// Notes when the text of a result is JSON, and says something else than the structured output.
///
/// Text that is no JSON cannot be compared. Servers that wrap a list or a scalar as `result` and
/// give each element a text of its own say the same twice, too.
pub(super) fn check(result: &Value, tally: &mut Tally) {
    let Some(structured) = result.get("structuredContent") else {
        return;
    };
    let texts: Vec<Value> = texts(result).filter_map(document).collect();
    if texts.is_empty() || texts.iter().any(|text| same(text, structured)) {
        return;
    }
    let wrapped = structured
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.get("result"));
    let agrees = wrapped.is_some_and(|wrapped| {
        let elements = wrapped.as_array().unwrap_or_default();
        texts.iter().any(|text| same(text, wrapped))
            || texts.len() == elements.len()
                && texts
                    .iter()
                    .zip(elements)
                    .all(|(text, element)| same(text, element))
    });
    if !agrees {
        tally.add(Rule::TextDiffers);
    }
}

/// The text blocks of a result.
pub(super) fn texts(result: &Value) -> impl Iterator<Item = &str> {
    let blocks = result
        .get("content")
        .and_then(Value::as_array)
        .unwrap_or_default();
    blocks
        .iter()
        .filter_map(|block| block.get("text")?.as_str())
}

/// A text that is a JSON object or array.
pub(super) fn document(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    parse(text.as_bytes(), &Limits::RESPONSE).ok()
}

/// Equality in which numbers compare as numbers: `1` is `1.0`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => same_members(a, b),
        (a, b) => a == b,
    }
}

fn same_members(a: &Object, b: &Object) -> bool {
    fn sorted(object: &Object) -> Vec<(&str, &Value)> {
        let mut members: Vec<_> = object.iter().collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        members
    }
    a.len() == b.len()
        && sorted(a)
            .iter()
            .zip(sorted(b))
            .all(|((name, a), (other, b))| *name == other && same(a, b))
}
