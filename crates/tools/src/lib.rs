//! Tools that cMCP serves itself, behind the same trait as any upstream.

pub mod sample;
