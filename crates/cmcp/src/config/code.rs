//! The codes under which scripts know what keeps a gateway from starting.

/// A code and what it means. The words are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    AttestationProviderNotImplemented,
    AttestationProviderUnsupported,
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
    PolicySignatureInvalid,
    PolicySigningKeyInvalid,
    PolicySigningKeyRevoked,
}

impl Code {
    /// Every code, by its word.
    pub(crate) const ALL: [Self; 15] = [
        Self::AttestationProviderNotImplemented,
        Self::AttestationProviderUnsupported,
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
        Self::PolicySignatureInvalid,
        Self::PolicySigningKeyInvalid,
        Self::PolicySigningKeyRevoked,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        self.row().0
    }

    /// What it means, for the reference.
    pub(crate) fn meaning(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::AttestationProviderNotImplemented => (
                "ATTESTATION_PROVIDER_NOT_IMPLEMENTED",
                "`attestation.provider` names a platform that this version cannot use",
            ),
            Self::AttestationProviderUnsupported => (
                "ATTESTATION_PROVIDER_UNSUPPORTED",
                "no hardware evidence is available, and nobody asked for software evidence",
            ),
            Self::AuditStoreUnavailable => (
                "AUDIT_STORE_UNAVAILABLE",
                "the audit database cannot be opened, is broken, or lies on a network file system",
            ),
            Self::BearerTokenRequired => (
                "BEARER_TOKEN_REQUIRED",
                "outside development mode callers need a token: `CMCP_BEARER_TOKEN` or `principals`",
            ),
            Self::CatalogHashMismatch => {
                ("CATALOG_HASH_MISMATCH", "the catalog is not the one `CMCP_CATALOG_HASH` pins")
            }
            Self::CatalogHashRequired => {
                ("CATALOG_HASH_REQUIRED", "outside development mode the catalog has to be pinned")
            }
            Self::CatalogRestartRequired => (
                "CATALOG_RESTART_REQUIRED",
                "a key asks for a catalog that changes while the gateway runs",
            ),
            Self::CatalogToolNameCollision => (
                "CATALOG_TOOL_NAME_COLLISION",
                "two tools of the catalog have one exposed name, or one derived action",
            ),
            Self::Config => (
                "CONFIG_ERROR",
                "a file or variable cannot be what it is; the message names place and remedy",
            ),
            Self::OperatorTokenRequired => (
                "OPERATOR_TOKEN_REQUIRED",
                "outside development mode the operator routes need `CMCP_OPERATOR_TOKEN`",
            ),
            Self::PolicyHashMismatch => {
                ("POLICY_HASH_MISMATCH", "the bundle is not the one `CMCP_POLICY_HASH` pins")
            }
            Self::PolicyHashRequired => {
                ("POLICY_HASH_REQUIRED", "outside development mode the bundle has to be pinned")
            }
            Self::PolicySignatureInvalid => (
                "POLICY_SIGNATURE_INVALID",
                "a signing key is pinned, and the bundle is not signed by it",
            ),
            Self::PolicySigningKeyInvalid => {
                ("POLICY_SIGNING_KEY_INVALID", "a pinned signing key is not a usable public key")
            }
            Self::PolicySigningKeyRevoked => {
                ("POLICY_SIGNING_KEY_REVOKED", "the key that signed the bundle is revoked")
            }
        }
    }
}
