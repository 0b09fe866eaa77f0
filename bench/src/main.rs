//! Load tools: a fast upstream, a bare pass-through proxy and a closed-loop client.
//!
//! Each is a process of its own, so that the CPU of each can be told apart. `bench/run.py` starts
//! them, puts the gateway in the middle and prints the ratios.

mod load;
mod process;
mod proxy;
mod upstream;
mod wire;

use std::net::SocketAddr;

use clap::Parser;
use tokio::task::LocalSet;

#[derive(Debug, Parser)]
#[command(about)]
enum Command {
    /// Serve tools that answer at once, over streamable HTTP without sessions.
    Upstream {
        /// Further tools to offer besides `echo` and `note`.
        #[arg(long, default_value_t = 0)]
        filler: usize,
    },
    /// Pass every request on to an upstream, bytes untouched.
    Proxy {
        /// The upstream.
        #[arg(long)]
        to: SocketAddr,
    },
    /// Call a tool over and over and print one line of JSON.
    Load(load::Plan),
}

fn main() -> Result<(), wire::Fault> {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        match command {
            Command::Upstream { filler } => upstream::serve(filler).await,
            Command::Proxy { to } => proxy::serve(to).await,
            Command::Load(plan) => load::run(plan).await,
        }
    })
}
