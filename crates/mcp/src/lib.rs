//! The Model Context Protocol and its pipes, for servers and clients.
//!
//! Downstream, [`server`] says what a request means. Upstream, [`upstream::Server`] is what every
//! server looks like, and [`client`] reaches those that answer over HTTP or as a child process,
//! which [`child`] measures and supervises.

pub mod again;
pub mod child;
pub mod client;
pub mod error;
pub mod fetch;
pub mod headers;
pub mod jose;
pub mod jsonrpc;
pub mod legacy;
pub mod lines;
pub mod method;
pub mod server;
pub mod sse;
pub mod tls;
pub mod upstream;
pub mod version;

pub use upstream::{Listing, Observed, Page, Server, UpstreamError};
pub use version::Version;
