//! Servers as a client reaches them: over HTTP, or as a child process. Both eras are spoken, and
//! which one it is, is found out and remembered.
//!
//! What a server asks of us reaches whoever's request it serves, if the capability was declared to
//! it, and is refused otherwise. What it announces moves
//! [`Server::generation`](crate::upstream::Server::generation) on and is told to whoever listens.

mod clock;
mod counters;
mod flight;
mod handshake;
mod health;
mod heard;
pub(crate) mod http;
mod listing;
pub mod oauth;
mod outgoing;
mod own;
mod stdio;
mod turn;

use std::time::Duration;

pub use health::{Bearing, Health};
pub use http::{HttpClient, HttpTarget, Reach, TargetError};
pub use own::Identity;
pub use stdio::StdioClient;

/// How long the steps that are nobody's call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Resolving, connecting and the TLS handshake.
    pub connect: Duration,
    /// Finding out the era, `initialize` included; for a process, from its start.
    pub handshake: Duration,
    /// The part of it in which a process may leave a question unanswered that only a modern server
    /// knows. Interpreters take seconds to load a large server before it reads its first line.
    pub probe: Duration,
    /// All pages of a listing.
    pub list: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(30),
            probe: Duration::from_secs(10),
            list: Duration::from_secs(30),
        }
    }
}
