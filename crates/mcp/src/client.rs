//! Servers as a client reaches them: over HTTP, or as a child process. Both eras are spoken, and
//! which one it is, is found out and remembered.
//!
//! What a server asks of us is refused, but for `ping`; what it announces is counted, and a
//! changed list of tools moves [`Server::generation`](crate::upstream::Server::generation) on.

mod counters;
mod flight;
mod handshake;
mod http;
mod listing;
mod outgoing;
mod stdio;

use std::time::Duration;

pub use http::{Credential, HttpClient, HttpTarget, Reach, TargetError};
pub use stdio::StdioClient;

/// How long the steps that are nobody's call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Resolving, connecting and the TLS handshake.
    pub connect: Duration,
    /// Finding out the era, `initialize` included; for a process, from its start.
    pub handshake: Duration,
    /// All pages of a listing.
    pub list: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(30),
            list: Duration::from_secs(30),
        }
    }
}
