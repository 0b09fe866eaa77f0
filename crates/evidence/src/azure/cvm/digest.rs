use crate::{Sha256Digest, azure::runtime::RsaKey};

/// SHA-256 of the key's `SubjectPublicKeyInfo`, DER.
pub(in crate::azure) fn key_digest(key: &RsaKey) -> Sha256Digest {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let mut bytes = number.get(zeros..).unwrap_or_default().to_vec();
        if bytes.first().is_none_or(|byte| *byte > 0x7f) {
            bytes.insert(0, 0);
        }
        element(0x02, &bytes)
    };
    let numbers = [integer(&key.n), integer(&key.e)].concat();
    let mut bits = vec![0];
    bits.extend(element(0x30, &numbers));
    let spki = [RSA_ENCRYPTION.to_vec(), element(0x03, &bits)].concat();
    Sha256Digest::of(&element(0x30, &spki))
}

// Nothing in runtime data of 64 KiB needs more than four bytes of length.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let significant = length.get(zeros..).unwrap_or_default();
    let head = match significant {
        [] => vec![tag, 0],
        [short] if *short < 0x80 => vec![tag, *short],
        long => {
            let count = u8::try_from(long.len()).unwrap_or(u8::MAX) | 0x80;
            [&[tag, count], long].concat()
        }
    };
    [head.as_slice(), value].concat()
}

// AlgorithmIdentifier: rsaEncryption, NULL.
const RSA_ENCRYPTION: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

#[cfg(test)]
mod tests;
