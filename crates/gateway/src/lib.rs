//! The governing gateway: one life for every call, one append site for every outcome.
//!
//! [`prepare`] turns [`Settings`] into a [`Ready`] gateway, [`serve`] binds the port. In between
//! stands `call`, the life of a call, read from top to bottom.

mod admin;
mod archive;
mod call;
mod children;
mod client;
mod clock;
mod cursor;
mod dial;
mod discover;
mod edge;
mod evidence_state;
mod front;
mod hub;
mod ids;
mod keeper;
mod killswitch;
mod ledger;
mod limits;
pub mod oauth;
mod parking;
mod recovery;
pub mod reference;
mod refusal;
mod reply;
mod rules;
mod said;
mod sealed;
mod seen;
mod sessions;
mod settings;
mod sink;
mod splice;
mod startup;
mod stdio;
mod store;
mod tasks;
mod telemetry;
#[cfg(test)]
mod testing;
mod transport;
mod upstream;

pub use archive::{Archive, ArchiveError, ArchivedSession, ExportForm};
pub use children::child_supervise;
pub use clock::Clock;
pub use cmcp_mcp::child::Launcher;
pub use discover::{DiscoverError, Discovered, discover, measure};
pub use edge::{ServeError, serve};
pub use ledger::{Durability, Ledger, LedgerError, Receipt};
pub use limits::{CallLimit, LimitSettings, Rate};
pub use rules::{BundleFiles, BundleSource, Reload};
pub use settings::{
    DriftPolicy, Hosts, Listen, PrincipalEntry, RecordPer, Secret, Settings, SinkPolicy, Spawning,
    StalenessPolicy, TokenHash, UpstreamCredential,
};
pub use startup::{Loaded, Ready, StartError, prepare};
pub use stdio::serve_stdio;
