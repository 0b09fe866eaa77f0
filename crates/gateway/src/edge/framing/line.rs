//! The lines of a head, as far as they say where its body ends.

use super::Smuggled;

/// Where the body of a message ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) length: Option<u64>,
    pub(super) coding: Coding,
}

/// How a body is transferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coding {
    /// In chunks.
    Chunked,
    /// As it is.
    #[default]
    Identity,
    /// As it is, and by HTTP/1.0, which knows no other way.
    Unknown,
}

impl Framing {
    /// Reads a request line: method, target and version with one blank between them.
    pub(super) fn of(line: &[u8]) -> Result<Self, Smuggled> {
        let mut parts = line.split(|byte| *byte == b' ');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(method), Some(target), Some(version), None) = parts else {
            return Err(Smuggled::RequestLine);
        };
        let visible = |target: &[u8]| target.iter().all(u8::is_ascii_graphic);
        if !is_token(method) || target.is_empty() || !visible(target) {
            return Err(Smuggled::RequestLine);
        }
        let coding = match version {
            b"HTTP/1.1" => Coding::Identity,
            b"HTTP/1.0" => Coding::Unknown,
            _ => return Err(Smuggled::RequestLine),
        };
        Ok(Self {
            coding,
            length: None,
        })
    }

    /// Reads a header line.
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Smuggled> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = colon
            .and_then(|at| line.split_at_checked(at))
            .ok_or(Smuggled::Field)?;
        // Neither a blank before the colon nor one before the name, which would fold the line.
        if !is_token(name) || !value.iter().all(|byte| is_value(*byte)) {
            return Err(Smuggled::Field);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = decimal(value).ok_or(Smuggled::ContentLength)?;
            if self.length.replace(length).is_some() {
                return Err(Smuggled::ContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_chunked = value.eq_ignore_ascii_case(b"chunked");
            if !is_chunked || self.coding != Coding::Identity {
                return Err(Smuggled::TransferEncoding);
            }
            self.coding = Coding::Chunked;
        }
        if self.coding == Coding::Chunked && self.length.is_some() {
            return Err(Smuggled::TransferEncoding);
        }
        Ok(())
    }
}

fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
