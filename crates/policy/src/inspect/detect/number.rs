use super::super::{Rule, Tally};

/// Payment cards, IBANs and social security numbers: digits with a checksum or a range, found by
/// walking the runs of digits once.
pub(super) fn find(text: &str, tally: &mut Tally) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(skipped) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
    {
        let start = at.saturating_add(skipped);
        let found = [
            (Rule::Iban, iban as Judge),
            (Rule::PaymentCard, card),
            (Rule::UsSsn, ssn),
        ]
        .into_iter()
        .find_map(|(rule, judge)| Some((rule, judge(bytes, start)?)));
        at = match found {
            Some((rule, end)) => {
                tally.add(rule);
                end
            }
            None => end_of_word(bytes, start),
        };
    }
}

/// The end of the number that begins at a digit, if it is of the kind.
type Judge = fn(&[u8], usize) -> Option<usize>;

fn end_of_word(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let word = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
    word.map_or(bytes.len(), |length| start.saturating_add(length))
}

/// Whether no letter, digit or joining sign is right before a place.
fn begins(bytes: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    !before.is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'+' | b'%')
    })
}

fn ends(bytes: &[u8], end: usize) -> bool {
    match bytes.get(end) {
        Some(b'.') => !bytes
            .get(end.saturating_add(1))
            .is_some_and(u8::is_ascii_digit),
        Some(byte) => !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'%')),
        None => true,
    }
}

fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}

fn card(bytes: &[u8], start: usize) -> Option<usize> {
    if !begins(bytes, start) {
        return None;
    }
    let (digits, end) = grouped(bytes, start)?;
    (ends(bytes, end) && is_issued(&digits) && luhn(&digits)).then_some(end)
}

/// Up to 19 digits: in one piece, or in groups after a first one of four, with one and the same
/// separator.
fn grouped(bytes: &[u8], start: usize) -> Option<(Vec<u32>, usize)> {
    let first = bytes
        .get(start..)?
        .iter()
        .take(20)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let separator = bytes
        .get(start.saturating_add(first))
        .filter(|byte| matches!(byte, b' ' | b'-'));
    if !(13..=19).contains(&first) && (first != 4 || separator.is_none()) {
        return None;
    }
    let mut digits = Vec::with_capacity(19);
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        let joins = first == 4
            && Some(byte) == separator
            && bytes
                .get(at.saturating_add(1))
                .is_some_and(u8::is_ascii_digit);
        match digit(*byte) {
            Some(_) if digits.len() == 19 => return None,
            Some(digit) => digits.push(digit),
            None if joins => {}
            None => break,
        }
        at = at.saturating_add(1);
    }
    Some((digits, at))
}

/// Whether a number has a prefix and length that card schemes issue.
fn is_issued(digits: &[u32]) -> bool {
    let prefix = |count: usize| {
        digits
            .iter()
            .take(count)
            .fold(0, |sum, digit| sum * 10 + digit)
    };
    match digits.len() {
        13 | 19 => prefix(1) == 4,
        14 => matches!(prefix(3), 300..=305) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 65)
                || matches!(prefix(4), 2221..=2720 | 6011 | 3528..=3589)
                || matches!(prefix(3), 644..=649)
                || prefix(2) == 62
        }
        _ => false,
    }
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            if index % 2 == 1 {
                doubled(*digit)
            } else {
                *digit
            }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| Some(digit) != digits.first())
}

/// The check digits of an IBAN are the first digits in it: the country stands before them.
fn iban(bytes: &[u8], start: usize) -> Option<usize> {
    let country_at = start.checked_sub(2)?;
    let country = bytes.get(country_at..start)?;
    let length = IBAN_LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country)
        .map(|(_, length)| *length)?;
    if !begins(bytes, country_at) {
        return None;
    }
    let mut characters = Vec::with_capacity(length);
    let mut at = country_at;
    while characters.len() < length {
        match bytes.get(at).copied()? {
            byte @ (b'0'..=b'9' | b'A'..=b'Z') => characters.push(byte),
            // Groups of four.
            b' ' if !characters.is_empty() && characters.len() % 4 == 0 => {}
            _ => return None,
        }
        at = at.saturating_add(1);
    }
    let (head, tail) = characters.split_at_checked(4)?;
    let remainder = tail.iter().chain(head).try_fold(0_u32, |sum, byte| {
        let value = char::from(*byte).to_digit(36)?;
        Some(if value < 10 {
            (sum * 10 + value) % 97
        } else {
            (sum * 100 + value) % 97
        })
    })?;
    (ends(bytes, at) && remainder == 1).then_some(at)
}

fn ssn(bytes: &[u8], start: usize) -> Option<usize> {
    let end = start.saturating_add(11);
    let [a, b, c, first @ (b'-' | b' '), d, e, second, f, g, h, i] =
        <[u8; 11]>::try_from(bytes.get(start..end)?).ok()?
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u32, |sum, byte| Some(sum * 10 + digit(*byte)?))
    };
    let (area, group, serial) = (
        number(&[a, b, c])?,
        number(&[d, e])?,
        number(&[f, g, h, i])?,
    );
    let issued = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    // Numbers that advertisements made famous, and that nobody has.
    let famous = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999));
    (first == second && issued && !famous && begins(bytes, start) && ends(bytes, end))
        .then_some(end)
}

/// Length by country, from the registry of ISO 13616.
const IBAN_LENGTHS: [(&str, usize); 78] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("XK", 20),
];
