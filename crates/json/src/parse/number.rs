use super::{ParseError, ParseErrorKind};
use crate::{Limits, Number};

/// Reads the number that `bytes` begins with; offsets count from there.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Number, ParseError> {
    let Scanned { length, shape } = scan(bytes)?;
    if length > limit {
        return Err(ParseErrorKind::NumberSize(limit).at(0));
    }
    let spelling = bytes
        .get(..length)
        .and_then(|spelling| std::str::from_utf8(spelling).ok())
        .ok_or_else(|| ParseErrorKind::Number.at(0))?;
    let is_finite = match shape {
        Shape::Small => true,
        Shape::Any => spelling.parse().is_ok_and(f64::is_finite),
    };
    if !is_finite {
        return Err(ParseErrorKind::NumberRange.at(0));
    }
    Ok(Number::from_checked(spelling))
}

/// Reads a text that is one number and nothing else.
pub(crate) fn whole(text: &str) -> Result<Number, ParseError> {
    let number = read(text.as_bytes(), Limits::DOCUMENT.number_bytes)?;
    let length = number.as_str().len();
    if length < text.len() {
        return Err(ParseErrorKind::TrailingData.at(length));
    }
    Ok(number)
}

struct Scanned {
    length: usize,
    shape: Shape,
}

enum Shape {
    /// No exponent and few digits: finite without computing it.
    Small,
    Any,
}

fn scan(bytes: &[u8]) -> Result<Scanned, ParseError> {
    let mut cursor = Cursor { bytes, place: 0 };
    cursor.eat(|byte| byte == b'-');
    let leading_zero = cursor.eat(|byte| byte == b'0');
    let digits = cursor.digits();
    if leading_zero && digits > 0 {
        return Err(ParseErrorKind::Number.at(0));
    }
    if !leading_zero && digits == 0 {
        return Err(cursor.malformed());
    }
    if cursor.eat(|byte| byte == b'.') && cursor.digits() == 0 {
        return Err(cursor.malformed());
    }
    let exponent = cursor.eat(|byte| matches!(byte, b'e' | b'E'));
    if exponent {
        cursor.eat(|byte| matches!(byte, b'+' | b'-'));
        if cursor.digits() == 0 {
            return Err(cursor.malformed());
        }
    }
    let small = !exponent && digits < MAX_DIGITS_FINITE;
    Ok(Scanned {
        length: cursor.place,
        shape: if small { Shape::Small } else { Shape::Any },
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl Cursor<'_> {
    fn eat(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let found = self.bytes.get(self.place).is_some_and(|byte| wanted(*byte));
        self.place = self.place.saturating_add(usize::from(found));
        found
    }

    fn digits(&mut self) -> usize {
        let rest = self.bytes.get(self.place..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.place = self.place.saturating_add(count);
        count
    }

    fn malformed(&self) -> ParseError {
        match self.bytes.get(self.place) {
            Some(_) => ParseErrorKind::Number.at(self.place),
            None => ParseErrorKind::End.at(self.place),
        }
    }
}

/// The largest double has 309 digits.
const MAX_DIGITS_FINITE: usize = 309;
