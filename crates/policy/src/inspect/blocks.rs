//! Content blocks, of prompts and of what passes between a server and a client's model.

use cmcp_json::{Object, Value};

use super::structure::{
    StructureError, array, malformed, object, optional, optional_string, string,
};

/// Whose blocks: a prompt has no calls of tools in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Blocks {
    OfPrompt,
    OfSampling,
}

/// Checks messages: each has a role, and content of some kind.
pub(super) fn messages(messages: &[Value], blocks: Blocks) -> Result<(), StructureError> {
    for message in messages {
        let message = object(message, "messages[*]")?;
        said(message, blocks, ("messages[*].role", "messages[*].content"))?;
    }
    Ok(())
}

/// Checks what somebody said: a role, and one block or, in sampling, several.
pub(super) fn said(
    message: &Object,
    blocks: Blocks,
    (role, content): (&'static str, &'static str),
) -> Result<(), StructureError> {
    match string(message, "role", role)? {
        "user" | "assistant" => {}
        _ => {
            let known = "`user` and `assistant`";
            return Err(StructureError::Word { place: role, known });
        }
    }
    match (message.get("content"), blocks) {
        (Some(Value::Array(several)), Blocks::OfSampling) => {
            several.iter().try_for_each(|one| block(one, blocks))
        }
        (Some(one), _) => block(one, blocks),
        (None, _) => Err(malformed(content, "an object", &Value::Null)),
    }
}

fn block(value: &Value, blocks: Blocks) -> Result<(), StructureError> {
    let block = object(value, "content")?;
    match (string(block, "type", "content.type")?, blocks) {
        ("text", _) => string(block, "text", "content.text").map(drop),
        ("image" | "audio", _) => {
            string(block, "data", "content.data")?;
            string(block, "mimeType", "content.mimeType").map(drop)
        }
        ("resource_link", Blocks::OfPrompt) => {
            string(block, "uri", "content.uri")?;
            string(block, "name", "content.name").map(drop)
        }
        ("resource", Blocks::OfPrompt) => {
            let resource = block.get("resource").unwrap_or(&Value::Null);
            contents(resource, "content.resource")
        }
        ("tool_use", Blocks::OfSampling) => {
            string(block, "id", "content.id")?;
            string(block, "name", "content.name")?;
            object(block.get("input").unwrap_or(&Value::Null), "content.input").map(drop)
        }
        ("tool_result", Blocks::OfSampling) => {
            string(block, "toolUseId", "content.toolUseId")?;
            optional(block, "isError", "content.isError", BOOLEAN)?;
            let results = array(block, "content", "content.content")?;
            results
                .iter()
                .try_for_each(|one| self::block(one, Blocks::OfPrompt))
        }
        // A kind that a later revision may have: every text in it is looked at all the same.
        (_, Blocks::OfPrompt | Blocks::OfSampling) => Ok(()),
    }
}

/// Checks what a resource holds: a URI, and text or bytes.
pub(super) fn contents(value: &Value, place: &'static str) -> Result<(), StructureError> {
    let resource = object(value, place)?;
    string(resource, "uri", "contents[*].uri")?;
    optional_string(resource, "mimeType", "contents[*].mimeType")?;
    let text = optional_string(resource, "text", "contents[*].text")?;
    let blob = optional_string(resource, "blob", "contents[*].blob")?;
    match (text, blob) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        // Of both, one reader would take the one and another the other.
        (Some(_), Some(_)) | (None, None) => Err(StructureError::Contents { place }),
    }
}

pub(super) const BOOLEAN: (&str, fn(&Value) -> bool) =
    ("a boolean", |value| value.as_bool().is_some());
