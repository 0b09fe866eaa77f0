//! Where the messages on an HTTP/1.1 connection begin and end, read so strictly that no other
//! reader can see another place (RFC 9112 sections 2.2, 5.1, 5.2, 6.3, 11.2).
//!
//! What is behind understands more: lines that end without CR, lengths that are said twice. Whoever
//! stands before us may understand such a message differently, and so read requests of one caller
//! as another's. Such a connection ends.

mod line;

use line::{Coding, Framing};

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Smuggled {
    /// The framing of a chunked body.
    Chunk,
    /// `Content-Length` that is no number, or is said twice.
    ContentLength,
    /// A header line.
    Field,
    /// A line that does not end with CR LF.
    LineEnd,
    /// More in a head than anybody has to say.
    Long,
    /// The request line.
    RequestLine,
    /// `Transfer-Encoding` that is not `chunked` alone, or beside a length.
    TransferEncoding,
}

/// Follows the bytes that a peer sends.
#[derive(Debug)]
pub(super) struct Scanner {
    place: Place,
    // The line that is being read, without its end.
    line: Vec<u8>,
    // Bytes of this head so far.
    head: usize,
    framing: Framing,
    most: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a line of a head.
    Line(Line),
    /// Behind the CR of such a line.
    LineEnd(Line),
    /// In a body, or in a chunk, with so many bytes to come.
    Body {
        left: u64,
        chunked: bool,
    },
    /// Behind the data of a chunk.
    DataCr,
    DataLf,
    /// In the line that says how long a chunk is.
    Size {
        digits: u8,
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    /// Behind the last chunk, where trailers could stand.
    LastCr,
    LastLf,
}

/// Which line of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// A header, or the empty line behind them.
    Field,
    /// The request line, or an empty one before it.
    Request,
}

const START: Place = Place::Line(Line::Request);

impl Scanner {
    /// At the start of a connection, for heads of at most `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            place: START,
            line: Vec::new(),
            head: 0,
            framing: Framing::default(),
            most,
        }
    }

    /// Reads on. Where something is wrong, so many of the bytes may still be passed on: those
    /// before the first that would complete what is wrong.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), (usize, Smuggled)> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Place::Body { left, chunked } = self.place {
                // Whole runs at once: nothing in a body is for us.
                let here = bytes.len().saturating_sub(at);
                let run = usize::try_from(left).unwrap_or(usize::MAX).min(here);
                at = at.saturating_add(run);
                let left = left.saturating_sub(u64::try_from(run).unwrap_or(u64::MAX));
                self.place = match (left, chunked) {
                    (0, false) => START,
                    (0, true) => Place::DataCr,
                    _ => Place::Body { left, chunked },
                };
                continue;
            }
            let run = self.line_bytes(bytes.get(at..).unwrap_or_default());
            if run > 0 {
                at = at.saturating_add(run);
                continue;
            }
            self.place = self.step(*byte).map_err(|wrong| (at, wrong))?;
            at = at.saturating_add(1);
        }
        Ok(())
    }

    /// Whether a connection may end here without anything missing.
    #[cfg(test)]
    pub(super) fn is_between(&self) -> bool {
        self.place == START && self.line.is_empty()
    }

    /// Takes the bytes up to the next end of a line at once, as far as the head may still grow.
    fn line_bytes(&mut self, bytes: &[u8]) -> usize {
        let Place::Line(_) = self.place else {
            return 0;
        };
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let here = bytes.iter().position(ends).unwrap_or(bytes.len());
        let run = here.min(self.most.saturating_sub(self.head));
        self.line
            .extend_from_slice(bytes.get(..run).unwrap_or_default());
        self.head = self.head.saturating_add(run);
        run
    }

    fn step(&mut self, byte: u8) -> Result<Place, Smuggled> {
        match (self.place, byte) {
            (Place::Line(_) | Place::LineEnd(_), _) => self.head_byte(byte),
            (Place::Body { .. }, _) => Ok(self.place),
            (Place::DataCr, b'\r') => Ok(Place::DataLf),
            (Place::DataLf, b'\n') => Ok(Place::Size { digits: 0, size: 0 }),
            (Place::Size { digits: 1.., size }, b'\r') => Ok(Place::SizeLf { size }),
            (Place::Size { digits, size }, _) => digit(byte, digits, size),
            (Place::SizeLf { size: 0 }, b'\n') => Ok(Place::LastCr),
            (Place::SizeLf { size }, b'\n') => Ok(Place::Body {
                left: size,
                chunked: true,
            }),
            (Place::LastCr, b'\r') => Ok(Place::LastLf),
            (Place::LastLf, b'\n') => Ok(START),
            (Place::DataCr | Place::DataLf | Place::SizeLf { .. }, _)
            | (Place::LastCr | Place::LastLf, _) => Err(Smuggled::Chunk),
        }
    }

    fn head_byte(&mut self, byte: u8) -> Result<Place, Smuggled> {
        self.head = self.head.saturating_add(1);
        if self.head > self.most {
            return Err(Smuggled::Long);
        }
        match (self.place, byte) {
            (Place::Line(which), b'\r') => Ok(Place::LineEnd(which)),
            (Place::LineEnd(which), b'\n') => self.line_end(which),
            (Place::Line(_), b'\n') | (Place::LineEnd(_), _) => Err(Smuggled::LineEnd),
            // Taken before, but for one that is beyond the limit.
            (place, _) => Ok(place),
        }
    }

    fn line_end(&mut self, which: Line) -> Result<Place, Smuggled> {
        let line = std::mem::take(&mut self.line);
        let next = match (line.is_empty(), which) {
            // An empty line before a request is passed over by every reader.
            (true, Line::Request) => START,
            (true, Line::Field) => {
                let framing = std::mem::take(&mut self.framing);
                self.head = 0;
                framing.body()
            }
            (false, Line::Request) => {
                self.framing = Framing::of(&line)?;
                Place::Line(Line::Field)
            }
            (false, Line::Field) => {
                self.framing.field(&line)?;
                Place::Line(Line::Field)
            }
        };
        // The room is kept for the next line.
        self.line = line;
        self.line.clear();
        Ok(next)
    }
}

impl Framing {
    fn body(self) -> Place {
        match (self.coding, self.length) {
            (Coding::Chunked, _) => Place::Size { digits: 0, size: 0 },
            (Coding::Identity | Coding::Unknown, Some(left @ 1..)) => Place::Body {
                left,
                chunked: false,
            },
            (Coding::Identity | Coding::Unknown, Some(0) | None) => START,
        }
    }
}

fn digit(byte: u8, digits: u8, size: u64) -> Result<Place, Smuggled> {
    let value = char::from(byte).to_digit(16).ok_or(Smuggled::Chunk)?;
    // No extension, no white space, and never more than fits.
    if digits >= SIZE_DIGITS {
        return Err(Smuggled::Chunk);
    }
    let size = size.checked_mul(16).ok_or(Smuggled::Chunk)?;
    Ok(Place::Size {
        digits: digits.saturating_add(1),
        size: size.saturating_add(u64::from(value)),
    })
}

/// Digits in the size of a chunk.
const SIZE_DIGITS: u8 = 15;

#[cfg(test)]
mod tests;
