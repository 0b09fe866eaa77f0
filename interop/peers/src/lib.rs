//! Peers on the official Rust SDK: an upstream with everything that the conformance suite asks of a
//! server, and a client that reports what it receives. They share no line with what they are there
//! to try.
#![expect(
    deprecated,
    reason = "what the newest revision deprecates has to pass too"
)]

pub mod client;
pub mod server;
mod template;
