//! The envelope that the Python cMCP 0.7.1 calls a claim: `{cmcp_version, trace, gateway, signature}`.
//!
//! Written for its verifiers; the product is the plain trust record. What it says of calls is read
//! off the log's entries, so claim and export cannot disagree.

mod calls;
mod reached;

use cmcp_evidence::{Platform, PublicKey, Sha256Digest, Signature, SigningKey, Timestamp, b64};
use cmcp_json::{CanonError, Form, Number, Object, Value};

use crate::{
    audit::{Kind, Mode, ReplayError, Switched},
    claim::calls::Calls,
    export::{Bundle, ChainFacts},
};

/// What a claim says that the log does not.
#[derive(Clone, Debug)]
pub struct ClaimInput {
    /// Version of the gateway.
    pub gateway_version: String,
    /// When the claim is made.
    pub issued: Timestamp,
    /// Number of this claim, from 1, over all claims of the gateway.
    pub sequence_number: u64,
    /// [`Claim::digest`] of the claim before.
    pub previous: Option<Sha256Digest>,
    /// Where the gateway runs.
    pub runtime: ClaimRuntime,
    /// The policy in force.
    pub policy: ClaimPolicy,
    /// Hash of the catalog in force.
    pub catalog: Sha256Digest,
    /// The evidence in force.
    pub attestation: ClaimAttestation,
    /// Compliance domains that are regulated besides the built-in ones.
    pub regulated_domains: Vec<String>,
    /// Tools let through by the operator.
    pub catalog_exceptions: Vec<CatalogException>,
    /// The kill switch, if it is enabled.
    pub kill_switch: Option<KillSwitchSettings>,
    /// The agent's manifest, as checked: the claim's `agent_identity` member.
    pub agent_identity: Option<Object>,
}

/// Where the gateway runs, in the claim's words.
#[derive(Clone, Debug)]
pub enum ClaimRuntime {
    /// Nothing vouches for it.
    Software,
    /// Hardware does.
    Hardware {
        /// Which.
        platform: Platform,
        /// `sha256:` or `sha384:` and the digits.
        measurement: String,
        /// The 64 bytes that the evidence carries.
        report_data: [u8; 64],
    },
}

/// The policy in force.
#[derive(Clone, Debug)]
pub struct ClaimPolicy {
    /// Hash of the bundle.
    pub bundle_hash: Sha256Digest,
    /// What happens to a denied call.
    pub mode: Mode,
    /// Version of the bundle.
    pub version: String,
    /// Whose signature the bundle carries, where a signing key is pinned.
    pub signing: Option<PolicySigning>,
}

/// Whose signature the policy bundle carries.
#[derive(Clone, Debug)]
pub struct PolicySigning {
    /// SHA-256 of the key.
    pub key_id: Sha256Digest,
    /// Keys revoked so far.
    pub revoked: Vec<Sha256Digest>,
}

/// The evidence in force.
#[derive(Clone, Debug)]
pub struct ClaimAttestation {
    /// When it was collected.
    pub generated_at: Timestamp,
    /// How long it counts.
    pub validity_seconds: u64,
    /// Whether it counted no longer when the claim was made.
    pub stale: bool,
    /// The evidence itself.
    pub evidence: Option<ClaimEvidence>,
}

/// Evidence as the older verifier reads it.
#[derive(Clone, Debug, Default)]
pub struct ClaimEvidence {
    /// The bytes that the platform signed.
    pub raw_evidence: Option<Vec<u8>>,
    /// A TPM's signature.
    pub quote_signature: Option<Vec<u8>>,
    /// Certificates in PEM, the signer's first.
    pub cert_chain: Option<Vec<u8>>,
    /// The endorsement key's certificates in PEM.
    pub ek_cert_chain: Option<Vec<u8>>,
}

/// A tool let through by the operator.
#[derive(Clone, Debug)]
pub struct CatalogException {
    /// The tool.
    pub tool_name: String,
    /// Why.
    pub reason: String,
    /// Who allowed it.
    pub authorized_by: String,
    /// Since when.
    pub added_at: Timestamp,
}

/// Settings of the kill switch.
#[derive(Clone, Debug)]
pub struct KillSwitchSettings {
    /// Over how long calls are counted.
    pub window_seconds: u64,
    /// Share of denied calls that trips it.
    pub deny_rate_threshold: Number,
    /// Calls before it can trip.
    pub min_calls: u64,
}

/// A claim, signed.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The document.
    pub bytes: Vec<u8>,
    /// What the next claim names as the one before.
    pub digest: Sha256Digest,
    /// The same without the signature: what the receipt of a refused call names.
    pub unsigned: Sha256Digest,
    /// Signature for the older export of the same entries: what [`crate::export::CompatExport::finish`] takes.
    pub bundle_signature: Signature,
    /// The older chain as the claim states it.
    pub chain: ChainFacts,
}

/// Why there is no claim.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// A stored entry is not the next of the log.
    #[error("the stored log does not read back: {0}")]
    Log(#[from] ReplayError),
    /// There are no entries.
    #[error("a log without entries has no claim")]
    Empty,
    /// The format has no word for the platform.
    #[error("a claim has no word for platform `{0}`")]
    Platform(Platform),
    /// A member has no canonical form.
    #[error("a member of the claim has no canonical form: {0}")]
    Canonical(#[from] CanonError),
}

/// Makes a claim from a log's stored entries. Apart from the claim's own list of calls, memory does
/// not grow with the log.
#[derive(Debug)]
pub struct ClaimBuilder {
    input: ClaimInput,
    bundle: Bundle,
    calls: Calls,
    drift: bool,
    kill_switch: Option<&'static str>,
}

impl ClaimBuilder {
    /// For the log of that id.
    #[must_use]
    pub fn new(log_id: &str, input: ClaimInput) -> Self {
        let calls = Calls::new(&input.regulated_domains);
        Self {
            input,
            bundle: Bundle::new(log_id),
            calls,
            drift: false,
            kill_switch: None,
        }
    }

    /// Takes the log's next stored entry.
    ///
    /// # Errors
    /// It is not the next entry of this log.
    pub fn entry(&mut self, stored: &[u8]) -> Result<(), ClaimError> {
        let (entry, _) = self.bundle.take(stored)?;
        match &entry.kind {
            Kind::Outcome(outcome) => self.calls.note(outcome),
            Kind::SessionStart(start) => self.calls.reached.state(&start.sensitivity),
            Kind::SessionReset(reset) => self.calls.reached.state(&reset.sensitivity),
            Kind::SessionEnd(end) => self.calls.reached.state(&end.sensitivity),
            Kind::CatalogDrift(_) => self.drift = true,
            Kind::KillSwitch(switch) if switch.switched == Switched::Tripped => {
                let by_operator = switch.authorized_by.is_some();
                self.kill_switch = Some(if by_operator { "operator" } else { "deny_rate" });
            }
            Kind::AttestationRefresh(_)
            | Kind::AttestationStale(_)
            | Kind::BreakGlass(_)
            | Kind::CatalogLoad(_)
            | Kind::Declarations(_)
            | Kind::EraDowngrade(_)
            | Kind::ForeignSession(_)
            | Kind::Intent(_)
            | Kind::KillSwitch(_)
            | Kind::PolicyLoad(_)
            | Kind::Recovered(_)
            | Kind::SuspiciousSequence(_) => {}
        }
        Ok(())
    }

    /// Signs what the entries amount to.
    ///
    /// # Errors
    /// There were no entries, or the format has no word for something.
    pub fn finish(self, key: &SigningKey) -> Result<Claim, ClaimError> {
        let projector = self.bundle.projector();
        let ends = projector.ends().ok_or(ClaimError::Empty)?;
        let chain = ChainFacts {
            root: ends.root,
            tip: ends.tip,
            length: projector.length(),
        };
        let mut claim = Object::from([("cmcp_version", Value::from("1.0"))]);
        claim.insert("trace", self.trace(&key.public(), &chain)?);
        claim.insert("gateway", self.gateway(&chain));
        let mut claim = Value::Object(claim);
        let signed = cmcp_json::canonical(&claim, Form::Pyj)?;
        if let Some(claim) = claim.as_object_mut() {
            claim.insert("signature", key.sign(&signed).to_b64url());
        }
        Ok(Claim {
            bytes: claim.to_vec(),
            digest: Sha256Digest::of(&cmcp_json::canonical(&claim, Form::Pyj)?),
            unsigned: Sha256Digest::of(&signed),
            bundle_signature: key.sign(self.bundle.digest().as_bytes()),
            chain,
        })
    }

    fn trace(&self, key: &PublicKey, chain: &ChainFacts) -> Result<Object, ClaimError> {
        let policy = &self.input.policy;
        let digits = key.hex();
        let mut jwk = Object::from([
            ("kty", Value::from("OKP")),
            ("crv", Value::from("Ed25519")),
            ("x", Value::from(key.to_b64url())),
        ]);
        jwk.insert("kid", format!("cmcp-{}", first(&digits, 8)));
        Ok(Object::from([
            ("eat_profile", Value::from(EAT_PROFILE)),
            ("iat", Value::from(self.input.issued.unix_seconds())),
            (
                "subject",
                Value::from(format!("spiffe://cmcp.gateway/tee/{}", first(&digits, 16))),
            ),
            ("runtime", Value::Object(self.runtime()?)),
            (
                "policy",
                Value::Object(Object::from([
                    ("bundle_hash", Value::from(policy.bundle_hash)),
                    (
                        "enforcement_mode",
                        Value::from(enforcement_mode(policy.mode)),
                    ),
                    ("version", Value::from(policy.version.as_str())),
                ])),
            ),
            ("data_class", Value::from(self.calls.reached.as_str())),
            (
                "tool_transcript",
                Value::Object(Object::from([
                    ("hash", Value::from(chain.tip)),
                    ("call_count", Value::from(self.calls.total())),
                    ("entries", self.calls.transcript()),
                ])),
            ),
            (
                "cnf",
                Value::Object(Object::from([("jwk", Value::Object(jwk))])),
            ),
        ]))
    }

    fn runtime(&self) -> Result<Object, ClaimError> {
        match &self.input.runtime {
            ClaimRuntime::Software => Ok(Object::from([
                ("platform", Value::from("software-only")),
                (
                    "measurement",
                    Value::from(Sha256Digest::from_bytes([0; 32])),
                ),
                ("firmware_version", Value::from("software-only-dev-mode")),
            ])),
            ClaimRuntime::Hardware {
                platform,
                measurement,
                report_data,
            } => {
                let name = platform
                    .trace_name()
                    .ok_or(ClaimError::Platform(*platform))?;
                Ok(Object::from([
                    ("platform", Value::from(name)),
                    ("measurement", Value::from(measurement.as_str())),
                    ("nonce", Value::from(b64::encode(report_data))),
                ]))
            }
        }
    }

    fn gateway(&self, chain: &ChainFacts) -> Object {
        let ClaimInput {
            attestation,
            catalog_exceptions,
            ..
        } = &self.input;
        let exceptions: Vec<Value> = catalog_exceptions.iter().map(exception).collect();
        let mut gateway = Object::from([
            ("session_id", Value::from(self.bundle.projector().session())),
            (
                "gateway_version",
                Value::from(self.input.gateway_version.as_str()),
            ),
            ("sequence_number", Value::from(self.input.sequence_number)),
        ]);
        if let Some(previous) = self.input.previous {
            gateway.insert("prev_claim_hash", previous);
        }
        gateway.insert(
            "audit_chain",
            Object::from([
                ("root", Value::from(chain.root.hex())),
                ("tip", Value::from(chain.tip.hex())),
                ("length", Value::from(chain.length)),
            ]),
        );
        gateway.insert("call_summary", self.calls.summary());
        gateway.insert(
            "catalog",
            Object::from([
                ("hash", Value::from(self.input.catalog)),
                ("drift_detected", Value::from(self.drift)),
            ]),
        );
        gateway.insert(
            "attestation_generated_at",
            attestation.generated_at.python_iso(),
        );
        gateway.insert("attestation_validity_seconds", attestation.validity_seconds);
        gateway.insert("attestation_stale", attestation.stale);
        gateway.insert("catalog_exceptions", exceptions);
        gateway.insert("call_log_summary", self.calls.log_summary());
        gateway.insert("kill_switch_triggered", self.kill_switch.is_some());
        self.add_optional(&mut gateway);
        gateway
    }

    fn add_optional(&self, gateway: &mut Object) {
        if let Some(identity) = &self.input.agent_identity {
            gateway.insert("agent_identity", identity.clone());
        }
        if let Some(settings) = &self.input.kill_switch {
            let mut members = Object::from([
                ("enabled", Value::from(true)),
                ("window_seconds", Value::from(settings.window_seconds)),
                (
                    "deny_rate_threshold",
                    Value::from(settings.deny_rate_threshold.clone()),
                ),
                ("min_calls", Value::from(settings.min_calls)),
            ]);
            if let Some(trigger) = self.kill_switch {
                members.insert("trigger", trigger);
            }
            gateway.insert("kill_switch", members);
        }
        if let Some(evidence) = &self.input.attestation.evidence {
            gateway.insert("attestation_evidence", evidence_members(evidence));
        }
        if let Some(signing) = &self.input.policy.signing {
            gateway.insert(
                "policy_signing",
                Object::from([
                    ("key_id", Value::from(signing.key_id)),
                    ("revoked_key_ids", Value::from(signing.revoked.clone())),
                ]),
            );
        }
    }
}

fn evidence_members(evidence: &ClaimEvidence) -> Object {
    let ClaimEvidence {
        raw_evidence,
        quote_signature,
        cert_chain,
        ek_cert_chain,
    } = evidence;
    [
        ("raw_evidence", raw_evidence),
        ("quote_signature", quote_signature),
        ("cert_chain", cert_chain),
        ("ek_cert_chain", ek_cert_chain),
    ]
    .into_iter()
    .filter_map(|(name, bytes)| Some((name, b64::encode(bytes.as_deref()?))))
    .collect()
}

fn exception(exception: &CatalogException) -> Value {
    Value::Object(Object::from([
        ("tool_name", Value::from(exception.tool_name.as_str())),
        ("reason", Value::from(exception.reason.as_str())),
        (
            "authorized_by",
            Value::from(exception.authorized_by.as_str()),
        ),
        ("added_at", Value::from(exception.added_at.python_iso())),
    ]))
}

/// A mode in which a denied call may pass is never called anything that sounds enforced: TRACE's
/// `silent` is enforcement without logs.
fn enforcement_mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforcing => "enforce",
        Mode::Advisory | Mode::Silent => "advisory",
    }
}

fn first(digits: &str, count: usize) -> &str {
    digits.get(..count).unwrap_or(digits)
}

const EAT_PROFILE: &str = "tag:agentrust-io.com,2026:trace-v0.2";

#[cfg(test)]
mod tests;
