//! What strings of the profile must look like.

use std::net::Ipv6Addr;

/// `sha256:` and 64, or `sha384:` and 96, lower-case hexadecimal digits, and nothing after them.
pub(crate) fn is_digest(text: &str) -> bool {
    is_sha256(text)
        || text
            .strip_prefix("sha384:")
            .is_some_and(|hex| is_hex(hex, 96))
}

/// `sha256:` and 64 lower-case hexadecimal digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| is_hex(hex, 64))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Characters of the base64url alphabet.
pub(super) fn is_token(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// `spiffe://<trust domain>/<path>` or `did:<method>:<identifier>`: neither is complete at its prefix.
pub(super) fn is_subject(text: &str) -> bool {
    let (domain, workload) = match text.strip_prefix("spiffe://") {
        Some(rest) => match rest.split_once('/') {
            Some(parts) => parts,
            None => return false,
        },
        None => {
            let Some((method, identifier)) = text
                .strip_prefix("did:")
                .and_then(|rest| rest.split_once(':'))
            else {
                return false;
            };
            if !method
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
            {
                return false;
            }
            (method, identifier)
        }
    };
    !domain.is_empty() && !workload.is_empty() && !workload.contains(LINE_ENDS)
}

const LINE_ENDS: [char; 4] = ['\n', '\r', '\u{2028}', '\u{2029}'];

/// An ISO 8601 duration: weeks alone, or parts in order, at least one of them.
pub(super) fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else {
        return false;
    };
    match rest.split_once('T') {
        Some(("", time)) => are_parts(time, "HMS"),
        Some((date, time)) => are_parts(date, "YMD") && are_parts(time, "HMS"),
        None => are_parts(rest, "YMD") || are_parts(rest, "W"),
    }
}

/// Whether `text` is numbers with units, the units a non-empty subsequence of `units`.
fn are_parts(text: &str, units: &str) -> bool {
    let mut units = units.chars();
    let mut digits = 0_usize;
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits = digits.saturating_add(1);
        } else if digits == 0 || !units.any(|unit| unit == c) {
            return false;
        } else {
            digits = 0;
        }
    }
    !text.is_empty() && digits == 0
}

/// A URI by RFC 3986: scheme, hierarchical part, optional query and fragment.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    is_scheme(scheme)
        && are_encoded(fragment, b":@/?")
        && are_encoded(query, b":@/?")
        && is_hierarchy(hierarchy)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn is_hierarchy(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("//") else {
        return are_encoded(text, b":@/");
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    is_authority(authority) && are_encoded(path, b":@/")
}

fn is_authority(text: &str) -> bool {
    let (user, place) = text.split_once('@').unwrap_or(("", text));
    if !are_encoded(user, b":") {
        return false;
    }
    if let Some(rest) = place.strip_prefix('[') {
        let Some((literal, port)) = rest.split_once(']') else {
            return false;
        };
        return is_ip_literal(literal) && port.strip_prefix(':').map_or(port.is_empty(), is_digits);
    }
    let (host, port) = place.split_once(':').unwrap_or((place, ""));
    are_encoded(host, b"") && is_digits(port)
}

fn is_ip_literal(text: &str) -> bool {
    let Some(future) = text.strip_prefix('v') else {
        return text.parse::<Ipv6Addr>().is_ok();
    };
    future.split_once('.').is_some_and(|(version, address)| {
        !version.is_empty()
            && version.bytes().all(|b| b.is_ascii_hexdigit())
            && !address.is_empty()
            && address.bytes().all(|b| is_plain(b) || b == b':')
    })
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// Unreserved characters, sub-delimiters, `also`, and percent-encoded octets.
fn are_encoded(text: &str, also: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = if byte == b'%' {
            let mut hex = || bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
            hex() && hex()
        } else {
            is_plain(byte) || also.contains(&byte)
        };
        if !allowed {
            return false;
        }
    }
    true
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
