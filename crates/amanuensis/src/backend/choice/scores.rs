//! Arithmetic on a row of logits, with the kernels of this processor: rows have fifty thousand numbers.

use amanuensis_kernels::Kernels;

use crate::tokens::Token;

/// The index of the greatest value and the value; the first of equal ones.
pub(crate) fn best(logits: &[f32]) -> (usize, f32) {
    let index = Kernels::beside().argmax(logits);
    (index, logits.get(index).copied().unwrap_or(f32::NEG_INFINITY))
}

/// Puts the indices of the `count` greatest values and the values into `greatest`, the greatest first, of equal ones the first
/// first. What is impossible is not among them.
pub(crate) fn best_of(logits: &[f32], count: usize, greatest: &mut Vec<(usize, f32)>) {
    greatest.clear();
    let mut least = f32::NEG_INFINITY;
    for (index, &logit) in logits.iter().enumerate() {
        if logit > least {
            let place = greatest.partition_point(|(_, other)| *other >= logit);
            greatest.insert(place, (index, logit));
            greatest.truncate(count);
            if greatest.len() == count {
                least = greatest[count - 1].1;
            }
        }
    }
}

/// log of the sum of the exponentials; minus infinity for a row without any possible token, and no number where there is none.
pub(crate) fn log_sum_exp(logits: &[f32]) -> f32 {
    let total = Kernels::beside().log_sum_exp(logits);
    // The kernels pass over what is not a number, and a row of nothing else would be one in which nothing may be said.
    let hidden = total == f32::NEG_INFINITY && logits.iter().any(|logit| logit.is_nan());
    if hidden { f32::NAN } else { total }
}

/// The probability of a token among all; 0 if there is no such token.
pub(crate) fn probability(token: Token, logits: &[f32]) -> f32 {
    logits.get(token as usize).map_or(0.0, |logit| (logit - log_sum_exp(logits)).exp())
}

/// The exponential of every number, in place.
pub(crate) fn exponential(numbers: &mut [f32]) {
    Kernels::beside().exponential(numbers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_of_equal_ones_the_first() {
        let row = [0.0, 3.0, f32::NEG_INFINITY, 3.0, 5.0, 1.0];
        assert_eq!(best(&row), (4, 5.0));
        let mut greatest = Vec::new();
        best_of(&row, 3, &mut greatest);
        assert_eq!(greatest, [(4, 5.0), (1, 3.0), (3, 3.0)]);
        best_of(&row, 9, &mut greatest);
        assert_eq!(greatest.len(), 5, "what is impossible is not offered");
    }
}
