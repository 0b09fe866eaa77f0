use cmcp_json::Value;

use super::{Family, Tally, detect, disagree};

/// Finds what is cut in two by the end of one text block and the beginning of the next: a model reads
/// them as one.
pub(super) fn look_across(result: &Value, tally: &mut Tally) {
    look_between(&disagree::texts(result).collect::<Vec<_>>(), tally);
}

/// The same between texts that are read one after the other.
pub(super) fn look_between(texts: &[&str], tally: &mut Tally) {
    for pair in texts.windows(2) {
        let [before, after] = pair else { continue };
        let head = before.get(before.ceil_char_boundary(before.len().saturating_sub(SEAM))..);
        let tail = after.get(..after.floor_char_boundary(SEAM));
        let (Some(head), Some(tail)) = (head, tail) else {
            continue;
        };
        let families = [Family::Injection, Family::Secret];
        let (mut apart, mut joined) = (Tally::default(), Tally::default());
        detect(head, &families, &mut apart);
        detect(tail, &families, &mut apart);
        detect(&format!("{head}{tail}"), &families, &mut joined);
        joined
            .rules()
            .filter(|rule| !apart.has(*rule))
            .for_each(|rule| tally.add(rule));
    }
}

/// How much of each text: more than any rule looks at.
const SEAM: usize = 256;
