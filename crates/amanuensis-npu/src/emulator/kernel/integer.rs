//! Integers: 32-bit sums that wrap, in whatever order.

use super::{Kernel, Sides};

/// Unpacks words into numbers.
type Unpack = fn(&[u32], &mut Vec<i16>);

pub(super) fn bytes(words: &[u32], numbers: &mut Vec<i16>) {
    numbers.extend(words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| i16::from(byte as i8)));
}

pub(super) fn halves(words: &[u32], numbers: &mut Vec<i16>) {
    numbers.extend(words.iter().flat_map(|word| [*word as i16, (*word >> 16) as i16]));
}

pub(super) struct Integer {
    sides: Sides,
    unpack: Unpack,
    left: Vec<i16>,
    right: Vec<i16>,
    /// The right tile column by column: sums run along memory.
    turned: Vec<i16>,
    sums: Vec<i32>,
}

impl Integer {
    pub(super) fn new(sides: Sides, unpack: Unpack) -> Self {
        let (turned, sums) = (vec![0; sides.inner * sides.columns], vec![0; sides.rows * sides.columns]);
        Self { sides, unpack, left: Vec::new(), right: Vec::new(), turned, sums }
    }
}

impl Kernel for Integer {
    fn begin(&mut self) {
        self.sums.fill(0);
    }

    fn accumulate(&mut self, activations: &[u32], weights: &[u32]) {
        let Sides { inner, columns, .. } = self.sides;
        self.left.clear();
        self.right.clear();
        (self.unpack)(activations, &mut self.left);
        (self.unpack)(weights, &mut self.right);
        for (row, numbers) in self.right.chunks_exact(columns).enumerate() {
            self.turned.iter_mut().skip(row).step_by(inner).zip(numbers).for_each(|(place, number)| *place = *number);
        }
        for (row, sums) in self.left.chunks_exact(inner).zip(self.sums.chunks_exact_mut(columns)) {
            for (column, sum) in self.turned.chunks_exact(inner).zip(sums) {
                let products =
                    row.iter().zip(column).map(|(one, other)| i32::from(*one).wrapping_mul(i32::from(*other)));
                *sum = sum.wrapping_add(products.fold(0, i32::wrapping_add));
            }
        }
    }

    fn store(&mut self, results: &mut Vec<u32>) {
        results.extend(self.sums.iter().map(|sum| *sum as u32));
    }
}
