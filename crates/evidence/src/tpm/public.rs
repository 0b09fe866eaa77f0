use super::attest::sized;
use crate::{
    eventlog::HashAlg,
    reader::{Malformed, Reader},
    x509::{Curve, KeyUnsupported, VerifyingKey},
};

/// An attestation key: the key, and what the TPM says of it where its public area came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AkPublic<'a> {
    /// The key.
    pub key: VerifyingKey,
    /// Its public area; none where only a `SubjectPublicKeyInfo` came.
    pub area: Option<PublicArea<'a>>,
}

/// A `TPMT_PUBLIC`. A name is the digest over all of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicArea<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// The number of the algorithm that its name is made with.
    pub name_alg: u16,
    /// Its attributes.
    pub attributes: u32,
    /// The policy that its use is bound to.
    pub policy: &'a [u8],
    /// Its signing scheme and that scheme's hash; none where it signs with any.
    pub scheme: Option<(u16, u16)>,
}

/// Why an attestation key is not used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PublicFault {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its key is weak, or of a kind that is not used here.
    #[error(transparent)]
    Key(#[from] KeyUnsupported),
}

impl<'a> AkPublic<'a> {
    /// Reads `TPM2B_PUBLIC`, `TPMT_PUBLIC` or a DER `SubjectPublicKeyInfo`: the first begins with its
    /// own length, the second with a key type, the third with a SEQUENCE.
    ///
    /// # Errors
    ///
    /// It is none of them, or not a key to verify quotes with.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PublicFault> {
        if bytes.first() == Some(&0x30) {
            let key = VerifyingKey::from_spki_der(bytes)?;
            return Ok(Self { key, area: None });
        }
        let mut reader = Reader::new(bytes);
        let size = reader.u16_be("size of the public area")?;
        if usize::from(size) == reader.left() {
            Self::area(reader.rest())
        } else {
            Self::area(bytes)
        }
    }

    /// Its name: the algorithm's number and the digest over its public area.
    #[must_use]
    pub fn name(&self) -> Option<Vec<u8>> {
        let area = self.area?;
        let alg = HashAlg::from_id(area.name_alg)?;
        let digest = alg.digest(area.bytes);
        Some([area.name_alg.to_be_bytes().as_slice(), &digest].concat())
    }

    fn area(bytes: &'a [u8]) -> Result<Self, PublicFault> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u16_be("type of the key")?;
        let name_alg = reader.u16_be("name algorithm")?;
        let attributes = reader.u32_be("attributes")?;
        let policy = sized(&mut reader, "policy of the key")?;
        if reader.u16_be("symmetric algorithm")? != NULL {
            // Only keys that decrypt have one.
            reader.take("symmetric key bits and mode", 4)?;
        }
        let scheme = scheme(&mut reader)?;
        let key = match kind {
            RSA => rsa(&mut reader)?,
            ECC => ecc(&mut reader)?,
            other => {
                let found = format!("{other:#06x}");
                let expected = "RSA (0x0001) or ECC (0x0023)";
                return Err(Malformed::new("type of the key", 0, expected, found).into());
            }
        };
        reader.end("public area")?;
        let area = PublicArea {
            bytes,
            name_alg,
            attributes,
            policy,
            scheme,
        };
        Ok(Self {
            key,
            area: Some(area),
        })
    }
}

impl PublicArea<'_> {
    /// What of its attributes is not as an attestation key's: a key that signs, and nothing but what
    /// the TPM itself made, and that never was outside of this TPM.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = REQUIRED
            .iter()
            .filter(|(bit, _)| self.attributes & bit == 0)
            .map(|(_, name)| format!("{name} is not set"))
            .collect();
        if self.attributes & DECRYPT != 0 {
            faults.push("decrypt is set".to_owned());
        }
        let known = ATTRIBUTES.iter().fold(0, |known, (bit, _)| known | bit);
        let unknown = self.attributes & !known;
        if unknown != 0 {
            faults.push(format!("bits {unknown:#010x} have no name"));
        }
        faults
    }

    /// The names of the attributes that are set.
    #[must_use]
    pub fn attribute_names(&self) -> Vec<&'static str> {
        let set = ATTRIBUTES
            .iter()
            .filter(|(bit, _)| self.attributes & bit != 0);
        set.map(|(_, name)| *name).collect()
    }
}

/// TPMT_RSA_SCHEME or TPMT_ECC_SCHEME.
fn scheme(reader: &mut Reader<'_>) -> Result<Option<(u16, u16)>, Malformed> {
    let scheme = reader.u16_be("scheme of the key")?;
    match scheme {
        NULL | RSAES => Ok(None),
        ECDAA => {
            let hash = reader.u16_be("hash of the scheme")?;
            reader.u16_be("counter of the scheme")?;
            Ok(Some((scheme, hash)))
        }
        _ => Ok(Some((scheme, reader.u16_be("hash of the scheme")?))),
    }
}

fn rsa(reader: &mut Reader<'_>) -> Result<VerifyingKey, PublicFault> {
    let at = reader.at();
    let bits = usize::from(reader.u16_be("key bits")?);
    let exponent = reader.u32_be("exponent")?;
    let modulus = sized(reader, "modulus")?;
    if modulus.len() != bits.div_ceil(8) {
        let found = format!("{} bytes", modulus.len());
        return Err(Malformed::new("modulus", at, format!("{bits} bits"), found).into());
    }
    // A zero stands for the exponent that every TPM has.
    let exponent = if exponent == 0 { 65537 } else { exponent };
    Ok(VerifyingKey::from_rsa_components(
        modulus,
        &exponent.to_be_bytes(),
    )?)
}

fn ecc(reader: &mut Reader<'_>) -> Result<VerifyingKey, PublicFault> {
    let at = reader.at();
    let curve = match reader.u16_be("curve")? {
        P256 => Curve::P256,
        P384 => Curve::P384,
        other => {
            let expected = "P-256 (0x0003) or P-384 (0x0004)";
            return Err(Malformed::new("curve", at, expected, format!("{other:#06x}")).into());
        }
    };
    if reader.u16_be("key derivation scheme")? != NULL {
        reader.u16_be("hash of the key derivation scheme")?;
    }
    let x = sized(reader, "x")?;
    let y = sized(reader, "y")?;
    Ok(VerifyingKey::from_xy(curve, x, y)?)
}

const RSA: u16 = 0x0001;
const ECC: u16 = 0x0023;
const NULL: u16 = 0x0010;
const RSAES: u16 = 0x0015;
const ECDAA: u16 = 0x001a;
const P256: u16 = 0x0003;
const P384: u16 = 0x0004;

const DECRYPT: u32 = 1 << 17;
/// What a key must be to sign quotes that mean something.
const REQUIRED: [(u32, &str); 5] = [
    (1 << 1, "fixedTPM"),
    (1 << 4, "fixedParent"),
    (1 << 5, "sensitiveDataOrigin"),
    (1 << 16, "restricted"),
    (1 << 18, "sign"),
];
/// TPMA_OBJECT.
const ATTRIBUTES: [(u32, &str); 14] = [
    (1 << 1, "fixedTPM"),
    (1 << 2, "stClear"),
    (1 << 4, "fixedParent"),
    (1 << 5, "sensitiveDataOrigin"),
    (1 << 6, "userWithAuth"),
    (1 << 7, "adminWithPolicy"),
    (1 << 8, "firmwareLimited"),
    (1 << 9, "svnLimited"),
    (1 << 10, "noDA"),
    (1 << 11, "encryptedDuplication"),
    (1 << 16, "restricted"),
    (1 << 17, "decrypt"),
    (1 << 18, "sign"),
    (1 << 19, "x509sign"),
];
