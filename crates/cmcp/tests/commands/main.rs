//! The commands as a shell sees them: output, errors and exit codes.
#![cfg(test)]

mod checks;
mod documents;
mod proof;
mod start;
mod support;
