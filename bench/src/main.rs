//! Load tools: a fast upstream, a bare pass-through proxy and a closed-loop client.
//!
//! Each is a process of its own, so that the CPU of each can be told apart. `bench/run.py` starts
//! them, puts the gateway in the middle and prints the ratios.

mod client;
mod idle;
mod load;
mod process;
mod proxy;
mod stream;
mod upstream;
mod wire;

use std::net::SocketAddr;

use clap::Parser;
use tokio::task::LocalSet;

use upstream::Eras;

#[derive(Debug, Parser)]
#[command(about)]
enum Command {
    /// Serve tools that answer at once, over streamable HTTP without sessions.
    Upstream {
        /// Further tools to offer besides `echo` and `note`.
        #[arg(long, default_value_t = 0)]
        filler: usize,
        /// Speak the revisions with a handshake alone.
        #[arg(long)]
        legacy: bool,
    },
    /// Pass every request on to an upstream, bytes untouched.
    Proxy {
        /// The upstream.
        #[arg(long)]
        to: SocketAddr,
    },
    /// Call a tool over and over and print one line of JSON.
    Load(load::Plan),
    /// Call a tool that tells of its progress, and print how long that is on its way.
    Stream(stream::Plan),
    /// Listen on many streams until standard input ends.
    Idle(idle::Plan),
}

fn main() -> Result<(), wire::Fault> {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        match command {
            Command::Upstream { filler, legacy } => {
                let eras = if legacy { Eras::Legacy } else { Eras::Both };
                upstream::serve(filler, eras).await
            }
            Command::Proxy { to } => proxy::serve(to).await,
            Command::Load(plan) => load::run(plan).await,
            Command::Stream(plan) => stream::run(plan).await,
            Command::Idle(plan) => idle::run(plan).await,
        }
    })
}
