//! PE images (Microsoft's PE format): their sections, and the digest that firmware measures them by.

use crate::{
    eventlog::{HashAlg, Hasher, length},
    reader::{Malformed, Reader},
};

/// An executable image, read in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image<'a> {
    bytes: &'a [u8],
    /// Where the checksum is; it is not measured.
    checksum: usize,
    /// Where the directory's entry of the certificate table is; it is not measured either.
    directory: Option<usize>,
    headers: usize,
    /// Where the certificate table begins; the end of the image where there is none.
    certificates: usize,
    sections: Vec<Section<'a>>,
}

/// A section of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section<'a> {
    /// Its name, without the zeros behind it.
    pub name: String,
    /// How many bytes it has once it is loaded.
    pub size: usize,
    /// Where its bytes begin in the image.
    pub at: usize,
    /// Its bytes in the image.
    pub raw: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads an image.
    ///
    /// # Errors
    ///
    /// It is no PE image, or one whose parts overlap or lie outside of it: firmware and this reader could
    /// take such an image for different things.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut dos = Reader::new(bytes);
        expect(dos.take("DOS header", 2)?, b"MZ", "DOS header", 0)?;
        dos.take("DOS header", 58)?;
        let at = length(dos.u32_le("place of the PE header")?);
        let mut reader = Reader::new(bytes);
        reader.take("everything before the PE header", at)?;
        expect(reader.take("PE header", 4)?, b"PE\0\0", "PE header", at)?;
        reader.take("machine", 2)?;
        let count = usize::from(reader.u16_le("number of sections")?);
        reader.take("time stamp and symbols", 12)?;
        let optional = usize::from(reader.u16_le("size of the optional header")?);
        reader.take("characteristics", 2)?;
        let start = reader.at();
        let header = reader.take("optional header", optional)?;
        let header = Header::read(header, start)?;
        let mut sections = Vec::new();
        for _ in 0..count {
            sections.push(section(bytes, &mut reader)?);
        }
        let image = Self {
            bytes,
            checksum: start.saturating_add(CHECKSUM),
            directory: header.directory,
            headers: header.headers,
            certificates: header.certificates.unwrap_or(bytes.len()),
            sections,
        };
        image.judge(reader.at(), &header)?;
        Ok(image)
    }

    /// Its sections, in the order of its table.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The Authenticode digest: everything but checksum, certificate table and the entry of that table.
    #[must_use]
    pub fn authenticode(&self, alg: HashAlg) -> Vec<u8> {
        let mut hasher = Hasher::new(alg);
        let mut add = |from: usize, to: usize| {
            hasher.update(self.bytes.get(from..to).unwrap_or_default());
        };
        add(0, self.checksum);
        let behind = self.checksum.saturating_add(4);
        match self.directory {
            Some(directory) => {
                add(behind, directory);
                add(directory.saturating_add(8), self.headers);
            }
            None => add(behind, self.headers),
        }
        let mut end = self.headers;
        for section in in_order(&self.sections) {
            let to = section.at.saturating_add(section.raw.len());
            add(section.at, to);
            end = end.saturating_add(section.raw.len());
        }
        // What is neither header, section nor certificate, by its length: firmware counts, it does not
        // look where the last section ended.
        add(end, self.certificates);
        hasher.finish()
    }

    fn judge(&self, table: usize, header: &Header) -> Result<(), Malformed> {
        if header.headers < table || header.headers > self.bytes.len() {
            let expected = format!("{table} to {}", self.bytes.len());
            return Err(Malformed::new(
                "size of the headers",
                table,
                expected,
                header.headers,
            ));
        }
        let mut end = header.headers;
        for section in in_order(&self.sections) {
            if section.at < end {
                let expected = format!("at {end} or behind it");
                return Err(Malformed::new(
                    "bytes of a section",
                    section.at,
                    expected,
                    section.at,
                ));
            }
            end = section.at.saturating_add(section.raw.len());
        }
        let Some(at) = header.certificates else {
            return Ok(());
        };
        let whole = at.checked_add(header.certificates_size) == Some(self.bytes.len());
        if at < end || !whole {
            let expected = "behind the last section, up to the end of the image";
            return Err(Malformed::new(
                "certificate table",
                at,
                expected,
                "somewhere else",
            ));
        }
        Ok(())
    }
}

impl Section<'_> {
    /// The digest over it as it is loaded: cut or filled up with zeros to its size.
    ///
    /// # Errors
    ///
    /// It is filled up with more zeros than a real image has.
    pub fn digest(&self, alg: HashAlg) -> Result<Vec<u8>, Malformed> {
        let loaded = self.raw.get(..self.size).unwrap_or(self.raw);
        let mut missing = self.size.saturating_sub(loaded.len());
        if missing > MOST_ZEROS {
            let expected = format!("at most {MOST_ZEROS} bytes that are not in the image");
            return Err(Malformed::new(
                "size of a section",
                self.at,
                expected,
                missing,
            ));
        }
        let mut hasher = Hasher::new(alg);
        hasher.update(loaded);
        while missing > 0 {
            let some = ZEROS.get(..missing).unwrap_or(&ZEROS);
            hasher.update(some);
            missing = missing.saturating_sub(some.len());
        }
        Ok(hasher.finish())
    }
}

/// What is read of the optional header.
struct Header {
    headers: usize,
    directory: Option<usize>,
    certificates: Option<usize>,
    certificates_size: usize,
}

impl Header {
    fn read(bytes: &[u8], start: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let magic = reader.u16_le("magic of the optional header")?;
        let count_at = match magic {
            PE32 => 92,
            PE32_PLUS => 108,
            other => {
                let found = format!("{other:#x}");
                let expected = "0x10b or 0x20b";
                return Err(Malformed::new(
                    "magic of the optional header",
                    start,
                    expected,
                    found,
                ));
            }
        };
        let mut headers = Reader::new(bytes);
        headers.take("optional header", 60)?;
        let headers = length(headers.u32_le("size of the headers")?);
        let mut counted = Reader::new(bytes);
        counted.take("optional header", count_at)?;
        let count = counted.u32_le("number of directories")?;
        if count <= CERTIFICATE_ENTRY {
            return Ok(Self {
                headers,
                directory: None,
                certificates: None,
                certificates_size: 0,
            });
        }
        counted.take("directories", 32)?;
        let directory = start.saturating_add(counted.at());
        // The one entry that holds a place in the file and not an address.
        let at = length(counted.u32_le("place of the certificate table")?);
        let size = length(counted.u32_le("size of the certificate table")?);
        Ok(Self {
            headers,
            directory: Some(directory),
            certificates: (size > 0).then_some(at),
            certificates_size: size,
        })
    }
}

fn section<'a>(image: &'a [u8], reader: &mut Reader<'a>) -> Result<Section<'a>, Malformed> {
    let at = reader.at();
    let name = reader.take("name of a section", 8)?;
    let end = name.iter().position(|byte| *byte == 0);
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    let name = std::str::from_utf8(name)
        .map_err(|error| Malformed::new("name of a section", at, "ASCII", error))?;
    let size = length(reader.u32_le("size of a section")?);
    reader.take("address of a section", 4)?;
    let raw_size = length(reader.u32_le("size of a section's bytes")?);
    let raw_at = length(reader.u32_le("place of a section's bytes")?);
    reader.take("relocations and flags of a section", 16)?;
    let mut bytes = Reader::new(image);
    let raw = if raw_size == 0 {
        &[]
    } else {
        bytes.take("everything before a section", raw_at)?;
        bytes.take("bytes of a section", raw_size)?
    };
    Ok(Section {
        name: name.to_owned(),
        size,
        at: raw_at,
        raw,
    })
}

/// The sections with bytes, by their place.
fn in_order<'a, 'b>(sections: &'b [Section<'a>]) -> Vec<&'b Section<'a>> {
    let mut sections: Vec<&Section<'a>> = sections
        .iter()
        .filter(|section| !section.raw.is_empty())
        .collect();
    sections.sort_by_key(|section| section.at);
    sections
}

fn expect(found: &[u8], expected: &[u8], what: &'static str, at: usize) -> Result<(), Malformed> {
    if found == expected {
        Ok(())
    } else {
        let expected = crate::hex::encode(expected);
        Err(Malformed::new(
            what,
            at,
            expected,
            crate::hex::encode(found),
        ))
    }
}

const CHECKSUM: usize = 64;
const PE32: u16 = 0x010b;
const PE32_PLUS: u16 = 0x020b;
const CERTIFICATE_ENTRY: u32 = 4;
/// What a section may have beyond its bytes: sections of a UKI are files.
const MOST_ZEROS: usize = 64 << 20;
const ZEROS: [u8; 4096] = [0; 4096];
