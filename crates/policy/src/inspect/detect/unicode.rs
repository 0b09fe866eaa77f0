use super::super::{Rule, Tally};

/// Characters that are not seen, or that show something else than they are.
pub(super) fn find(text: &str, tally: &mut Tally) {
    hidden(text, &mut |rule| tally.add(rule));
}

/// Reports what each character that is out of place is.
pub(crate) fn hidden(text: &str, report: &mut dyn FnMut(Rule)) {
    let mut before = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        // Most text is ASCII even where it is not all ASCII.
        if !c.is_ascii() {
            if c == '\u{1f3f4}'
                && REGIONS
                    .iter()
                    .any(|region| chars.as_str().starts_with(region))
            {
                before = chars.by_ref().nth(REGION_TAGS);
                continue;
            }
            if let Some(rule) = judge(before, c, chars.clone().next()) {
                report(rule);
            }
        }
        before = Some(c);
    }
}

fn judge(before: Option<char>, c: char, after: Option<char>) -> Option<Rule> {
    match c {
        '\u{200b}'
        | '\u{2060}'..='\u{2064}'
        | '\u{180e}'
        | '\u{206a}'..='\u{206f}'
        | '\u{1d173}'..='\u{1d17a}' => Some(Rule::ZeroWidth),
        // At the start of a text it marks the byte order.
        '\u{feff}' => before.map(|_| Rule::ZeroWidth),
        // Emoji, and scripts that join letters, need the joiners.
        '\u{200c}' | '\u{200d}' => {
            let joins = |c: Option<char>| c.is_some_and(|c| c >= '\u{0590}' && !is_invisible(c));
            (!joins(before) || !joins(after)).then_some(Rule::ZeroWidth)
        }
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some(Rule::Bidi),
        '\u{e0000}'..='\u{e007f}' => Some(Rule::Tag),
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            before.is_none_or(is_selector).then_some(Rule::Variation)
        }
        '\u{0400}'..='\u{052f}' => {
            let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
            (latin(before) || latin(after)).then_some(Rule::MixedScript)
        }
        _ => None,
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The flags of England, Scotland and Wales: a black flag, then the region in tags.
const REGIONS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// The index of the last of those tags.
const REGION_TAGS: usize = 5;
