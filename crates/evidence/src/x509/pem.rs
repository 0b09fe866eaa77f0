//! PEM (RFC 7468), the textual encoding of certificates and revocation lists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why a text does not hold what it should.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PemError {
    /// No block at all.
    #[error("no `-----BEGIN {label}-----` in it: give a PEM text")]
    None {
        /// The label looked for.
        label: &'static str,
    },
    /// One block was asked for.
    #[error("{found} PEM blocks where one is expected: give each on its own")]
    Several {
        /// How many there are.
        found: usize,
    },
    /// More blocks than are read.
    #[error("more than {MAX_BLOCKS} PEM blocks: leave out those that are not needed")]
    TooMany,
    /// Text around the one block.
    #[error("text around the PEM block: give the block alone")]
    Around,
    /// A block of another kind.
    #[error("PEM block number {number} is not labelled `{label}`")]
    Label {
        /// The label looked for.
        label: &'static str,
        /// The block, counted from 1.
        number: usize,
    },
    /// A block without an end, or with another's.
    #[error("PEM block number {number} has no end line of its own label")]
    End {
        /// The block, counted from 1.
        number: usize,
    },
    /// Not base64 in its one spelling, in lines.
    #[error("PEM block number {number} is not canonical base64 in lines")]
    Base64 {
        /// The block, counted from 1.
        number: usize,
    },
    /// Not a text.
    #[error("PEM is ASCII text, and this is not")]
    Text,
}

/// The DER of the one certificate that a text holds, which holds nothing else.
///
/// # Errors
///
/// It holds none, several, something around it, or something that is not PEM.
pub fn one_from_pem(pem: &[u8]) -> Result<Vec<u8>, PemError> {
    let text = text(pem)?.trim_ascii();
    let mut found = blocks(text, CERTIFICATE)?;
    match (found.pop(), found.len()) {
        (None, _) => Err(PemError::None { label: CERTIFICATE }),
        (Some(_), others @ 1..) => Err(PemError::Several {
            found: others.saturating_add(1),
        }),
        (Some(der), 0) if text.starts_with(BEGIN) && text.ends_with(DASHES) => Ok(der),
        (Some(_), 0) => Err(PemError::Around),
    }
}

/// The DER of every certificate that a text holds, in its order; other text may stand between them.
///
/// # Errors
///
/// It holds none, too many, a block of another kind, or something that is not PEM.
pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    some(pem, CERTIFICATE)
}

/// The DER of every revocation list that a text holds, in its order; other text may stand between them.
///
/// # Errors
///
/// It holds none, too many, a block of another kind, or something that is not PEM.
pub fn crls_from_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    some(pem, CRL)
}

/// The DER of the one public key (`SubjectPublicKeyInfo`) that a text holds.
///
/// # Errors
///
/// It holds none, several, a block of another kind, or something that is not PEM.
pub fn key_from_pem(pem: &[u8]) -> Result<Vec<u8>, PemError> {
    let mut found = some(pem, PUBLIC_KEY)?;
    match (found.pop(), found.len()) {
        (Some(der), 0) => Ok(der),
        (_, others) => Err(PemError::Several {
            found: others.saturating_add(1),
        }),
    }
}

fn some(pem: &[u8], label: &'static str) -> Result<Vec<Vec<u8>>, PemError> {
    let found = blocks(text(pem)?, label)?;
    if found.is_empty() {
        return Err(PemError::None { label });
    }
    Ok(found)
}

/// A line that begins a block is looked for anywhere; what it begins must then be one.
fn blocks(mut text: &str, label: &'static str) -> Result<Vec<Vec<u8>>, PemError> {
    let mut found = Vec::new();
    while let Some((_, block)) = text.split_once(BEGIN) {
        let number = found.len().saturating_add(1);
        if number > MAX_BLOCKS {
            return Err(PemError::TooMany);
        }
        let block = block
            .strip_prefix(label)
            .and_then(|block| block.strip_prefix(DASHES))
            .ok_or(PemError::Label { label, number })?;
        let (body, after) = block.split_once(END).ok_or(PemError::End { number })?;
        let after = after
            .strip_prefix(label)
            .and_then(|after| after.strip_prefix(DASHES))
            .ok_or(PemError::End { number })?;
        found.push(decode(body).ok_or(PemError::Base64 { number })?);
        text = after;
    }
    Ok(found)
}

/// Line ends are left out, and nothing else: blanks inside a line are no base64.
fn decode(body: &str) -> Option<Vec<u8>> {
    if !body.starts_with(['\r', '\n']) || !body.ends_with('\n') {
        return None;
    }
    let digits: String = body
        .chars()
        .filter(|letter| !matches!(letter, '\r' | '\n'))
        .collect();
    STANDARD.decode(digits).ok().filter(|der| !der.is_empty())
}

fn text(pem: &[u8]) -> Result<&str, PemError> {
    str::from_utf8(pem).map_err(|_| PemError::Text)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const CERTIFICATE: &str = "CERTIFICATE";
const CRL: &str = "X509 CRL";
const PUBLIC_KEY: &str = "PUBLIC KEY";
/// A chain has ten; eight GPUs with five each stay below it.
const MAX_BLOCKS: usize = 64;

#[cfg(test)]
mod tests;
