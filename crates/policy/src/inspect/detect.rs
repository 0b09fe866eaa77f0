//! One pass over a text for all keywords, then a look around each: linear in the text.

mod keyword;
mod number;
mod secret;
mod unicode;
mod window;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

pub(crate) use self::unicode::hidden;
use self::{
    keyword::{Check, KEYWORDS},
    window::Window,
};
use super::{Family, Tally};

/// Counts what the rules of the given families find in a text.
pub(crate) fn detect(text: &str, families: &[Family], tally: &mut Tally) {
    let has = |family| families.contains(&family);
    if has(Family::Injection) || has(Family::Secret) || has(Family::Personal) {
        keywords(text, families, tally);
    }
    if has(Family::Personal) {
        number::find(text, tally);
    }
    if has(Family::Injection) && !text.is_ascii() {
        unicode::find(text, tally);
    }
}

fn keywords(text: &str, families: &[Family], tally: &mut Tally) {
    let Some(automaton) = AUTOMATON.as_ref() else {
        return;
    };
    // The end of each rule's last match: one thing is counted once, however many keywords it has.
    let mut ends = [0_usize; KEYWORDS.len()];
    for found in automaton.find_overlapping_iter(text) {
        let index = found.pattern().as_usize();
        let (Some(keyword), Some(end)) = (KEYWORDS.get(index), ends.get_mut(index)) else {
            continue;
        };
        if found.start() < *end || !families.contains(&keyword.rule.family()) {
            continue;
        }
        let window = Window::new(text, found.start(), found.end());
        let matched = match &keyword.check {
            Check::Enough => Some(found.end()),
            Check::Look(look) => look(&window),
        };
        if let Some(matched) = matched {
            *end = matched;
            tally.add(keyword.rule);
        }
    }
}

/// `None` cannot be: the keywords are few and fixed, and a test builds it.
static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(KEYWORDS.iter().map(|keyword| keyword.text))
        .ok()
});

#[cfg(test)]
mod tests;
