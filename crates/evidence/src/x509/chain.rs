//! Chains from a leaf to a root that the caller trusts.

use super::{Certificate, KeyUnsupported, KeyUsage, key::BadSignature, name::printable};
use crate::Timestamp;

/// Whether certificates must hold at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Validity {
    /// All of them at this time, the root included.
    At(Timestamp),
    /// Their times are not looked at.
    NotChecked {
        /// Why not.
        why: &'static str,
    },
}

/// What the key of the leaf is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeafUse {
    /// To sign evidence, a token or a document: a key usage without digital signature is refused.
    Signs,
    /// The caller looks at it.
    Any,
}

/// What a chain must be like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChainRules {
    /// From leaf to root, both included.
    pub max_certificates: usize,
    /// When they must hold.
    pub validity: Validity,
    /// What the leaf's key is used for.
    pub leaf: LeafUse,
}

impl ChainRules {
    /// At most eight certificates, all valid at that time, and a leaf that signs.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self {
            max_certificates: 8,
            validity: Validity::At(at),
            leaf: LeafUse::Signs,
        }
    }
}

/// Why no chain leads from a leaf to a root that is trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// More certificates than are looked at.
    #[error("{found} certificates came with the leaf: at most {MAX_OTHERS} are looked at")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// Every way to a root is longer than the rules allow.
    #[error("the chain has more than {most} certificates")]
    TooLong {
        /// The most that the rules allow.
        most: usize,
    },
    /// More signatures to try than are tried.
    #[error(
        "more than {MAX_SIGNATURES} signatures to try: leave out certificates that are not part of the chain"
    )]
    TooMuchWork,
    /// No certificate that came, and no root, has the name of the issuer.
    #[error(
        "the issuer of {subject}, {issuer}, is neither a trusted root nor among the certificates that came"
    )]
    NoIssuer {
        /// The certificate.
        subject: String,
        /// Its issuer's common name.
        issuer: String,
    },
    /// The certificates that came lead in a circle.
    #[error("the certificates lead from {subject} back to it, and to no trusted root")]
    Loop {
        /// Where the circle closes.
        subject: String,
    },
    /// A signature does not hold.
    #[error("{subject} is not signed by {issuer}: {error}")]
    Signature {
        /// The certificate.
        subject: String,
        /// Who should have signed it.
        issuer: String,
        /// What is wrong.
        error: BadSignature,
    },
    /// Signed in a way that is not used here.
    #[error("{subject} is signed with `{oid}`, which is not supported")]
    Algorithm {
        /// The certificate.
        subject: String,
        /// The algorithm's object identifier, and what is wrong with its parameters.
        oid: String,
    },
    /// An issuer's key is not used here.
    #[error("{subject}: {error}")]
    Key {
        /// The certificate.
        subject: String,
        /// What is wrong with its key.
        error: KeyUnsupported,
    },
    /// An issuer that may not issue.
    #[error("{subject} is no certificate authority, and issued a certificate")]
    NotCa {
        /// The certificate.
        subject: String,
    },
    /// A key that is used for what its certificate does not allow.
    #[error("the key usage of {subject} does not allow {usage}")]
    Usage {
        /// The certificate.
        subject: String,
        /// What it was used for.
        usage: &'static str,
    },
    /// An authority with more authorities below it than it may have.
    #[error("{subject} allows {most} authorities below it, and has {found}")]
    PathLength {
        /// The certificate.
        subject: String,
        /// How many it allows.
        most: u64,
        /// How many there are.
        found: u64,
    },
    /// A critical extension that is not understood here.
    #[error("{subject} has the critical extension `{oid}`, which is not understood here")]
    Critical {
        /// The certificate.
        subject: String,
        /// The extension's object identifier.
        oid: String,
    },
    /// Not valid yet.
    #[error("{subject} is valid from {from}, and it is {at}")]
    NotYetValid {
        /// The certificate.
        subject: String,
        /// When it begins.
        from: Timestamp,
        /// The time asked about.
        at: Timestamp,
    },
    /// No longer valid.
    #[error("{subject} expired at {until}, and it is {at}")]
    Expired {
        /// The certificate.
        subject: String,
        /// When it ended.
        until: Timestamp,
        /// The time asked about.
        at: Timestamp,
    },
}

/// Finds the chain from `leaf` over `others`, in any order, to one of `roots`, and verifies all of it:
/// names byte for byte, signatures, authority, path lengths, key usage, critical extensions and times. A
/// root is trusted as it was given; a self-signed certificate among `others` never is.
///
/// Returns the chain, leaf first and root last.
///
/// # Errors
///
/// What is wrong with the chain that came furthest.
pub fn verify_chain(
    leaf: &Certificate,
    others: &[Certificate],
    roots: &[Certificate],
    rules: &ChainRules,
) -> Result<Vec<Certificate>, ChainError> {
    if others.len() > MAX_OTHERS {
        let found = others.len();
        return Err(ChainError::TooMany { found });
    }
    check_own(leaf, rules)?;
    let may_sign = leaf.key_usage().is_none_or(KeyUsage::digital_signature);
    if rules.leaf == LeafUse::Signs && !may_sign {
        return Err(ChainError::Usage {
            subject: leaf.name(),
            usage: "signatures",
        });
    }
    let mut search = Search {
        others,
        roots,
        rules,
        tried: 0,
    };
    let found = search.extend(&mut vec![leaf]);
    found.map(|path| path.into_iter().cloned().collect())
}

/// A walk from the leaf upwards that tries roots first and turns back where a way ends. What bounds it is
/// the number of signatures it may try, however the certificates are tangled.
struct Search<'a> {
    others: &'a [Certificate],
    roots: &'a [Certificate],
    rules: &'a ChainRules,
    tried: usize,
}

impl<'a> Search<'a> {
    fn extend(
        &mut self,
        path: &mut Vec<&'a Certificate>,
    ) -> Result<Vec<&'a Certificate>, ChainError> {
        let Some(last) = path.last().copied() else {
            return Err(ChainError::TooMuchWork);
        };
        if self.roots.contains(last) {
            return Ok(path.clone());
        }
        let mut fault = None;
        let (roots, others) = (self.roots, self.others);
        let named = |issuer: &&'a Certificate| issuer.subject() == last.issuer();
        for issuer in roots.iter().filter(named) {
            match self.link(path, last, issuer) {
                Ok(()) => {
                    path.push(issuer);
                    return Ok(path.clone());
                }
                Err(ChainError::TooMuchWork) => return Err(ChainError::TooMuchWork),
                Err(error) => fault = Some(error),
            }
        }
        for issuer in others.iter().filter(named) {
            let next = if path.iter().any(|below| same_owner(below, issuer)) {
                Err(ChainError::Loop {
                    subject: issuer.name(),
                })
            } else {
                self.link(path, last, issuer).and_then(|()| {
                    path.push(issuer);
                    let found = self.extend(path);
                    path.pop();
                    found
                })
            };
            match next {
                Ok(found) => return Ok(found),
                Err(ChainError::TooMuchWork) => return Err(ChainError::TooMuchWork),
                Err(error) => fault = Some(worse(fault, error)),
            }
        }
        Err(fault.unwrap_or_else(|| ChainError::NoIssuer {
            subject: last.name(),
            issuer: printable(last.issuer_common_name())
                .unwrap_or_else(|| "which has no name".to_owned()),
        }))
    }

    /// Whether `issuer` may stand above `last`, the end of `path`.
    fn link(
        &mut self,
        path: &[&Certificate],
        last: &Certificate,
        issuer: &Certificate,
    ) -> Result<(), ChainError> {
        let most = self.rules.max_certificates;
        if path.len() >= most {
            return Err(ChainError::TooLong { most });
        }
        self.tried = self.tried.saturating_add(1);
        if self.tried > MAX_SIGNATURES {
            return Err(ChainError::TooMuchWork);
        }
        last.verify_signed_by(issuer)?;
        check_own(issuer, self.rules)?;
        check_authority(issuer, path)
    }
}

/// One name with one key: a chain that comes by twice says nothing more.
fn same_owner(one: &Certificate, other: &Certificate) -> bool {
    one.subject() == other.subject() && one.spki() == other.spki()
}

/// What says most is kept: that a circle closed, or that a name is missing, says less than the rest.
fn worse(known: Option<ChainError>, new: ChainError) -> ChainError {
    match known {
        Some(known) if matches!(new, ChainError::Loop { .. } | ChainError::NoIssuer { .. }) => {
            known
        }
        Some(_) | None => new,
    }
}

/// What a certificate says about itself, wherever it stands.
fn check_own(certificate: &Certificate, rules: &ChainRules) -> Result<(), ChainError> {
    let subject = || certificate.name();
    if let Some(oid) = certificate.unknown_critical().into_iter().next() {
        let subject = subject();
        return Err(ChainError::Critical { subject, oid });
    }
    match rules.validity {
        Validity::At(at) if at < certificate.not_before() => Err(ChainError::NotYetValid {
            subject: subject(),
            from: certificate.not_before(),
            at,
        }),
        Validity::At(at) if at > certificate.not_after() => Err(ChainError::Expired {
            subject: subject(),
            until: certificate.not_after(),
            at,
        }),
        Validity::At(_) | Validity::NotChecked { .. } => Ok(()),
    }
}

/// Whether a certificate may have issued the last of `path`, of which the first is the leaf.
fn check_authority(issuer: &Certificate, path: &[&Certificate]) -> Result<(), ChainError> {
    let subject = || issuer.name();
    if !issuer.is_ca() {
        return Err(ChainError::NotCa { subject: subject() });
    }
    if issuer.key_usage().is_some_and(|usage| !usage.cert_sign()) {
        return Err(ChainError::Usage {
            subject: subject(),
            usage: "certificates",
        });
    }
    // Self-issued authorities do not count (RFC 5280, 6.1.4 l).
    let below = path.iter().skip(1);
    let counted = below.filter(|authority| authority.subject() != authority.issuer());
    let found = u64::try_from(counted.count()).unwrap_or(u64::MAX);
    match issuer.path_len() {
        Some(most) if found > most => Err(ChainError::PathLength {
            subject: subject(),
            most,
            found,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Eight devices with their chains come one by one; no chain has more company than this.
const MAX_OTHERS: usize = 64;
const MAX_SIGNATURES: usize = 32;
