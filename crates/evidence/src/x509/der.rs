//! Strict DER (X.690), read in place: definite shortest lengths, low tags, one encoding of each value.

use std::ops::Range;

use crate::{
    Timestamp,
    reader::{Malformed, Reader},
};

/// BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// NULL.
pub const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// ENUMERATED.
pub const ENUMERATED: u8 = 0x0A;
/// UTF8String.
pub const UTF8_STRING: u8 = 0x0C;
/// PrintableString.
pub const PRINTABLE_STRING: u8 = 0x13;
/// TeletexString.
pub const TELETEX_STRING: u8 = 0x14;
/// IA5String.
pub const IA5_STRING: u8 = 0x16;
/// UTCTime.
pub const UTC_TIME: u8 = 0x17;
/// GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE and SEQUENCE OF.
pub const SEQUENCE: u8 = 0x30;
/// SET and SET OF.
pub const SET: u8 = 0x31;

/// The tag `[number]` of a constructed, context-specific element; numbers go to 30.
#[must_use]
pub const fn context(number: u8) -> u8 {
    0xA0 | (number & 0x1F)
}

/// The tag `[number]` of a primitive, context-specific element; numbers go to 30.
#[must_use]
pub const fn implicit(number: u8) -> u8 {
    0x80 | (number & 0x1F)
}

/// One element: what it is, what it holds, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Element<'a> {
    /// Its identifier octet.
    pub tag: u8,
    /// Its contents.
    pub value: &'a [u8],
    /// All its bytes, identifier and length included.
    pub whole: &'a [u8],
    /// Where it begins in the outermost bytes.
    pub at: usize,
}

impl<'a> Element<'a> {
    /// Where its bytes are in the outermost ones.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.at..self.at.saturating_add(self.whole.len())
    }

    /// Where its contents are in the outermost bytes.
    #[must_use]
    pub fn value_range(&self) -> Range<usize> {
        let end = self.range().end;
        end.saturating_sub(self.value.len())..end
    }

    /// A reader of its contents.
    #[must_use]
    pub fn inside(&self) -> Der<'a> {
        Der {
            reader: Reader::new(self.value),
            base: self.value_range().start,
        }
    }
}

/// A place in DER. Copies are cheap and nothing is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Der<'a> {
    reader: Reader<'a>,
    base: usize,
}

impl<'a> Der<'a> {
    /// At the beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
            base: 0,
        }
    }

    /// Where the next byte is in the outermost bytes.
    #[must_use]
    pub fn at(&self) -> usize {
        self.base.saturating_add(self.reader.at())
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.reader.left() == 0
    }

    /// The tag of the next element.
    #[must_use]
    pub fn next_tag(&self) -> Option<u8> {
        self.reader.rest().first().copied()
    }

    /// The next element, whatever it is.
    ///
    /// # Errors
    ///
    /// There is none, or it is not DER.
    pub fn any(&mut self, what: &'static str) -> Result<Element<'a>, Malformed> {
        let at = self.at();
        let start = self.reader;
        let fault = |expected: &str, found: String| Malformed::new(what, at, expected, found);
        let moved = |error: Malformed| Malformed {
            at: self.base.saturating_add(error.at),
            ..error
        };
        let tag = self.reader.u8(what).map_err(moved)?;
        if tag & 0x1F == 0x1F {
            return Err(fault("a tag of one byte", format!("{tag:#04x}")));
        }
        let length = length(&mut self.reader, what, at).map_err(moved)?;
        let value = self.reader.take(what, length).map_err(moved)?;
        let size = self.reader.at().saturating_sub(start.at());
        let whole = start.rest().get(..size).unwrap_or_default();
        Ok(Element {
            tag,
            value,
            whole,
            at,
        })
    }

    /// The next element, which must have this tag.
    ///
    /// # Errors
    ///
    /// It has another, or is not DER.
    pub fn expect(&mut self, what: &'static str, tag: u8) -> Result<Element<'a>, Malformed> {
        let at = self.at();
        match self.next_tag() {
            Some(found) if found == tag => self.any(what),
            Some(found) => Err(Malformed::new(
                what,
                at,
                format_args!("tag {tag:#04x}"),
                format_args!("tag {found:#04x}"),
            )),
            None => Err(Malformed::new(
                what,
                at,
                format_args!("tag {tag:#04x}"),
                "nothing",
            )),
        }
    }

    /// The next element if it has this tag.
    ///
    /// # Errors
    ///
    /// It has this tag and is not DER.
    pub fn optional(
        &mut self,
        what: &'static str,
        tag: u8,
    ) -> Result<Option<Element<'a>>, Malformed> {
        if self.next_tag() == Some(tag) {
            self.any(what).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Enters the SEQUENCE that is next.
    ///
    /// # Errors
    ///
    /// Another element is.
    pub fn sequence(&mut self, what: &'static str) -> Result<Self, Malformed> {
        self.expect(what, SEQUENCE).map(|element| element.inside())
    }

    /// The contents of the INTEGER that is next, in its one encoding; the sign is the first bit.
    ///
    /// # Errors
    ///
    /// Another element is, or the INTEGER is empty or padded.
    pub fn integer(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let element = self.expect(what, INTEGER)?;
        let padded = match element.value {
            [] => true,
            [0x00, next, ..] => *next < 0x80,
            [0xFF, next, ..] => *next >= 0x80,
            [..] => false,
        };
        if padded {
            let found = "none, or a byte that says nothing";
            return Err(Malformed::new(
                what,
                element.at,
                "the fewest bytes of an INTEGER",
                found,
            ));
        }
        Ok(element.value)
    }

    /// The magnitude of the positive or zero INTEGER that is next, without its sign byte.
    ///
    /// # Errors
    ///
    /// Another element is, or the INTEGER is negative.
    pub fn unsigned(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let at = self.at();
        match self.integer(what)? {
            [0x00, rest @ ..] if !rest.is_empty() => Ok(rest),
            [first, ..] if *first >= 0x80 => Err(Malformed::new(
                what,
                at,
                "an INTEGER of at least 0",
                "a negative one",
            )),
            value => Ok(value),
        }
    }

    /// The INTEGER of at most 64 bits that is next.
    ///
    /// # Errors
    ///
    /// Another element is, or the INTEGER is negative or larger.
    pub fn number(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let at = self.at();
        let bytes = self.unsigned(what)?;
        if bytes.len() > 8 {
            let found = format!("{} bytes", bytes.len());
            return Err(Malformed::new(what, at, "at most 8 bytes", found));
        }
        Ok(bytes.iter().fold(0, |number: u64, byte| {
            number.wrapping_shl(8) | u64::from(*byte)
        }))
    }

    /// The BOOLEAN that is next.
    ///
    /// # Errors
    ///
    /// Another element is, or it is neither 00 nor FF.
    pub fn boolean(&mut self, what: &'static str) -> Result<bool, Malformed> {
        let element = self.expect(what, BOOLEAN)?;
        match element.value {
            [0x00] => Ok(false),
            [0xFF] => Ok(true),
            [..] => Err(Malformed::new(
                what,
                element.at,
                "00 or ff",
                crate::hex::encode(element.value.get(..2).unwrap_or(element.value)),
            )),
        }
    }

    /// The object identifier that is next, in dotted form.
    ///
    /// # Errors
    ///
    /// Another element is, or it is not in its one encoding.
    pub fn oid(&mut self, what: &'static str) -> Result<String, Malformed> {
        let element = self.expect(what, OID)?;
        dotted(element.value).ok_or_else(|| {
            Malformed::new(
                what,
                element.at,
                "an object identifier in its shortest form",
                "another",
            )
        })
    }

    /// The contents of the BIT STRING that is next, which must be whole bytes.
    ///
    /// # Errors
    ///
    /// Another element is, or bits are unused.
    pub fn bytes_of_bits(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let element = self.expect(what, BIT_STRING)?;
        match element.value {
            [0, bytes @ ..] => Ok(bytes),
            [..] => Err(Malformed::new(
                what,
                element.at,
                "whole bytes",
                "unused bits, or no byte that counts them",
            )),
        }
    }

    /// The moment that is next: UTCTime or GeneralizedTime, in seconds and Zulu.
    ///
    /// # Errors
    ///
    /// Another element is, or no such moment.
    pub fn time(&mut self, what: &'static str) -> Result<Timestamp, Malformed> {
        let element = self.any(what)?;
        moment(element.tag, element.value).ok_or_else(|| {
            Malformed::new(
                what,
                element.at,
                "a time, YYMMDDhhmmssZ or YYYYMMDDhhmmssZ",
                String::from_utf8_lossy(element.value.get(..24).unwrap_or(element.value))
                    .escape_debug(),
            )
        })
    }

    /// Nothing is left.
    ///
    /// # Errors
    ///
    /// Something is.
    pub fn end(&self, what: &'static str) -> Result<(), Malformed> {
        match self.reader.left() {
            0 => Ok(()),
            left => Err(Malformed::new(
                what,
                self.at(),
                "its end",
                format_args!("{left} more bytes"),
            )),
        }
    }
}

/// Four bytes of length are more than anything that is read here has.
fn length(reader: &mut Reader<'_>, what: &'static str, at: usize) -> Result<usize, Malformed> {
    let first = reader.u8(what)?;
    if first < 0x80 {
        return Ok(usize::from(first));
    }
    let fault =
        |found: String| Malformed::new(what, at, "a definite length in its shortest form", found);
    let count = first & 0x7F;
    if count == 0 || count > 4 {
        return Err(fault(format!("{first:#04x}")));
    }
    let bytes = reader.take(what, usize::from(count))?;
    let length = bytes.iter().fold(0_u32, |length, byte| {
        length.wrapping_shl(8) | u32::from(*byte)
    });
    if length < 0x80 || bytes.first() == Some(&0) {
        return Err(fault(format!("{length} in {count} bytes")));
    }
    usize::try_from(length).map_err(|_| fault(length.to_string()))
}

fn dotted(value: &[u8]) -> Option<String> {
    let mut arcs: Vec<u128> = Vec::new();
    let mut arc: u128 = 0;
    let mut begun = false;
    for byte in value {
        if !begun && *byte == 0x80 {
            return None;
        }
        arc = arc
            .checked_mul(0x80)?
            .checked_add(u128::from(byte & 0x7F))?;
        begun = byte & 0x80 != 0;
        if !begun {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc = arc.checked_sub(first.checked_mul(40)?)?;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    if begun || arcs.is_empty() {
        return None;
    }
    let arcs: Vec<String> = arcs.iter().map(u128::to_string).collect();
    Some(arcs.join("."))
}

/// The years of UTCTime are 1950 to 2049.
fn moment(tag: u8, value: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(value).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (century, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) if text.starts_with(['0', '1', '2', '3', '4']) => ("20", text),
        (UTC_TIME, 12) => ("19", text),
        (GENERALIZED_TIME, 14) => text.split_at_checked(2)?,
        (_, _) => return None,
    };
    let mut fields = rest.as_bytes().chunks_exact(2).map(str::from_utf8);
    let mut field = || fields.next()?.ok();
    let (year, month, day) = (field()?, field()?, field()?);
    let (hour, minute, second) = (field()?, field()?, field()?);
    Timestamp::parse_rfc3339(&format!(
        "{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z"
    ))
    .ok()
}

#[cfg(test)]
mod tests;
