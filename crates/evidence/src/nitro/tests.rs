//! The captured document, and forged ones with one field broken at a time.

mod document;
mod judged;
mod policy;
mod registers;
pub(crate) mod vectors;
