//! What the numbers of a tensor are like, as far as it matters to who wants to write them in fewer bits.

use std::convert::Infallible;

use serde::Serialize;

use crate::model::Tensor;
use crate::model::quantize::encode::{for_blocks, row_length};

/// Beyond so many standard deviations from the mean a number is an outlier.
pub const OUTLIER: f64 = 6.0;

/// The numbers of a tensor in a few.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// The smallest number.
    pub min: f64,
    /// The largest number.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub std: f64,
    /// The share of numbers farther than [`OUTLIER`] standard deviations from the mean.
    pub outliers: f64,
    /// How many numbers are infinite or not numbers. The other figures leave them out.
    pub not_finite: u64,
    /// The largest magnitude of all outputs, as a multiple of the median output's: one scale for the whole tensor loses so
    /// much. None for a vector.
    pub output_ratio: Option<f64>,
    /// The same for inputs: one scale for an output loses so much, and smoothing may regain it.
    pub input_ratio: Option<f64>,
}

/// Describes the numbers of a tensor that holds weights, some rows at a time, in two passes.
pub fn statistics(tensor: &Tensor<'_>) -> Statistics {
    let inputs = row_length(tensor.shape);
    let (mut min, mut max, mut sum, mut squares) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
    let (mut finite, mut not_finite) = (0_u64, 0_u64);
    let (mut outputs, mut columns) = (Vec::new(), vec![0.0_f32; inputs]);
    let Ok(()) = for_blocks::<Infallible>(tensor, &mut |numbers| {
        for row in numbers.chunks(inputs) {
            let mut largest = 0.0_f32;
            for (number, column) in row.iter().zip(&mut columns) {
                if !number.is_finite() {
                    not_finite += 1;
                    continue;
                }
                let wide = f64::from(*number);
                finite += 1;
                (min, max) = (min.min(wide), max.max(wide));
                sum += wide;
                squares += wide * wide;
                largest = largest.max(number.abs());
                *column = column.max(number.abs());
            }
            outputs.push(largest);
        }
        Ok(())
    });
    let count = finite.max(1) as f64;
    let mean = sum / count;
    let std = (squares / count - mean * mean).max(0.0).sqrt();
    let mut far = 0_u64;
    let Ok(()) = for_blocks::<Infallible>(tensor, &mut |numbers| {
        let beyond = |number: &&f32| (f64::from(**number) - mean).abs() > OUTLIER * std && number.is_finite();
        far += numbers.iter().filter(beyond).count() as u64;
        Ok(())
    });
    let is_matrix = tensor.shape.len() > 1;
    Statistics {
        min: if finite == 0 { 0.0 } else { min },
        max: if finite == 0 { 0.0 } else { max },
        mean,
        std,
        outliers: far as f64 / count,
        not_finite,
        output_ratio: if is_matrix { largest_to_median(outputs) } else { None },
        input_ratio: if is_matrix { largest_to_median(columns) } else { None },
    }
}

fn largest_to_median(mut magnitudes: Vec<f32>) -> Option<f64> {
    magnitudes.sort_by(f32::total_cmp);
    let median = f64::from(*magnitudes.get(magnitudes.len() / 2)?);
    let largest = f64::from(*magnitudes.last()?);
    (median > 0.0).then_some(largest / median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dtype, Encoding};

    fn of(numbers: &[f32], shape: &[usize]) -> Statistics {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        statistics(&Tensor { name: "t", encoding: &Encoding::Plain(Dtype::F32), shape, bytes: &bytes, file: None })
    }

    #[test]
    fn a_matrix_is_described_by_all_its_numbers() {
        let found = of(&[1.0, -2.0, 3.0, 4.0, 0.5, 8.0], &[3, 2]);
        assert_eq!((found.min, found.max), (-2.0, 8.0));
        assert!((found.mean - 14.5 / 6.0).abs() < 1e-12, "{found:?}");
        assert!((found.std - (94.25_f64 / 6.0 - (14.5_f64 / 6.0).powi(2)).sqrt()).abs() < 1e-12, "{found:?}");
        // Outputs 2, 4, 8; inputs 3, 8, of which the upper is the median.
        assert_eq!((found.output_ratio, found.input_ratio), (Some(2.0), Some(1.0)));
        assert_eq!((found.outliers, found.not_finite), (0.0, 0));
    }

    #[test]
    fn what_stands_out_is_counted() {
        let mut numbers: Vec<f32> = (0..200).map(|place| if place % 2 == 0 { 1.0 } else { -1.0 }).collect();
        numbers[17] = -100.0;
        numbers[18] = f32::NAN;
        let found = of(&numbers, &[200]);
        assert_eq!((found.outliers, found.not_finite, found.min, found.max), (1.0 / 199.0, 1, -100.0, 1.0));
        assert_eq!((found.output_ratio, found.input_ratio), (None, None));
        let nothing = of(&[f32::INFINITY; 4], &[2, 2]);
        assert_eq!((nothing.min, nothing.not_finite, nothing.output_ratio), (0.0, 4, None));
    }
}
