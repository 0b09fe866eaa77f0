//! Lists a server's tools and calls one, with nothing in between.
//!
//! ```sh
//! cargo run -p cmcp-mcp --example call -- http://127.0.0.1:3001/mcp echo '{"message":"hi"}'
//! cargo run -p cmcp-mcp --example call -- /usr/bin/server --flag -- echo '{"message":"hi"}'
//! ```
//!
//! A server that is a process is started through the `supervise` example, which has to be built.

use std::{error::Error, io::Write, time::Duration};

use bytes::Bytes;
use cmcp_mcp::{
    Server,
    child::{EnvValue, Launcher, Spawn},
    client::{HttpClient, HttpTarget, Identity, StdioClient, Timing},
    tls::TlsPin,
    upstream::{Ask, Kind, Reply},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().ok_or("name a URL or a command")?;
    if command.starts_with("http") {
        let target = HttpTarget::parse(command, TlsPin::WebPki)?;
        return ask(
            &HttpClient::new(target, Timing::default(), Identity::default())?,
            rest,
        )
        .await;
    }
    let end = rest.iter().position(|arg| arg == "--");
    let (own, call) = rest.split_at(end.unwrap_or(rest.len()));
    let launcher = Launcher {
        program: std::env::current_exe()?.with_file_name("supervise"),
        args: Vec::new(),
    };
    let mut spawn = Spawn::new(command);
    spawn.args = own.to_vec();
    if let Some((name, path)) = std::env::vars().find(|(name, _)| name == "PATH") {
        spawn.env.push((name, EnvValue::new(path)));
    }
    let client = StdioClient::new(spawn, launcher, Timing::default(), Identity::default());
    ask(&client, call.get(1..).unwrap_or_default()).await
}

async fn ask(server: &impl Server, call: &[String]) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let listing = server.list(Kind::Tools).await?;
    for name in listing.items.iter().filter_map(|tool| tool.get("name")) {
        writeln!(out, "{name}")?;
    }
    if let [name, arguments @ ..] = call {
        let arguments = arguments.first().map(|text| Bytes::from(text.clone()));
        let ask = Ask::tool(name, arguments, Duration::from_secs(30), 8 << 20);
        match server.ask(ask).await? {
            Reply::Result { bytes, .. } | Reply::Error { bytes, .. } => {
                out.write_all(&bytes)?;
                writeln!(out)?;
            }
        }
    }
    writeln!(out, "{:?}", server.observed())?;
    server.close().await;
    Ok(())
}
