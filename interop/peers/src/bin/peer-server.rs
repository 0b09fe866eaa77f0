//! The upstream of the conformance suite, over streamable HTTP or stdio.

use std::{
    error::Error,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
};

use clap::Parser;
use cmcp_peers::server::{self, Fixture};
use rmcp::ServiceExt;
use tokio::net::TcpListener;

/// Serves the tools, prompts and resources that the conformance suite looks for.
#[derive(Debug, Parser)]
struct Options {
    /// Speak over standard input and output instead of HTTP.
    #[arg(long)]
    stdio: bool,
    /// The port on loopback; one that is free, if absent.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { stdio, port } = Options::parse();
    let fixture = Fixture::new()?;
    if stdio {
        fixture
            .serve(rmcp::transport::stdio())
            .await?
            .waiting()
            .await?;
        return Ok(());
    }
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    writeln!(std::io::stdout(), "port {}", listener.local_addr()?.port())?;
    server::serve(listener, fixture).await?;
    Ok(())
}
