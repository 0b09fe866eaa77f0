/// The candidate that was perhaps meant: the closest one, if it is close.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let length = word.chars().count();
    let far = length.div_ceil(3).min(length.saturating_sub(1)).min(4);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                distance(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Insertions, removals and changes from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(MAX_LENGTH).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, char) in from.chars().take(MAX_LENGTH).enumerate() {
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        let mut next = vec![left];
        for (above, other) in row.iter().skip(1).zip(&to) {
            let changed = diagonal.saturating_add(usize::from(char != *other));
            left = changed
                .min(above.saturating_add(1))
                .min(left.saturating_add(1));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

const MAX_LENGTH: usize = 128;
