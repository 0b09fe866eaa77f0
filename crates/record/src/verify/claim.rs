//! Claims of the Python cMCP's form: its own, and those written for its verifiers.

use std::io::Read;

use cmcp_evidence::{PublicKey, Sha256Digest, Sha384Digest, Signature, Timestamp, b64, hex};
use cmcp_json::{Form, Object, Value};

use super::claim_schema::CLAIM;
use super::report::{Check, Document, Field, Grade, Report};
use super::{Appraisal, Expectations, Pin, bundle, common};
use crate::code::Code;
use crate::trust_record::schema::SOFTWARE_ONLY;
use crate::trust_record::{
    AcceptedProfiles, KeyError, PROFILE, RecordError, check_profile, read_key, read_signature,
};

/// A claim of the right shape, not yet believed.
pub(super) struct Claim {
    value: Value,
    preimage: Vec<u8>,
    signature: Signature,
}

impl Claim {
    fn read(value: Value, accepted: &AcceptedProfiles) -> Result<Self, RecordError> {
        let object = value.as_object().ok_or(RecordError::NotAnObject)?;
        let nothing = Object::new();
        let trace = object.get("trace").and_then(Value::as_object);
        check_profile(trace.unwrap_or(&nothing), accepted)?;
        let signature = read_signature(object)?;
        let violations = CLAIM.violations(object);
        if !violations.is_empty() {
            return Err(RecordError::Schema(violations));
        }
        let preimage = cmcp_json::canonical_without(&value, "signature", Form::Pyj)?;
        Ok(Self {
            value,
            preimage,
            signature,
        })
    }

    pub(super) fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(&self.value, |value, name| value.get(name))
    }

    pub(super) fn text(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn key(&self) -> Result<PublicKey, KeyError> {
        read_key(self.at(&["trace", "cnf", "jwk"]))
    }

    /// Whether nothing but software vouches for it; early claims borrowed the TPM's name and said so
    /// in the firmware's.
    fn is_software(&self) -> bool {
        match self.text(&["trace", "runtime", "platform"]) {
            SOFTWARE_ONLY => true,
            "tpm2" => self.text(&["trace", "runtime", "firmware_version"]) == SOFTWARE_FIRMWARE,
            _ => false,
        }
    }
}

const SOFTWARE_FIRMWARE: &str = "software-only-dev-mode";

pub(super) fn verify(
    claim: Value,
    export: Option<&mut dyn Read>,
    expectations: &Expectations,
    now: Timestamp,
) -> Report {
    let claim = match Claim::read(claim, &expectations.profiles) {
        Ok(claim) => claim,
        Err(error) => return common::malformed(Document::Claim, &error),
    };
    let key = claim.key();
    let mut checks = vec![Check::pass(Field::Schema).actual(format_args!("claim, {PROFILE}"))];
    let revocation = common::revocation(expectations, &key, now, &mut checks);
    checks.push(common::trusted_key(&expectations.trusted_key, &key));
    freshness(&claim, expectations, now, &mut checks);
    let nonce = claim.text(&["trace", "runtime", "nonce"]);
    let nonce = Some(nonce).filter(|nonce| !nonce.is_empty());
    checks.extend(common::challenge(&expectations.challenge, nonce));
    checks.push(common::signature(&key, &claim.preimage, &claim.signature));
    let grade = evidence(&claim, &key, expectations, &mut checks);
    checks.push(common::pinned(
        Field::PolicyBundleHash,
        Code::PolicyMismatch,
        &expectations.policy,
        claim.text(&["trace", "policy", "bundle_hash"]),
    ));
    checks.push(common::pinned(
        Field::ToolCatalogHash,
        Code::CatalogMismatch,
        &expectations.catalog,
        claim.text(&["gateway", "catalog", "hash"]),
    ));
    checks.push(agent(&claim));
    chain(&claim, &mut checks);
    match (export, &key) {
        (Some(export), Ok(key)) => bundle::for_claim(export, &claim, key, &mut checks),
        (Some(_), Err(_)) | (None, _) => {
            checks.push(Check::skip(Field::AuditBundle, "no audit export was given"));
        }
    }
    Report::judged(Document::Claim, checks, revocation).graded(grade)
}

fn freshness(claim: &Claim, expectations: &Expectations, now: Timestamp, checks: &mut Vec<Check>) {
    let field = Field::AttestationFreshness;
    let before = checks.len();
    let made = claim.text(&["gateway", "attestation_generated_at"]);
    match Timestamp::parse_rfc3339(made) {
        Err(error) => checks.push(
            Check::fail(field, Code::TimeInvalid)
                .expected("an RFC 3339 time with its zone")
                .actual(format_args!("`{made}`: {error}")),
        ),
        Ok(made) => {
            checks.extend(common::age(expectations.freshness, made.unix_seconds(), now).err());
        }
    }
    let issued = claim.at(&["trace", "iat"]).and_then(Value::as_i64);
    checks.extend(common::age(expectations.freshness, issued.unwrap_or(i64::MAX), now).err());
    let stale = claim.at(&["gateway", "attestation_stale"]);
    if stale.and_then(Value::as_bool) == Some(true) {
        checks.push(
            Check::fail(field, Code::Stale)
                .expected("evidence in force when the claim was made")
                .actual("the claim says its evidence was stale"),
        );
    }
    if checks.len() == before {
        checks.push(common::fresh(expectations.freshness));
    }
}

fn evidence(
    claim: &Claim,
    key: &Result<PublicKey, KeyError>,
    expectations: &Expectations,
    checks: &mut Vec<Check>,
) -> Grade {
    let platform = claim.text(&["trace", "runtime", "platform"]);
    if claim.is_software() {
        checks.push(Check::skip(
            Field::MeasurementBinding,
            "no measurement of the gateway's files was given",
        ));
        let unbound = "software evidence commits to nothing";
        checks.push(Check::skip(Field::PublicKeyBinding, unbound));
        checks.push(Check::skip(Field::AuditChainBinding, unbound));
        checks.push(
            Check::not_established(Field::HardwareAttestation, Code::SoftwareEvidence).remedy(
                "the gateway ran without hardware: trust it as far as you trust its operator",
            ),
        );
        checks.push(common::launch_measurement(
            &expectations.measurements,
            SOFTWARE_ONLY,
            claim.text(&["trace", "runtime", "measurement"]),
        ));
        return Grade::Unattested;
    }
    let judged = match &expectations.evidence {
        Pin::Pinned(appraisal) => raw(claim).map(|raw| (appraisal, raw)),
        Pin::NotPinned => None,
    };
    if let Some((appraisal, raw)) = judged {
        return appraised(claim, key, (appraisal, &raw), expectations, checks);
    }
    checks.push(Check::skip(
        Field::MeasurementBinding,
        "no measurement of the gateway's files was given",
    ));
    bindings(claim, key, Repeated::Unread, checks);
    checks.push(match claim.at(&["gateway", "attestation_evidence"]) {
        Some(_) => Check::not_established(Field::HardwareAttestation, Code::EvidenceUnsupported)
            .actual(format_args!("evidence of `{platform}`"))
            .remedy("this build reads no hardware evidence: verify it with the platform's tools"),
        None => Check::not_established(Field::HardwareAttestation, Code::EvidenceAbsent)
            .actual(format_args!("`{platform}` by name alone"))
            .remedy("a platform's name is no evidence: ask the producer for its quote"),
    });
    checks.push(common::launch_measurement(
        &expectations.measurements,
        platform,
        claim.text(&["trace", "runtime", "measurement"]),
    ));
    Grade::Unattested
}

/// What the claim says its report data was: the key's thumbprint, then the hash of the log's first
/// entry. A contradiction is a failure; agreement is the claim's word until evidence repeats it.
fn bindings(
    claim: &Claim,
    key: &Result<PublicKey, KeyError>,
    repeated: Repeated,
    checks: &mut Vec<Check>,
) {
    let nonce = claim.text(&["trace", "runtime", "nonce"]);
    let stated = b64::decode(nonce).unwrap_or_default();
    let (first, second) = stated.split_at_checked(32).unwrap_or_default();
    let thumbprint = key.as_ref().ok().map(PublicKey::thumbprint);
    let root = bare(claim.text(&["gateway", "audit_chain", "root"]));
    let root = hex::decode(root).ok().map(|root| Sha256Digest::of(&root));
    for (field, expected, stated) in [
        (Field::PublicKeyBinding, thumbprint, first),
        (Field::AuditChainBinding, root, second),
    ] {
        checks.push(match expected {
            Some(expected) if expected.as_bytes() == stated => match repeated {
                Repeated::Unread => Check::not_established(field, Code::EvidenceUnsupported)
                    .remedy(
                        "the claim says so, and the evidence that should repeat it was not read",
                    ),
                Repeated::ByEvidence => Check::pass(field),
                Repeated::Contradicted => Check::fail(field, Code::CommitmentMismatch)
                    .expected("evidence that repeats what the claim says its report data was")
                    .actual("other report data"),
            },
            Some(expected) => Check::fail(field, Code::CommitmentMismatch)
                .expected(expected.hex())
                .actual(hex::encode(stated)),
            None => Check::fail(field, Code::CommitmentMismatch)
                .expected("a key and a log to commit to")
                .actual("none that can be read"),
        });
    }
}

/// Whether evidence repeats what the claim says its report data was.
#[derive(Clone, Copy)]
enum Repeated {
    Unread,
    ByEvidence,
    Contradicted,
}

/// The evidence in the claim, of a platform that is read here.
fn raw(claim: &Claim) -> Option<Vec<u8>> {
    let raw = claim.at(&["gateway", "attestation_evidence", "raw_evidence"]);
    b64::decode(raw.and_then(Value::as_str)?).ok()
}

/// What reference values say of the evidence, and what it says of the claim.
fn appraised(
    claim: &Claim,
    key: &Result<PublicKey, KeyError>,
    (appraisal, raw): (&Appraisal, &[u8]),
    expectations: &Expectations,
    checks: &mut Vec<Check>,
) -> Grade {
    let repeated = match appraisal.is_of(raw) && appraisal.is_bound() {
        true => Repeated::ByEvidence,
        false => Repeated::Contradicted,
    };
    bindings(claim, key, repeated, checks);
    checks.push(match appraisal.is_of(raw) {
        true => appraisal.hardware(),
        false => Check::fail(Field::HardwareAttestation, Code::EvidenceContradicted)
            .expected("an appraisal of this claim's evidence")
            .actual("one of other evidence"),
    });
    // The older format states a digest of the measurement.
    let stated = claim.text(&["trace", "runtime", "measurement"]);
    let measured = Sha384Digest::of(appraisal.measurement()).to_string();
    checks.push(match stated == measured {
        true => Check::pass(Field::MeasurementBinding).actual(measured),
        false => Check::fail(Field::MeasurementBinding, Code::MeasurementMismatch)
            .expected(measured)
            .actual(stated),
    });
    checks.push(match &expectations.measurements {
        Pin::NotPinned => appraisal.launch(),
        Pin::Pinned(_) => {
            let platform = claim.text(&["trace", "runtime", "platform"]);
            common::launch_measurement(&expectations.measurements, platform, stated)
        }
    });
    // What contradicts the evidence has failed, and a document that failed is refused whatever this says.
    Grade::Attested
}

/// An agent key in a claim means something only where a live credential was checked.
fn agent(claim: &Claim) -> Check {
    let field = Field::AgentManifestBinding;
    let source = claim.text(&["gateway", "agent_identity", "subject_source"]);
    match claim.at(&["gateway", "agent_identity", "agent_key_thumbprint"]) {
        Some(_) if source != "svid" => Check::fail(field, Code::AgentKeyUnbound)
            .expected("an agent key from `svid`, a live credential")
            .actual(format_args!("from `{source}`")),
        Some(_) | None => Check::skip(field, "no agent manifest was given"),
    }
}

/// Whether the claim's account of its log agrees with itself.
fn chain(claim: &Claim, checks: &mut Vec<Check>) {
    let field = Field::AuditChain;
    let before = checks.len();
    for end in ["root", "tip"] {
        let hash = claim.text(&["gateway", "audit_chain", end]);
        if Sha256Digest::from_hex(bare(hash)).is_err() {
            checks.push(
                Check::fail(field, Code::ChainInvalid)
                    .expected(format_args!("`{end}`: a SHA-256 in hexadecimal"))
                    .actual(format_args!("`{hash}`")),
            );
        }
    }
    let count = |path: &[&str]| claim.at(path).and_then(Value::as_i64);
    let length = count(&["gateway", "audit_chain", "length"]).unwrap_or_default();
    if length < 1 {
        checks.push(
            Check::fail(field, Code::ChainInvalid)
                .expected("`length` of 1 or more")
                .actual(length),
        );
    }
    let (transcript, tip) = (
        claim.text(&["trace", "tool_transcript", "hash"]),
        bare(claim.text(&["gateway", "audit_chain", "tip"])),
    );
    if !transcript.is_empty() && bare(transcript) != tip {
        checks.push(
            Check::fail(field, Code::TranscriptMismatch)
                .expected(format_args!("`tool_transcript.hash` of the tip, {tip}"))
                .actual(transcript),
        );
    }
    let total = count(&["gateway", "call_summary", "tool_calls_total"]);
    let listed = claim
        .at(&["trace", "tool_transcript", "entries"])
        .and_then(Value::as_array)
        .and_then(|entries| i64::try_from(entries.len()).ok());
    for stated in [count(&["trace", "tool_transcript", "call_count"]), listed] {
        if let (Some(stated), Some(total)) = (stated, total)
            && stated != total
        {
            checks.push(
                Check::fail(field, Code::TranscriptMismatch)
                    .expected(format_args!("{total} calls, as the summary says"))
                    .actual(stated),
            );
        }
    }
    if checks.len() == before {
        checks.push(Check::pass(field).actual(format_args!("{length} entries")));
    }
}

/// A hash without the algorithm some claims put before it.
pub(super) fn bare(hash: &str) -> &str {
    hash.strip_prefix("sha256:").unwrap_or(hash)
}
