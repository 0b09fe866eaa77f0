//! Pure decisions: policy bundles, the catalog of approved tools, Cedar requests, inspection.
//!
//! Nothing here reads a clock, a file, the environment or the network: every decision is a function
//! of its arguments, so that it can be replayed.

pub mod bundle;
pub mod catalog;
pub mod decide;
pub mod engine;
pub mod explain;
#[cfg(test)]
mod fixture;
pub mod inspect;
pub mod mode;
pub mod path;
pub mod request;
pub mod scan;
pub mod schema;
pub mod schema_check;
pub mod sensitivity;
pub mod session;

/// Whether documents and calls are read as the Python cMCP 0.7.1 read them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compat {
    /// Our rules.
    #[default]
    Off,
    /// 0.7.1's rules where they differ, asked for by `compat: cmcp-0.7`.
    V07,
}
