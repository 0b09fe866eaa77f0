//! The cmcp binary: configuration, commands, rendering.

mod cli;
mod commands;
mod config;
mod demo;
mod generate;
mod init;
mod output;
mod reference_values;
mod render;
mod review;
mod write;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(std::env::args_os())
}
