//! What a VCEK or VLEK certificate says of the chip and its firmware (AMD publication 57230).

use super::tcb::{Product, Tcb};
use crate::{hex, x509::Certificate};

/// What a certificate of a signing key says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Vek {
    /// Whose key it is.
    pub(crate) holder: Holder,
    /// The product, as the certificate writes it.
    pub(crate) product_name: String,
    /// The firmware that the key is for.
    pub(crate) tcb: Tcb,
}

/// Whose key it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Holder {
    /// A chip's: VCEK.
    Chip {
        /// The chip, 64 bytes, or 8 on Turin.
        hwid: Vec<u8>,
    },
    /// A provider's: VLEK.
    Provider {
        /// The provider.
        csp_id: String,
    },
}

impl Holder {
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Chip { .. } => "VCEK",
            Self::Provider { .. } => "VLEK",
        }
    }
}

impl Vek {
    /// Whether a certificate claims to be for a signing key.
    pub(crate) fn is(certificate: &Certificate) -> bool {
        certificate.extension(STRUCT_VERSION).is_some()
    }

    /// Reads the extensions.
    pub(crate) fn read(certificate: &Certificate) -> Result<Self, String> {
        let version = integer(certificate, STRUCT_VERSION)?;
        if version > 1 {
            return Err(format!("structure version {version}"));
        }
        let product_name = ia5(certificate, PRODUCT)?;
        let spl = |number: u8| integer(certificate, &format!("{SPL}.{number}"));
        let free = |number: u8| match certificate.extension(&format!("{SPL}.{number}")) {
            None => Ok(0),
            Some(_) => spl(number),
        };
        for number in 4..=7 {
            let version = free(number)?;
            if version != 0 {
                return Err(format!("version {version} of unknown component {number}"));
            }
        }
        let fmc = match Product::from_name(&product_name) {
            Some(Product::Turin) => spl(9)?,
            Some(Product::Milan | Product::Genoa) | None => free(9)?,
        };
        Ok(Self {
            holder: holder(certificate)?,
            tcb: Tcb {
                fmc,
                bootloader: spl(1)?,
                tee: spl(2)?,
                snp: spl(3)?,
                microcode: spl(8)?,
            },
            product_name,
        })
    }
}

fn holder(certificate: &Certificate) -> Result<Holder, String> {
    match (certificate.extension(HWID), certificate.extension(CSP_ID)) {
        (Some(value), None) => {
            // Some certificates hold the bytes as they are, some wrap them in an OCTET STRING. Bytes as they
            // are may begin like a wrapping, but then what would be inside is too short.
            let hwid = match value {
                [0x04, 64, inner @ ..] if inner.len() == 64 => inner,
                [0x04, 8, inner @ ..] if inner.len() == 8 => inner,
                raw => raw,
            };
            if hwid.len() == 64 || hwid.len() == 8 {
                Ok(Holder::Chip {
                    hwid: hwid.to_vec(),
                })
            } else {
                Err(format!("a chip identifier of {} bytes", hwid.len()))
            }
        }
        (None, Some(_)) => Ok(Holder::Provider {
            csp_id: ia5(certificate, CSP_ID)?,
        }),
        (Some(_), Some(_)) => Err("both a chip identifier and a provider".to_owned()),
        (None, None) => Err("neither a chip identifier nor a provider".to_owned()),
    }
}

/// A DER INTEGER from 0 to 255.
fn integer(certificate: &Certificate, oid: &str) -> Result<u8, String> {
    match certificate.extension(oid) {
        Some([0x02, 0x01, value @ 0x00..=0x7f] | [0x02, 0x02, 0x00, value @ 0x80..=0xff]) => {
            Ok(*value)
        }
        Some(other) => Err(format!(
            "{} in {oid}, where a number from 0 to 255 belongs",
            hex::encode(other.get(..16).unwrap_or(other))
        )),
        None => Err(format!("no extension {oid}")),
    }
}

/// A DER IA5String of at most 127 characters.
fn ia5(certificate: &Certificate, oid: &str) -> Result<String, String> {
    match certificate.extension(oid) {
        Some([0x16, length @ 0x01..=0x7f, text @ ..])
            if usize::from(*length) == text.len() && text.is_ascii() =>
        {
            String::from_utf8(text.to_vec()).map_err(|error| error.to_string())
        }
        Some(_) => Err(format!("no short text in {oid}")),
        None => Err(format!("no extension {oid}")),
    }
}

const STRUCT_VERSION: &str = "1.3.6.1.4.1.3704.1.1";
const PRODUCT: &str = "1.3.6.1.4.1.3704.1.2";
const SPL: &str = "1.3.6.1.4.1.3704.1.3";
const HWID: &str = "1.3.6.1.4.1.3704.1.4";
const CSP_ID: &str = "1.3.6.1.4.1.3704.1.5";
