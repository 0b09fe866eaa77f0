//! Links that servers ask people to follow.

use std::net::IpAddr;

/// Why nobody is sent to a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// Longer than anybody reads.
    #[error("it has more than {MAX_LENGTH} bytes")]
    Long,
    /// Characters that a URL does not have, or that are not what they look like.
    #[error("it holds characters other than printable ASCII, or `\\`")]
    Character,
    /// Another scheme, or HTTP that leaves this machine.
    #[error("it is neither https, nor http on this machine")]
    Scheme,
    /// A user, and perhaps a password.
    #[error("it has a user or a password in it")]
    UserInfo,
    /// No host, or none that is one.
    #[error("it has no host, or a port that is none")]
    Host,
}

/// Checks a link. It is never followed here, and never changed.
pub(super) fn check(url: &str) -> Result<(), UrlError> {
    if url.len() > MAX_LENGTH {
        return Err(UrlError::Long);
    }
    // What is not ASCII can look like another host; what browsers read as `/` can make one.
    if !url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    {
        return Err(UrlError::Character);
    }
    let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let host = host(authority).ok_or(UrlError::Host)?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        _ => Err(UrlError::Scheme),
    }
}

fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port)
        }
        None => {
            let at = authority.find(':').unwrap_or(authority.len());
            authority.split_at_checked(at)?
        }
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok() && digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    (is_port && !host.is_empty() && host.bytes().all(plain)).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const MAX_LENGTH: usize = 2_048;
