//! The containers that evidence travels in.

pub mod certificate;
pub mod cmw;
pub mod collateral;
pub mod container;
pub mod own;
mod recognise;
#[cfg(test)]
pub(crate) mod vectors;

pub use recognise::{Content, Fault, Format, Recognised, Unrecognised, recognise};
