//! The documents of a sealed session: the plain trust record, the envelope for older verifiers,
//! and the signatures that its exports will carry. The key dies with this process, so everything
//! that needs it is signed now.

use cmcp_evidence::{Platform, Sha256Digest};
use cmcp_record::{
    audit::Mode as LogMode,
    claim::{
        CatalogException, ClaimAttestation, ClaimBuilder, ClaimError, ClaimInput, ClaimPolicy,
        ClaimRuntime, PolicySigning,
    },
    export::Writer,
    trust_record::{Digest, DraftError, Enforcement, Policy, RecordDraft, Runtime, Transcript},
};

use crate::{
    call,
    ledger::LedgerError,
    rules::InForce,
    sessions::Session,
    startup::{Gateway, PreviousClaim},
    store::{Seal, StoreError},
};

/// What is sealed.
#[derive(Clone, Debug)]
pub(crate) struct Sealing {
    pub(crate) log: i64,
    pub(crate) id: String,
    pub(crate) principal: String,
    pub(crate) label: Option<String>,
    pub(crate) root: Sha256Digest,
    pub(crate) calls: u64,
    pub(crate) data_class: String,
    pub(crate) terms: Terms,
}

/// What a session ran under, as its log tells it: records say the same, whoever makes them and
/// whatever is in force by then.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) policy: InForce,
    pub(crate) catalog: Sha256Digest,
    pub(crate) binary: Sha256Digest,
    pub(crate) mode: LogMode,
    pub(crate) exceptions: Vec<CatalogException>,
}

/// Why a session's records were not made or not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The log took no entry, or not the seal.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The envelope.
    #[error("the compatibility envelope cannot be made: {0}")]
    Claim(#[from] ClaimError),
    /// The plain record.
    #[error("the trust record cannot be made: {0}")]
    Record(#[from] DraftError),
    /// The stored log does not read back.
    #[error("the stored log does not read back: {0}")]
    Log(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

impl Gateway {
    /// What an open session runs under.
    pub(crate) fn terms(&self, session: &Session) -> Terms {
        let noted = session.noted();
        Terms {
            policy: noted.policy().clone(),
            catalog: self.rules().catalog.hash(),
            binary: self.settings.binary_digest,
            mode: call::mode(self.settings.mode),
            exceptions: noted.exceptions(),
        }
    }

    /// Makes, signs and stores the documents of a log that has ended; answers with the envelope.
    pub(crate) async fn seal(&self, sealing: Sealing) -> Result<Vec<u8>, SealError> {
        let key = (sealing.principal.clone(), sealing.label.clone());
        let previous = self.previous_claim(&key);
        let (seal, this) = tokio::task::block_in_place(|| self.documents(&sealing, previous))?;
        let claim = seal.claim.clone();
        self.ledger.seal(sealing.log, seal).await?;
        let mut table = self
            .previous_claims
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // Labels are the callers' own: the table may not grow with them without end. A chain of
        // envelopes that is cut begins anew.
        if table.len() >= CHAINS && !table.contains_key(&key) {
            table.clear();
        }
        table.insert(key, this);
        Ok(claim)
    }

    /// The plain TRACE record of a log at one size.
    pub(crate) fn trust_record(&self, sealing: &Sealing) -> Result<Vec<u8>, DraftError> {
        let draft = RecordDraft {
            issued_at: self.clock.now(),
            subject: format!(
                "spiffe://{}/gateway/{}",
                self.settings.trust_domain, sealing.id
            ),
            policy: Policy {
                bundle_hash: Digest::Sha256(sealing.terms.policy.hash),
                version: sealing.terms.policy.version.clone(),
                enforcement: match sealing.terms.mode {
                    LogMode::Enforcing => Enforcement::Enforce,
                    // TRACE's `silent` enforces; ours lets denied calls pass.
                    LogMode::Advisory | LogMode::Silent => Enforcement::Advisory,
                },
            },
            data_class: sealing.data_class.clone(),
            transcript: Transcript {
                root: sealing.root,
                calls: sealing.calls,
            },
            binary: Digest::Sha256(sealing.terms.binary),
            runtime: match self.evidence.platform() {
                Platform::Software => Runtime::Software,
                platform @ (Platform::Aci
                | Platform::AzureSnp
                | Platform::AzureTdx
                | Platform::Gcp
                | Platform::Gpu
                | Platform::Maa
                | Platform::Nitro
                | Platform::Nras
                | Platform::Sgx
                | Platform::Snp
                | Platform::Tdx
                | Platform::Tpm) => return Err(DraftError::PlatformUnnamed(platform)),
            },
            challenge: None,
        };
        draft.sign(&self.key)
    }

    pub(crate) fn previous_claim(&self, key: &(String, Option<String>)) -> Option<PreviousClaim> {
        let table = self
            .previous_claims
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        table.get(key).cloned()
    }

    fn documents(
        &self,
        sealing: &Sealing,
        previous: Option<PreviousClaim>,
    ) -> Result<(Seal, PreviousClaim), SealError> {
        let number = previous
            .as_ref()
            .map_or(1, |p| p.sequence_number.saturating_add(1));
        let input = self.claim_input(&sealing.terms, number, previous.map(|p| p.hash));
        let mut claim = ClaimBuilder::new(&sealing.id, input);
        let mut export =
            Writer::new(std::io::sink(), &sealing.id).map_err(|e| SealError::Log(e.to_string()))?;
        self.reader.entries(sealing.log, &mut |bytes| {
            claim.entry(bytes)?;
            export
                .entry(bytes)
                .map_err(|e| SealError::Log(e.to_string()))
        })??;
        let checkpoint = export.checkpoint(self.clock.now());
        if checkpoint.root != sealing.root {
            return Err(SealError::Log(
                "entries stand behind the session's end".to_owned(),
            ));
        }
        let checkpoint = checkpoint.sign(&self.key);
        let claim = claim.finish(&self.key)?;
        let this = PreviousClaim {
            hash: claim.digest,
            unsigned: claim.unsigned,
            sequence_number: number,
        };
        let seal = Seal {
            record: self.trust_record(sealing)?,
            claim: claim.bytes,
            checkpoint: checkpoint.checkpoint.to_value().to_vec(),
            key: checkpoint.key.to_b64url(),
            signature: checkpoint.signature.to_b64url(),
            bundle_signature: claim.bundle_signature.to_b64url(),
        };
        Ok((seal, this))
    }

    fn claim_input(
        &self,
        terms: &Terms,
        sequence_number: u64,
        previous: Option<Sha256Digest>,
    ) -> ClaimInput {
        let now = self.clock.now();
        let InForce {
            hash,
            version,
            signed,
        } = terms.policy.clone();
        ClaimInput {
            gateway_version: env!("CARGO_PKG_VERSION").to_owned(),
            issued: now,
            sequence_number,
            previous,
            runtime: ClaimRuntime::Software,
            policy: ClaimPolicy {
                bundle_hash: hash,
                mode: terms.mode,
                version,
                signing: signed.map(|signed| PolicySigning {
                    key_id: signed.key,
                    revoked: signed.revoked,
                }),
            },
            catalog: terms.catalog,
            attestation: ClaimAttestation {
                generated_at: self.evidence.collected(),
                validity_seconds: self.evidence.validity().as_secs(),
                stale: !self.evidence.is_fresh(now),
                evidence: None,
            },
            regulated_domains: self.settings.regulated_domains.clone(),
            catalog_exceptions: terms.exceptions.clone(),
            kill_switch: None,
            agent_identity: None,
        }
    }
}

/// Chains of envelopes that are remembered.
const CHAINS: usize = 20_000;
