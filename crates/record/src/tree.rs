//! The Merkle tree over log entries (RFC 9162, SHA-256): roots, inclusion and consistency proofs.
//!
//! Leaves and inner nodes are hashed with different first bytes, so neither passes for the other.
//! Nothing here keeps the leaves: memory is logarithmic in the size of the log.

use std::ops::Range;

use cmcp_evidence::Sha256Digest;

/// The leaf of an entry's stored bytes.
#[must_use]
pub fn leaf(entry: &[u8]) -> Sha256Digest {
    Sha256Digest::of_parts(&[&[LEAF], entry])
}

fn node(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    Sha256Digest::of_parts(&[&[NODE], left.as_bytes(), right.as_bytes()])
}

/// What a growing tree must remember: its size and the roots of its complete subtrees.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    size: u64,
    /// Largest subtree first; as many as `size` has bits set.
    peaks: Vec<Sha256Digest>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf on the right.
    pub fn push(&mut self, leaf: Sha256Digest) {
        let mut added = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            added = node(&left, &added);
            size >>= 1;
        }
        self.peaks.push(added);
        self.size = self.size.saturating_add(1);
    }

    /// Leaves added.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root; of the empty tree, the SHA-256 of nothing, which no checkpoint may carry.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node(&left, &right))
            .unwrap_or_else(|| Sha256Digest::of(b""))
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// The older tree is larger than the newer, or empty.
    #[error("the older tree of {old} entries is no beginning of the newer of {new}")]
    Sizes {
        /// Size of the older tree.
        old: u64,
        /// Size of the newer tree.
        new: u64,
    },
    /// There is no such entry.
    #[error("entry {index} is not in a tree of {size} entries")]
    Index {
        /// Index asked for.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The path has too few or too many hashes for its place.
    #[error("the proof has the wrong number of hashes for its place in the tree")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Checks that `leaf` stands at `index` of the tree with `size` leaves and this `root`
/// (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// The index lies outside, the path is not exactly used up, or the root differs.
pub fn verify_inclusion(
    leaf: &Sha256Digest,
    index: u64,
    size: u64,
    path: &[Sha256Digest],
    root: &Sha256Digest,
) -> Result<(), ProofError> {
    let Some(last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return Err(ProofError::Index { index, size });
    };
    let mut walk = Walk { at: index, last };
    let mut reached = *leaf;
    for sibling in path {
        reached = match walk.up()? {
            Side::Left => node(sibling, &reached),
            Side::Right => node(&reached, sibling),
        };
    }
    walk.finish()?;
    if reached == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of `old` leaves is a beginning of the tree of `new` leaves
/// (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// The sizes are not in order, the path is not exactly used up, or a root differs.
pub fn verify_consistency(
    (old, old_root): (u64, &Sha256Digest),
    (new, new_root): (u64, &Sha256Digest),
    path: &[Sha256Digest],
) -> Result<(), ProofError> {
    let (Some(old_last), Some(new_last)) = (old.checked_sub(1), new.checked_sub(1)) else {
        return Err(ProofError::Sizes { old, new });
    };
    if old_last >= new_last {
        return match (old_last == new_last, path.is_empty()) {
            (false, _) => Err(ProofError::Sizes { old, new }),
            (true, false) => Err(ProofError::Length),
            (true, true) if old_root == new_root => Ok(()),
            (true, true) => Err(ProofError::Root),
        };
    }
    // A complete older tree is a node of the newer one; the proof leaves it out.
    let (start, path) = match path.split_first() {
        _ if old.is_power_of_two() => (old_root, path),
        Some((first, rest)) => (first, rest),
        None => return Err(ProofError::Length),
    };
    let shared = old_last.trailing_ones();
    let mut walk = Walk {
        at: old_last >> shared,
        last: new_last >> shared,
    };
    let (mut old_reached, mut new_reached) = (*start, *start);
    for sibling in path {
        match walk.up()? {
            Side::Left => {
                old_reached = node(sibling, &old_reached);
                new_reached = node(sibling, &new_reached);
            }
            Side::Right => new_reached = node(&new_reached, sibling),
        }
    }
    walk.finish()?;
    if old_reached == *old_root && new_reached == *new_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// The way from a node to the root: its index in its level, and that of the level's last node.
struct Walk {
    at: u64,
    last: u64,
}

/// Where the sibling stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// Climbs to the level of the next sibling; a last node without one is promoted on the way.
    fn up(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let left = self.at & 1 == 1 || self.at == self.last;
        while left && self.at & 1 == 0 && self.at != 0 {
            self.climb();
        }
        self.climb();
        Ok(if left { Side::Left } else { Side::Right })
    }

    fn climb(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }

    fn finish(self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::Length)
        }
    }
}

/// Makes a proof from one pass over a log's leaves.
#[derive(Debug)]
pub struct Prover {
    size: u64,
    position: u64,
    /// The subtrees whose roots make up the proof, in the order of their leaves.
    subtrees: Vec<Subtree>,
    current: Frontier,
    done: usize,
}

#[derive(Debug)]
struct Subtree {
    leaves: Range<u64>,
    /// Where the proof has it, counted from the root.
    level: usize,
    root: Option<Sha256Digest>,
}

impl Prover {
    /// For the inclusion of the entry at `index` in the first `size` entries; `None` if it lies outside.
    #[must_use]
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        let mut within = (index < size).then_some(0..size)?;
        let mut subtrees = Vec::new();
        while let Some(middle) = split(&within) {
            let (left, right) = (within.start..middle, middle..within.end);
            let (inner, beside) = if index < middle {
                (left, right)
            } else {
                (right, left)
            };
            subtrees.push(beside);
            within = inner;
        }
        Some(Self::new(size, subtrees))
    }

    /// For the first `old` entries being a beginning of the first `new`; `None` if the sizes are not in order.
    #[must_use]
    pub fn consistency(old: u64, new: u64) -> Option<Self> {
        let mut within = (0 < old && old <= new).then_some(0..new)?;
        let mut subtrees = Vec::new();
        while within.end != old {
            let middle = split(&within)?;
            let (left, right) = (within.start..middle, middle..within.end);
            let (inner, beside) = if old <= middle {
                (left, right)
            } else {
                (right, left)
            };
            subtrees.push(beside);
            within = inner;
        }
        if within.start != 0 {
            subtrees.push(within);
        }
        Some(Self::new(new, subtrees))
    }

    fn new(size: u64, subtrees: Vec<Range<u64>>) -> Self {
        let mut subtrees: Vec<Subtree> = subtrees
            .into_iter()
            .enumerate()
            .map(|(level, leaves)| Subtree {
                leaves,
                level,
                root: None,
            })
            .collect();
        subtrees.sort_by_key(|subtree| subtree.leaves.start);
        Self {
            size,
            position: 0,
            subtrees,
            current: Frontier::new(),
            done: 0,
        }
    }

    /// Takes the log's next leaf.
    pub fn push(&mut self, leaf: Sha256Digest) {
        if let Some(subtree) = self.subtrees.get_mut(self.done)
            && subtree.leaves.contains(&self.position)
        {
            self.current.push(leaf);
            if self.current.size() == subtree.leaves.end.saturating_sub(subtree.leaves.start) {
                subtree.root = Some(std::mem::take(&mut self.current).root());
                self.done = self.done.saturating_add(1);
            }
        }
        self.position = self.position.saturating_add(1);
    }

    /// The proof's hashes; `None` unless every leaf of the tree was pushed. Leaves beyond do not matter.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<Sha256Digest>> {
        if self.position < self.size {
            return None;
        }
        self.subtrees
            .sort_by_key(|subtree| std::cmp::Reverse(subtree.level));
        self.subtrees
            .into_iter()
            .map(|subtree| subtree.root)
            .collect()
    }
}

/// Where a tree over these leaves divides: at the largest power of two smaller than their number.
fn split(leaves: &Range<u64>) -> Option<u64> {
    let last = leaves.end.checked_sub(leaves.start)?.checked_sub(1)?;
    let half = last.checked_ilog2().map(|exponent| 1u64 << exponent)?;
    leaves.start.checked_add(half)
}

const LEAF: u8 = 0;
const NODE: u8 = 1;

#[cfg(test)]
mod tests;
