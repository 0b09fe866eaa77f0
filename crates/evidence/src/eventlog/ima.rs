use super::{HashAlg, length};
use crate::reader::{Malformed, Reader};

/// The kernel's measurement list (`binary_runtime_measurements`), read in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImaLog<'a> {
    entries: Vec<ImaEntry<'a>>,
}

/// One entry of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImaEntry<'a> {
    /// The byte it begins at.
    pub at: usize,
    /// The PCR that it extended.
    pub pcr: u32,
    /// SHA-1 of its data; zeros where a file was open for writing while it was measured.
    pub template_hash: &'a [u8; 20],
    /// The name of its template.
    pub template: &'a str,
    /// Its data: fields, each behind its length.
    pub data: &'a [u8],
    /// The algorithm of the file's digest, as the kernel names it.
    pub algorithm: &'a str,
    /// The file's digest.
    pub digest: &'a [u8],
    /// The file's name, or what else was measured.
    pub name: &'a str,
}

impl<'a> ImaLog<'a> {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// It ends in the middle of an entry, or an entry's template is not one of those whose first two
    /// fields are a digest with its algorithm and a name.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        while reader.left() > 0 {
            entries.push(ImaEntry::read(&mut reader)?);
        }
        Ok(Self { entries })
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> &[ImaEntry<'a>] {
        &self.entries
    }

    /// How many of its first entries a register's value is explained by, when it began with `first`.
    /// The list is read after the quote was made, so more may follow; those are not proved.
    #[must_use]
    pub fn explains(&self, bank: HashAlg, first: &[u8], quoted: &[u8]) -> Option<usize> {
        let mut value = first.to_vec();
        if value == quoted {
            return Some(0);
        }
        for (index, entry) in self.entries.iter().enumerate() {
            value = bank.extend(&value, &entry.extends(bank));
            if value == quoted {
                return index.checked_add(1);
            }
        }
        None
    }
}

impl<'a> ImaEntry<'a> {
    /// What it extended into a bank. A violation extends ones, so that no list can explain it away.
    ///
    /// A kernel that lacks a bank's algorithm when it starts extends SHA-1 filled up with zeros instead. That is
    /// not taken: SHA-1 proves nothing any more.
    #[must_use]
    pub fn extends(&self, bank: HashAlg) -> Vec<u8> {
        if self.is_violation() {
            vec![0xff; bank.size()]
        } else {
            bank.digest(self.data)
        }
    }

    /// Whether the file could be changed while it was measured.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.template_hash.iter().all(|byte| *byte == 0)
    }

    /// Whether its template hash is over its data.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.is_violation() || HashAlg::Sha1.digest(self.data) == self.template_hash
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let at = reader.at();
        let pcr = reader.u32_le("PCR of a measurement")?;
        let template_hash = reader.take("template hash", 20)?;
        let template_hash = template_hash
            .first_chunk()
            .ok_or_else(|| Malformed::new("template hash", at, "20 bytes", "fewer"))?;
        let name_at = reader.at();
        let size = reader.u32_le("length of a template's name")?;
        let name = reader.take("name of a template", length(size))?;
        let template = TEMPLATES
            .iter()
            .copied()
            .find(|known| known.as_bytes() == name)
            .ok_or_else(|| {
                let expected = format!("one of {}", TEMPLATES.join(", "));
                let found = String::from_utf8_lossy(name.get(..32).unwrap_or(name)).into_owned();
                Malformed::new("name of a template", name_at, expected, found)
            })?;
        let size = reader.u32_le("size of a measurement")?;
        let data_at = reader.at();
        let data = reader.take("measurement", length(size))?;
        let (digest, name) = fields(data, data_at)?;
        let (algorithm, digest) = split_digest(digest, data_at)?;
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        let name = std::str::from_utf8(name)
            .map_err(|error| Malformed::new("name of a measurement", data_at, "UTF-8", error))?;
        Ok(Self {
            at,
            pcr,
            template_hash,
            template,
            data,
            algorithm,
            digest,
            name,
        })
    }
}

/// The first two fields; those behind them are read to the end of the data.
fn fields(data: &[u8], at: usize) -> Result<(&[u8], &[u8]), Malformed> {
    let place = |mut error: Malformed| {
        error.at = error.at.saturating_add(at);
        error
    };
    let mut reader = Reader::new(data);
    let mut field = || {
        let size = reader.u32_le("length of a measurement's field")?;
        reader.take("field of a measurement", length(size))
    };
    let digest = field().map_err(place)?;
    let name = field().map_err(place)?;
    while reader.left() > 0 {
        let size = reader
            .u32_le("length of a measurement's field")
            .map_err(place)?;
        reader
            .take("field of a measurement", length(size))
            .map_err(place)?;
    }
    Ok((digest, name))
}

/// `algorithm:` NUL digest, or `type:algorithm:` NUL digest in the second version of the templates.
fn split_digest(field: &[u8], at: usize) -> Result<(&str, &[u8]), Malformed> {
    let wrong = |found: &str| {
        Malformed::new(
            "digest of a measurement",
            at,
            "`algorithm:` NUL digest",
            found,
        )
    };
    let end = field.iter().position(|byte| *byte == 0);
    let (head, rest) = end
        .and_then(|end| field.split_at_checked(end))
        .ok_or_else(|| wrong("no NUL"))?;
    let digest = rest.strip_prefix(b"\0").unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| wrong("another coding"))?;
    let head = head.strip_suffix(':').ok_or_else(|| wrong("no colon"))?;
    let algorithm = head
        .rsplit_once(':')
        .map_or(head, |(_, algorithm)| algorithm);
    Ok((algorithm, digest))
}

const TEMPLATES: [&str; 7] = [
    "ima-ng",
    "ima-sig",
    "ima-ngv2",
    "ima-sigv2",
    "ima-buf",
    "ima-modsig",
    "evm-sig",
];
