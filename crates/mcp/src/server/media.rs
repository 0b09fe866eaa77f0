//! `Content-Type`, `Content-Encoding` and `Accept`.

use http::{HeaderMap, header};

/// What is wrong with the headers that describe bodies.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum MediaError {
    /// `Content-Type` is missing, repeated or something else.
    #[error("`Content-Type` must be `application/json`")]
    Type,
    /// Another character set than UTF-8.
    #[error("`Content-Type` must not name another character set than utf-8")]
    Charset,
    /// A compressed body.
    #[error("`Content-Encoding` must be absent; send the body as it is")]
    Encoding,
}

/// Checks that the body is plain JSON in UTF-8.
pub(super) fn check_content(headers: &HeaderMap) -> Result<(), MediaError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if !encodings.all(|value| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"identity")
    }) {
        return Err(MediaError::Encoding);
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(MediaError::Type);
    };
    let value = value.to_str().map_err(|_| MediaError::Type)?;
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case(JSON))
    {
        return Err(MediaError::Type);
    }
    let mut charsets = parts.filter_map(|part| parameter(part, "charset"));
    if charsets.all(|name| name.eq_ignore_ascii_case("utf-8")) {
        Ok(())
    } else {
        Err(MediaError::Charset)
    }
}

/// What `Accept` says about a type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Acceptance {
    /// There is no such header.
    Unsaid,
    /// The type is welcome.
    Yes,
    /// It is not.
    No,
}

/// Asks whether `kind` (`application/json` or `text/event-stream`) is welcome. The most specific
/// range decides, as RFC 9110 section 12.5.1 has it.
pub(super) fn accepts(headers: &HeaderMap, kind: &str) -> Acceptance {
    let mut said = false;
    let mut best = None;
    for value in headers.get_all(header::ACCEPT) {
        said = true;
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let Some(rank) = parts.next().and_then(|name| specificity(name, kind)) else {
                continue;
            };
            let quality = parts.find_map(|part| parameter(part, "q"));
            let welcome = quality.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0));
            if best.is_none_or(|(highest, _)| rank > highest) {
                best = Some((rank, welcome));
            }
        }
    }
    match best {
        _ if !said => Acceptance::Unsaid,
        Some((_, true)) => Acceptance::Yes,
        Some((_, false)) | None => Acceptance::No,
    }
}

fn specificity(range: &str, kind: &str) -> Option<u8> {
    let family = kind.split_once('/').map_or(kind, |(family, _)| family);
    match range.split_once('/')? {
        _ if range.eq_ignore_ascii_case(kind) => Some(2),
        (name, "*") if name.eq_ignore_ascii_case(family) => Some(1),
        ("*", "*") => Some(0),
        _ => None,
    }
}

fn parameter<'a>(part: &'a str, wanted: &str) -> Option<&'a str> {
    let (name, value) = part.split_once('=')?;
    name.trim()
        .eq_ignore_ascii_case(wanted)
        .then(|| value.trim().trim_matches('"'))
}

pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";

#[cfg(test)]
mod tests;
