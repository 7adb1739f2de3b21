//! Which bytes of a piece of memory are free: first fit, neighbours join when they are given back.

use std::collections::BTreeMap;
use std::ops::Range;

/// Everything begins at a line of the caches, so that flushing one thing never touches another.
pub(super) const LINE: usize = 64;

/// The free ranges of a piece of memory, first byte to end. Two never touch.
#[derive(Debug)]
pub(super) struct Arena {
    size: usize,
    free: BTreeMap<usize, usize>,
}

impl Arena {
    pub(super) fn new(size: usize) -> Self {
        Self { size, free: BTreeMap::from([(0, size)]) }
    }

    /// Takes a range for so many bytes, rounded up to lines.
    pub(super) fn take(&mut self, bytes: usize) -> Option<Range<usize>> {
        let length = bytes.max(1).checked_next_multiple_of(LINE)?;
        let (&start, &end) = self.free.iter().find(|(start, end)| *end - *start >= length)?;
        self.free.remove(&start);
        if start + length < end {
            self.free.insert(start + length, end);
        }
        Some(start..start + length)
    }

    /// Gives a range back that was taken.
    pub(super) fn give(&mut self, range: Range<usize>) {
        let Range { mut start, mut end } = range;
        if let Some(after) = self.free.remove(&end) {
            end = after;
        }
        if let Some((&before, _)) = self.free.range(..start).next_back().filter(|(_, free_end)| **free_end == start) {
            self.free.remove(&before);
            start = before;
        }
        self.free.insert(start, end);
    }

    /// Bytes that are free, and in how many pieces.
    pub(super) fn free(&self) -> (usize, usize) {
        (self.free.iter().map(|(start, end)| end - start).sum(), self.free.len())
    }

    /// Whether nothing is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.free.get(&0) == Some(&self.size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_is_given_twice_and_all_comes_back(wanted in prop::collection::vec((0..700usize, any::<bool>()), 1..60)) {
            let mut arena = Arena::new(4096);
            let mut taken: Vec<Range<usize>> = Vec::new();
            for (bytes, back) in wanted {
                match arena.take(bytes) {
                    Some(range) => {
                        prop_assert!(range.start % LINE == 0 && range.len() >= bytes && range.end <= 4096);
                        prop_assert!(taken.iter().all(|other| other.end <= range.start || range.end <= other.start));
                        taken.push(range);
                    }
                    None => prop_assert!(arena.free.iter().all(|(start, end)| end - start < bytes.max(1))),
                }
                if back && !taken.is_empty() {
                    arena.give(taken.swap_remove(bytes % taken.len()));
                }
                let held: usize = taken.iter().map(Range::len).sum();
                prop_assert_eq!(arena.free().0, 4096 - held);
            }
            taken.into_iter().for_each(|range| arena.give(range));
            prop_assert!(arena.is_empty());
        }
    }
}
