//! Sets of tokens that may not be said, on the device: a bit for each token, brought there once.

use std::sync::Arc;

use amanuensis::backend::TokenSet;

use super::rooms::Room;
use crate::driver::{Gpu, GpuError, View, upload};
use crate::kernels::Choose;

/// There is room for so many at least.
const LEAST: usize = 16;

/// The sets that the device has.
pub(super) struct Sets {
    vocabulary: usize,
    room: Room<i32>,
    /// How many sets there is room for.
    capacity: usize,
    /// In the order in which they lie there.
    known: Vec<TokenSet>,
}

impl Sets {
    pub(super) fn new(vocabulary: usize) -> Self {
        Sets { vocabulary, room: Room::new("sets of tokens"), capacity: 0, known: Vec::new() }
    }

    /// Brings those of `wanted` to the device that it does not have. Gives all of them, and the number of each of `wanted`.
    pub(super) fn bring(
        &mut self,
        gpu: &Arc<dyn Gpu>,
        wanted: &[&TokenSet],
    ) -> Result<(View<i32>, Vec<usize>), GpuError> {
        let mut distinct: Vec<&TokenSet> = Vec::new();
        for set in wanted {
            if !distinct.contains(set) {
                distinct.push(set);
            }
        }
        let missing = distinct.iter().filter(|set| !self.known.contains(set)).count();
        if self.known.len() + missing > self.capacity {
            // Nobody says which are not used any more, so all are forgotten but those of this step.
            self.known.clear();
            self.capacity = self.capacity.max(distinct.len().next_power_of_two()).max(LEAST);
        }
        let words = Choose::words(self.vocabulary);
        let all = self.room.ensure(gpu, self.capacity * words)?;
        for set in distinct {
            if !self.known.contains(set) {
                let first = self.known.len() * words;
                upload(&**gpu, all.part(first..first + words), &bits(set, self.vocabulary))?;
                self.known.push(set.clone());
            }
        }
        let number = |set: &&TokenSet| self.known.iter().position(|known| known == *set).unwrap_or(0);
        Ok((all, wanted.iter().map(number).collect()))
    }
}

/// A set as kernels read it.
fn bits(set: &TokenSet, vocabulary: usize) -> Vec<i32> {
    let mut bits = vec![0_u32; Choose::words(vocabulary)];
    for token in set.tokens().iter().map(|token| *token as usize).filter(|token| *token < vocabulary) {
        bits[token / 32] |= 1 << (token % 32);
    }
    bits.into_iter().map(u32::cast_signed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::download;
    use crate::driver::fake::FakeGpu;

    #[test]
    fn a_set_has_a_bit_for_each_token_of_the_vocabulary() {
        assert_eq!(bits(&TokenSet::new([0, 31, 33, 33, 69, 70, 900]), 70), [1 | i32::MIN, 2, 32]);
    }

    #[test]
    fn sets_are_brought_once_and_forgotten_when_there_are_too_many() {
        let gpu: Arc<dyn Gpu> = FakeGpu::new(1 << 20);
        let mut sets = Sets::new(64);
        let one = |token: u32| TokenSet::new([token]);
        let (first, second) = (one(3), one(40));
        let (place, numbers) = sets.bring(&gpu, &[&first, &second, &first]).expect("sets");
        assert_eq!((numbers, sets.known.len()), (vec![0, 1, 0], 2));
        // The same tokens are the same set, whoever names them.
        let (again, numbers) = sets.bring(&gpu, &[&one(40)]).expect("sets");
        assert_eq!((again.address(), numbers, sets.known.len()), (place.address(), vec![1], 2));
        let many: Vec<TokenSet> = (0..20).map(one).collect();
        for some in [&many[..14], &many[..], &many[5..9]] {
            let (place, numbers) = sets.bring(&gpu, &some.iter().collect::<Vec<_>>()).expect("sets");
            for (set, number) in some.iter().zip(numbers) {
                let mut there = vec![0; 2];
                download(&*gpu, place.part(2 * number..2 * number + 2), &mut there).expect("read");
                assert_eq!(there, bits(set, 64));
            }
        }
        assert_eq!((sets.known.len(), sets.capacity), (20, 32));
    }
}
