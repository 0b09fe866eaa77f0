//! Why a command about evidence could not do what it was asked.

use std::{io, path::PathBuf};

use cmcp_connect::UrlError;
use cmcp_evidence::{
    KeyError,
    measure::oci::OciError,
    needs::NeedsError,
    show::ShowError,
    wire::{Unrecognised, certificate::CarrierError},
};
use cmcp_record::verify::{NotAppraised, SidecarError};

use super::Ended;
use crate::{commands::Exit, config::fault::Problem, reference_values::Unsigned};

/// Why a command about evidence could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceFailure {
    #[error("`{flag}` is `{value}`: {error}; write an `https` URL")]
    Address {
        flag: &'static str,
        value: String,
        error: UrlError,
    },
    #[error("{}: {what}; {remedy}", .path.display())]
    Artefact {
        path: PathBuf,
        what: String,
        remedy: &'static str,
    },
    #[error("{}: {error}", .path.display())]
    Carrier { path: PathBuf, error: CarrierError },
    #[error("{}: {error}; ask the record's producer for its commitment", .path.display())]
    Commitment { path: PathBuf, error: SidecarError },
    #[error("{}: {error}", .path.display())]
    Image { path: PathBuf, error: OciError },
    #[error("{}: {error}", .path.display())]
    Key { path: PathBuf, error: KeyError },
    #[error("{}: it is larger than {limit} bytes; check that it is the file you mean", .path.display())]
    Large { path: PathBuf, limit: u64 },
    #[error("{}: not recognised as evidence: {error}", .path.display())]
    NotEvidence { path: PathBuf, error: Unrecognised },
    #[error("{}: {error}", .path.display())]
    Malformed { path: PathBuf, error: ShowError },
    #[error("{}: the evidence it carries is not judged: {error}; ask its producer for another", .path.display())]
    NotJudged { path: PathBuf, error: NotAppraised },
    #[error("{}: {error}", .path.display())]
    NothingToFetch { path: PathBuf, error: NeedsError },
    #[error("{}: {error}; check the path", .path.display())]
    Read { path: PathBuf, error: io::Error },
    /// Every problem, each with its place.
    #[error("the reference values have {} problems", .0.len())]
    ReferenceValues(Vec<Problem>),
    #[error("{}: {cause}; sign {} again", .signature.display(), .document.display())]
    Signature {
        document: PathBuf,
        signature: PathBuf,
        cause: Unsigned,
    },
    #[error("{}: {error}; a key is named, so the signature has to be there", .signature.display())]
    SignatureMissing {
        signature: PathBuf,
        error: io::Error,
    },
    #[error("TLS does not start: {error}; report this")]
    Tls { error: String },
    #[error("{}: {error}; check the folder and the rights to it", .path.display())]
    Write { path: PathBuf, error: io::Error },
}

impl EvidenceFailure {
    /// What the process answers.
    pub(crate) const fn exit(&self) -> Exit {
        let ended = match self {
            Self::Address { .. } => return Exit::Usage,
            Self::Artefact { .. } | Self::Image { .. } => Ended::Artefact,
            Self::Carrier { .. }
            | Self::Commitment { .. }
            | Self::Malformed { .. }
            | Self::NotEvidence { .. }
            | Self::NotJudged { .. }
            | Self::NothingToFetch { .. } => Ended::NotEvidence,
            Self::Key { .. } | Self::ReferenceValues(_) => Ended::ReferenceValues,
            Self::Large { .. } | Self::Read { .. } | Self::Write { .. } => Ended::File,
            Self::Tls { .. } => Ended::Service,
            Self::Signature { .. } | Self::SignatureMissing { .. } => Ended::Unsigned,
        };
        Exit::Evidence(ended)
    }
}
