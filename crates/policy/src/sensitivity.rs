//! Sensitivity labels and compliance domains: the built-in ones and what a deployment adds.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
};

/// A label with its rank; a session's mark is the highest it has seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sensitivity {
    name: Arc<str>,
    rank: u32,
}

impl Sensitivity {
    /// The least label there is, `public`.
    #[must_use]
    pub fn public() -> Self {
        Self {
            name: Arc::from(PUBLIC),
            rank: 0,
        }
    }

    /// The label's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The label's rank: 0 is the least sensitive.
    #[must_use]
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// The higher of two labels; of two with equal rank, the one already held.
    #[must_use]
    pub fn join(self, other: &Self) -> Self {
        if other.rank > self.rank {
            other.clone()
        } else {
            self
        }
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The labels and domains that catalogs and policies may name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vocabulary {
    ranks: BTreeMap<String, u32>,
    domains: BTreeMap<String, bool>,
}

impl Vocabulary {
    /// The built-in labels and domains alone.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            ranks: RANKS
                .iter()
                .map(|&(name, rank)| (name.to_owned(), rank))
                .collect(),
            domains: DOMAINS
                .iter()
                .map(|&(name, regulated)| (name.to_owned(), regulated))
                .collect(),
        }
    }

    /// The built-in vocabulary with a deployment's own labels (name and rank) and domains (name and
    /// whether it is regulated). A built-in name keeps its meaning: giving it another is refused.
    pub fn extended(
        labels: impl IntoIterator<Item = (String, u32)>,
        domains: impl IntoIterator<Item = (String, bool)>,
    ) -> Result<Self, Vec<VocabularyError>> {
        let mut vocabulary = Self::builtin();
        let mut errors = Vec::new();
        for (name, rank) in labels {
            match vocabulary.ranks.entry(name) {
                Entry::Occupied(taken) => errors.push(VocabularyError::Label(taken.key().clone())),
                Entry::Vacant(free) if legal(free.key()) => {
                    free.insert(rank);
                }
                Entry::Vacant(free) => errors.push(VocabularyError::Name(free.into_key())),
            }
        }
        for (name, regulated) in domains {
            match vocabulary.domains.entry(name) {
                Entry::Occupied(taken) => errors.push(VocabularyError::Domain(taken.key().clone())),
                Entry::Vacant(free) if legal(free.key()) => {
                    free.insert(regulated);
                }
                Entry::Vacant(free) => errors.push(VocabularyError::Name(free.into_key())),
            }
        }
        if errors.is_empty() {
            Ok(vocabulary)
        } else {
            Err(errors)
        }
    }

    /// The label of that name.
    #[must_use]
    pub fn sensitivity(&self, name: &str) -> Option<Sensitivity> {
        let rank = *self.ranks.get(name)?;
        Some(Sensitivity {
            name: Arc::from(name),
            rank,
        })
    }

    /// Whether a domain is regulated; `None` when nobody declared it.
    #[must_use]
    pub fn regulated(&self, domain: &str) -> Option<bool> {
        self.domains.get(domain).copied()
    }

    /// Every label with its rank, by name.
    pub fn labels(&self) -> impl Iterator<Item = (&str, u32)> {
        self.ranks.iter().map(|(name, rank)| (name.as_str(), *rank))
    }

    /// Every domain and whether it is regulated, by name.
    pub fn domains(&self) -> impl Iterator<Item = (&str, bool)> {
        self.domains
            .iter()
            .map(|(name, regulated)| (name.as_str(), *regulated))
    }
}

/// Why a deployment's additions to the vocabulary were refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VocabularyError {
    /// A domain has its meaning built in, or was declared twice.
    #[error("compliance domain `{0}` is already defined: choose another name")]
    Domain(String),
    /// A label has its rank built in, or was declared twice.
    #[error("sensitivity label `{0}` already has a rank: choose another name")]
    Label(String),
    /// A name that could be mistaken for another.
    #[error(
        "`{0}` is not a name: use 1 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`, beginning with a letter"
    )]
    Name(String),
}

fn legal(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

const PUBLIC: &str = "public";

const RANKS: [(&str, u32); 6] = [
    (PUBLIC, 0),
    ("pii", 1),
    ("confidential", 2),
    ("hipaa_phi", 3),
    ("mnpi", 3),
    ("trade_secret", 3),
];

const DOMAINS: [(&str, bool); 7] = [
    ("hipaa_phi", true),
    ("pci_data", true),
    ("mnpi", true),
    ("pii", true),
    ("internal", false),
    ("external", false),
    ("public", false),
];

#[cfg(test)]
mod tests;
