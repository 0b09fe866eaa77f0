//! Strict JSON: one reading of every text, and the canonical forms that digests are taken over.
//!
//! [`parse`] refuses every text that two readers could understand differently. [`Value`] keeps the
//! order of members, the spelling of numbers and the place of each member in the text, so that what
//! is judged, what is hashed and what is sent on can be the same bytes. [`canonical`] writes the
//! forms that digests and signatures are taken over.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::as_conversions)
)]

mod canonical;
mod limits;
mod parse;
mod serde_bridge;
mod stream;
mod value;

pub use canonical::{CanonError, Form, canonical, canonical_without};
pub use limits::{Limits, Nul};
pub use parse::{ParseError, ParseErrorKind, parse};
pub use serde_bridge::{FromValueError, ToValueError, from_value, to_value};
pub use stream::{StreamError, read_elements};
pub use value::{Number, Object, Value};
