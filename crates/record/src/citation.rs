//! What a record points at: whether a resolver of the caller's finds it, and what it hashes to.
//!
//! Recorded, never judged: a citation that leads nowhere is no fault of the record, and one that
//! resolves proves nothing about it. `references` is not read.

use cmcp_evidence::Sha256Digest;

use crate::trust_record::TrustRecord;

/// A member of the record that cites an object elsewhere.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Surface {
    /// `appraisal.policy_ref`.
    PolicyRef,
    /// `runtime.rim_uri`.
    RimUri,
    /// `model.aibom_uri`.
    AibomUri,
    /// `transparency`, which inclusion proofs answer and resolvers do not.
    Transparency,
}

impl Surface {
    /// Every surface, in the order of reports.
    pub const ALL: [Self; 4] = [
        Self::PolicyRef,
        Self::RimUri,
        Self::AibomUri,
        Self::Transparency,
    ];

    /// The member, its object first.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PolicyRef => "appraisal.policy_ref",
            Self::RimUri => "runtime.rim_uri",
            Self::AibomUri => "model.aibom_uri",
            Self::Transparency => "transparency",
        }
    }

    const fn path(self) -> &'static [&'static str] {
        match self {
            Self::PolicyRef => &["appraisal", "policy_ref"],
            Self::RimUri => &["runtime", "rim_uri"],
            Self::AibomUri => &["model", "aibom_uri"],
            Self::Transparency => &["transparency"],
        }
    }
}

/// What became of one citation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Citation {
    /// Nobody asked, for this reason.
    NotAttempted(Untried),
    /// The object was found.
    Resolved {
        /// Where.
        uri: String,
        /// SHA-256 of its bytes.
        digest: Sha256Digest,
        /// How many there are.
        bytes: usize,
    },
    /// The resolver did not find it.
    Unresolvable {
        /// Where it should be.
        uri: String,
    },
}

/// Why a citation was not tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untried {
    /// The record cites nothing there.
    FieldAbsent,
    /// The caller gave no resolver.
    NoResolver,
    /// The surface is answered otherwise.
    SurfaceDeferred,
}

impl Untried {
    /// The word in reports and vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FieldAbsent => "field_absent",
            Self::NoResolver => "no_resolver",
            Self::SurfaceDeferred => "surface_deferred",
        }
    }
}

/// Finds an object by its URI; `None` when it cannot.
pub type Resolver<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// What becomes of each citation. For records whose signature has been verified: a resolver that
/// reaches a network must not be driven by a stranger.
#[must_use]
pub fn resolve(record: &TrustRecord, resolver: Option<Resolver<'_>>) -> [(Surface, Citation); 4] {
    Surface::ALL.map(|surface| (surface, one(record, surface, resolver)))
}

fn one(record: &TrustRecord, surface: Surface, resolver: Option<Resolver<'_>>) -> Citation {
    if surface == Surface::Transparency {
        return Citation::NotAttempted(Untried::SurfaceDeferred);
    }
    let Some(resolver) = resolver else {
        return Citation::NotAttempted(Untried::NoResolver);
    };
    let Some(uri) = record.text(surface.path()).map(str::to_owned) else {
        return Citation::NotAttempted(Untried::FieldAbsent);
    };
    match resolver(&uri) {
        Some(bytes) => Citation::Resolved {
            uri,
            digest: Sha256Digest::of(&bytes),
            bytes: bytes.len(),
        },
        None => Citation::Unresolvable { uri },
    }
}

#[cfg(test)]
mod tests;
