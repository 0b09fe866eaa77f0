//! The gateway's own evidence: collected before the port opens, renewed before it ends.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use cmcp_evidence::{
    Attester, CollectError, Commitment, Platform, PublicKey, ReportData, Sha256Digest, Timestamp,
};

use crate::{settings::Settings, startup::Gateway};

/// What was collected, and until when it counts.
pub(crate) struct EvidenceState {
    attester: Arc<dyn Attester>,
    key: PublicKey,
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
        let state = Self {
            attester,
            key: *key,
            digest: Mutex::default(),
            collected: AtomicI64::default(),
            validity,
        };
        state.renew(commitment, now)?;
        Ok(state)
    }

    /// Collects again, for the same key and what is in force now. It may take its time.
    pub(crate) fn renew(
        &self,
        commitment: &Commitment,
        now: Timestamp,
    ) -> Result<(), CollectError> {
        let report_data = ReportData::for_record(&self.key, commitment);
        let collected = self.attester.collect(&report_data)?;
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = collected.evidence.digest();
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

    /// Whether less than a third of the validity is left, or the clock was set back behind it.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let collected = self.collected();
        now < collected || now.saturating_since(collected) >= self.validity.mul_f32(2.0 / 3.0)
    }

    /// How often to look whether it is due.
    pub(crate) fn look_every(&self) -> Duration {
        self.validity.div_f32(20.0).clamp(SOONEST, LATEST)
    }
}

impl Gateway {
    /// Renews the evidence when it is time, and says so in every open session's log. What fails is
    /// tried again at the next look; calls learn of it when the validity has passed.
    pub(crate) async fn tend_evidence(self: &Arc<Self>) {
        if !self.evidence.is_due(self.clock.now()) {
            return;
        }
        match self.collect_evidence().await {
            Ok(()) => {
                self.evidence_failed.forget();
                tracing::info!(collected = %self.evidence.collected(), "the attestation evidence was renewed");
            }
            Err(error) => {
                if self.evidence_failed.is_news(&error.to_string()) {
                    tracing::error!(%error, "the attestation evidence could not be renewed; trying again");
                }
            }
        }
    }

    async fn collect_evidence(self: &Arc<Self>) -> Result<(), CollectError> {
        // No bundle may come into force in between: the evidence would commit to the one before.
        let _unchanged = self.rulebook.hold().await;
        self.commit_to(self.rules().bundle.hash).await
    }

    /// Collects evidence that commits to this policy.
    pub(crate) async fn commit_to(
        self: &Arc<Self>,
        policy: Sha256Digest,
    ) -> Result<(), CollectError> {
        let gateway = Arc::clone(self);
        let collected = tokio::task::spawn_blocking(move || {
            let commitment = commitment(policy, gateway.rules().catalog.hash(), &gateway.settings);
            gateway.evidence.renew(&commitment, gateway.clock.now())
        });
        let broken = CollectError::DeviceFailed(self.evidence.platform());
        collected.await.unwrap_or(Err(broken))?;
        self.note_refresh().await;
        Ok(())
    }
}

/// What evidence collected now commits to.
pub(crate) fn commitment(
    policy: Sha256Digest,
    catalog: Sha256Digest,
    settings: &Settings,
) -> Commitment {
    Commitment {
        nonce: None,
        policy,
        catalog,
        config: settings.config_digest,
        log_size: 0,
        log_root: Sha256Digest::of(&[]),
    }
}

const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
