//! A client of the interoperability suites on the Rust SDK.

use std::{error::Error, io::Write};

use clap::Parser;
use cmcp_peers::client::{self, Era, Job};

/// Does what a job says and prints what it received at each step.
#[derive(Debug, Parser)]
struct Options {
    /// How to begin.
    era: Era,
    /// `{"target", "steps", "answer"}`
    job: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { era, job } = Options::parse();
    let seen = client::run(Job::read(&job)?, era).await?;
    writeln!(std::io::stdout(), "{seen}")?;
    Ok(())
}
