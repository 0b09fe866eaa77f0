//! The client side: relays between a host's stdio and a gateway.

pub mod bridge;
