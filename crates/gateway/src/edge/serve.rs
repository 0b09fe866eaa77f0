//! Listening: a bounded number of peers, deadlines on their headers, an end that seals.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use cmcp_evidence::Timestamp;
use http::Request;
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::MissedTickBehavior,
};

use super::probes::Peer;
use crate::{
    startup::{Gateway, Ready},
    upstream::RECHECK_EVERY,
};

/// Why the gateway does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be bound.
    #[error(
        "CONFIG_ERROR: `{addr}` cannot be bound ({cause}); is another gateway listening there?"
    )]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's words.
        cause: io::ErrorKind,
    },
}

/// Binds the port, calls `bound` with the address, and serves until `stop` resolves; then every
/// session is closed and sealed, and the log is on disk when this returns.
pub async fn serve(
    ready: Ready,
    bound: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let Ready { gateway, threads } = ready;
    let addr = gateway.settings.listen.addr();
    let failed = |e: io::Error| ServeError::Bind {
        addr,
        cause: e.kind(),
    };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    bound(listener.local_addr().map_err(failed)?);
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(Arc::clone(&gateway), listener));
    tasks.spawn(recheck(Arc::clone(&gateway)));
    tasks.spawn(tend_evidence(Arc::clone(&gateway)));
    tasks.spawn(end_exceptions(Arc::clone(&gateway)));
    tasks.spawn(look_for_bundles(Arc::clone(&gateway)));
    tasks.spawn(close_idle(Arc::clone(&gateway)));
    stop.await;
    tasks.shutdown().await;
    gateway.close_all("shutdown").await;
    gateway.rulebook.close().await;
    drop(gateway);
    // The writer ends when the last task that could append is gone.
    let _ = tokio::time::timeout(FLUSH, tokio::task::spawn_blocking(move || threads.join())).await;
    Ok(())
}

async fn accept(gateway: Arc<Gateway>, listener: TcpListener) {
    let service = super::router(gateway);
    let peers = Arc::new(Semaphore::new(PEERS));
    loop {
        let Ok(place) = Arc::clone(&peers).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    connection(stream, Peer(peer.ip()), service).await;
                    drop(place);
                });
            }
            // Out of descriptors: those already connected go on, and their ends make room.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: axum::Router) {
    // Replies are small and complete; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn recheck(gateway: Arc<Gateway>) {
    let mut every = tokio::time::interval(RECHECK_EVERY);
    loop {
        every.tick().await;
        let rules = gateway.rules();
        for (tool, found) in rules.upstreams.recheck(&rules.catalog).await {
            tracing::warn!(%tool, ?found, "a tool drifted");
        }
    }
}

async fn tend_evidence(gateway: Arc<Gateway>) {
    let mut every = tokio::time::interval(gateway.evidence.look_every());
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        gateway.tend_evidence().await;
    }
}

async fn end_exceptions(gateway: Arc<Gateway>) {
    let mut every = tokio::time::interval(EXCEPTION_SWEEP);
    loop {
        every.tick().await;
        gateway.end_exceptions().await;
    }
}

async fn look_for_bundles(gateway: Arc<Gateway>) {
    let Some(reload) = &gateway.reload else {
        return;
    };
    loop {
        tokio::time::sleep(reload.every).await;
        gateway.look_for_bundle().await;
    }
}

async fn close_idle(gateway: Arc<Gateway>) {
    let mut every = tokio::time::interval(IDLE_SWEEP);
    loop {
        every.tick().await;
        let limit = gateway.settings.session_idle_timeout;
        let before = gateway
            .clock
            .now()
            .checked_sub(limit)
            .unwrap_or(Timestamp::MIN);
        for session in gateway.sessions.idle_before(before) {
            if let Err(error) = gateway.close_session(&session, "idle").await {
                tracing::warn!(session = %session.id, %error, "an idle session was not closed");
            }
        }
    }
}

/// Peers connected at once.
const PEERS: usize = 16_384;
/// How long a peer may take for its headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(20);
/// Bytes of one request's headers.
const HEADER_BYTES: usize = 64 * 1024;
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often idle sessions are looked for.
const IDLE_SWEEP: Duration = Duration::from_secs(5);
/// How often ended exceptions are looked for; calls are refused by the time itself.
const EXCEPTION_SWEEP: Duration = Duration::from_secs(1);
/// How long the last entries may take to reach the disk.
const FLUSH: Duration = Duration::from_secs(30);
