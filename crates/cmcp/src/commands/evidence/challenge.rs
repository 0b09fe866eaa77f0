//! What evidence must be bound to, as the command line says it.

use cmcp_evidence::{Binding, ReportData, b64, hex};

use crate::{cli::EvidenceVerifyArgs, commands::Failure};

/// A binding, and how the words for it were read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) binding: Binding,
    pub(crate) says: String,
}

impl Named {
    pub(crate) fn read(arguments: &EvidenceVerifyArgs) -> Result<Self, Failure> {
        match (&arguments.nonce, &arguments.report_data) {
            (Some(nonce), _) => challenge(nonce),
            (None, Some(data)) => report_data(data),
            (None, None) => Ok(Self {
                binding: Binding::Unknown,
                says: "nothing: no challenge and no report data were named".to_owned(),
            }),
        }
    }
}

/// Hexadecimal digits in lower case are read as such, and anything else as base64url: a text of one kind
/// that could be of the other is said to be read as the first, and a prefix decides.
fn challenge(text: &str) -> Result<Named, Failure> {
    let (decoded, how) = if let Some(digits) = text.strip_prefix("hex:") {
        (hex::decode(digits).ok(), "hexadecimal digits")
    } else if let Some(letters) = text.strip_prefix("base64url:") {
        (b64::decode(letters).ok(), "base64url")
    } else if let Ok(bytes) = hex::decode(text) {
        (Some(bytes), "hexadecimal digits")
    } else {
        (b64::decode(text).ok(), "base64url")
    };
    let bytes = decoded.filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| Failure::Flag {
        flag: "--nonce",
        value: text.to_owned(),
        expected: "lower-case hexadecimal digits, or base64url without padding",
    })?;
    Ok(Named {
        says: format!("a challenge of {} bytes, read as {how}", bytes.len()),
        binding: Binding::Challenge(bytes),
    })
}

fn report_data(text: &str) -> Result<Named, Failure> {
    let bytes = hex::decode(text).ok();
    let bytes: Option<[u8; 64]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| Failure::Flag {
        flag: "--report-data",
        value: text.to_owned(),
        expected: "128 lower-case hexadecimal digits",
    })?;
    Ok(Named {
        binding: Binding::ReportData(ReportData::from_bytes(bytes)),
        says: "the 64 bytes of report data that were named".to_owned(),
    })
}

#[cfg(test)]
mod tests;
