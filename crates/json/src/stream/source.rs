use std::io::{self, Read};

use super::StreamError;
use crate::parse::ParseErrorKind;

/// A reader seen byte by byte, which knows where strings and brackets of JSON end and nothing more.
pub(super) struct Source<R> {
    reader: R,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    /// Bytes before `begin` in the document.
    offset: usize,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            begin: 0,
            end: 0,
            offset: 0,
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The next byte; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, io::Error> {
        Ok(self.available()?.first().copied())
    }

    /// Past the byte that `peek` saw.
    pub(super) fn skip(&mut self) {
        self.consume(1);
    }

    pub(super) fn skip_white_space(&mut self) -> Result<(), io::Error> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek()? {
            self.skip();
        }
        Ok(())
    }

    /// Appends the bytes of what would be one value: to the closing quote or bracket, else to the
    /// next white space or punctuation. Whether it is a value, the parser says.
    pub(super) fn value<E>(
        &mut self,
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), StreamError<E>> {
        let begin = self.offset;
        let mut scan = Scan::default();
        loop {
            let available = self.available()?;
            let taken = scan.length_in(available);
            let whole = taken < available.len() || scan.is_complete() || available.is_empty();
            out.extend_from_slice(available.get(..taken).unwrap_or_default());
            self.consume(taken);
            if self.offset.saturating_sub(begin) > limit {
                return Err(ParseErrorKind::Size(limit).at(begin).into());
            }
            if whole {
                return Ok(());
            }
        }
    }

    /// What is buffered, filled when empty; empty only at the end.
    fn available(&mut self) -> Result<&[u8], io::Error> {
        while self.begin >= self.end {
            (self.begin, self.end) = (0, 0);
            self.end = match self.reader.read(&mut self.buffer) {
                Ok(0) => return Ok(&[]),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
        }
        Ok(self.buffer.get(self.begin..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.begin = self.begin.saturating_add(count);
        self.offset = self.offset.saturating_add(count);
    }
}

/// How far into a value the bytes seen so far have come.
#[derive(Default)]
struct Scan {
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum State {
    #[default]
    Begin,
    /// In a number or a word, outside every bracket.
    Word,
    /// Between the tokens of an array or object.
    Inside,
    String,
    Escape,
    Complete,
}

impl Scan {
    fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// How many of the next bytes belong to the value.
    fn length_in(&mut self, bytes: &[u8]) -> usize {
        let mut length = 0_usize;
        for &byte in bytes {
            if self.state == State::Complete || (self.state == State::Word && ends_word(byte)) {
                break;
            }
            self.state = self.after(byte);
            length = length.saturating_add(1);
        }
        length
    }

    fn after(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::String, b'\\') => State::Escape,
            (State::String, b'"') => self.inside(),
            (State::String | State::Escape, _) => State::String,
            (State::Begin | State::Inside, b'"') => State::String,
            (State::Begin | State::Inside, b'{' | b'[') => {
                self.depth = self.depth.saturating_add(1);
                State::Inside
            }
            (State::Inside, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                self.inside()
            }
            (State::Inside, _) => State::Inside,
            (State::Begin | State::Word, _) => State::Word,
            (State::Complete, _) => State::Complete,
        }
    }

    fn inside(&self) -> State {
        match self.depth {
            0 => State::Complete,
            _ => State::Inside,
        }
    }
}

fn ends_word(byte: u8) -> bool {
    matches!(
        byte,
        b',' | b']' | b'}' | b':' | b' ' | b'\n' | b'\r' | b'\t'
    )
}

const BUFFER: usize = 64 * 1024;
