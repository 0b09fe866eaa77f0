//! The real binary as a gateway, and a server behind it that does as it is told.
//!
//! The paths are spelled out because other test binaries take this module in from their own place.

#[path = "support/client.rs"]
pub(crate) mod client;
#[path = "support/gateway.rs"]
pub(crate) mod gateway;
#[path = "support/server.rs"]
pub(crate) mod server;
#[path = "support/setup.rs"]
pub(crate) mod setup;

use std::time::Duration;

pub(crate) use self::{
    client::{Answer, Connection},
    gateway::{Gateway, member, text},
    server::{Gate, Reply, Server, json, with},
    setup::{Prepared, Setup, Tool},
};

/// Longer than anything here takes; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Two callers and the operator.
pub(crate) const ALICE: &str = "tok-alice-Zq83hd7Lw2";
pub(crate) const BOB: &str = "tok-bob-9fJk2mXc71";
pub(crate) const OPERATOR: &str = "tok-operator-Vb5nR0sT4e";
/// A variable of the gateway's own environment that is nobody's business.
pub(crate) const SECRET: &str = "env-secret-Hy6Tg2Wq9P";
/// Stands in arguments and responses, and so in no log.
pub(crate) const PRIVATE: &str = "private-payload-Mk4Uj8Xe1C";
