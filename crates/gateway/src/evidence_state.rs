//! The gateway's own evidence: collected before the port opens, renewed before it ends.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use cmcp_evidence::{
    Attester, CollectError, Commitment, Evidence, Platform, PublicKey, ReportData, Sha256Digest,
    Timestamp,
};

/// What was collected, and until when it counts.
pub(crate) struct EvidenceState {
    attester: Arc<dyn Attester>,
    report_data: ReportData,
    digest: Mutex<Option<Sha256Digest>>,
    collected: AtomicI64,
    validity: Duration,
}

impl std::fmt::Debug for EvidenceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceState")
            .field("platform", &self.attester.platform())
            .finish_non_exhaustive()
    }
}

impl EvidenceState {
    /// Collects evidence for `key` and what was loaded.
    pub(crate) fn collect(
        attester: Arc<dyn Attester>,
        key: &PublicKey,
        commitment: &Commitment,
        validity: Duration,
        now: Timestamp,
    ) -> Result<Self, CollectError> {
        let report_data = ReportData::for_record(key, commitment);
        let evidence = attester.collect(&report_data)?;
        Ok(Self {
            attester,
            report_data,
            digest: Mutex::new(digest(&evidence)),
            collected: AtomicI64::new(now.micros()),
            validity,
        })
    }

    /// Collects again, for the same key and commitment.
    pub(crate) fn renew(&self, now: Timestamp) -> Result<(), CollectError> {
        let evidence = self.attester.collect(&self.report_data)?;
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = digest(&evidence);
        self.collected.store(now.micros(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn platform(&self) -> Platform {
        self.attester.platform()
    }

    /// The platform's name in records and to policy.
    pub(crate) fn platform_name(&self) -> &'static str {
        let platform = self.attester.platform();
        platform.trace_name().unwrap_or(platform.as_str())
    }

    /// Digest of the evidence in force; none where there are no bytes of it.
    pub(crate) fn digest(&self) -> Option<Sha256Digest> {
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the evidence in force was collected.
    pub(crate) fn collected(&self) -> Timestamp {
        Timestamp::from_micros(self.collected.load(Ordering::Acquire))
    }

    pub(crate) fn validity(&self) -> Duration {
        self.validity
    }

    /// Whether the evidence still counts at `now`.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        now.saturating_since(self.collected()) < self.validity
    }

    /// Whether less than a third of the validity is left.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        now.saturating_since(self.collected()) >= self.validity.mul_f32(2.0 / 3.0)
    }
}

fn digest(evidence: &Evidence) -> Option<Sha256Digest> {
    (!evidence.bytes.is_empty()).then(|| Sha256Digest::of(&evidence.bytes))
}
