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
    sync::{Semaphore, watch},
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
    #[error("`{addr}` cannot be bound ({cause}); is another gateway listening there?")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's words.
        cause: io::ErrorKind,
    },
}

impl ServeError {
    /// The code under which scripts know it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "CONFIG_ERROR",
        }
    }
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
    let (stopping, stopped) = watch::channel(false);
    let mut loops = JoinSet::new();
    loops.spawn(recheck(Arc::clone(&gateway)));
    loops.spawn(tend_evidence(Arc::clone(&gateway)));
    loops.spawn(end_exceptions(Arc::clone(&gateway)));
    loops.spawn(look_for_bundles(Arc::clone(&gateway)));
    let idle = tokio::spawn(close_idle(Arc::clone(&gateway), stopped.clone()));
    let accepting = tokio::spawn(accept(Arc::clone(&gateway), listener, stopped));
    stop.await;
    stopping.send_replace(true);
    loops.shutdown().await;
    // Requests being answered are answered; no connection brings another. A panic in either task
    // has nothing left to say here.
    let _ = accepting.await;
    let _ = idle.await;
    gateway.close_all("shutdown").await;
    gateway.rulebook.close().await;
    drop(gateway);
    // The writer ends when the last task that could append is gone.
    let _ = tokio::time::timeout(FLUSH, tokio::task::spawn_blocking(move || threads.join())).await;
    Ok(())
}

async fn accept(gateway: Arc<Gateway>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let patience = gateway.settings.session_drain;
    let service = super::router(gateway);
    let peers = Arc::new(Semaphore::new(PEERS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&peers).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = told(&mut stopped) => break,
            // Ended connections are forgotten as they end.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (service, stopped) = (service.clone(), stopped.clone());
                connections.spawn(async move {
                    connection(stream, Peer(peer.ip()), service, stopped).await;
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
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(patience, all).await;
    connections.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: axum::Router,
    mut stopped: watch::Receiver<bool>,
) {
    // Replies are small and complete; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Resolves when the gateway is to stop, or is gone.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
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

async fn close_idle(gateway: Arc<Gateway>, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(IDLE_SWEEP);
    loop {
        // Never in the middle of a closing: what was begun is finished.
        tokio::select! {
            () = told(&mut stopped) => return,
            _ = every.tick() => {}
        }
        let limit = gateway.settings.session_idle_timeout;
        let now = gateway.clock.now();
        let before = now.checked_sub(limit).unwrap_or(Timestamp::MIN);
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
