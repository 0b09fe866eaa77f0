mod error;
pub(crate) mod number;
mod string;

use std::borrow::Cow;
use std::collections::HashSet;

pub use self::error::{ParseError, ParseErrorKind};
use crate::value::Member;
use crate::{Limits, Object, Value};

/// Reads one JSON value, strictly: valid UTF-8 without byte order mark, each member name once per
/// object (compared after unescaping), no lone surrogate, every number finite, nothing after it.
///
/// # Errors
///
/// The first fault found, and where it is.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    Parser::new(bytes, limits, Spans::Kept)?.document()
}

/// As [`parse`], for a text that the caller never sees: spans into it would mislead.
pub(crate) fn parse_without_spans(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    Parser::new(bytes, limits, Spans::Dropped)?.document()
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spans {
    Kept,
    Dropped,
}

struct Parser<'a> {
    text: &'a str,
    place: usize,
    limits: &'a Limits,
    spans: Spans,
    depth_left: usize,
    members_left: usize,
    elements_left: usize,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], limits: &'a Limits, spans: Spans) -> Result<Self, ParseError> {
        if bytes.len() > limits.bytes {
            return Err(ParseErrorKind::Size(limits.bytes).at(limits.bytes));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(ParseErrorKind::ByteOrderMark.at(0));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ParseErrorKind::Utf8.at(error.valid_up_to()))?;
        Ok(Self {
            text,
            place: 0,
            limits,
            spans,
            depth_left: limits.depth.min(Limits::MAX_DEPTH),
            members_left: limits.members,
            elements_left: limits.elements,
        })
    }

    fn document(mut self) -> Result<Value, ParseError> {
        self.skip_white_space();
        let value = self.value()?;
        self.skip_white_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.error(ParseErrorKind::TrailingData)),
        }
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) | None => Err(self.unexpected(ParseErrorKind::Value)),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, ParseError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.error(ParseErrorKind::Value));
        }
        self.advance(word.len());
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let number = number::read(self.rest(), self.limits.number_bytes)
            .map_err(|error| error.after(self.place))?;
        self.advance(number.as_str().len());
        Ok(Value::Number(number))
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        self.descend()?;
        let mut elements = Vec::new();
        if !self.eat(b']') {
            loop {
                self.elements_left = self
                    .elements_left
                    .checked_sub(1)
                    .ok_or_else(|| self.error(ParseErrorKind::Elements(self.limits.elements)))?;
                let element = self.value()?;
                self.make_room(&mut elements);
                elements.push(element);
                if self.closes(b']', ParseErrorKind::ArrayEnd)? {
                    break;
                }
            }
        }
        self.ascend();
        Ok(Value::Array(elements))
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        self.descend()?;
        let mut members = Members::default();
        if !self.eat(b'}') {
            loop {
                self.member(&mut members)?;
                if self.closes(b'}', ParseErrorKind::ObjectEnd)? {
                    break;
                }
            }
        }
        self.ascend();
        Ok(Value::Object(Object::from_unique(members.list)))
    }

    fn member(&mut self, members: &mut Members<'a>) -> Result<(), ParseError> {
        let begin = self.place;
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(ParseErrorKind::MemberName));
        }
        if members.list.len() >= self.limits.members_per_object {
            let limit = self.limits.members_per_object;
            return Err(self.error(ParseErrorKind::MembersOfObject(limit)));
        }
        self.members_left = self
            .members_left
            .checked_sub(1)
            .ok_or_else(|| self.error(ParseErrorKind::Members(self.limits.members)))?;
        let name = self.string()?;
        if members.is_known(&name) {
            return Err(ParseErrorKind::DuplicateMember.at(begin));
        }
        self.skip_white_space();
        if !self.eat(b':') {
            return Err(self.unexpected(ParseErrorKind::Colon));
        }
        self.skip_white_space();
        let from = self.place;
        let value = self.value()?;
        self.make_room(&mut members.list);
        members.list.push(Member {
            name: name.into_owned(),
            value,
            span: match self.spans {
                Spans::Kept => from..self.place,
                Spans::Dropped => 0..0,
            },
        });
        Ok(())
    }

    /// Room for one more. A vector begins with room for four; a long text made of little else than
    /// `[0]` or `{"a":0}` would take forty times its size.
    fn make_room<T>(&self, list: &mut Vec<T>) {
        let is_full = list.len() == list.capacity();
        if is_full && list.len() < 4 && self.text.len() > LONG {
            list.reserve_exact(list.len().max(1));
        }
    }

    /// Enters an array or object: past its opening bracket and the white space behind it.
    fn descend(&mut self) -> Result<(), ParseError> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or_else(|| {
            self.error(ParseErrorKind::Depth(
                self.limits.depth.min(Limits::MAX_DEPTH),
            ))
        })?;
        self.advance(1);
        self.skip_white_space();
        Ok(())
    }

    fn ascend(&mut self) {
        self.depth_left = self.depth_left.saturating_add(1);
    }

    /// After an element or member: `true` at the closing bracket, `false` past a comma.
    fn closes(&mut self, bracket: u8, expected: ParseErrorKind) -> Result<bool, ParseError> {
        self.skip_white_space();
        match self.peek() {
            Some(b',') => {
                self.advance(1);
                self.skip_white_space();
                Ok(false)
            }
            Some(byte) if byte == bracket => {
                self.advance(1);
                Ok(true)
            }
            Some(_) | None => Err(self.unexpected(expected)),
        }
    }

    /// Takes `byte`, if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.advance(usize::from(found));
        found
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.advance(1);
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.place..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.place).copied()
    }

    fn advance(&mut self, count: usize) {
        self.place = self.place.saturating_add(count);
    }

    fn error(&self, kind: ParseErrorKind) -> ParseError {
        kind.at(self.place)
    }

    fn unexpected(&self, expected: ParseErrorKind) -> ParseError {
        match self.peek() {
            Some(_) => self.error(expected),
            None => self.error(ParseErrorKind::End),
        }
    }
}

/// The members read so far, and how to tell a duplicate among them.
#[derive(Default)]
struct Members<'a> {
    list: Vec<Member>,
    /// Filled only past [`FEW`]; the standard hasher is keyed, so names cannot be chosen to collide.
    names: HashSet<Cow<'a, str>>,
}

impl<'a> Members<'a> {
    /// Whether `name` has come before; remembers it otherwise.
    #[expect(clippy::ptr_arg, reason = "cloning a borrowed name is free")]
    fn is_known(&mut self, name: &Cow<'a, str>) -> bool {
        if self.list.len() < FEW {
            return self.list.iter().any(|member| member.name == **name);
        }
        if self.names.is_empty() {
            let known = self.list.iter().map(|member| member.name.clone());
            self.names.extend(known.map(Cow::Owned));
        }
        !self.names.insert(name.clone())
    }
}

/// Texts from this length on are read with as little room as can be.
const LONG: usize = 32 * 1024;

/// Up to this many members, comparing with each is cheaper than hashing.
const FEW: usize = 16;

#[cfg(test)]
mod tests;
