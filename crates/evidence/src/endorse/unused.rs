//! Which files a result rests on.

use std::collections::BTreeSet;

use super::{Item, List, Place, Sorted};
use crate::{AttestationResult, Endorsements};

impl Sorted {
    /// The items, by their number, without which verdict, checks and claims would be the same: all of them
    /// together can be left away. `judge` is what gave `result` for all endorsements.
    ///
    /// What a file has to do with the evidence is told neither by its kind nor by its name: a hundred
    /// thousand lists of strangers are as easily offered as one. So they are left away, in halves, and
    /// what does not change the result had no part in it.
    #[must_use]
    pub fn unused(
        &self,
        result: &AttestationResult,
        judge: impl Fn(&Endorsements) -> AttestationResult,
    ) -> BTreeSet<usize> {
        // What has no place is no part of any result.
        let numbered = self.items.iter().enumerate();
        let (without, placed): (Vec<_>, Vec<_>) =
            numbered.partition(|(_, item)| item.places.is_empty());
        let numbers = |items: Vec<(usize, &Item)>| -> Vec<usize> {
            items.into_iter().map(|(number, _)| number).collect()
        };
        let mut search = Search {
            sorted: self,
            result,
            judge,
            unused: numbers(without).into_iter().collect(),
        };
        search.halve(&numbers(placed));
        search.unused
    }

    /// The endorsements without those of some items.
    fn without(&self, items: &BTreeSet<usize>) -> Endorsements {
        let items = items.iter().filter_map(|item| self.items.get(*item));
        let places: BTreeSet<Place> = items.flat_map(|item| item.places.iter().copied()).collect();
        let mut left = Endorsements::default();
        for list in List::ALL {
            let all = list.of(&self.endorsements).iter().enumerate();
            let kept = all.filter(|(index, _)| {
                let index = *index;
                !places.contains(&Place { list, index })
            });
            *list.of_mut(&mut left) = kept.map(|(_, bytes)| bytes.clone()).collect();
        }
        left
    }
}

struct Search<'a, F> {
    sorted: &'a Sorted,
    result: &'a AttestationResult,
    judge: F,
    unused: BTreeSet<usize>,
}

impl<F: Fn(&Endorsements) -> AttestationResult> Search<'_, F> {
    fn halve(&mut self, items: &[usize]) {
        if items.is_empty() {
            return;
        }
        let without = self.unused.iter().chain(items).copied().collect();
        if is_same(&(self.judge)(&self.sorted.without(&without)), self.result) {
            self.unused = without;
            return;
        }
        let half = items.len().div_ceil(2);
        if let Some((first, second)) = items.split_at_checked(half).filter(|_| items.len() > 1) {
            self.halve(first);
            self.halve(second);
        }
    }
}

/// The same verdict for the same reasons. Notes may name what was passed over.
fn is_same(one: &AttestationResult, other: &AttestationResult) -> bool {
    one.status == other.status
        && one.checks == other.checks
        && one.claims == other.claims
        && one.not_after == other.not_after
}
