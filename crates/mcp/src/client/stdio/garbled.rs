//! Finds the id of a message that cannot be parsed, at the places where servers put it.

/// The id that stands first or last in a message of which only the ends are known.
pub(super) fn find_id(head: &[u8], tail: &[u8]) -> Option<u64> {
    let from = tail.len().saturating_sub(LOOKED_AT);
    let head = compact(head.get(..LOOKED_AT).unwrap_or(head));
    let tail = compact(tail.get(from..).unwrap_or_default());
    leading(&head).or_else(|| trailing(&tail))
}

fn compact(text: &[u8]) -> String {
    let bytes: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `{"jsonrpc":"2.0","id":N,…` or `{"id":N,…`
fn leading(head: &str) -> Option<u64> {
    let rest = head.strip_prefix('{')?;
    let rest = rest.strip_prefix("\"jsonrpc\":\"2.0\",").unwrap_or(rest);
    let rest = rest.strip_prefix("\"id\":")?;
    let (digits, _) = rest.split_once([',', '}'])?;
    digits.parse().ok()
}

/// `…,"id":N}` or `…,"id":N,"jsonrpc":"2.0"}`
fn trailing(tail: &str) -> Option<u64> {
    let rest = tail.strip_suffix('}')?;
    let rest = rest.strip_suffix(",\"jsonrpc\":\"2.0\"").unwrap_or(rest);
    let (_, digits) = rest.rsplit_once(",\"id\":")?;
    digits.parse().ok()
}

const LOOKED_AT: usize = 96;

#[cfg(test)]
mod tests;
