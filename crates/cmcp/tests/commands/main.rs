//! The commands as a shell sees them: output, errors and exit codes.
#![cfg(test)]

mod authorization;
mod captured;
mod checks;
mod documents;
mod evidence;
mod judged;
mod looking;
mod measuring;
mod proof;
mod refreshing;
mod signing;
mod start;
mod support;
