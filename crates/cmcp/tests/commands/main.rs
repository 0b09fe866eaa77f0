//! The commands as a shell sees them: output, errors and exit codes.
#![cfg(test)]

mod authorization;
mod checks;
mod documents;
mod looking;
mod proof;
mod start;
mod support;
