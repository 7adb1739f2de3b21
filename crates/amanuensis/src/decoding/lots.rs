//! Lots: what sampling draws.

use crate::backend::scores::{best, exponential};

/// The lots that sampling draws: the same for the same seed, on every machine and in every version.
///
/// SplitMix64, which a crate would not promise to keep.
pub(super) struct Lots {
    state: u64,
    weights: Vec<f32>,
}

impl Lots {
    pub(super) fn new(seed: u64) -> Self {
        Lots { state: seed, weights: Vec::new() }
    }

    /// A number from 0 to below 1.
    fn number(&mut self) -> f64 {
        self.state = mixed(self.state);
        (self.state_bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn state_bits(&self) -> u64 {
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Draws an index, each as probable as the softmax of the logits over `temperature` says.
    pub(super) fn draw(&mut self, logits: &[f32], temperature: f32) -> usize {
        let (greatest, top) = best(logits);
        self.weights.clear();
        self.weights.extend(logits.iter().map(|logit| (logit - top) / temperature));
        exponential(&mut self.weights);
        let total: f64 = self.weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut left = self.number() * total;
        for (index, &weight) in self.weights.iter().enumerate() {
            left -= f64::from(weight);
            if left < 0.0 && weight > 0.0 {
                return index;
            }
        }
        greatest
    }
}

/// The state that follows a state.
fn mixed(state: u64) -> u64 {
    state.wrapping_add(0x9e37_79b9_7f4a_7c15)
}

/// The seed of one piece of work among many: a window of a recording at one temperature.
pub(super) fn seed_of(seed: u64, window: u64, attempt: u64) -> u64 {
    let lots = |state: u64| Lots::new(mixed(state)).state_bits();
    lots(lots(seed ^ window.rotate_left(32)) ^ attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_as_probabilities_say() {
        let logits = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 5.0_f32.ln()];
        let mut lots = Lots::new(7);
        let mut counts = [0; 4];
        for _ in 0..8000 {
            counts[lots.draw(&logits, 1.0)] += 1;
        }
        for (count, expected) in counts.iter().zip([1000, 2000, 0, 5000]) {
            assert!((i32::abs(count - expected)) < 200, "{counts:?}");
        }
        let mut cold = Lots::new(7);
        assert!((0..100).all(|_| cold.draw(&logits, 0.05) == 3), "the colder, the more certain");
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let logits: Vec<f32> = (0..50).map(|n| (n as f32 * 0.7).sin()).collect();
        let drawn = |seed| {
            let mut lots = Lots::new(seed);
            (0..20).map(|_| lots.draw(&logits, 1.0)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert_ne!(seed_of(0, 1, 0), seed_of(0, 0, 1));
    }
}
