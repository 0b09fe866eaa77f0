//! Clients that listen and hear nothing.

use std::io::Write as _;

use clap::Args;
use tokio::{io::AsyncReadExt as _, task::JoinSet};

use crate::{client::Target, wire::Fault};

/// How many listen, and where.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 1000)]
    clients: usize,
}

/// Opens a session and its stream for each, says so in one line, and keeps all of them until its
/// standard input ends.
pub(crate) async fn run(plan: Plan) -> Result<(), Fault> {
    let mut clients = JoinSet::new();
    let mut listening = Vec::new();
    for number in 0..plan.clients {
        let target = plan.target.clone();
        clients.spawn_local(async move {
            let mut client = target.client().await?;
            let stream = client.listen().await?;
            Ok::<_, Fault>((client, stream))
        });
        if number % AT_ONCE == AT_ONCE - 1 || number + 1 == plan.clients {
            while let Some(client) = clients.join_next().await {
                listening.push(client??);
            }
        }
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{} listen", listening.len())?;
    stdout.flush()?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Connected at the same time.
const AT_ONCE: usize = 50;
