//! Which evidence the gateway starts with.

use crate::config::fault::Fault;

/// Where evidence comes from, and who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EvidenceSource {
    /// Software, because the file sets `danger_software_evidence`.
    Danger,
    /// Software, because of `CMCP_DEV_MODE=1`.
    Development,
    /// A check of the file: the machine that starts decides.
    ToCome,
}

/// What `attestation.provider` may be in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Auto,
    Software,
}

/// Who asked for software evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Danger,
    Development,
    Nobody,
}

impl EvidenceSource {
    /// Software evidence is never a fallback: without being asked for it the gateway does not start.
    pub(crate) fn choose(provider: Provider, asked: Asked) -> Result<Self, Fault> {
        match (asked, provider) {
            (Asked::Development, Provider::Auto | Provider::Software) => Ok(Self::Development),
            (Asked::Danger, Provider::Auto | Provider::Software) => Ok(Self::Danger),
            (Asked::Nobody, Provider::Auto) => Err(Fault::NoHardware),
            (Asked::Nobody, Provider::Software) => Err(Fault::SoftwareNotAsked),
        }
    }

    /// The provider's name in the line that start prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Danger | Self::Development | Self::ToCome => "software-only",
        }
    }

    /// What the operator has to hear.
    pub(crate) fn warning(self) -> Option<&'static str> {
        match self {
            Self::Danger => Some(
                "software evidence, because of `danger_software_evidence: true`: records prove nothing about this machine",
            ),
            Self::Development => Some(
                "software evidence, because of `CMCP_DEV_MODE=1`, whatever this machine has: records prove nothing about it",
            ),
            Self::ToCome => None,
        }
    }
}
