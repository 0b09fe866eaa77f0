//! Looking at a server before it is in any catalog: connect, list, measure. For `cmcp init` and
//! `cmcp catalog`.

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;
use cmcp_mcp::{child::Spawn, upstream::Observed};
use cmcp_policy::catalog::{ServerSpec, Transport};

use crate::{dial, settings::Settings};

/// What a server offers.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// Its tool definitions, as received.
    pub tools: Vec<Value>,
    /// Whether the list was read to its end.
    pub complete: bool,
    /// What was seen of it.
    pub observed: Observed,
    /// The files a child process was started from, with their digests.
    pub measured: Vec<(String, Sha256Digest)>,
}

/// Why a server could not be looked at.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DiscoverError {
    /// It cannot be reached as described.
    #[error("{0}")]
    Dial(String),
    /// It did not list its tools.
    #[error("{0}")]
    List(#[from] cmcp_mcp::upstream::UpstreamError),
}

/// Connects to `spec` (starting it, if it is a child process), lists its tools, and ends it again.
pub async fn discover(spec: &ServerSpec, settings: &Settings) -> Result<Discovered, DiscoverError> {
    let server = dial::client(spec, settings).map_err(|e| DiscoverError::Dial(e.to_string()))?;
    let listing = server.list().await;
    let observed = server.observed();
    server.close().await;
    let listing = listing?;
    let measured = observed
        .files
        .iter()
        .map(|file| {
            let path = file.path.to_string_lossy().into_owned();
            (path, Sha256Digest::from_bytes(file.digest))
        })
        .collect();
    Ok(Discovered {
        tools: listing.tools,
        complete: listing.complete,
        observed,
        measured,
    })
}

/// Measures the files that a child process would be started from, without starting it.
pub fn measure(spec: &ServerSpec) -> Result<Vec<(String, Sha256Digest)>, DiscoverError> {
    let Transport::Stdio {
        command, args, cwd, ..
    } = &spec.transport
    else {
        return Ok(Vec::new());
    };
    let mut spawn = Spawn::new(command);
    spawn.args.clone_from(args);
    spawn.cwd = cwd.as_ref().map(Into::into);
    let files = spawn
        .measure()
        .map_err(|e| DiscoverError::Dial(e.to_string()))?;
    Ok(files
        .into_iter()
        .map(|file| {
            let path = file.path.to_string_lossy().into_owned();
            (path, Sha256Digest::from_bytes(file.digest))
        })
        .collect())
}
