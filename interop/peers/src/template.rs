use serde_json::Value;

/// `template` with every `{path.to.value}` in its strings replaced by what stands there in `scope`: a
/// string as it is, anything else as JSON.
pub(crate) fn filled(template: &Value, scope: &Value) -> Value {
    match template {
        Value::String(text) => Value::String(filled_text(text, scope)),
        Value::Array(items) => items.iter().map(|item| filled(item, scope)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), filled(member, scope)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    }
}

/// The same for one text.
pub(crate) fn filled_text(template: &str, scope: &Value) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((path, behind)) = after.split_once('}') else {
            break;
        };
        filled.push_str(before);
        filled.push_str(&found(path, scope));
        rest = behind;
    }
    filled + rest
}

fn found(path: &str, scope: &Value) -> String {
    let found = path
        .split('.')
        .try_fold(scope, |value, member| value.get(member));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests;
