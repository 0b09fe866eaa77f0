//! Messages as lines: one JSON text each, ended by a line feed.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line that is taken.
pub const MAX_LINE: usize = 8 << 20;

/// What stood before a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line within the cap, without its end. Never empty.
    Whole(Bytes),
    /// A longer one. It was skipped, and what follows is in step again.
    TooLong {
        /// Its first bytes, at most [`KEPT`].
        head: Bytes,
        /// Its last bytes, at most [`KEPT`].
        tail: Bytes,
    },
}

/// Bytes kept from either end of an over-long line, enough to find a message's id in.
pub const KEPT: usize = 512;

/// Turns bytes, however they are cut, into lines.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    buffer: BytesMut,
    /// Bytes at the front of `buffer` known to hold no line feed.
    searched: usize,
    skipping: Option<Skipped>,
}

#[derive(Debug, Default)]
struct Skipped {
    head: BytesMut,
    tail: BytesMut,
}

impl Skipped {
    fn swallow(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let from = bytes.len().saturating_sub(KEPT);
        self.tail
            .extend_from_slice(bytes.get(from..).unwrap_or_default());
        let surplus = self.tail.len().saturating_sub(KEPT);
        let _ = self.tail.split_to(surplus);
    }

    fn into_line(self) -> Line {
        Line::TooLong {
            head: self.head.freeze(),
            tail: self.tail.freeze(),
        }
    }
}

impl Decoder {
    /// A decoder that skips lines of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: BytesMut::new(),
            searched: 0,
            skipping: None,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line that is complete, blank ones left out.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(offset) = unseen.iter().position(|&byte| byte == b'\n') else {
                self.searched = self.buffer.len();
                self.shed();
                return None;
            };
            let length = self.searched.saturating_add(offset);
            let mut line = self.buffer.split_to(length.saturating_add(1));
            self.searched = 0;
            line.truncate(length);
            if self.skipping.is_some() || line.len() > self.limit {
                let mut skipped = self.skipping.take().unwrap_or_default();
                skipped.swallow(&line);
                return Some(skipped.into_line());
            }
            if line.last() == Some(&b'\r') {
                line.truncate(length.saturating_sub(1));
            }
            if !line.is_empty() {
                return Some(Line::Whole(line.freeze()));
            }
        }
    }

    /// Forgets what an over-long line has brought so far, but for its ends.
    fn shed(&mut self) {
        if self.skipping.is_some() || self.buffer.len() > self.limit {
            self.skipping.get_or_insert_default().swallow(&self.buffer);
            self.buffer.clear();
            self.searched = 0;
        }
    }

    /// Takes lines of up to this many bytes from now on.
    pub fn allow(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes what `reader` has next; false at its end. What stands behind the last line feed is
    /// no line and is dropped.
    ///
    /// # Errors
    /// What reading gives. Nothing is lost when the future is dropped.
    pub async fn fill<R: AsyncRead + Unpin>(&mut self, reader: &mut R) -> io::Result<bool> {
        self.buffer.reserve(READ_AHEAD);
        Ok(reader.read_buf(&mut self.buffer).await? != 0)
    }

    /// The next line of `reader`; `None` at its end, as for [`Decoder::fill`].
    ///
    /// # Errors
    /// What reading gives. Nothing is lost when the future is dropped.
    pub async fn read_from<R: AsyncRead + Unpin>(
        &mut self,
        reader: &mut R,
    ) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.next_line() {
                return Ok(Some(line));
            }
            if !self.fill(reader).await? {
                return Ok(None);
            }
        }
    }
}

/// `message` as a line. It is JSON, so a line end in it can only stand between tokens, where a
/// space means the same: the framing holds and no token changes.
#[must_use]
pub fn encode(message: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(message.len().saturating_add(1));
    line.extend_from_slice(message);
    flatten(&mut line);
    line.extend_from_slice(b"\n");
    line.freeze()
}

/// Makes every line end a space.
pub(crate) fn flatten(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

const READ_AHEAD: usize = 16 << 10;

#[cfg(test)]
mod tests;
