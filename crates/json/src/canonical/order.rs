use std::cmp::Ordering;

/// Compares by UTF-16 code units, without making them.
///
/// UTF-8 orders as code points do, and so does UTF-16, but for one thing: surrogates sort before
/// U+E000–U+FFFF. At the first byte that differs, an astral character leads with F0–F4 and such a
/// character with EE or EF; no continuation byte is that high.
pub(super) fn utf16(a: &str, b: &str) -> Ordering {
    let first_difference = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    match first_difference {
        None => a.len().cmp(&b.len()),
        Some((0xf0.., 0xee..=0xef)) => Ordering::Less,
        Some((0xee..=0xef, 0xf0..)) => Ordering::Greater,
        Some((a, b)) => a.cmp(&b),
    }
}
