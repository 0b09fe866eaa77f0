//! What a client counts, and what it does about messages nobody asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::{
    error::Code,
    jsonrpc::{self, Notification, Request},
};

#[derive(Debug, Default)]
pub(super) struct Counters {
    generation: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    downgrades: AtomicU64,
    next_id: AtomicU64,
}

impl Counters {
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Earlier listings may no longer be true.
    pub(super) fn outdate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn downgrades(&self) -> u64 {
        self.downgrades.load(Ordering::Relaxed)
    }

    pub(super) fn downgrade(&self) {
        self.downgrades.fetch_add(1, Ordering::Relaxed);
    }

    /// Unique among all requests of one client, so that no two connections ever share one.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }

    pub(super) fn notified(&self, notification: &Notification) {
        match notification.method.as_str() {
            "notifications/tools/list_changed" => self.outdate(),
            // Says that we are told of changes, which are all that we act on.
            "notifications/subscriptions/acknowledged" => {}
            _ => self.drop_one(),
        }
    }

    /// What to answer a server that asks something of us: a client without capabilities has
    /// nothing to give.
    pub(super) fn asked(&self, request: &Request) -> Bytes {
        if request.method == "ping" {
            return jsonrpc::result(&request.id, b"{}");
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        jsonrpc::error(
            &request.id,
            Code::MethodNotFound.value(),
            "Method not found",
            None,
        )
    }
}
