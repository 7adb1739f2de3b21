//! The distance between two sequences, and which elements of them answer each other.
//!
//! Of all alignments with the fewest errors the one with the most hits counts. That makes the numbers of substitutions,
//! deletions and insertions facts of the two sequences, not of the path that an implementation happens to take.

use serde::Serialize;

/// The cost of one error, in hits: more than a sequence has elements, so that errors decide before hits do.
const ERROR: i64 = 1 << 32;

/// Errors between a reference and what was heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Edits {
    /// Elements of the reference that were heard.
    pub(crate) hits: usize,
    /// Elements heard as something else.
    pub(crate) substitutions: usize,
    /// Elements of the reference that were not heard.
    pub(crate) deletions: usize,
    /// Elements heard that the reference does not have.
    pub(crate) insertions: usize,
}

impl Edits {
    /// Counts them, in memory of the shorter length and time of the longer one multiplied by the errors: texts that are
    /// nearly the same are compared fast, however long they are.
    pub(crate) fn between<T: PartialEq>(reference: &[T], heard: &[T]) -> Edits {
        let (long, short) = if reference.len() < heard.len() { (heard, reference) } else { (reference, heard) };
        let mut band = (long.len() - short.len()).max(1);
        let (errors, hits) = loop {
            let score = score_within(long, short, band);
            let errors = score.div_euclid(ERROR) + i64::from(score.rem_euclid(ERROR) != 0);
            // A path with so many errors leaves the diagonal by no more, so all the best ones lie in the band.
            if errors as usize <= band || band >= long.len() {
                break (errors as usize, (errors * ERROR - score) as usize);
            }
            band *= 2;
        };
        // Every element of the reference is hit, substituted or deleted, every one heard hit, substituted or inserted.
        let insertions = errors - (reference.len() - hits);
        let deletions = errors - (heard.len() - hits);
        Edits { hits, substitutions: errors - insertions - deletions, deletions, insertions }
    }

    /// Elements of the reference.
    pub(crate) fn reference(&self) -> usize {
        self.hits + self.substitutions + self.deletions
    }

    /// Errors of every kind.
    pub(crate) fn errors(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// Errors for each element of the reference; none where the reference is empty.
    pub(crate) fn rate(&self) -> Option<f64> {
        (self.reference() > 0).then(|| self.errors() as f64 / self.reference() as f64)
    }
}

impl std::ops::AddAssign for Edits {
    fn add_assign(&mut self, other: Edits) {
        self.hits += other.hits;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }
}

/// Positions in both sequences of the elements that match in the best alignment, rising in both.
///
/// Divides the reference in halves until one element is left (Hirschberg), so that memory grows with the lengths and
/// not with their product: an hour of speech has ten thousand words.
pub(crate) fn matches<T: PartialEq>(reference: &[T], heard: &[T]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    divide(reference, heard, (0, 0), &mut pairs);
    pairs
}

fn divide<T: PartialEq>(reference: &[T], heard: &[T], at: (usize, usize), pairs: &mut Vec<(usize, usize)>) {
    match reference {
        [] => {}
        [only] => {
            if let Some(position) = heard.iter().position(|element| element == only) {
                pairs.push((at.0, at.1 + position));
            }
        }
        _ => {
            let (before, behind) = reference.split_at(reference.len() / 2);
            let forward = last_row(before.iter(), heard.iter());
            let backward = last_row(behind.iter().rev(), heard.iter().rev());
            let cost = |split: &usize| forward[*split] + backward[heard.len() - split];
            let split = (0..=heard.len()).min_by_key(cost).unwrap_or_default();
            divide(before, &heard[..split], at, pairs);
            divide(behind, &heard[split..], (at.0 + before.len(), at.1 + split), pairs);
        }
    }
}

/// The least score of a path from corner to corner that leaves the diagonal by `band` at most.
fn score_within<T: PartialEq>(rows: &[T], columns: &[T], band: usize) -> i64 {
    const OUTSIDE: i64 = i64::MAX / 2;
    let start = |column: usize| if column <= band { column as i64 * ERROR } else { OUTSIDE };
    let mut scores: Vec<i64> = (0..=columns.len()).map(start).collect();
    for (row, element) in (1_usize..).zip(rows) {
        let first = row.saturating_sub(band).max(1);
        let last = (row + band).min(columns.len());
        let mut above_left = scores[first - 1];
        scores[first - 1] = if first == 1 { start(row) } else { OUTSIDE };
        for column in first..=last {
            let above = scores[column];
            let answered = above_left + if *element == columns[column - 1] { -1 } else { ERROR };
            scores[column] = answered.min(above + ERROR).min(scores[column - 1] + ERROR);
            above_left = above;
        }
    }
    scores[columns.len()]
}

/// The least score between all of `rows` and every beginning of `columns`: an error costs [`ERROR`], a hit gives 1.
fn last_row<'a, T: PartialEq + 'a>(
    rows: impl Iterator<Item = &'a T>,
    columns: impl ExactSizeIterator<Item = &'a T> + Clone,
) -> Vec<i64> {
    let mut scores: Vec<i64> = (0..=columns.len() as i64).map(|errors| errors * ERROR).collect();
    for row in rows {
        let mut above_left = scores[0];
        scores[0] += ERROR;
        for (index, column) in columns.clone().enumerate() {
            let above = scores[index + 1];
            let answered = above_left + if row == column { -1 } else { ERROR };
            scores[index + 1] = answered.min(above + ERROR).min(scores[index] + ERROR);
            above_left = above;
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fewest errors and most hits, by the full matrix of pairs compared in this order.
    fn by_matrix(reference: &[u8], heard: &[u8]) -> (usize, usize) {
        let mut best = vec![vec![(0_usize, 0_usize); heard.len() + 1]; reference.len() + 1];
        for i in 0..=reference.len() {
            for j in 0..=heard.len() {
                let mut ways = Vec::new();
                if i > 0 {
                    ways.push((best[i - 1][j].0 + 1, best[i - 1][j].1));
                }
                if j > 0 {
                    ways.push((best[i][j - 1].0 + 1, best[i][j - 1].1));
                }
                if i > 0 && j > 0 {
                    let same = reference[i - 1] == heard[j - 1];
                    let (errors, hits) = best[i - 1][j - 1];
                    ways.push((errors + usize::from(!same), hits + usize::from(same)));
                }
                let order = |way: &(usize, usize)| (way.0, std::cmp::Reverse(way.1));
                best[i][j] = ways.into_iter().min_by_key(order).unwrap_or_default();
            }
        }
        best[reference.len()][heard.len()]
    }

    fn letters(length: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0_u8..4, 0..length)
    }

    proptest! {
        #[test]
        fn errors_and_hits_are_those_of_the_full_matrix(reference in letters(24), heard in letters(24)) {
            let edits = Edits::between(&reference, &heard);
            prop_assert_eq!((edits.errors(), edits.hits), by_matrix(&reference, &heard));
            prop_assert_eq!(edits.reference(), reference.len());
            prop_assert_eq!(edits.hits + edits.substitutions + edits.insertions, heard.len());
        }

        #[test]
        fn matching_pairs_are_the_hits_in_order(reference in letters(24), heard in letters(24)) {
            let pairs = matches(&reference, &heard);
            prop_assert_eq!(pairs.len(), Edits::between(&reference, &heard).hits);
            prop_assert!(pairs.iter().all(|&(i, j)| reference[i] == heard[j]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
        }

        #[test]
        fn swapping_the_sides_swaps_what_was_lost_and_what_was_added(one in letters(24), other in letters(24)) {
            let (there, back) = (Edits::between(&one, &other), Edits::between(&other, &one));
            prop_assert_eq!((there.deletions, there.substitutions), (back.insertions, back.substitutions));
        }
    }

    #[test]
    fn errors_are_counted_by_kind() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let edits = Edits::between(&words("please check the server now"), &words("please chuck the the server"));
        assert_eq!(edits, Edits { hits: 3, substitutions: 1, deletions: 1, insertions: 1 });
        assert_eq!(edits.rate(), Some(0.6));
        let invented = Edits::between(&[], &words("thank you"));
        assert_eq!((invented.insertions, invented.rate()), (2, None));
        assert_eq!(Edits::between::<u8>(&[], &[]), Edits::default());
    }
}
