//! Listening: a bounded number of peers, deadlines on their headers, an end that seals.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use cmcp_evidence::Timestamp;
use cmcp_mcp::{again::Again, server::stall::Stall};
use http::{HeaderValue, Request, header};
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
    sync::{Semaphore, mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::MissedTickBehavior,
};

use super::{guarded::Guarded, probes::Peer};
use crate::{
    ledger::LedgerThreads,
    refusal::Refusal,
    startup::{Gateway, Ready},
    upstream::{Heard, RECHECK_EVERY, SEAT_IDLE},
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
    /// The host on standard input and output is gone.
    #[error("standard input or output failed ({cause}); the host that started this is gone")]
    Host {
        /// The system's words.
        cause: io::ErrorKind,
    },
    /// No such principal.
    #[error("no principal `{name}` is configured; name one of `principals`")]
    Principal {
        /// The name.
        name: String,
    },
    /// Nobody without a name is let in.
    #[error("callers without a name are not let in here; say who the host is with `--principal`")]
    Nobody,
}

impl ServeError {
    /// The code under which scripts know it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } | Self::Principal { .. } | Self::Nobody => "CONFIG_ERROR",
            Self::Host { .. } => "HOST_GONE",
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
    let gateway = Arc::clone(&ready.gateway);
    let addr = gateway.settings.listen.addr();
    let failed = |e: io::Error| ServeError::Bind {
        addr,
        cause: e.kind(),
    };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    bound(listener.local_addr().map_err(failed)?);
    let background = Background::start(ready);
    let accepting = tokio::spawn(accept(gateway, listener, background.stopped(), DOOR));
    stop.await;
    background.stop();
    // Requests being answered are answered; no connection brings another. A panic there has
    // nothing left to say here.
    let _ = accepting.await;
    background.end().await;
    Ok(())
}

/// What runs beside the callers, whatever they come by.
pub(crate) struct Background {
    gateway: Arc<Gateway>,
    threads: LedgerThreads,
    loops: JoinSet<()>,
    idle: JoinHandle<()>,
    stopping: watch::Sender<bool>,
}

impl Background {
    pub(crate) fn start(ready: Ready) -> Self {
        let Ready {
            gateway,
            threads,
            hearing,
        } = ready;
        let stopping = watch::Sender::new(false);
        let mut loops = JoinSet::new();
        loops.spawn(recheck(Arc::clone(&gateway)));
        loops.spawn(tend_evidence(Arc::clone(&gateway)));
        loops.spawn(end_exceptions(Arc::clone(&gateway)));
        loops.spawn(look_for_bundles(Arc::clone(&gateway)));
        loops.spawn(tend_keys(Arc::clone(&gateway)));
        loops.spawn(hear(Arc::clone(&gateway), hearing));
        loops.spawn(Arc::clone(&gateway).tend_subscriptions());
        loops.spawn(Arc::clone(&gateway).tell_of_lists());
        let idle = tokio::spawn(close_idle(Arc::clone(&gateway), stopping.subscribe()));
        Self {
            gateway,
            threads,
            loops,
            idle,
            stopping,
        }
    }

    fn stopped(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Ends streams that wait for nothing else, and lets nobody begin anything more.
    fn stop(&self) {
        self.gateway.stopping.stop();
        self.gateway.transport.close_streams();
        self.stopping.send_replace(true);
    }

    /// Closes and seals every session; the log is on disk when this returns.
    pub(crate) async fn end(mut self) {
        self.stop();
        self.gateway.parking.close();
        self.loops.shutdown().await;
        // A panic there has nothing left to say here.
        let _ = self.idle.await;
        self.gateway.close_all("shutdown").await;
        self.gateway.rulebook.close().await;
        drop(self.gateway);
        // The writer ends when the last task that could append is gone.
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || threads.join());
        let _ = tokio::time::timeout(FLUSH, joined).await;
    }
}

async fn accept(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
    door: Door,
) {
    let patience = gateway.settings.session_drain;
    let service = super::router(gateway);
    let peers = Arc::new(Semaphore::new(door.peers));
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
                let peer = (Peer(peer.ip()), door);
                connections.spawn(async move {
                    connection(stream, peer, service, stopped).await;
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
    (peer, door): (Peer, Door),
    router: axum::Router,
    mut stopped: watch::Receiver<bool>,
) {
    // Replies are small and complete; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        name_host(&mut request);
        router.call(request)
    });
    // Heads that are too long are for the server to answer; what is beyond it ends here.
    let stream = Guarded::new(stream, door.head_bytes.saturating_mul(2));
    // Nor does a peer hold answers for ever that it does not read.
    let stream = Stall::new(stream, STALLED);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(door.head_within)
        .max_buf_size(door.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let again = Again::default();
    let served = tokio::select! {
        served = poll_fn(|cx| again.poll(cx, |cx| connection.as_mut().poll(cx))) => served,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
}

/// A target that names its host says so in place of `Host` (RFC 9112 section 3.2.2), so that what is
/// checked is what is meant.
fn name_host<B>(request: &mut Request<B>) {
    let named = request.uri().authority().map(http::uri::Authority::as_str);
    let named = named.and_then(|host| HeaderValue::from_str(host).ok());
    // Two such headers stay two, and are refused.
    if let Some(host) = named
        && request.headers().get_all(header::HOST).iter().count() == 1
    {
        request.headers_mut().insert(header::HOST, host);
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
            tracing::warn!(item = %tool, ?found, "an item drifted");
        }
        gateway.note_changed(&rules);
        rules.upstreams.shed(SEAT_IDLE).await;
        gateway.transport.expire();
        for task in gateway.tasks.expired(Instant::now()) {
            let unknown = Refusal::Cancelled { sent: true };
            gateway.abandon_task(&task, unknown).await;
        }
    }
}

/// Takes up what servers say unasked.
async fn hear(gateway: Arc<Gateway>, mut hearing: mpsc::Receiver<Heard>) {
    while let Some(heard) = hearing.recv().await {
        gateway.heard(heard).await;
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

/// Keeps the keys of issuers at hand, so that a call seldom waits for them.
async fn tend_keys(gateway: Arc<Gateway>) {
    let Some(authorization) = &gateway.authorization else {
        return;
    };
    let mut every = tokio::time::interval(KEY_SWEEP);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        authorization.tend(gateway.clock.now()).await;
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

/// What a peer may take before it is anybody.
#[derive(Clone, Copy, Debug)]
struct Door {
    /// Peers connected at once.
    peers: usize,
    /// How long a peer may take for its headers.
    head_within: Duration,
    /// Bytes of one request's headers.
    head_bytes: usize,
}

const DOOR: Door = Door {
    peers: 16_384,
    head_within: Duration::from_secs(20),
    head_bytes: 64 * 1024,
};
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a peer may leave what is written to it unread.
const STALLED: Duration = Duration::from_secs(60);
/// How often idle sessions are looked for.
const IDLE_SWEEP: Duration = Duration::from_secs(5);
/// How often ended exceptions are looked for; calls are refused by the time itself.
const EXCEPTION_SWEEP: Duration = Duration::from_secs(1);
/// How often it is looked whether keys of issuers are to be fetched again.
const KEY_SWEEP: Duration = Duration::from_secs(30);
/// How long the last entries may take to reach the disk.
const FLUSH: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
