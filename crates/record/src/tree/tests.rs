use cmcp_evidence::Sha256Digest;

use super::*;
use crate::audit::samples::{json, shared};

/// The definition of RFC 9162 section 2.1.1, over all leaves at once.
fn root_of(leaves: &[Sha256Digest]) -> Sha256Digest {
    match leaves {
        [] => Sha256Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            node(&root_of(&leaves[..half]), &root_of(&leaves[half..]))
        }
    }
}

fn leaves(count: u64) -> Vec<Sha256Digest> {
    (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
}

fn inclusion(index: u64, leaves: &[Sha256Digest]) -> Vec<Sha256Digest> {
    let mut prover = Prover::inclusion(index, leaves.len() as u64).unwrap();
    leaves.iter().for_each(|leaf| prover.push(*leaf));
    prover.finish().unwrap()
}

fn consistency(old: u64, leaves: &[Sha256Digest]) -> Vec<Sha256Digest> {
    let mut prover = Prover::consistency(old, leaves.len() as u64).unwrap();
    leaves.iter().for_each(|leaf| prover.push(*leaf));
    prover.finish().unwrap()
}

#[test]
fn known_roots_and_paths() {
    let Some(kat) = shared("trace-kat.json") else {
        return;
    };
    let kat = json(&kat);
    let tree = kat.get("transcript_tree_v1").unwrap();
    let inputs = tree.get("leaf_inputs").unwrap().as_array().unwrap();
    let leaves: Vec<_> = inputs
        .iter()
        .map(|input| leaf(input.as_str().unwrap().as_bytes()))
        .collect();
    let mut frontier = Frontier::new();
    for leaf in &leaves {
        frontier.push(*leaf);
        let known = tree
            .get("roots_by_size")
            .unwrap()
            .get(&frontier.size().to_string())
            .unwrap();
        assert_eq!(frontier.root().to_string(), known.as_str().unwrap());
    }
    for (index, name) in [
        (2, "audit_path_index2_size5"),
        (4, "audit_path_index4_size5"),
    ] {
        let known: Vec<Sha256Digest> = tree
            .get(name)
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| hash.as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(inclusion(index, &leaves), known);
        let place = usize::try_from(index).unwrap();
        assert_eq!(
            verify_inclusion(&leaves[place], index, 5, &known, &frontier.root()),
            Ok(())
        );
    }
}

#[test]
fn frontier_is_the_definition() {
    let leaves = leaves(130);
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), Sha256Digest::of(b""));
    for size in 1..=leaves.len() {
        frontier.push(leaves[size - 1]);
        assert_eq!(frontier.root(), root_of(&leaves[..size]), "{size}");
        assert_eq!(frontier.peaks.len(), size.count_ones() as usize);
    }
}

#[test]
fn every_entry_has_a_proof_and_it_proves_nothing_else() {
    for size in 1..=33_u64 {
        let leaves = leaves(size);
        let root = root_of(&leaves);
        for index in 0..size {
            let path = inclusion(index, &leaves);
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
            for other in 0..size + 2 {
                assert_eq!(
                    verify_inclusion(&leaf, other, size, &path, &root).is_ok(),
                    other == index,
                    "{index} as {other} of {size}"
                );
            }
            refuses_distorted(&path, |path| {
                verify_inclusion(&leaf, index, size, path, &root)
            });
        }
    }
}

#[test]
fn every_beginning_has_a_proof_and_it_proves_nothing_else() {
    for new in 1..=33_u64 {
        let leaves = leaves(new);
        let root = root_of(&leaves);
        for old in 1..=new {
            let old_root = root_of(&leaves[..usize::try_from(old).unwrap()]);
            let path = consistency(old, &leaves);
            let check =
                |path: &[Sha256Digest]| verify_consistency((old, &old_root), (new, &root), path);
            assert_eq!(check(&path), Ok(()), "{old} of {new}");
            refuses_distorted(&path, check);
            for other in (0..new + 2).filter(|other| *other != old) {
                assert!(verify_consistency((other, &old_root), (new, &root), &path).is_err());
            }
            if old < new {
                assert!(verify_consistency((old, &root), (new, &root), &path).is_err());
                assert!(verify_consistency((old, &old_root), (new, &old_root), &path).is_err());
            }
        }
    }
}

/// Paths with a hash changed, removed, added or swapped.
fn refuses_distorted(
    path: &[Sha256Digest],
    check: impl Fn(&[Sha256Digest]) -> Result<(), ProofError>,
) {
    let foreign = Sha256Digest::of(b"foreign");
    for place in 0..path.len() {
        let mut changed = path.to_vec();
        changed[place] = foreign;
        assert!(check(&changed).is_err());
        let mut removed = path.to_vec();
        removed.remove(place);
        assert!(check(&removed).is_err());
        if place > 0 {
            let mut swapped = path.to_vec();
            swapped.swap(place - 1, place);
            assert!(check(&swapped).is_err());
        }
    }
    for place in 0..=path.len() {
        let mut added = path.to_vec();
        added.insert(place, foreign);
        assert!(check(&added).is_err());
    }
    let long: Vec<_> = path
        .iter()
        .copied()
        .chain(std::iter::repeat_n(foreign, 64))
        .collect();
    assert_eq!(check(&long), Err(ProofError::Length));
}

#[test]
fn impossible_sizes_are_refused() {
    let leaf = leaf(b"a");
    let index = |index, size| Err(ProofError::Index { index, size });
    assert_eq!(verify_inclusion(&leaf, 0, 0, &[], &leaf), index(0, 0));
    assert_eq!(verify_inclusion(&leaf, 1, 1, &[], &leaf), index(1, 1));
    assert_eq!(verify_inclusion(&leaf, 0, 1, &[], &leaf), Ok(()));
    assert_eq!(
        verify_inclusion(&leaf, 0, 2, &[], &leaf),
        Err(ProofError::Length)
    );
    let huge = 1 << 63;
    assert_eq!(
        verify_inclusion(&leaf, huge, huge, &[leaf], &leaf),
        index(huge, huge)
    );
    for size in [huge + 1, u64::MAX] {
        for path in [&[][..], &[leaf][..], &[leaf; 64][..], &[leaf; 65][..]] {
            assert!(verify_inclusion(&leaf, size - 1, size, path, &leaf).is_err());
            assert!(verify_consistency((huge, &leaf), (size, &leaf), path).is_err());
            assert!(verify_consistency((1, &leaf), (size, &leaf), path).is_err());
        }
    }
    for (old, new) in [(0, 1), (0, 0), (2, 1), (1, 0)] {
        assert_eq!(
            verify_consistency((old, &leaf), (new, &leaf), &[]),
            Err(ProofError::Sizes { old, new })
        );
    }
    let other = Sha256Digest::of(b"other");
    assert_eq!(verify_consistency((3, &leaf), (3, &leaf), &[]), Ok(()));
    assert_eq!(
        verify_consistency((3, &leaf), (3, &leaf), &[leaf]),
        Err(ProofError::Length)
    );
    assert_eq!(
        verify_consistency((3, &leaf), (3, &other), &[]),
        Err(ProofError::Root)
    );
    assert!(Prover::inclusion(0, 0).is_none());
    assert!(Prover::inclusion(5, 5).is_none());
    assert!(Prover::consistency(0, 5).is_none());
    assert!(Prover::consistency(6, 5).is_none());
}

#[test]
fn an_entry_that_looks_like_a_node_is_not_one() {
    let (left, right) = (leaf(b"a"), leaf(b"b"));
    let inner = node(&left, &right);
    let mut bytes = left.as_bytes().to_vec();
    bytes.extend_from_slice(right.as_bytes());
    assert_ne!(leaf(&bytes), inner);
    // The node's own preimage as an entry: another leaf, so no proof of size 1 reaches the root.
    bytes.insert(0, NODE);
    assert_ne!(leaf(&bytes), inner);
    let root = inner;
    assert_eq!(
        verify_inclusion(&leaf(&bytes), 0, 1, &[], &root),
        Err(ProofError::Root)
    );
}

#[test]
fn a_proof_needs_every_leaf_up_to_its_size_and_none_beyond() {
    let leaves = leaves(9);
    let mut short = Prover::inclusion(2, 7).unwrap();
    leaves[..6].iter().for_each(|leaf| short.push(*leaf));
    assert_eq!(short.finish(), None);
    let mut long = Prover::inclusion(2, 7).unwrap();
    leaves.iter().for_each(|leaf| long.push(*leaf));
    let root = root_of(&leaves[..7]);
    assert_eq!(
        verify_inclusion(&leaves[2], 2, 7, &long.finish().unwrap(), &root),
        Ok(())
    );
}
