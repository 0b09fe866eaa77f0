//! Counters for `/metrics`, in Prometheus' text format. It observes the ledger's outcomes and can
//! fail nothing; labels hold our own words only, never a caller's.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{call::Cleared, refusal::Refusal};

/// What is measured when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) open_sessions: usize,
    /// 1 when the audit log has stopped.
    pub(crate) audit_log_failed: u64,
    /// Calls that are served, and calls that wait to be.
    pub(crate) calls: (usize, usize),
    /// Calls that wait for their client's answers.
    pub(crate) parked: usize,
    /// Bytes of requests that are held.
    pub(crate) request_bytes: usize,
    /// Sessions and streams that listen for changes.
    pub(crate) listeners: usize,
    /// Tasks that are kept.
    pub(crate) tasks: usize,
}

/// The gateway's counters.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
    buckets: [AtomicU64; BOUNDS_MICROS.len()],
    sum_micros: AtomicU64,
    count: AtomicU64,
    refused_requests: AtomicU64,
    foreign_sessions: AtomicU64,
    dropped_messages: AtomicU64,
    policies_loaded: AtomicU64,
    policies_refused: AtomicU64,
    sealed: AtomicU64,
}

impl Telemetry {
    /// One call ended.
    pub(crate) fn call(&self, outcome: &Result<Cleared, Refusal>, micros: u64) {
        let word = match outcome {
            Ok(Cleared::Result { .. }) => "allowed",
            Ok(Cleared::Asked { .. }) => "input_required",
            Ok(Cleared::Task(_)) => "task",
            Ok(Cleared::Error { .. }) => "upstream_error",
            Err(refusal) => refusal.code().as_str(),
        };
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = outcomes.entry(word).or_default();
        *count = count.saturating_add(1);
        drop(outcomes);
        for (bound, bucket) in BOUNDS_MICROS.iter().zip(&self.buckets) {
            if micros <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused before it was a call.
    pub(crate) fn refused_request(&self) {
        self.refused_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A message of a client named nothing that is under way, or means nothing here.
    pub(crate) fn dropped_message(&self) {
        self.dropped_messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody else's transport session was named.
    pub(crate) fn foreign_session(&self) {
        self.foreign_sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// A newer policy bundle came into force.
    pub(crate) fn policy_loaded(&self) {
        self.policies_loaded.fetch_add(1, Ordering::Relaxed);
    }

    /// A new policy bundle was refused.
    pub(crate) fn policy_refused(&self) {
        self.policies_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A session's records were made.
    pub(crate) fn sealed(&self) {
        self.sealed.fetch_add(1, Ordering::Relaxed);
    }

    /// The text of `/metrics`.
    pub(crate) fn render(&self, gauges: Gauges) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self
            .render_calls(&mut text)
            .and_then(|()| self.render_others(&mut text, gauges));
        text
    }

    fn render_calls(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "# HELP cmcp_calls_total Calls by how they ended.")?;
        writeln!(out, "# TYPE cmcp_calls_total counter")?;
        let outcomes = self
            .outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (word, count) in outcomes {
            writeln!(out, "cmcp_calls_total{{outcome=\"{word}\"}} {count}")?;
        }
        writeln!(
            out,
            "# HELP cmcp_call_seconds Time from a call's arrival to its outcome."
        )?;
        writeln!(out, "# TYPE cmcp_call_seconds histogram")?;
        for (bound, bucket) in BOUNDS_MICROS.iter().zip(&self.buckets) {
            let le = seconds(*bound);
            let count = bucket.load(Ordering::Relaxed);
            writeln!(out, "cmcp_call_seconds_bucket{{le=\"{le}\"}} {count}")?;
        }
        let count = self.count.load(Ordering::Relaxed);
        writeln!(out, "cmcp_call_seconds_bucket{{le=\"+Inf\"}} {count}")?;
        writeln!(
            out,
            "cmcp_call_seconds_sum {}",
            seconds(self.sum_micros.load(Ordering::Relaxed))
        )?;
        writeln!(out, "cmcp_call_seconds_count {count}")
    }

    fn render_others(&self, out: &mut String, gauges: Gauges) -> std::fmt::Result {
        let counters = [
            (
                "cmcp_requests_refused_total",
                "Requests refused before they were a call.",
                &self.refused_requests,
            ),
            (
                "cmcp_foreign_sessions_total",
                "Requests that named another principal's transport session.",
                &self.foreign_sessions,
            ),
            (
                "cmcp_messages_dropped_total",
                "Notifications and answers of clients that named nothing under way.",
                &self.dropped_messages,
            ),
            (
                "cmcp_policies_loaded_total",
                "Newer policy bundles that came into force.",
                &self.policies_loaded,
            ),
            (
                "cmcp_policies_refused_total",
                "New policy bundles that were refused.",
                &self.policies_refused,
            ),
            (
                "cmcp_sessions_sealed_total",
                "Sessions whose records were made.",
                &self.sealed,
            ),
        ];
        let counters = counters
            .map(|(name, help, count)| (name, "counter", help, count.load(Ordering::Relaxed)));
        let gauges = gauges.rows();
        let gauges = gauges.map(|(name, help, value)| (name, "gauge", help, value));
        for (name, kind, help, value) in counters.into_iter().chain(gauges) {
            writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            )?;
        }
        Ok(())
    }
}

impl Gauges {
    fn rows(self) -> [(&'static str, &'static str, u64); 8] {
        let Self {
            open_sessions,
            audit_log_failed,
            calls: (served, waiting),
            parked,
            request_bytes,
            listeners,
            tasks,
        } = self;
        let row = |name, help, value| (name, help, u64::try_from(value).unwrap_or(u64::MAX));
        [
            row(
                "cmcp_sessions_open",
                "Open governance sessions.",
                open_sessions,
            ),
            (
                "cmcp_audit_log_failed",
                "1 when the audit log has stopped.",
                audit_log_failed,
            ),
            row("cmcp_calls_in_flight", "Calls that are served.", served),
            row(
                "cmcp_calls_waiting",
                "Calls that wait to be served.",
                waiting,
            ),
            row(
                "cmcp_calls_parked",
                "Calls that wait for their client's answers.",
                parked,
            ),
            row(
                "cmcp_request_bytes",
                "Bytes of requests that are held.",
                request_bytes,
            ),
            row(
                "cmcp_listeners",
                "Sessions and streams that listen for changes.",
                listeners,
            ),
            row("cmcp_tasks", "Tasks that are kept.", tasks),
        ]
    }
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Upper bounds of the latency histogram.
const BOUNDS_MICROS: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];
