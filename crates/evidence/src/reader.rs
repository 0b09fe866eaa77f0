//! Reads binary formats in place: every read is bounded by what is there, and every error says where.

use std::fmt;

/// Why bytes are not what a format says.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{what}` at byte {at}: expected {expected}, found {found}")]
pub struct Malformed {
    /// The field.
    pub what: &'static str,
    /// Where it begins.
    pub at: usize,
    /// What the format says.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Malformed {
    /// An error about a field.
    #[must_use]
    pub fn new(
        what: &'static str,
        at: usize,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            what,
            at,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

/// A place in bytes. Copies are cheap; nothing is allocated and nothing is read twice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning.
    #[must_use]
    pub const fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// Where the next byte is.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.whole.get(self.at..).unwrap_or_default()
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest().len()
    }

    /// What has been read.
    #[must_use]
    pub fn read(&self) -> &'a [u8] {
        self.whole.get(..self.at).unwrap_or_default()
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    ///
    /// There are fewer.
    pub fn take(&mut self, what: &'static str, length: usize) -> Result<&'a [u8], Malformed> {
        let Some(taken) = self.rest().get(..length) else {
            let found = format!("{} left", self.left());
            return Err(Malformed::new(
                what,
                self.at,
                format!("{length} bytes"),
                found,
            ));
        };
        self.at = self.at.saturating_add(length);
        Ok(taken)
    }

    /// The next `length` bytes as a reader of their own, which counts from where this one does.
    ///
    /// # Errors
    ///
    /// There are fewer.
    pub fn within(&mut self, what: &'static str, length: usize) -> Result<Self, Malformed> {
        let at = self.at;
        self.take(what, length)?;
        let whole = self.read();
        Ok(Self { whole, at })
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    ///
    /// There are fewer.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let at = self.at;
        let taken = self.take(what, N)?;
        taken
            .try_into()
            .map_err(|_| Malformed::new(what, at, format!("{N} bytes"), taken.len()))
    }

    /// One byte.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.array(what).map(u8::from_le_bytes)
    }

    /// A little-endian number of two bytes.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn u16_le(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// A little-endian number of four bytes.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn u32_le(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A little-endian number of eight bytes.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn u64_le(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A big-endian number of two bytes.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn u16_be(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// A big-endian number of four bytes.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn u32_be(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// A big-endian number of eight bytes.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn u64_be(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// Nothing is left.
    ///
    /// # Errors
    ///
    /// Something is.
    pub fn end(&self, what: &'static str) -> Result<(), Malformed> {
        match self.left() {
            0 => Ok(()),
            left => Err(Malformed::new(
                what,
                self.at,
                "its end",
                format!("{left} more bytes"),
            )),
        }
    }
}

#[cfg(test)]
mod tests;
