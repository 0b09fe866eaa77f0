//! The closed list of reasons a verification gives, one word each.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+) => {
        /// Why a check did not pass. The words are frozen: scripts and vectors read them.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as reports and vectors spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What it says, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim(),)+
                }
            }
        }
    };
}

codes! {
    /// The claim names an agent key that no live credential proved.
    AgentKeyUnbound = "agent_key_unbound",
    /// The inclusion proof does not lead from this record to the root the caller holds.
    AnchorInvalid = "anchor_invalid",
    /// The record names a log entry and the caller gave nothing to check it with.
    AnchorNotChecked = "anchor_not_checked",
    /// The log says another binary ran than the record does.
    BinaryMismatch = "binary_mismatch",
    /// The catalog hash is not the pinned one.
    CatalogMismatch = "catalog_mismatch",
    /// A catalog hash is pinned and nothing that was given states one.
    CatalogNotStated = "catalog_not_stated",
    /// The claim's account of its own audit chain contradicts itself.
    ChainInvalid = "chain_invalid",
    /// The report data does not commit to this key and this log.
    CommitmentMismatch = "commitment_mismatch",
    /// An object names a member twice.
    DuplicateMember = "duplicate_member",
    /// A hardware platform is named and no evidence comes with it.
    EvidenceAbsent = "evidence_absent",
    /// The evidence is named and not held: nothing was fetched.
    EvidenceByReference = "evidence_by_reference",
    /// What the record says of its evidence is not what the evidence is.
    EvidenceContradicted = "evidence_contradicted",
    /// The evidence is malformed, or its signatures do not lead to the vendor.
    EvidenceInvalid = "evidence_invalid",
    /// The reference values do not accept the evidence.
    EvidenceRefused = "evidence_refused",
    /// Genuine evidence that does not commit to the record's key.
    EvidenceUnbound = "evidence_unbound",
    /// Evidence comes with the claim and this build has no verifier for it.
    EvidenceUnsupported = "evidence_unsupported",
    /// The audit export breaks one of its own rules.
    ExportInvalid = "export_invalid",
    /// The audit export is of a kind that cannot prove this record.
    ExportKindMismatch = "export_kind_mismatch",
    /// The time of issue lies beyond the tolerated clock skew.
    IssuedInFuture = "issued_in_future",
    /// The bytes are not one JSON object in UTF-8.
    JsonMalformed = "json_malformed",
    /// The record names another confirmation key than the trusted one.
    KeyMismatch = "key_mismatch",
    /// The trusted key was revoked.
    KeyRevoked = "key_revoked",
    /// The confirmation key is of a type no public verifier supports.
    KeyUnsupported = "key_unsupported",
    /// The measurement is not among the reference values, or is a placeholder.
    MeasurementMismatch = "measurement_mismatch",
    /// The document nests deeper than 64 levels.
    NestingTooDeep = "nesting_too_deep",
    /// The verifier accepts no profile.
    NoAcceptedProfiles = "no_accepted_profiles",
    /// A challenge was given and the record carries none.
    NonceAbsent = "nonce_absent",
    /// The record answers another challenge.
    NonceMismatch = "nonce_mismatch",
    /// A number is not an integer within ±(2^53−1).
    NumberOutOfDomain = "number_out_of_domain",
    /// The policy bundle hash is not the pinned one.
    PolicyMismatch = "policy_mismatch",
    /// The record says that nothing evaluated its policy.
    PolicyNotEvaluated = "policy_not_evaluated",
    /// The record names no profile.
    ProfileAbsent = "profile_absent",
    /// The record is written under a profile this verifier does not accept.
    ProfileNotAccepted = "profile_not_accepted",
    /// The revocation bundle could not ground a statement about the key.
    RevocationUnverified = "revocation_unverified",
    /// The record breaks the profile's schema.
    SchemaViolation = "schema_violation",
    /// The record states another sensitivity than its session ended at.
    SensitivityMismatch = "sensitivity_mismatch",
    /// The record carries no signature.
    SignatureAbsent = "signature_absent",
    /// The signature is not 64 bytes in their one base64url spelling.
    SignatureEncoding = "signature_encoding",
    /// The signature does not verify.
    SignatureInvalid = "signature_invalid",
    /// The platform is software: nothing outside the operator vouches for it.
    SoftwareEvidence = "software_evidence",
    /// The record or its evidence is older than allowed.
    Stale = "stale",
    /// A time is not RFC 3339 with a zone.
    TimeInvalid = "time_invalid",
    /// The audit log and the record disagree about the transcript.
    TranscriptMismatch = "transcript_mismatch",
    /// No key was given to trust.
    TrustedKeyAbsent = "trusted_key_absent",
    /// The verifier declares a profile it has no schema for.
    UnschemaedProfile = "unschemaed_profile_in_accepted_set",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
