//! Reference values as YAML, to be put into a document by hand.

use cmcp_json::Value;

/// The lines of a mapping. Texts are quoted, so that digits stay what they are.
pub(crate) fn lines(fragment: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    write(fragment, 0, &mut lines);
    lines
}

fn write(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let Some(object) = value.as_object() else {
        lines.push(format!("{indent}{}", inline(value)));
        return;
    };
    for (name, value) in object.iter() {
        let name = key(name);
        match value {
            Value::Object(_) => {
                lines.push(format!("{indent}{name}:"));
                write(value, depth.saturating_add(1), lines);
            }
            Value::Array(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Number(_)
            | Value::String(_) => lines.push(format!("{indent}{name}: {}", inline(value))),
        }
    }
}

/// JSON is YAML: its texts have the escapes that YAML's have in double quotes.
fn inline(value: &Value) -> String {
    value.to_string()
}

fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    match starts && name.chars().all(plain) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

#[cfg(test)]
mod tests;
