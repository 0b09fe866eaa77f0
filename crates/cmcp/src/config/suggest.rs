//! The key or word somebody may have meant.

use crate::config::keys::KEYS;

/// `; did you mean …?`, or where the keys are listed.
pub(crate) fn key(unknown: &str) -> String {
    let name = unknown.rsplit('.').next().unwrap_or(unknown);
    let elsewhere = KEYS
        .iter()
        .find(|key| key.name() == name)
        .map(|key| key.path);
    let similar = closest(unknown, KEYS.iter().map(|key| key.path));
    match elsewhere.or(similar) {
        Some(path) => format!("; did you mean `{path}`?"),
        None => "; remove it, `docs/configuration.md` lists the keys there are".to_owned(),
    }
}

/// The candidate with the fewest edits, if a third of the letters or fewer differ.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, candidate)| edits.saturating_mul(3) <= candidate.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements between two words; long input is not compared.
fn distance(left: &str, right: &str) -> usize {
    if left.len() > 100 {
        return usize::MAX;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (to, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(from != *to));
            let edits = replaced
                .min(cell.saturating_add(1))
                .min(before.saturating_add(1));
            diagonal = *cell;
            before = edits;
            *cell = edits;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
