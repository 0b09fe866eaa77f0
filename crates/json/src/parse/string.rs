use std::borrow::Cow;

use super::{ParseError, ParseErrorKind, Parser};
use crate::Nul;

impl<'a> Parser<'a> {
    /// Reads the string whose opening quote is next; borrows when nothing is escaped.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, ParseError> {
        self.advance(1);
        let run = self.plain_run()?;
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(run));
        }
        let mut string = String::from(run);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.advance(1);
                    return Ok(Cow::Owned(string));
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(_) => return Err(self.error(ParseErrorKind::ControlCharacter)),
                None => return Err(self.error(ParseErrorKind::End)),
            }
            string.push_str(self.plain_run()?);
            self.check_string_size(string.len())?;
        }
    }

    /// The characters up to the next quote, backslash or control character.
    fn plain_run(&mut self) -> Result<&'a str, ParseError> {
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')
            .unwrap_or(rest.len());
        self.check_string_size(length)?;
        let begin = self.place;
        self.advance(length);
        Ok(self.text.get(begin..self.place).unwrap_or_default())
    }

    fn check_string_size(&self, length: usize) -> Result<(), ParseError> {
        if length > self.limits.string_bytes {
            return Err(self.error(ParseErrorKind::StringSize(self.limits.string_bytes)));
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let begin = self.place;
        self.advance(1);
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(begin),
            Some(_) => return Err(ParseErrorKind::Escape.at(begin)),
            None => return Err(self.error(ParseErrorKind::End)),
        };
        self.advance(1);
        Ok(character)
    }

    fn unicode_escape(&mut self, begin: usize) -> Result<char, ParseError> {
        let first = self.unit(begin)?;
        let units = if (0xd800..0xdc00).contains(&first) && self.rest().starts_with(b"\\u") {
            let second_begin = self.place;
            self.advance(1);
            [first, self.unit(second_begin)?]
        } else {
            [first, 0]
        };
        let length = if (0xd800..0xdc00).contains(&first) {
            2
        } else {
            1
        };
        let character = char::decode_utf16(units.into_iter().take(length))
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| ParseErrorKind::LoneSurrogate.at(begin))?;
        if character == '\0' && self.limits.nul == Nul::Refuse {
            return Err(ParseErrorKind::Nul.at(begin));
        }
        Ok(character)
    }

    /// Reads `uXXXX`, whose `u` is next; `begin` is where the escape began.
    fn unit(&mut self, begin: usize) -> Result<u16, ParseError> {
        self.advance(1);
        let mut unit = 0_u16;
        for _ in 0..4 {
            let digit = match self.peek() {
                Some(byte @ b'0'..=b'9') => byte.wrapping_sub(b'0'),
                Some(byte @ b'a'..=b'f') => byte.wrapping_sub(b'a').wrapping_add(10),
                Some(byte @ b'A'..=b'F') => byte.wrapping_sub(b'A').wrapping_add(10),
                Some(_) => return Err(ParseErrorKind::Escape.at(begin)),
                None => return Err(self.error(ParseErrorKind::End)),
            };
            unit = unit.wrapping_shl(4) | u16::from(digit);
            self.advance(1);
        }
        Ok(unit)
    }
}
