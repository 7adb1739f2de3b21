//! bf16: products are summed in f32, block by block of what an instruction sums at a time, and rounded when the tile is stored. Numbers
//! with a shared exponent are rounded to their 8 bits before that.

use half::bf16;

use super::{Kernel, Sides};
use crate::plan::{Arithmetic, Element, Overlay, Rounding};

/// Numbers that share an exponent.
const BLOCK: usize = 8;
/// Columns whose sums a processor keeps in registers.
const STRIP: usize = 16;
/// Bits of such a number without its sign.
const MANTISSA: i32 = 7;

pub(super) struct Float {
    sides: Sides,
    /// What an instruction sums at a time.
    block: usize,
    shared: bool,
    rounding: Rounding,
    output: Element,
    left: Vec<f32>,
    right: Vec<f32>,
    sums: Vec<f32>,
}

impl Float {
    pub(super) fn new(sides: Sides, overlay: &Overlay) -> Self {
        Self {
            sides,
            block: overlay.micro.s.max(1),
            shared: overlay.operands.arithmetic == Arithmetic::BlockFloat,
            rounding: overlay.rounding,
            output: overlay.operands.output,
            left: Vec::new(),
            right: Vec::new(),
            sums: vec![0.0; sides.rows * sides.columns],
        }
    }
}

impl Kernel for Float {
    fn begin(&mut self) {
        self.sums.fill(0.0);
    }

    fn accumulate(&mut self, activations: &[u32], weights: &[u32]) {
        let Sides { inner, columns, .. } = self.sides;
        unpack(activations, &mut self.left);
        unpack(weights, &mut self.right);
        if self.shared {
            for row in self.left.chunks_exact_mut(inner) {
                row.chunks_mut(BLOCK).for_each(|block| share(block.iter_mut(), self.rounding));
            }
            for rows in self.right.chunks_mut(BLOCK * columns) {
                for column in 0..columns {
                    share(rows.iter_mut().skip(column).step_by(columns), self.rounding);
                }
            }
        }
        for (row, sums) in self.left.chunks_exact(inner).zip(self.sums.chunks_exact_mut(columns)) {
            let blocks = row.chunks(self.block).zip(self.right.chunks(self.block * columns));
            for (left, right) in blocks {
                for start in (0..columns).step_by(STRIP) {
                    let strip = start..(start + STRIP).min(columns);
                    let partial = strip_of(left, right, columns, strip.clone());
                    sums[strip].iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
                }
            }
        }
    }

    fn store(&mut self, results: &mut Vec<u32>) {
        if self.output == Element::F32 {
            results.extend(self.sums.iter().map(|sum| sum.to_bits()));
            return;
        }
        let round = |sum: f32| u32::from(narrow(sum, self.rounding).to_bits());
        results.extend(self.sums.as_chunks::<2>().0.iter().map(|[low, high]| round(*low) | round(*high) << 16));
    }
}

/// What an instruction sums, for some columns: a few numbers of a row times as many lines.
fn strip_of(left: &[f32], right: &[f32], columns: usize, strip: std::ops::Range<usize>) -> [f32; STRIP] {
    let mut partial = [0.0; STRIP];
    for (factor, line) in left.iter().zip(right.chunks_exact(columns)) {
        let line = &line[strip.clone()];
        match <&[f32; STRIP]>::try_from(line) {
            Ok(line) => partial.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value),
            Err(_) => partial.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value),
        }
    }
    partial
}

fn unpack(words: &[u32], numbers: &mut Vec<f32>) {
    numbers.clear();
    numbers.extend(words.iter().flat_map(|word| [f32::from_bits(word << 16), f32::from_bits(word & 0xFFFF_0000)]));
}

/// Rounds to bf16.
fn narrow(value: f32, rounding: Rounding) -> bf16 {
    if rounding == Rounding::ConvergentEven || !value.is_finite() {
        return bf16::from_f32(value);
    }
    let bits = value.to_bits();
    // Cutting bits off goes towards zero, which is up for what is negative.
    let lower = u32::from(value.is_sign_negative() && bits & 0xFFFF != 0);
    bf16::from_bits(((bits >> 16) + lower) as u16)
}

/// Rounds numbers to 8 bits with the exponent of the largest.
fn share<'a>(block: impl Iterator<Item = &'a mut f32>, rounding: Rounding) {
    let mut places: [Option<&mut f32>; BLOCK] = [const { None }; BLOCK];
    places.iter_mut().zip(block).for_each(|(place, value)| *place = Some(value));
    let values = || places.iter().flatten();
    let largest = values().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 || !values().all(|value| value.is_finite()) {
        return;
    }
    // bf16 goes down to 2^-133 without a leading bit; nothing is lost below that.
    let exponent = ((largest.to_bits() >> 23) as i32 - 127).max(-120);
    let step = f32::from_bits(((exponent + 1 - MANTISSA + 127) as u32) << 23);
    let most = ((1 << MANTISSA) - 1) as f32;
    for value in places.into_iter().flatten() {
        let scaled = *value / step;
        let whole = if rounding == Rounding::Floor { scaled.floor() } else { scaled.round_ties_even() };
        *value = whole.clamp(-most - 1.0, most) * step;
    }
}
