//! The numbers of two tensors beside each other, some rows at a time.

use serde::Serialize;

use super::rounding::Rounding;
use crate::model::Tensor;
use crate::model::quantize::encode::row_length;

/// Numbers compared at a time, at least a row.
const BLOCK: usize = 1 << 18;

/// Bounds are computed in f32, as the numbers were.
const SLACK: f32 = 1.0 + 1e-5;

/// How far apart the numbers of two tensors are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    /// The largest difference.
    pub largest: f64,
    /// The mean of the differences' magnitudes.
    pub mean: f64,
    /// The length of the difference as a vector, as part of the first tensor's length; none where that is zero.
    pub relative: Option<f64>,
    /// The cosine of the angle between the two as vectors; none where one of them is zero.
    pub cosine: Option<f64>,
}

/// What errors are computed from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    count: u64,
    unequal: u64,
    /// Those farther apart than rounding explains.
    apart: u64,
    largest: f64,
    differences: f64,
    squares: f64,
    one: f64,
    other: f64,
    both: f64,
}

impl Sums {
    pub(super) fn add(&mut self, more: &Sums) {
        self.count += more.count;
        self.unequal += more.unequal;
        self.apart += more.apart;
        self.largest = self.largest.max(more.largest);
        self.differences += more.differences;
        self.squares += more.squares;
        self.one += more.one;
        self.other += more.other;
        self.both += more.both;
    }

    fn push(&mut self, one: f32, other: f32, bound: f32) {
        let (a, b) = (f64::from(one), f64::from(other));
        self.count += 1;
        self.one += a * a;
        self.other += b * b;
        self.both += a * b;
        if one == other || (one.is_nan() && other.is_nan()) {
            return;
        }
        let difference = (a - b).abs();
        // What is not a number is as far apart from one as can be.
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        self.unequal += 1;
        self.apart += u64::from(difference > f64::from(bound * SLACK));
        self.largest = self.largest.max(difference);
        self.differences += difference;
        self.squares += difference * difference;
    }

    pub(super) fn is_equal(&self) -> bool {
        self.unequal == 0
    }

    pub(super) fn is_rounded(&self) -> bool {
        self.apart == 0
    }

    pub(super) fn errors(&self) -> Errors {
        let lengths = (self.one * self.other).sqrt();
        let cosine = if self.unequal == 0 { 1.0 } else { (self.both / lengths).clamp(-1.0, 1.0) };
        Errors {
            largest: self.largest,
            mean: if self.count == 0 { 0.0 } else { self.differences / self.count as f64 },
            relative: (self.one > 0.0).then(|| (self.squares / self.one).sqrt()),
            cosine: (lengths > 0.0).then_some(cosine),
        }
    }
}

/// Compares two tensors of one shape.
pub(super) fn compare(one: &Tensor<'_>, other: &Tensor<'_>) -> Sums {
    let inputs = row_length(one.shape);
    let together = (BLOCK / inputs).max(1) * inputs;
    let count = one.count();
    let mut room = [(); 4].map(|()| vec![0.0; together.min(count)]);
    let (stored, roundings) = ([one.stored(), other.stored()], [Rounding::of(one), Rounding::of(other)]);
    let mut sums = Sums::default();
    for start in (0..count).step_by(together) {
        let length = together.min(count - start);
        let [a, b, bounds, more] = room.each_mut().map(|room| &mut room[..length]);
        stored[0].read(start, a);
        stored[1].read(start, b);
        // The first's numbers may be rounded ones of the second's, and the other way round.
        roundings[0].bounds(start, b, bounds);
        roundings[1].bounds(start, a, more);
        for (((a, b), bound), more) in a.iter().zip(&*b).zip(&*bounds).zip(&*more) {
            sums.push(*a, *b, bound + more);
        }
    }
    sums
}
