mod source;

use std::collections::HashSet;
use std::io::Read;

use self::source::Source;
use crate::parse::{ParseErrorKind, parse_without_spans};
use crate::{Limits, Object, ParseError, Value};

/// Why a document was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum StreamError<E> {
    /// The reader failed.
    #[error("cannot read the document: {0}")]
    Read(#[from] std::io::Error),
    /// The document is no strict JSON, breaks a limit, or lacks the array.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The receiver of elements refused one.
    #[error("element {place} refused")]
    Element {
        /// Which one, from zero.
        place: u64,
        /// The receiver's error.
        source: E,
    },
}

/// Reads a document that is an object with one long array in it, in constant memory: each element
/// of the array, checked as [`parse`](crate::parse) would, is handed to `on_element` as the bytes received,
/// and the rest comes back with that array empty.
///
/// Limits hold for each element and for each other member; the others share one allowance of bytes. Offsets count from the beginning
/// of the document. Elements are handed over before the rest has been read: what was made of them
/// counts only if this returns `Ok`.
///
/// # Errors
///
/// The first fault of the reader, the document or the receiver.
pub fn read_elements<R: Read, E>(
    reader: R,
    array_member: &str,
    limits: &Limits,
    on_element: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<Value, StreamError<E>> {
    let mut document = Document {
        source: Source::new(reader),
        limits,
        bytes_left: limits.bytes,
        names: HashSet::new(),
        rest: Object::new(),
    };
    document.read(array_member, on_element)?;
    Ok(document.rest.into())
}

struct Document<'a, R> {
    source: Source<R>,
    limits: &'a Limits,
    /// What the members beside the array may still take.
    bytes_left: usize,
    names: HashSet<String>,
    rest: Object,
}

impl<R: Read> Document<'_, R> {
    fn read<E>(
        &mut self,
        array_member: &str,
        on_element: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), StreamError<E>> {
        self.source.skip_white_space()?;
        self.expect(b'{', ParseErrorKind::StreamedArray)?;
        loop {
            let name = self.member_name()?;
            let value = if name == array_member {
                self.elements(on_element)?;
                Value::Array(Vec::new())
            } else {
                self.member_value()?
            };
            self.rest.push_unique(name, value);
            if self.closes(b'}', ParseErrorKind::ObjectEnd)? {
                break;
            }
        }
        self.source.skip_white_space()?;
        if self.source.peek()?.is_some() {
            return Err(self.fault(ParseErrorKind::TrailingData).into());
        }
        if !self.names.contains(array_member) {
            return Err(self.fault(ParseErrorKind::StreamedArray).into());
        }
        Ok(())
    }

    /// Hands over the elements, brackets excluded.
    fn elements<E>(
        &mut self,
        on_element: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), StreamError<E>> {
        self.expect(b'[', ParseErrorKind::StreamedArray)?;
        self.source.skip_white_space()?;
        if self.source.peek()? == Some(b']') {
            self.source.skip();
            return Ok(());
        }
        let mut element = Vec::new();
        for place in 0_u64.. {
            self.source.skip_white_space()?;
            let offset = self.source.offset();
            element.clear();
            self.source.value(&mut element, self.limits.bytes)?;
            parse_without_spans(&element, self.limits).map_err(|error| error.after(offset))?;
            on_element(&element).map_err(|source| StreamError::Element { place, source })?;
            if self.closes(b']', ParseErrorKind::ArrayEnd)? {
                break;
            }
        }
        Ok(())
    }

    /// Reads a member's name and its colon.
    fn member_name<E>(&mut self) -> Result<String, StreamError<E>> {
        self.source.skip_white_space()?;
        let offset = self.source.offset();
        if self.source.peek()? != Some(b'"') {
            return Err(self.fault(ParseErrorKind::MemberName).into());
        }
        if self.rest.len() >= self.limits.members_per_object {
            let limit = self.limits.members_per_object;
            return Err(self.fault(ParseErrorKind::MembersOfObject(limit)).into());
        }
        let Value::String(name) = self.member_value()? else {
            return Err(ParseErrorKind::MemberName.at(offset).into());
        };
        if !self.names.insert(name.clone()) {
            return Err(ParseErrorKind::DuplicateMember.at(offset).into());
        }
        self.source.skip_white_space()?;
        self.expect(b':', ParseErrorKind::Colon)?;
        self.source.skip_white_space()?;
        Ok(name)
    }

    fn member_value<E>(&mut self) -> Result<Value, StreamError<E>> {
        let offset = self.source.offset();
        let mut bytes = Vec::new();
        self.source.value(&mut bytes, self.bytes_left)?;
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len());
        let limits = Limits {
            depth: self.limits.depth.saturating_sub(1),
            ..*self.limits
        };
        Ok(parse_without_spans(&bytes, &limits).map_err(|error| error.after(offset))?)
    }

    /// After an element or member: `true` past the closing bracket, `false` past a comma.
    fn closes<E>(&mut self, bracket: u8, expected: ParseErrorKind) -> Result<bool, StreamError<E>> {
        self.source.skip_white_space()?;
        if self.source.peek()? == Some(b',') {
            self.source.skip();
            return Ok(false);
        }
        self.expect(bracket, expected)?;
        Ok(true)
    }

    fn expect<E>(&mut self, byte: u8, expected: ParseErrorKind) -> Result<(), StreamError<E>> {
        match self.source.peek()? {
            Some(found) if found == byte => {
                self.source.skip();
                Ok(())
            }
            Some(_) => Err(self.fault(expected).into()),
            None => Err(self.fault(ParseErrorKind::End).into()),
        }
    }

    fn fault(&self, kind: ParseErrorKind) -> ParseError {
        kind.at(self.source.offset())
    }
}

#[cfg(test)]
mod tests;
