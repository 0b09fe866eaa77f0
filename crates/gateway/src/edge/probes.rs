//! `/health` and `/readyz`: open to everybody, so each address has a budget for each of them.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRequestParts, State},
    response::Response,
};
use cmcp_json::{Object, Value};
use http::{HeaderValue, StatusCode, header, request::Parts};

use super::Fault;
use crate::{admin, startup::Gateway};

/// The budgets of the two probes. They are apart, so that asking one starves nobody of the other.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    health: Budget,
    ready: Budget,
}

/// The address a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let unknown = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(parts.extensions.get().copied().unwrap_or(unknown))
    }
}

pub(super) async fn health(State(gateway): State<Arc<Gateway>>, Peer(peer): Peer) -> Response {
    if !gateway.probes.health.admits(peer, Instant::now()) {
        return rate_limited();
    }
    super::json(
        StatusCode::OK,
        Object::from([("status", Value::from("ok"))]),
    )
}

pub(super) async fn ready(State(gateway): State<Arc<Gateway>>, Peer(peer): Peer) -> Response {
    if !gateway.probes.ready.admits(peer, Instant::now()) {
        return rate_limited();
    }
    admin::ready(&gateway)
}

/// Requests of each address in its current minute.
#[derive(Debug, Default)]
struct Budget(Mutex<HashMap<IpAddr, Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    requests: u32,
}

impl Budget {
    fn admits(&self, peer: IpAddr, now: Instant) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= ADDRESSES && !windows.contains_key(&peer) {
            // Whoever has that many addresses is not held up by any count; nobody else is either.
            windows.clear();
        }
        let window = windows.entry(peer).or_insert(Window {
            began: now,
            requests: 0,
        });
        if now.saturating_duration_since(window.began) >= MINUTE {
            *window = Window {
                began: now,
                requests: 0,
            };
        }
        window.requests = window.requests.saturating_add(1);
        window.requests <= PER_MINUTE
    }
}

fn rate_limited() -> Response {
    let mut response =
        Fault::RateLimited.response("too many requests from this address; try again in a minute");
    let wait = HeaderValue::from_static("60");
    response.headers_mut().insert(header::RETRY_AFTER, wait);
    response
}

const MINUTE: Duration = Duration::from_secs(60);
/// Requests of one address to one probe in a minute: ten a second.
const PER_MINUTE: u32 = 600;
/// Addresses that are counted.
const ADDRESSES: usize = 10_000;

#[cfg(test)]
mod tests;
