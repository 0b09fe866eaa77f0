//! Abuse cases against the running product: the binary as it is started, a scripted server behind
//! it, and bytes that no client of good will sends. `docs/abuse-coverage.md` says which line is
//! which test.
#![cfg(test)]

mod arguments;
mod audit;
mod authorization;
mod children;
mod conversation;
mod definitions;
mod edge;
mod exchange;
mod messages;
mod names;
mod operation;
mod rules;
mod running;
mod sessions;
mod storage;
mod support;
mod surface;
mod upstreams;
