//! The codes under which scripts know what keeps a gateway from starting.

/// A code and what it means. The words are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    AttestationProviderNotImplemented,
    AttestationProviderUnsupported,
    AttestationReportUnavailable,
    AuditStoreUnavailable,
    BearerTokenRequired,
    CatalogHashMismatch,
    CatalogHashRequired,
    CatalogRestartRequired,
    CatalogToolNameCollision,
    Config,
    OperatorTokenRequired,
    PolicyHashMismatch,
    PolicyHashRequired,
    PolicyReloadPinnedHash,
    PolicySignatureInvalid,
    PolicySigningKeyInvalid,
    PolicySigningKeyRevoked,
    TeeFault,
}

impl Code {
    /// Every code, by its word.
    pub(crate) const ALL: [Self; 18] = [
        Self::AttestationProviderNotImplemented,
        Self::AttestationProviderUnsupported,
        Self::AttestationReportUnavailable,
        Self::AuditStoreUnavailable,
        Self::BearerTokenRequired,
        Self::CatalogHashMismatch,
        Self::CatalogHashRequired,
        Self::CatalogRestartRequired,
        Self::CatalogToolNameCollision,
        Self::Config,
        Self::OperatorTokenRequired,
        Self::PolicyHashMismatch,
        Self::PolicyHashRequired,
        Self::PolicyReloadPinnedHash,
        Self::PolicySignatureInvalid,
        Self::PolicySigningKeyInvalid,
        Self::PolicySigningKeyRevoked,
        Self::TeeFault,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AttestationProviderNotImplemented => "ATTESTATION_PROVIDER_NOT_IMPLEMENTED",
            Self::AttestationProviderUnsupported => "ATTESTATION_PROVIDER_UNSUPPORTED",
            Self::AttestationReportUnavailable => "ATTESTATION_REPORT_UNAVAILABLE",
            Self::AuditStoreUnavailable => "AUDIT_STORE_UNAVAILABLE",
            Self::BearerTokenRequired => "BEARER_TOKEN_REQUIRED",
            Self::CatalogHashMismatch => "CATALOG_HASH_MISMATCH",
            Self::CatalogHashRequired => "CATALOG_HASH_REQUIRED",
            Self::CatalogRestartRequired => "CATALOG_RESTART_REQUIRED",
            Self::CatalogToolNameCollision => "CATALOG_TOOL_NAME_COLLISION",
            Self::Config => "CONFIG_ERROR",
            Self::OperatorTokenRequired => "OPERATOR_TOKEN_REQUIRED",
            Self::PolicyHashMismatch => "POLICY_HASH_MISMATCH",
            Self::PolicyHashRequired => "POLICY_HASH_REQUIRED",
            Self::PolicyReloadPinnedHash => "POLICY_RELOAD_PINNED_HASH",
            Self::PolicySignatureInvalid => "POLICY_SIGNATURE_INVALID",
            Self::PolicySigningKeyInvalid => "POLICY_SIGNING_KEY_INVALID",
            Self::PolicySigningKeyRevoked => "POLICY_SIGNING_KEY_REVOKED",
            Self::TeeFault => "TEE_FAULT",
        }
    }

    /// What it means, for the reference.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::AttestationProviderNotImplemented => {
                "`attestation.provider` names a platform that this version cannot use"
            }
            Self::AttestationProviderUnsupported => {
                "no hardware evidence is available, and nobody asked for software evidence"
            }
            Self::AttestationReportUnavailable => "the attester gave no evidence",
            Self::AuditStoreUnavailable => {
                "the audit database cannot be opened, is broken, or lies on a network file system"
            }
            Self::BearerTokenRequired => {
                "outside development mode callers need a token: `CMCP_BEARER_TOKEN` or `principals`"
            }
            Self::CatalogHashMismatch => "the catalog is not the one `CMCP_CATALOG_HASH` pins",
            Self::CatalogHashRequired => "outside development mode the catalog has to be pinned",
            Self::CatalogRestartRequired => {
                "a key asks for a catalog that changes while the gateway runs"
            }
            Self::CatalogToolNameCollision => {
                "two tools of the catalog have one exposed name, or one derived action"
            }
            Self::Config => {
                "a file or variable cannot be what it is; the message names place and remedy"
            }
            Self::OperatorTokenRequired => {
                "outside development mode the operator routes need `CMCP_OPERATOR_TOKEN`"
            }
            Self::PolicyHashMismatch => "the bundle is not the one `CMCP_POLICY_HASH` pins",
            Self::PolicyHashRequired => "outside development mode the bundle has to be pinned",
            Self::PolicyReloadPinnedHash => {
                "newer bundles are looked for while one is pinned, and no signing key could vouch for another"
            }
            Self::PolicySignatureInvalid => {
                "a signing key is pinned, and the bundle is not signed by it"
            }
            Self::PolicySigningKeyInvalid => "a pinned signing key is not a usable public key",
            Self::PolicySigningKeyRevoked => "the key that signed the bundle is revoked",
            Self::TeeFault => "the system gives no randomness for the signing key",
        }
    }
}
