//! What a server asks of a client, and what the client answers.

use cmcp_json::{Object, Value};

use super::{
    Inspected,
    blocks::{self, Blocks},
    form::Form,
    others::labelled,
    structure::{StructureError, array, malformed, object, optional, optional_string, string},
    url,
};

/// What a server asks of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// `sampling/createMessage`: a completion by the client's model.
    Sample,
    /// `elicitation/create`: something that a person has to say, or a page to visit.
    Elicit,
    /// `roots/list`: the folders that the client works in.
    ListRoots,
}

/// Inspects the `params` of what a server asks; `null` where it has none.
///
/// A form must be one that a client can show: flat, of the kinds that the protocol has. A link must be
/// one that a person can be sent to and can judge: `https`, or `http` on this machine, and without a
/// user or password in it.
///
/// # Errors
///
/// A question that is none.
pub fn inspect_asked(asked: Asked, params: &Value) -> Result<Inspected, StructureError> {
    match (asked, params) {
        (Asked::ListRoots, Value::Null) => {}
        (Asked::ListRoots, _) => {
            object(params, "params")?;
        }
        (Asked::Sample, _) => sampling(object(params, "params")?)?,
        (Asked::Elicit, _) => elicitation(object(params, "params")?)?,
    }
    Ok(labelled(params))
}

/// Inspects the `result` that a client answers such a question with. `requested_schema` is that of
/// the form that was asked for; a question without one, a link, is answered without content.
///
/// # Errors
///
/// An answer that is none, and content that the form did not ask for.
pub fn inspect_answer(
    asked: Asked,
    answer: &Value,
    requested_schema: Option<&Value>,
) -> Result<Inspected, StructureError> {
    let members = object(answer, "result")?;
    match asked {
        Asked::Sample => sampled(members)?,
        Asked::Elicit => elicited(members, requested_schema)?,
        Asked::ListRoots => roots(members)?,
    }
    Ok(labelled(answer))
}

fn sampling(params: &Object) -> Result<(), StructureError> {
    let messages = array(params, "messages", "messages")?;
    blocks::messages(messages, Blocks::OfSampling)?;
    optional_string(params, "systemPrompt", "systemPrompt")?;
    optional(params, "maxTokens", "maxTokens", NUMBER)?;
    optional(params, "temperature", "temperature", NUMBER)?;
    optional(params, "modelPreferences", "modelPreferences", OBJECT)?;
    optional(params, "toolChoice", "toolChoice", OBJECT)?;
    optional(params, "tools", "tools", ARRAY)?;
    optional(params, "stopSequences", "stopSequences", ARRAY)?;
    match optional_string(params, "includeContext", "includeContext")? {
        None | Some("none" | "thisServer" | "allServers") => Ok(()),
        Some(_) => Err(StructureError::Word {
            place: "includeContext",
            known: "`none`, `thisServer` and `allServers`",
        }),
    }
}

fn elicitation(params: &Object) -> Result<(), StructureError> {
    string(params, "message", "message")?;
    optional_string(params, "elicitationId", "elicitationId")?;
    let (schema, link) = (params.get("requestedSchema"), params.get("url"));
    match optional_string(params, "mode", "mode")? {
        None | Some("form") => {
            if let Some(link) = link {
                return Err(malformed("url", "absent from a form", link));
            }
            Form::of(schema.unwrap_or(&Value::Null))?;
        }
        Some("url") => {
            if let Some(schema) = schema {
                return Err(malformed("requestedSchema", "absent from a link", schema));
            }
            url::check(string(params, "url", "url")?)?;
        }
        Some(_) => {
            return Err(StructureError::Word {
                place: "mode",
                known: "`form` and `url`",
            });
        }
    }
    Ok(())
}

fn sampled(answer: &Object) -> Result<(), StructureError> {
    blocks::said(answer, Blocks::OfSampling, ("role", "content"))?;
    string(answer, "model", "model")?;
    optional_string(answer, "stopReason", "stopReason")?;
    Ok(())
}

fn elicited(answer: &Object, schema: Option<&Value>) -> Result<(), StructureError> {
    // `null` and `{}` are how some clients write that there is none.
    let content = answer.get("content").filter(|content| {
        !content.is_null()
            && content
                .as_object()
                .is_none_or(|members| !members.is_empty())
    });
    match (string(answer, "action", "action")?, schema, content) {
        ("accept", Some(schema), content) => {
            let nothing = Value::from(Object::new());
            Form::of(schema)?.check(content.unwrap_or(&nothing))?;
            Ok(())
        }
        ("accept", None, None) | ("decline" | "cancel", _, None) => Ok(()),
        ("accept" | "decline" | "cancel", _, Some(_)) => Err(StructureError::Content),
        (_, _, _) => Err(StructureError::Word {
            place: "action",
            known: "`accept`, `decline` and `cancel`",
        }),
    }
}

fn roots(answer: &Object) -> Result<(), StructureError> {
    let roots = array(answer, "roots", "roots")?;
    if roots.len() > MAX_ROOTS {
        return Err(StructureError::TooMany {
            place: "roots",
            most: MAX_ROOTS,
        });
    }
    for root in roots {
        let root = object(root, "roots[*]")?;
        string(root, "uri", "roots[*].uri")?;
        optional_string(root, "name", "roots[*].name")?;
    }
    Ok(())
}

const NUMBER: (&str, fn(&Value) -> bool) = ("a number", |value| value.as_number().is_some());
const OBJECT: (&str, fn(&Value) -> bool) = ("an object", |value| value.as_object().is_some());
const ARRAY: (&str, fn(&Value) -> bool) = ("an array", |value| value.as_array().is_some());

/// Roots that a client may name.
const MAX_ROOTS: usize = 1_000;
