//! Looking at a server before it is in any catalog: connect, list, measure. For `cmcp init` and
//! `cmcp catalog`.

use std::{collections::BTreeMap, sync::Arc};

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;
use cmcp_mcp::{
    child::Spawn,
    upstream::{Kind, Observed, Server},
};
use cmcp_policy::catalog::{ItemKind, ServerSpec, Transport};

use crate::{dial, settings::Settings};

/// What a server offers.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// Its definitions of every kind, as received; or why they are not known. Tools always are.
    pub lists: BTreeMap<ItemKind, Result<Vec<Value>, DiscoverError>>,
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
    /// Its list has no end.
    #[error("its list of {0}s does not end; nothing of it can be approved")]
    Endless(ItemKind),
    /// It did not list what it offers.
    #[error("{0}")]
    List(#[from] cmcp_mcp::upstream::UpstreamError),
}

/// Every capability that a client may declare: some servers offer some of their tools only to clients
/// that can be asked something. Nothing that a server asks here is answered.
fn everything() -> Value {
    let none = cmcp_json::Object::new;
    let modes = cmcp_json::Object::from([("form", none()), ("url", none())]);
    let tasks = cmcp_json::Object::from([("io.modelcontextprotocol/tasks", none())]);
    cmcp_json::Object::from([
        ("elicitation", modes),
        ("sampling", none()),
        ("roots", none()),
        ("extensions", tasks),
    ])
    .into()
}

/// Connects to `spec` (starting it, if it is a child process), lists what it offers, and ends it again.
/// A list of something else than tools that does not come spoils no other.
pub async fn discover(spec: &ServerSpec, settings: &Settings) -> Result<Discovered, DiscoverError> {
    let server = dial::client(spec, settings, &everything(), &Arc::default())
        .map_err(|e| DiscoverError::Dial(e.to_string()))?;
    let mut lists = BTreeMap::new();
    for kind in ItemKind::ALL {
        lists.insert(kind, list(server.as_ref(), kind).await);
        if let Some(Err(error)) = lists.get(&ItemKind::Tool) {
            let error = error.clone();
            server.close().await;
            return Err(error);
        }
    }
    let observed = server.observed();
    server.close().await;
    let measured = observed
        .files
        .iter()
        .map(|file| {
            let path = file.path.to_string_lossy().into_owned();
            (path, Sha256Digest::from_bytes(file.digest))
        })
        .collect();
    Ok(Discovered {
        lists,
        observed,
        measured,
    })
}

async fn list(server: &dyn Server, kind: ItemKind) -> Result<Vec<Value>, DiscoverError> {
    let listing = server.list(listed(kind)).await?;
    if listing.complete {
        Ok(listing.items)
    } else {
        Err(DiscoverError::Endless(kind))
    }
}

fn listed(kind: ItemKind) -> Kind {
    match kind {
        ItemKind::Tool => Kind::Tools,
        ItemKind::Resource => Kind::Resources,
        ItemKind::ResourceTemplate => Kind::ResourceTemplates,
        ItemKind::Prompt => Kind::Prompts,
    }
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
