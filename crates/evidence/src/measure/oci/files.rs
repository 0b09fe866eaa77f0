//! The files of an image: hashed as they stream by, and kept where they are documents.

use std::{collections::BTreeMap, io::Read};

use sha2::{Digest as _, Sha256};

use super::OciError;
use crate::Sha256Digest;

/// What is known of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) digest: Sha256Digest,
    /// Its bytes, where it begins like a JSON document and is not too long to be one.
    pub(super) text: Option<Vec<u8>>,
}

/// Files by their path, `/` between its parts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Files {
    entries: BTreeMap<String, Entry>,
    kept: usize,
}

impl Files {
    /// No file yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file to its end.
    ///
    /// # Errors
    ///
    /// It cannot be read, its path is taken, or there are too many.
    pub fn add(&mut self, path: &str, mut content: impl Read) -> Result<(), OciError> {
        self.add_from(path, &mut content)
    }

    /// Reads the files of a tar (POSIX.1-1988, with the extended headers of pax and GNU for long names).
    ///
    /// # Errors
    ///
    /// No tar, or what [`Self::add`] refuses.
    pub fn from_tar(mut tar: impl Read) -> Result<Self, OciError> {
        let mut files = Self::default();
        let mut at = 0u64;
        let mut named: Option<String> = None;
        loop {
            let Some(header) = Header::read(&mut tar, at)? else {
                return Ok(files);
            };
            let padded = header.size.div_ceil(BLOCK).saturating_mul(BLOCK);
            let mut body = (&mut tar).take(header.size);
            match header.kind {
                b'0' | 0 => {
                    let path = named.take().unwrap_or(header.path);
                    files.add_from(clean(&path), &mut body)?;
                }
                b'L' => named = Some(text(&mut body, at)?),
                b'x' => named = pax_path(&text(&mut body, at)?).or(named),
                _ => named = None,
            }
            if body.limit() > 0 {
                skip(&mut body, at)?;
            }
            skip(&mut (&mut tar).take(padded.saturating_sub(header.size)), at)?;
            at = at.saturating_add(BLOCK).saturating_add(padded);
        }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    fn add_from(&mut self, path: &str, content: &mut dyn Read) -> Result<(), OciError> {
        let too_many = |what, limit| Err(OciError::TooMany { what, limit });
        if self.entries.len() >= MAX_FILES {
            return too_many("files", MAX_FILES);
        }
        if self.kept > MAX_KEPT {
            return too_many("bytes of documents", MAX_KEPT);
        }
        let entry = Entry::read(content).map_err(|error| OciError::Read {
            path: path.to_owned(),
            error,
        })?;
        let length = entry.text.as_ref().map_or(0, Vec::len);
        self.kept = self.kept.saturating_add(length);
        match self.entries.insert(path.to_owned(), entry) {
            None => Ok(()),
            Some(_) => Err(OciError::Twice {
                path: path.to_owned(),
            }),
        }
    }
}

impl Entry {
    fn read(content: &mut dyn Read) -> std::io::Result<Self> {
        let mut hash = Sha256::new();
        let mut text: Option<Vec<u8>> = None;
        let mut first = true;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let read = buffer.get(..length).unwrap_or_default();
            hash.update(read);
            if first && matches!(read.first(), Some(b'{' | b'[')) {
                text = Some(Vec::new());
            }
            first = false;
            if let Some(kept) = &mut text {
                kept.extend_from_slice(read);
            }
            if text.as_ref().is_some_and(|kept| kept.len() > MAX_DOCUMENT) {
                text = None;
            }
        }
        let digest = Sha256Digest::from_bytes(hash.finalize().into());
        Ok(Self { digest, text })
    }
}

/// What a tar says of its next entry.
struct Header {
    path: String,
    size: u64,
    kind: u8,
}

impl Header {
    /// `None` at the end: a block of zeros, or nothing more.
    fn read(tar: &mut impl Read, at: u64) -> Result<Option<Self>, OciError> {
        let wrong = |what| OciError::Tar { what, at };
        let mut block = [0; 512];
        let mut filled = 0usize;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match tar.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(wrong("a header ends early")),
                Ok(length) => filled = filled.saturating_add(length),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(wrong("it cannot be read")),
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let field = |from: usize, length: usize| {
            let field = block.get(from..from.saturating_add(length));
            field.unwrap_or_default()
        };
        let sum = |sum: u64, (at, byte): (usize, &u8)| {
            let byte = if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            };
            sum.saturating_add(u64::from(byte))
        };
        let sum = block.iter().enumerate().fold(0, sum);
        if number(field(148, 8)) != Some(sum) {
            return Err(wrong("a header's checksum does not hold"));
        }
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0);
            let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            std::str::from_utf8(text).map(str::to_owned)
        };
        let name = text(field(0, 100)).map_err(|_| wrong("a name is not UTF-8"))?;
        let prefix = match field(257, 6) == b"ustar\0" {
            true => text(field(345, 155)).map_err(|_| wrong("a name is not UTF-8"))?,
            false => String::new(),
        };
        Ok(Some(Self {
            path: match prefix.is_empty() {
                true => name,
                false => format!("{prefix}/{name}"),
            },
            size: number(field(124, 12)).ok_or(wrong("a size is no number"))?,
            kind: field(156, 1).first().copied().unwrap_or_default(),
        }))
    }
}

/// Octal digits between blanks and zeros; GNU writes what is larger in binary, with the first bit set.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((first, rest)) = field.split_first()
        && *first == 0x80
    {
        return rest.iter().try_fold(0u64, |number, byte| {
            number.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|c| c == ' ' || c == '\0');
    u64::from_str_radix(digits, 8).ok()
}

/// The path of a pax header: records of length, blank, `path=`, the path, line feed.
fn pax_path(text: &str) -> Option<String> {
    let mut rest = text;
    while !rest.is_empty() {
        let (length, _) = rest.split_once(' ')?;
        let record = rest.get(..length.parse::<usize>().ok()?)?;
        rest = rest.get(record.len()..)?;
        let (_, record) = record.split_once(' ')?;
        if let Some(path) = record.strip_prefix("path=") {
            return path.strip_suffix('\n').map(str::to_owned);
        }
        if record.is_empty() {
            return None;
        }
    }
    None
}

fn clean(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// The text of an extended header.
fn text(body: &mut impl Read, at: u64) -> Result<String, OciError> {
    let wrong = |what| OciError::Tar { what, at };
    let mut bytes = Vec::new();
    body.take(MAX_NAME)
        .read_to_end(&mut bytes)
        .map_err(|_| wrong("it cannot be read"))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("a name is not UTF-8"))?;
    Ok(text.trim_end_matches('\0').to_owned())
}

/// Reads what is left of an entry; an archive that ends there was cut.
fn skip(body: &mut std::io::Take<&mut impl Read>, at: u64) -> Result<(), OciError> {
    let wrong = |what| OciError::Tar { what, at };
    let mut buffer = vec![0; 1 << 16];
    while body.limit() > 0 {
        match body.read(&mut buffer) {
            Ok(0) => return Err(wrong("an entry ends early")),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(wrong("it cannot be read")),
        }
    }
    Ok(())
}

const BLOCK: u64 = 512;
const MAX_FILES: usize = 100_000;
/// Longest manifest or configuration.
const MAX_DOCUMENT: usize = 4 << 20;
const MAX_KEPT: usize = 64 << 20;
const MAX_NAME: u64 = 64 << 10;
