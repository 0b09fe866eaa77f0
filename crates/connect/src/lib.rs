//! The client side: relays between a host's stdio and a gateway, and collateral fetched for verifiers.

pub mod bridge;
pub mod collateral;

pub use cmcp_mcp::fetch::{FetchError, FetchFault, Fetcher, Listed, Url, UrlError};
