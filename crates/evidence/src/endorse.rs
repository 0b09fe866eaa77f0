//! Files that are offered as endorsements: what each of them is, said and not guessed, and which of them
//! an appraisal rests on.

mod intel;
mod kind;
mod unused;

pub use kind::Kind;

use crate::{Endorsements, x509::Certificate};
use kind::Found;

/// A file, under the name that it is reported by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a file turned out to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What it is about: names of certificates, the kind of machine; or why it is of no use.
    pub says: String,
    /// Where it went.
    places: Vec<Place>,
}

/// Endorsements, and the files they came from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sorted {
    /// What the files hold.
    pub endorsements: Endorsements,
    /// The files, in the order in which they were offered.
    pub items: Vec<Item>,
}

/// One entry of [`Endorsements`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    list: List,
    index: usize,
}

/// A list of [`Endorsements`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum List {
    Certificates,
    Crls,
    Intel,
    KeySets,
    Ocsp,
    Policies,
    Rims,
    Uvm,
}

/// What kind of endorsement bytes are.
#[must_use]
pub fn kind_of(bytes: &[u8]) -> Kind {
    kind::recognise(bytes).kind
}

impl Sorted {
    /// Endorsements that came with the evidence itself; each is an item of that name.
    #[must_use]
    pub fn carried(name: &str, endorsements: Endorsements) -> Self {
        let mut items = Vec::new();
        for list in List::ALL {
            for (index, bytes) in list.of(&endorsements).iter().enumerate() {
                let (kind, says) = match kind::recognise(bytes) {
                    Found {
                        kind: Kind::Unknown,
                        ..
                    } => (list.kind(), String::new()),
                    found => (found.kind, found.says),
                };
                items.push(Item {
                    name: name.to_owned(),
                    kind,
                    says,
                    places: vec![Place { list, index }],
                });
            }
        }
        Self {
            endorsements,
            items,
        }
    }

    /// Takes files in their order. `known` are certificates that came with the evidence: Intel's raw
    /// answers may need them to be put together.
    pub fn offer(&mut self, files: &[Offered], known: &[Certificate]) {
        let mut pieces = Vec::new();
        for file in files {
            let found = kind::recognise(&file.bytes);
            let item = self.items.len();
            let mut places = Vec::new();
            for (list, bytes) in found.entries {
                places.push(self.put(list, bytes));
            }
            pieces.extend(found.piece.map(|piece| (item, piece)));
            self.items.push(Item {
                name: file.name.clone(),
                kind: found.kind,
                says: found.says,
                places,
            });
        }
        intel::assemble(self, &pieces, known);
    }

    fn put(&mut self, list: List, bytes: Vec<u8>) -> Place {
        let entries = list.of_mut(&mut self.endorsements);
        let index = entries.len();
        entries.push(bytes);
        Place { list, index }
    }
}

impl List {
    const ALL: [Self; 8] = [
        Self::Certificates,
        Self::Crls,
        Self::Intel,
        Self::KeySets,
        Self::Ocsp,
        Self::Policies,
        Self::Rims,
        Self::Uvm,
    ];

    const fn of(self, endorsements: &Endorsements) -> &Vec<Vec<u8>> {
        match self {
            Self::Certificates => &endorsements.certificates,
            Self::Crls => &endorsements.crls,
            Self::Intel => &endorsements.intel,
            Self::KeySets => &endorsements.key_sets,
            Self::Ocsp => &endorsements.ocsp,
            Self::Policies => &endorsements.policies,
            Self::Rims => &endorsements.rims,
            Self::Uvm => &endorsements.uvm,
        }
    }

    const fn of_mut(self, endorsements: &mut Endorsements) -> &mut Vec<Vec<u8>> {
        match self {
            Self::Certificates => &mut endorsements.certificates,
            Self::Crls => &mut endorsements.crls,
            Self::Intel => &mut endorsements.intel,
            Self::KeySets => &mut endorsements.key_sets,
            Self::Ocsp => &mut endorsements.ocsp,
            Self::Policies => &mut endorsements.policies,
            Self::Rims => &mut endorsements.rims,
            Self::Uvm => &mut endorsements.uvm,
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Certificates => Kind::Certificates,
            Self::Crls => Kind::RevocationLists,
            Self::Intel => Kind::IntelCollateral,
            Self::KeySets => Kind::KeySet,
            Self::Ocsp => Kind::Ocsp,
            Self::Policies => Kind::Policy,
            Self::Rims => Kind::Rim,
            Self::Uvm => Kind::Uvm,
        }
    }
}
