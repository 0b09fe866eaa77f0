//! Everything of MCP that is no plain call, through the binary as it is started: questions of
//! servers, resources and prompts, progress, logs, subscriptions, tasks, several servers, limits and
//! standard input, between clients and servers of either era.
#![cfg(test)]

mod answers;
mod asked;
mod client;
mod host;
mod incoming;
mod items;
mod jobs;
mod limits;
mod listening;
mod pairs;
mod questions;
mod resources;
mod sample;
mod several;
mod states;
mod surface;
mod talk;
mod tasks;
mod telling;
mod upstream;
mod weight;

#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the abuse cases, each of which needs another part of it"
)]
#[path = "../abuse/support.rs"]
mod support;
