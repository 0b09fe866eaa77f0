//! Changing single members of JSON that is passed on: every other byte stays as it came.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::jsonrpc;

/// `raw`, an object, with one member set to `new`: in its place where it is there, else behind the
/// others. `members` is `raw`, parsed.
pub(crate) fn set(raw: &Bytes, members: &Object, name: &str, new: &[u8]) -> Bytes {
    match members.span(name) {
        Some(span) => replace(raw, &[(span, new)]),
        None => jsonrpc::with_members(raw, &[(name, new)]),
    }
}

/// `raw`, an object, without these members; `raw` itself where it has none of them. `members` is
/// `raw`, parsed.
pub(crate) fn without(raw: &Bytes, members: &Object, names: &[&str]) -> Bytes {
    let mut cuts: Vec<(Range<usize>, &[u8])> = Vec::new();
    // Where the last member that stays ends; none before the first.
    let mut kept = None;
    let mut pending = None;
    for (name, _) in members.iter() {
        let Some(span) = members.span(name) else {
            return raw.clone();
        };
        if names.contains(&name) {
            match kept {
                Some(end) => cuts.push((end..span.end, b"")),
                None => pending = Some(span.end),
            }
            kept = kept.map(|_| span.end);
        } else {
            if let Some(end) = pending.take() {
                cuts.push((opening(raw)..behind_comma(raw, end), b""));
            }
            kept = Some(span.end);
        }
    }
    if let Some(end) = pending {
        cuts.push((opening(raw)..end, b""));
    }
    if cuts.is_empty() {
        raw.clone()
    } else {
        replace(raw, &cuts)
    }
}

/// A member of `raw`, an object, as it stands there.
pub(crate) fn member(raw: &Bytes, members: &Object, name: &str) -> Option<Bytes> {
    let span = members.span(name)?;
    raw.get(span.clone()).map(|_| raw.slice(span))
}

/// Reads an object that was read before, as part of a message.
pub(crate) fn object(raw: &[u8]) -> Option<Object> {
    match parse(raw, &Limits::RESPONSE) {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) | Err(_) => None,
    }
}

/// `raw` with these ranges replaced; they are in order and do not overlap.
pub(crate) fn replace(raw: &[u8], changes: &[(Range<usize>, &[u8])]) -> Bytes {
    let added: usize = changes.iter().map(|(_, new)| new.len()).sum();
    let mut out = BytesMut::with_capacity(raw.len().saturating_add(added));
    let mut at = 0;
    for (range, new) in changes {
        out.put_slice(raw.get(at..range.start).unwrap_or_default());
        out.put_slice(new);
        at = range.end;
    }
    out.put_slice(raw.get(at..).unwrap_or_default());
    out.freeze()
}

fn opening(raw: &[u8]) -> usize {
    let brace = raw.iter().position(|byte| *byte == b'{');
    brace.map_or(0, |at| at.saturating_add(1))
}

/// Behind the comma that follows `end`; `end` where none does.
fn behind_comma(raw: &[u8], end: usize) -> usize {
    let comma = raw
        .get(end..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b','));
    comma.map_or(end, |at| end.saturating_add(at).saturating_add(1))
}

#[cfg(test)]
mod tests;
