//! What an enclave's quote should say, from the SIGSTRUCT that its signer made.

use rsa::{BoxedUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest as _, Sha256};

use crate::{
    Sha256Digest, hex,
    reader::{Malformed, Reader},
};

/// An enclave as its signer describes it; the signature holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enclave {
    /// Digest over the enclave as built.
    pub mrenclave: [u8; 32],
    /// Digest of the signer's modulus.
    pub mrsigner: Sha256Digest,
    /// Product id.
    pub isv_prod_id: u16,
    /// Security version.
    pub isv_svn: u16,
    /// Family of the product.
    pub family_id: [u8; 16],
    /// Extended product id.
    pub ext_prod_id: [u8; 16],
    /// Attributes, and which bits of them the signer fixed.
    pub attributes: Fixed<u64>,
    /// Processor features, and which bits of them the signer fixed.
    pub xfrm: Fixed<u64>,
    /// Features of the state save area, and which bits of them the signer fixed.
    pub miscselect: Fixed<u32>,
    /// Control-flow enforcement, and which bits of it the signer fixed.
    pub cet: Fixed<u8>,
    /// When it was signed, as the signer says: year, month and day, each digit in four bits.
    pub date: u32,
    /// Free for the signer.
    pub software: u32,
    /// Zero, or `0x8086` for Intel's own enclaves.
    pub vendor: u32,
}

/// A value, and which of its bits count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fixed<T> {
    /// The value.
    pub value: T,
    /// The bits that count.
    pub mask: T,
}

/// Why a SIGSTRUCT says nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SigstructError {
    /// It has another form.
    #[error("SIGSTRUCT: {0}")]
    Malformed(#[from] Malformed),
    /// Its key is none.
    #[error("the modulus of the SIGSTRUCT is not an RSA modulus of 3072 bits")]
    Key,
    /// Another signed it, or something else.
    #[error("the signature of the SIGSTRUCT does not hold")]
    Signature,
}

impl Enclave {
    /// Reads a SIGSTRUCT and verifies its signature.
    ///
    /// The processor takes one kind of key only, RSA of 3072 bits with exponent 3, and so does this; no
    /// other signature is judged by that rule.
    ///
    /// # Errors
    ///
    /// It is malformed, or its signature does not hold.
    pub fn from_sigstruct(bytes: &[u8]) -> Result<Self, SigstructError> {
        let mut reader = Reader::new(bytes);
        let (vendor, date) = head(&mut reader)?;
        let software = reader.u32_le("swdefined")?;
        zeros(&mut reader, 84)?;
        let header = reader.read();
        let modulus = reader.take("modulus", 384)?;
        constant(&mut reader, "exponent", &3_u32.to_le_bytes())?;
        let signature = reader.take("signature", 384)?;
        let begin = reader.at();
        let enclave = body(&mut reader, (modulus, vendor, date, software))?;
        let body = reader.read().get(begin..).unwrap_or_default();
        verify(&[header, body], modulus, signature)?;
        zeros(&mut reader, 12)?;
        // Quotients that spare the processor a division: it verifies them, and they say nothing more.
        reader.take("q1", 384)?;
        reader.take("q2", 384)?;
        reader.end("SIGSTRUCT")?;
        Ok(enclave)
    }
}

fn head(reader: &mut Reader<'_>) -> Result<(u32, u32), Malformed> {
    constant(reader, "header", &HEADER)?;
    let at = reader.at();
    let vendor = reader.u32_le("vendor")?;
    if vendor != 0 && vendor != INTEL {
        let found = format!("{vendor:#x}");
        return Err(Malformed::new("vendor", at, "0 or 0x8086", found));
    }
    let date = reader.u32_le("date")?;
    constant(reader, "header2", &HEADER2)?;
    Ok((vendor, date))
}

fn body(
    reader: &mut Reader<'_>,
    (modulus, vendor, date, software): (&[u8], u32, u32, u32),
) -> Result<Enclave, Malformed> {
    let miscselect = Fixed {
        value: reader.u32_le("miscselect")?,
        mask: reader.u32_le("miscmask")?,
    };
    let cet = Fixed {
        value: reader.u8("cet_attributes")?,
        mask: reader.u8("cet_attributes_mask")?,
    };
    zeros(reader, 2)?;
    let family_id = reader.array("isvfamilyid")?;
    let flags = reader.u64_le("attributes")?;
    let features = reader.u64_le("xfrm")?;
    let flags_mask = reader.u64_le("attributes mask")?;
    let features_mask = reader.u64_le("xfrm mask")?;
    let mrenclave = reader.array("enclavehash")?;
    zeros(reader, 16)?;
    Ok(Enclave {
        mrenclave,
        mrsigner: Sha256Digest::of(modulus),
        family_id,
        ext_prod_id: reader.array("isvextprodid")?,
        isv_prod_id: reader.u16_le("isvprodid")?,
        isv_svn: reader.u16_le("isvsvn")?,
        attributes: Fixed {
            value: flags,
            mask: flags_mask,
        },
        xfrm: Fixed {
            value: features,
            mask: features_mask,
        },
        miscselect,
        cet,
        date,
        software,
        vendor,
    })
}

fn verify(signed: &[&[u8]], modulus: &[u8], signature: &[u8]) -> Result<(), SigstructError> {
    let (modulus, signature) = (reversed(modulus), reversed(signature));
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return Err(SigstructError::Key);
    };
    if first & 0x80 == 0 || last & 1 == 0 {
        return Err(SigstructError::Key);
    }
    let modulus = BoxedUint::from_be_slice_vartime(&modulus);
    let key = RsaPublicKey::new_with_size_limits(modulus, BoxedUint::from(3_u8), 3072..=3072)
        .map_err(|_| SigstructError::Key)?;
    let mut hash = Sha256::new();
    for part in signed {
        hash.update(part);
    }
    key.verify(Pkcs1v15Sign::new::<Sha256>(), &hash.finalize(), &signature)
        .map_err(|_| SigstructError::Signature)
}

/// Numbers stand there with their last byte first.
fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

fn constant(reader: &mut Reader<'_>, what: &'static str, expected: &[u8]) -> Result<(), Malformed> {
    let at = reader.at();
    let found = reader.take(what, expected.len())?;
    if found == expected {
        return Ok(());
    }
    let (expected, found) = (hex::encode(expected), hex::encode(found));
    Err(Malformed::new(what, at, expected, found))
}

fn zeros(reader: &mut Reader<'_>, length: usize) -> Result<(), Malformed> {
    let at = reader.at();
    let found = reader.take("reserved", length)?;
    if found.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(Malformed::new("reserved", at, "zeros", hex::encode(found)))
    }
}

const HEADER: [u8; 16] = [6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
const HEADER2: [u8; 16] = [1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0];
const INTEL: u32 = 0x8086;

#[cfg(test)]
mod tests;
