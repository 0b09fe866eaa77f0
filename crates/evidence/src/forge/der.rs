//! A DER writer: what it is told, right or wrong.

/// An element with a tag, its length in the shortest form.
pub(crate) fn element(tag: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let mut out = vec![tag];
    if value.len() < 0x80 {
        out.push(value.len() as u8);
    } else {
        let bytes = value.len().to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (bytes.len() - zeros) as u8);
        out.extend(&bytes[zeros..]);
    }
    out.extend(value);
    out
}

/// A SEQUENCE of elements.
pub(crate) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, elements.concat())
}

/// A SET of elements.
pub(crate) fn set(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, elements.concat())
}

/// `[number]` around an element.
pub(crate) fn explicit(number: u8, inner: impl AsRef<[u8]>) -> Vec<u8> {
    element(0xA0 | number, inner)
}

/// A positive INTEGER by its big-endian magnitude.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let digits = &magnitude[zeros..];
    match digits.first() {
        None => element(0x02, [0]),
        Some(0x80..) => element(0x02, [&[0], digits].concat()),
        Some(_) => element(0x02, digits),
    }
}

/// An INTEGER from 0 up.
pub(crate) fn number(number: u64) -> Vec<u8> {
    unsigned(&number.to_be_bytes())
}

/// An OCTET STRING.
pub(crate) fn octets(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    element(0x04, bytes)
}

/// A BIT STRING of whole bytes.
pub(crate) fn bits(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    element(0x03, [&[0], bytes.as_ref()].concat())
}

/// NULL.
pub(crate) fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

/// BOOLEAN TRUE.
pub(crate) fn yes() -> Vec<u8> {
    element(0x01, [0xFF])
}

/// An object identifier from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u128> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut out = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut septets = vec![(arc & 0x7F) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            septets.push(0x80 | (rest & 0x7F) as u8);
            rest >>= 7;
        }
        out.extend(septets.iter().rev());
    }
    element(0x06, out)
}

/// A GeneralizedTime from `2026-06-05T00:00:00Z`.
pub(crate) fn time(rfc3339: &str) -> Vec<u8> {
    let digits: String = rfc3339
        .chars()
        .filter(|letter| letter.is_ascii_digit() || *letter == 'Z')
        .collect();
    element(0x18, digits)
}
