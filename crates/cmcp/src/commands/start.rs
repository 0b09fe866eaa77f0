//! `cmcp start`.

use std::{fs, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use cmcp_evidence::{Sha256Digest, SoftwareAttester};
use cmcp_gateway::{BundleSource, Clock, Loaded, Ready, Reload, Settings};
use cmcp_json::Object;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::StartArgs,
    commands::{Context, Exit, Failure},
    config::{
        self, Config, Purpose, Request,
        documents::{self, Documents},
        evidence::EvidenceSource,
        handover::Program,
        keys,
    },
    output::{Log, Output},
};

pub(crate) fn run(arguments: &StartArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let Context {
        environment,
        output,
    } = context;
    let StartArgs {
        file,
        enforcement,
        stdio,
        principal,
    } = arguments;
    let request = Request {
        file: &file.config,
        environment,
        purpose: Purpose::Start,
        enforcement: enforcement.map(Into::into),
    };
    let (config, documents) = config::load(&request).map_err(Failure::Config)?;
    let _log = Log::start(output.format, environment, "info");
    warn(&config);
    let evidence = config.evidence;
    let digest = config.effective().digest().map_err(Failure::Canonical)?;
    let loaded = loaded(&config, documents);
    let settings = config.settings(&loaded.catalog, environment, program()?, digest);
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let ready = prepare(settings, loaded).await?;
        if *stdio {
            // Standard output is the host's: nothing but messages goes there.
            return cmcp_gateway::serve_stdio(ready, principal.as_deref(), stop)
                .await
                .map_err(Failure::Serve);
        }
        let bound = |addr| announce(output, evidence, addr);
        cmcp_gateway::serve(ready, bound, stop)
            .await
            .map_err(Failure::Serve)
    })?;
    Ok(Exit::Ok)
}

/// What the gateway decides by, and where it looks for newer policy.
pub(crate) fn loaded(config: &Config, documents: Documents) -> Loaded {
    let Documents {
        bundle,
        catalog,
        engine,
        signing,
        folder,
    } = documents;
    let every = Duration::from_secs(config.values.number(&keys::POLICY_RELOAD_INTERVAL));
    let source = BundleSource::new(move || documents::read_bundle_files(&folder));
    Loaded {
        catalog,
        policy: engine,
        bundle,
        signing,
        reload: (!every.is_zero()).then_some(Reload { every, source }),
    }
}

/// Prepares the gateway, with software evidence.
pub(crate) async fn prepare(settings: Settings, loaded: Loaded) -> Result<Ready, Failure> {
    let attester = Arc::new(SoftwareAttester);
    let ready = cmcp_gateway::prepare(settings, loaded, attester, Clock::system())
        .await
        .map_err(Failure::Start)?;
    if ready.recovered() > 0 {
        tracing::warn!(
            sessions = ready.recovered(),
            "sealed what a crash had left open"
        );
    }
    tracing::info!(key = %ready.key().hex(), "this key signs the records of this run");
    Ok(ready)
}

/// The running program and the digest of its file.
pub(crate) fn program() -> Result<Program, Failure> {
    let path = std::env::current_exe().map_err(Failure::Program)?;
    // The file that is running, even where another has taken its place since.
    let bytes = fs::read("/proc/self/exe")
        .or_else(|_| fs::read(&path))
        .map_err(Failure::Program)?;
    Ok(Program {
        path,
        digest: Sha256Digest::of(&bytes),
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
}

fn announce(output: Output, evidence: EvidenceSource, addr: SocketAddr) {
    let tee = evidence.name();
    output.line(format!("cMCP Runtime starting: TEE: {tee}, listen: {addr}"));
    let listen = addr.to_string();
    output.json(&Object::from([("tee", tee), ("listen", listen.as_str())]).into());
}

fn warn(config: &Config) {
    for notice in &config.notices {
        tracing::info!("{notice}");
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

/// Resolves at SIGTERM or SIGINT.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
