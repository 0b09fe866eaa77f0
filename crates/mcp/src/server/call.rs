//! The parameters of `tools/call`, read strictly.

use bytes::Bytes;
use cmcp_json::{Object, Value};

use crate::jsonrpc::Params;

/// What a `tools/call` asks for.
#[derive(Clone, Debug)]
pub struct CallParams {
    /// The tool, by its exact bytes.
    pub name: String,
    /// The arguments; empty where absent.
    pub arguments: Object,
    /// The arguments exactly as received; `None` where absent.
    pub arguments_bytes: Option<Bytes>,
    /// `_meta`; empty where absent.
    pub meta: Object,
    /// `_meta` exactly as received; `None` where absent.
    pub meta_bytes: Option<Bytes>,
    /// `_cmcp`, the caller's claims of the 0.7.1 dialect; empty where absent or not an object.
    pub claims: Object,
}

/// How large arguments may be, beside what the parser already bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caps {
    /// Nothing more.
    Standard,
    /// Depth 20, 256 members per object, strings and names of 500,000 bytes: what 0.7.1 takes.
    V07,
}

/// What is wrong with the parameters. Its text goes to the caller behind `Invalid params: `.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidParams {
    /// `name` is missing or not a string.
    #[error("name must be a string")]
    Name,
    /// `arguments` is there and not an object.
    #[error("arguments must be an object")]
    Arguments,
    /// `_meta` is there and not an object.
    #[error("_meta must be an object")]
    Meta,
    /// `cursor` is there and not a string.
    #[error("cursor must be a string")]
    Cursor,
    /// `inputResponses` is there and not an object.
    #[error("inputResponses must be an object")]
    InputResponses,
    /// `level` is not a log level.
    #[error("level must be one of debug, info, notice, warning, error, critical, alert, emergency")]
    Level,
    /// `notifications` is missing, or a member of it is not what it has to be.
    #[error("notifications must be an object of booleans and arrays of strings")]
    Notifications,
    /// `requestState` is there and not a string.
    #[error("requestState must be a string")]
    RequestState,
    /// More resources or tasks than one stream may be about.
    #[error("more subscriptions than one stream may hold; open another for the rest")]
    TooManySubscriptions,
    /// `uri` is missing or not a string.
    #[error("uri must be a string")]
    Uri,
    /// More levels than 0.7.1 takes.
    #[error("arguments nested past the depth cap of {DEPTH}")]
    Depth,
    /// More members than 0.7.1 takes.
    #[error("object has more than {MEMBERS} keys")]
    Members,
    /// A longer member name than 0.7.1 takes.
    #[error("object key over the length cap of {STRING} bytes")]
    MemberName,
    /// A longer string than 0.7.1 takes.
    #[error("string value over the length cap of {STRING} bytes")]
    String,
}

impl CallParams {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`InvalidParams`]; nothing is coerced.
    pub fn read(params: &Params, caps: Caps) -> Result<Self, InvalidParams> {
        let name = params
            .get("name")
            .and_then(Value::as_str)
            .ok_or(InvalidParams::Name)?;
        let arguments = object(params, "arguments").ok_or(InvalidParams::Arguments)?;
        let meta = object(params, "_meta").ok_or(InvalidParams::Meta)?;
        match caps {
            Caps::Standard => {}
            Caps::V07 => within_members(&arguments, DEPTH)?,
        }
        Ok(Self {
            name: name.to_owned(),
            arguments,
            arguments_bytes: params.raw("arguments"),
            meta,
            meta_bytes: params.raw("_meta"),
            claims: params
                .get("_cmcp")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        })
    }
}

/// An optional object; `None` when it is there and something else.
fn object(params: &Params, name: &str) -> Option<Object> {
    match params.get(name) {
        None => Some(Object::new()),
        Some(value) => value.as_object().cloned(),
    }
}

fn within(value: &Value, levels: Option<usize>) -> Result<(), InvalidParams> {
    let levels = levels.ok_or(InvalidParams::Depth)?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) if text.len() > STRING => Err(InvalidParams::String),
        Value::String(_) => Ok(()),
        Value::Array(elements) => elements
            .iter()
            .try_for_each(|element| within(element, levels.checked_sub(1))),
        Value::Object(members) => within_members(members, levels),
    }
}

fn within_members(members: &Object, levels: usize) -> Result<(), InvalidParams> {
    if members.len() > MEMBERS {
        return Err(InvalidParams::Members);
    }
    members.iter().try_for_each(|(name, value)| {
        if name.len() > STRING {
            return Err(InvalidParams::MemberName);
        }
        within(value, levels.checked_sub(1))
    })
}

const DEPTH: usize = 20;
const MEMBERS: usize = 256;
const STRING: usize = 500_000;

#[cfg(test)]
mod tests;
