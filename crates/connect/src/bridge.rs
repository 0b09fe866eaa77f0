//! A gateway as a local MCP server on standard input and output, for hosts that start their
//! servers as programs.
//!
//! Messages go to the gateway byte for byte and come back so, each as soon as it has come. The bridge
//! adds what HTTP needs: the token, the session and version of a legacy client and the stream on which
//! the gateway may speak unasked, the mirrored headers of a modern one; it takes up a stream that
//! broke off where it was, and ends the session when the host is done.

use std::{fmt, io, sync::Arc};

use cmcp_json::Value;
use http::HeaderValue;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

mod failure;
mod headers;
mod host;
mod relay;
mod target;
mod wire;

use host::Host;
use relay::Relay;
use target::Target;
pub use target::TargetError;

/// What a bridge needs to know.
#[derive(Debug)]
pub struct Bridge {
    /// The gateway's MCP endpoint; without a path, `/mcp` is meant.
    pub url: String,
    /// What the gateway knows this client by, if it asks for that.
    pub token: Option<Token>,
}

/// A bearer token; never shown.
pub struct Token(HeaderValue);

impl Token {
    /// Takes a token.
    ///
    /// # Errors
    /// [`BridgeError::Token`] when no header can carry it.
    pub fn new(token: &str) -> Result<Self, BridgeError> {
        let token = token.trim();
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .ok()
            .filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or(BridgeError::Token)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a bridge could not be opened, or ended before its input did.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The URL cannot be a gateway's.
    #[error("gateway URL: {0}")]
    Target(#[from] TargetError),
    /// The token cannot be sent.
    #[error("the token is empty or has characters that a header cannot carry")]
    Token,
    /// The host's messages can no longer be read.
    #[error("standard input cannot be read: {0}")]
    Input(#[source] io::Error),
    /// The host no longer takes messages.
    #[error("standard output cannot be written: {0}")]
    Output(#[source] io::Error),
}

/// Relays until the input ends and what was under way is answered, or until `stop`; then ends the
/// session.
///
/// # Errors
/// [`BridgeError`]. A gateway that cannot be reached is none: each request is answered with an
/// error that says so, and the next one tries again.
pub async fn run<R, W>(
    bridge: Bridge,
    stdin: R,
    stdout: W,
    stop: impl Future<Output = ()>,
) -> Result<(), BridgeError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Bridge { url, token } = bridge;
    let target = Target::parse(&url)?;
    if token.is_some() && target.is_exposed() {
        tracing::warn!(gateway = %target, "the token travels unencrypted; use an https URL");
    }
    let (say, heard) = mpsc::channel(MAX_UNWRITTEN);
    let relay = Arc::new(Relay::new(target, token, say)?);
    let mut host = Host::new(Arc::clone(&relay), heard, stdout);
    let unasked = tokio::spawn({
        let relay = Arc::clone(&relay);
        async move { relay.hear_unasked().await }
    });
    let ended = tokio::select! {
        ended = host.serve(stdin) => ended,
        () = stop => Ok(()),
    };
    unasked.abort();
    let _ended = unasked.await;
    host.give_up().await;
    relay.close().await;
    ended
}

/// The text of a member of a JSON object, if it is one.
fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

/// Messages for the host that may lie unwritten.
const MAX_UNWRITTEN: usize = 64;

#[cfg(test)]
mod tests;
