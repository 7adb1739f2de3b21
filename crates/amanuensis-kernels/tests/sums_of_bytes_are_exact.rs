//! A product of bytes is summed in integers, so every instruction set has to arrive at the same sums of the same bytes to
//! the bit; what follows, the conversion to f32 and the scales, may round.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis_kernels::{Epilogue, Precision, Region, reference};
use common::{every_kernels, everywhere, largest_pair, numbers, same_bytes};
use proptest::prelude::*;

/// `count` rows of `width` whole numbers from -127 to 127. Every row has one of the two limits in it, so that its bytes
/// are these very numbers.
fn rows_of_bytes(seed: u64, count: usize, width: usize) -> Vec<i32> {
    let mut bytes: Vec<i32> =
        numbers(seed, count * width).iter().map(|number| (number * 100.0).clamp(-127.0, 127.0) as i32).collect();
    for (row, bytes) in bytes.chunks_exact_mut(width).enumerate() {
        bytes[(seed as usize + 7 * row) % width] = if row % 2 == 0 { 127 } else { -127 };
    }
    bytes
}

/// The same without the smaller of two neighbours where they are together more than 127: weights that
/// become these very numbers with every instruction set.
fn paired(mut bytes: Vec<i32>, width: usize) -> Vec<i32> {
    for row in bytes.chunks_exact_mut(width) {
        for pair in row.chunks_exact_mut(2).filter(|pair| (pair[0] + pair[1]).abs() > 127) {
            let limit = if pair[0].abs() >= pair[1].abs() { &mut pair[1] } else { &mut pair[0] };
            *limit = 0;
        }
    }
    bytes
}

/// A power of two for every row, which makes scales that round nothing.
fn scale(row: usize) -> f32 {
    [1.0, 0.25, 8.0, 0.0078125, 2.0][row % 5]
}

/// The numbers that these bytes are quantized from.
fn scaled(bytes: &[i32], width: usize) -> Vec<f32> {
    let row = |(row, bytes)| -> Vec<f32> {
        let bytes: &[i32] = bytes;
        bytes.iter().map(|byte| *byte as f32 * scale(row)).collect()
    };
    bytes.chunks_exact(width).enumerate().flat_map(row).collect()
}

fn linear(region: &mut Region<'_>, input: &[f32], weights: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let matrix = region.pack(Precision::Int8, weights, outputs, inputs, None);
    let mut out = vec![f32::NAN; input.len() / inputs * outputs];
    region.linear(input, None, &matrix, Epilogue::Store, &mut out);
    out
}

/// Bytes times bytes with every kernel: the integers of the definition, to the bit.
fn check_sums(left: &[i32], weights: &[i32], inputs: usize, outputs: usize) {
    let mut truth = Vec::new();
    for (row, left) in left.chunks_exact(inputs).enumerate() {
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            let sum: i32 = left.iter().zip(weights).map(|(left, weight)| left * weight).sum();
            truth.push(sum as f32 * (scale(row) * scale(output)));
        }
    }
    let (left, weights) = (scaled(left, inputs), scaled(weights, inputs));
    for (isa, result) in everywhere(|region| linear(region, &left, &weights, inputs, outputs)) {
        if !same_bytes(&result, &truth) {
            let place = result.iter().zip(&truth).position(|(got, want)| got.to_bits() != want.to_bits()).unwrap();
            let (row, output) = (place / outputs, place % outputs);
            panic!("{isa}: row {row}, output {output} is {}, should be {}", result[place], truth[place]);
        }
    }
}

#[test]
fn sums_are_the_same_at_every_small_row_count() {
    for rows in 1..=26 {
        check_sums(&rows_of_bytes(51, rows, 71), &paired(rows_of_bytes(52, 75, 71), 71), 71, 75);
    }
}

#[test]
fn sums_are_the_same_at_the_widths_of_the_models() {
    for (rows, inputs, outputs) in [(1, 512, 515), (5, 1280, 67), (49, 384, 100), (150, 1536, 40)] {
        check_sums(
            &rows_of_bytes(53, rows, inputs),
            &paired(rows_of_bytes(54, outputs, inputs), inputs),
            inputs,
            outputs,
        );
    }
}

#[test]
fn sums_at_the_limits_do_not_saturate() {
    // All products 127 x 127 in both signs; 1040 of them are the largest sum that an f32 holds exactly.
    let (inputs, outputs) = (1040, 70);
    for (of_left, of_weights) in [(127, 127), (-127, 127), (127, -127), (-127, -127)] {
        let left = vec![of_left; 13 * inputs];
        if every_kernels().iter().all(|kernels| kernels.largest_pair() == 254) {
            check_sums(&left, &vec![of_weights; outputs * inputs], inputs, outputs);
        }
        check_sums(&left, &paired(vec![of_weights; outputs * inputs], inputs), inputs, outputs);
    }
}

/// The results of any numbers are those of the naive product of the same bytes, but for the rounding of the scales.
fn check_scaled(rows: usize, inputs: usize, outputs: usize) {
    let (input, weights) = (numbers(55, rows * inputs), numbers(56, outputs * inputs));
    for (isa, result) in everywhere(|region| linear(region, &input, &weights, inputs, outputs)) {
        let truth = reference::linear_of_bytes(&input, &weights, inputs, None, largest_pair(isa));
        for (place, (got, want)) in result.iter().zip(&truth).enumerate() {
            // Two scales and their product, each of which may round.
            let tolerance = 4.0 * f64::from(f32::EPSILON) * want.abs();
            assert!((f64::from(*got) - want).abs() <= tolerance, "{isa}: result {place} is {got}, should be {want}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_any_shape_are_the_same(rows in 1usize..70, inputs in 1usize..150, outputs in 1usize..140, seed in 60u64..1000) {
        check_sums(&rows_of_bytes(seed, rows, inputs), &paired(rows_of_bytes(seed + 1, outputs, inputs), inputs), inputs, outputs);
    }

    #[test]
    fn results_of_any_numbers_are_those_of_their_bytes(rows in 1usize..70, inputs in 1usize..150, outputs in 1usize..140) {
        check_scaled(rows, inputs, outputs);
    }
}
