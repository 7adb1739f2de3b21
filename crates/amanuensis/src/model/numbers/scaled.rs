//! Whole numbers of few bits, each of which counts the scale that it shares with its neighbours.

use std::fmt;
use std::ops::Range;

/// What the whole numbers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// A byte each, with a sign.
    I8,
    /// A byte each, without one.
    U8,
    /// Two in a byte, the first in its lower half, each stored 8 higher.
    I4,
}

/// A number is (whole - zero) x scale. Scales, and zeros where there are any, go with the numbers in order: `run`
/// numbers to a scale. With the row's length as the run every output has its scale, with all numbers as the run there is one
/// scale, with 32 as the run there are groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled {
    /// What the numbers are written in.
    pub whole: Whole,
    /// How many numbers share a scale.
    pub run: usize,
    /// What one counts, for every run.
    pub scales: Vec<f32>,
    /// The whole number that stands for nothing, for every run; empty where it is 0 everywhere.
    pub zeros: Vec<i32>,
}

impl Scaled {
    pub(super) fn bytes(&self, count: usize) -> Option<usize> {
        let runs = count.checked_div(self.run)?;
        let fits = count == runs.checked_mul(self.run)?
            && runs == self.scales.len()
            && (self.zeros.is_empty() || self.zeros.len() == runs);
        match self.whole {
            Whole::I8 | Whole::U8 => fits.then_some(count),
            Whole::I4 => (fits && self.run.is_multiple_of(2)).then_some(count / 2),
        }
    }

    pub(super) fn span(&self, range: Range<usize>) -> Range<usize> {
        match self.whole {
            Whole::I8 | Whole::U8 => range,
            Whole::I4 => range.start / 2..range.end.div_ceil(2),
        }
    }

    /// As [`amanuensis_kernels::Code::decode`].
    pub(super) fn decode(&self, bytes: &[u8], start: usize, into: &mut [f32]) {
        let mut done = 0;
        while done < into.len() {
            let at = start + done;
            let run = at / self.run;
            let length = (self.run - at % self.run).min(into.len() - done);
            let (scale, zero) = (self.scales[run], self.zeros.get(run).map_or(0.0, |zero| *zero as f32));
            let numbers = &mut into[done..done + length];
            match self.whole {
                Whole::I8 => {
                    for (number, byte) in numbers.iter_mut().zip(&bytes[done..]) {
                        *number = (f32::from(*byte as i8) - zero) * scale;
                    }
                }
                Whole::U8 => {
                    for (number, byte) in numbers.iter_mut().zip(&bytes[done..]) {
                        *number = (f32::from(*byte) - zero) * scale;
                    }
                }
                Whole::I4 => {
                    for (place, number) in numbers.iter_mut().enumerate() {
                        let place = start % 2 + done + place;
                        let half = bytes[place / 2] >> (4 * (place % 2)) & 15;
                        *number = (f32::from(half) - 8.0 - zero) * scale;
                    }
                }
            }
            done += length;
        }
    }
}

impl fmt::Display for Scaled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.whole {
            Whole::I8 => "I8",
            Whole::U8 => "U8",
            Whole::I4 => "I4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(scaled: &Scaled, bytes: &[u8], range: Range<usize>) -> Vec<f32> {
        let mut into = vec![0.0; range.len()];
        scaled.decode(&bytes[scaled.span(range.clone())], range.start, &mut into);
        into
    }

    #[test]
    fn every_run_has_its_scale_and_zero_wherever_reading_begins() {
        let bytes = [1_u8, 255, 3, 128, 5, 6];
        let signed = Scaled { whole: Whole::I8, run: 3, scales: vec![0.5, 2.0], zeros: vec![] };
        assert_eq!(read(&signed, &bytes, 0..6), [0.5, -0.5, 1.5, -256.0, 10.0, 12.0]);
        assert_eq!(read(&signed, &bytes, 2..4), [1.5, -256.0]);
        let unsigned = Scaled { whole: Whole::U8, run: 6, scales: vec![1.0], zeros: vec![128] };
        assert_eq!(read(&unsigned, &bytes, 1..4), [127.0, -125.0, 0.0]);
        let halves = Scaled { whole: Whole::I4, run: 4, scales: vec![1.0, 10.0, 100.0], zeros: vec![] };
        let all = [-7.0, -8.0, 7.0, 7.0, -50.0, -80.0, -80.0, 0.0, -300.0, -800.0, -200.0, -800.0];
        assert_eq!(read(&halves, &bytes, 0..12), all);
        for start in 0..12 {
            for end in start..12 {
                assert_eq!(read(&halves, &bytes, start..end), all[start..end]);
            }
        }
    }

    #[test]
    fn numbers_that_do_not_fill_their_runs_have_no_size() {
        let mut scaled = Scaled { whole: Whole::I8, run: 3, scales: vec![1.0; 2], zeros: vec![] };
        assert_eq!((scaled.bytes(6), scaled.bytes(5), scaled.bytes(9)), (Some(6), None, None));
        scaled.zeros = vec![1];
        assert_eq!(scaled.bytes(6), None);
        scaled.run = 0;
        assert_eq!(scaled.bytes(0), None);
    }
}
