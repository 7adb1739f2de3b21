//! Numbers that count scales, where the scales do not follow the order in which the numbers are stored.

use std::ops::Range;

use amanuensis_kernels::Code;

use super::Encoding;

/// A number is (inner - zero) x scale. Scales, and zeros where there are any, go with the numbers as they are meant, `run`
/// numbers to a scale, in whatever order `inner` finds them: with the row's length as the run and a
/// [`Transposed`](super::Transposed) inside, every row of a matrix that is stored column by column has its scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Rescaled {
    /// How the numbers are written that are scaled.
    pub inner: Box<Encoding>,
    /// How many numbers share a scale.
    pub run: usize,
    /// What one counts, for every run.
    pub scales: Vec<f32>,
    /// The number that stands for nothing, for every run; empty where it is 0 everywhere.
    pub zeros: Vec<i32>,
}

impl Rescaled {
    pub(super) fn bytes(&self, count: usize) -> Option<usize> {
        let runs = count.checked_div(self.run)?;
        let fits = count == runs.checked_mul(self.run)?
            && runs == self.scales.len()
            && (self.zeros.is_empty() || self.zeros.len() == runs);
        if fits { self.inner.bytes(count) } else { None }
    }

    pub(super) fn span(&self, range: Range<usize>) -> Option<Range<usize>> {
        self.inner.span(range)
    }

    /// As [`Code::decode`].
    pub(super) fn decode(&self, bytes: &[u8], start: usize, into: &mut [f32]) {
        self.inner.decode(bytes, start, into);
        let mut done = 0;
        while done < into.len() {
            let at = start + done;
            let run = at / self.run;
            let length = (self.run - at % self.run).min(into.len() - done);
            let (scale, zero) = (self.scales[run], self.zeros.get(run).map_or(0.0, |zero| *zero as f32));
            into[done..done + length].iter_mut().for_each(|number| *number = (*number - zero) * scale);
            done += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scaled, Transposed, Whole};
    use super::*;

    #[test]
    fn rows_of_a_matrix_in_columns_have_their_scales() {
        let bytes = [1_u8, 2, 255, 4, 5, 6];
        let whole = Scaled { whole: Whole::I8, run: 6, scales: vec![1.0], zeros: Vec::new() };
        let inner = Transposed { inner: Box::new(Encoding::Scaled(whole)), rows: 2, columns: 3 };
        let inner = Box::new(Encoding::Transposed(inner));
        let mut rescaled = Rescaled { inner, run: 3, scales: vec![10.0, 0.5], zeros: vec![1, 0] };
        let all = [0.0, -20.0, 40.0, 1.0, 2.0, 3.0];
        for start in 0..=6 {
            for end in start..=6 {
                let mut into = vec![0.0; end - start];
                rescaled.decode(&bytes, start, &mut into);
                assert_eq!(into, all[start..end]);
            }
        }
        assert_eq!((rescaled.bytes(6), rescaled.bytes(9), rescaled.bytes(7)), (Some(6), None, None));
        rescaled.zeros.pop();
        assert_eq!(rescaled.bytes(6), None);
    }
}
