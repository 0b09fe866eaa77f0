//! `cmcp client-bridge`.

use cmcp_connect::bridge::{self, Bridge, Token};

use crate::{
    cli::ClientBridgeArgs,
    commands::{Context, Exit, Failure, start},
    output::Log,
};

pub(crate) fn run(arguments: &ClientBridgeArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let ClientBridgeArgs {
        gateway_url,
        token_env,
    } = arguments;
    let token = match context.environment.value(token_env) {
        Some(token) => Some(Token::new(&token).map_err(Failure::Bridge)?),
        // A gateway on this machine may be one without a token.
        None if is_loopback(gateway_url) => None,
        None => {
            return Err(Failure::TokenMissing {
                name: token_env.clone(),
            });
        }
    };
    let _log = Log::start(context.output.format, context.environment, "warn");
    let bridge = Bridge {
        url: gateway_url.clone(),
        token,
    };
    let runtime = start::runtime()?;
    let ended = runtime.block_on(async {
        let stop = start::stop_signal()?;
        let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
        let ended = bridge::run(bridge, stdin, stdout, stop).await;
        ended.map_err(Failure::Bridge)
    });
    // A read of standard input that nobody will answer must not hold the end up.
    runtime.shutdown_background();
    ended?;
    Ok(Exit::Ok)
}

fn is_loopback(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let ip: Option<std::net::IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
