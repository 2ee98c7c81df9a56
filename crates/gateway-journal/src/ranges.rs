//! Sets of numbers, stored as ranges, so that a range of any length takes the memory of one.

use std::collections::BTreeMap;

/// A set of numbers. Its ranges do not touch each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// The number of ranges.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether any of these numbers is in the set.
    pub(crate) fn has_any(&self, first: u64, last: u64) -> bool {
        self.0.range(..=last).next_back().is_some_and(|(_, end)| *end >= first)
    }

    /// Whether all of these numbers are in the set.
    pub(crate) fn has_all(&self, first: u64, last: u64) -> bool {
        self.0.range(..=first).next_back().is_some_and(|(_, end)| *end >= last)
    }

    /// Adds numbers, none of which is in the set.
    pub(crate) fn insert(&mut self, mut first: u64, mut last: u64) {
        let before = self.0.range(..first).next_back();
        if let Some((&start, _)) = before.filter(|(_, end)| end.checked_add(1) == Some(first)) {
            first = start; // replaced below
        }
        if let Some(end) = last.checked_add(1).and_then(|next| self.0.remove(&next)) {
            last = end;
        }
        self.0.insert(first, last);
    }

    /// Removes those of these numbers that are in the set.
    pub(crate) fn remove(&mut self, first: u64, last: u64) {
        while let Some((&start, &end)) = self.0.range(..=last).next_back()
            && end >= first
        {
            self.0.remove(&start);
            if let Some(after) = last.checked_add(1).filter(|after| *after <= end) {
                self.0.insert(after, end);
            }
            if let Some(before) = first.checked_sub(1).filter(|before| start <= *before) {
                self.0.insert(start, before);
            }
        }
    }

    /// Removes the lowest range.
    pub(crate) fn remove_lowest(&mut self) {
        self.0.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set_of_numbers(
            steps in prop::collection::vec((any::<bool>(), 0..30_u64, 0..6_u64), 0..60),
            shift in prop::sample::select(vec![0, u64::MAX - 35]),
        ) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (adds, first, more) in steps {
                let (first, last) = (first + shift, first + shift + more);
                let numbers = || first..=last;
                let held = numbers().filter(|number| set.contains(number)).count() as u64;
                prop_assert_eq!(ranges.has_any(first, last), held > 0);
                prop_assert_eq!(ranges.has_all(first, last), held == more + 1);
                if !adds {
                    ranges.remove(first, last);
                    set.retain(|number| !numbers().contains(number));
                } else if held == 0 {
                    ranges.insert(first, last);
                    set.extend(numbers());
                }
                let runs = set.iter().filter(|number| !set.contains(&number.wrapping_sub(1)));
                prop_assert_eq!(ranges.count(), runs.count());
            }
        }
    }

    #[test]
    fn all_numbers_are_one_range() {
        let mut ranges = Ranges::default();
        ranges.insert(1, u64::MAX);
        assert!(ranges.has_all(1, u64::MAX) && !ranges.has_any(0, 0));
        ranges.remove(0, u64::MAX);
        assert_eq!(ranges.count(), 0);
    }
}
