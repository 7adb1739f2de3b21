//! Every kernel this machine can run, not only the one it would choose, against the naive truth: odd shapes, tails,
//! every thread count, and the promise that neither threads nor neighbouring rows change a byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis_kernels::{Epilogue, Norm, PackedMatrix, Precision, reference};
use common::{assert_close, every_kernels, everywhere, largest_pair, numbers, same_bytes, team};
use proptest::prelude::*;

fn check_linear(rows: usize, inputs: usize, outputs: usize, with_bias: bool) {
    let input = numbers(1, rows * inputs);
    let weights = numbers(2, outputs * inputs);
    let bias = numbers(3, outputs);
    let bias = with_bias.then_some(&bias[..]);
    let before = numbers(4, rows * outputs);
    let product = reference::linear(&input, &weights, outputs, inputs, bias);
    // f32 sums of n products of numbers near one.
    let tolerance = 3e-7 * (inputs as f64).sqrt();
    for epilogue in [Epilogue::Store, Epilogue::Gelu, Epilogue::Add] {
        let results = everywhere(|region| {
            let matrix = region.pack(Precision::F32, &weights, outputs, inputs, bias);
            let mut out = before.clone();
            region.linear(&input, None, &matrix, epilogue, &mut out);
            out
        });
        let truth: Vec<f64> = match epilogue {
            Epilogue::Store => product.clone(),
            Epilogue::Gelu => product.iter().map(|&x| reference::gelu(x)).collect(),
            Epilogue::Add => product.iter().zip(&before).map(|(x, &b)| x + f64::from(b)).collect(),
        };
        assert_close(&results, &truth, tolerance.max(6e-7));
    }
}

/// Weights in f16 are multiplied as the f32 that they are.
fn check_halves(rows: usize, inputs: usize, outputs: usize) {
    let input = numbers(15, rows * inputs);
    let weights: Vec<f32> =
        numbers(16, outputs * inputs).into_iter().map(|number| half::f16::from_f32(number).to_f32()).collect();
    let bias = numbers(17, outputs);
    for epilogue in [Epilogue::Store, Epilogue::Gelu, Epilogue::Add] {
        let [singles, halves] = [Precision::F32, Precision::F16].map(|precision| {
            everywhere(|region| {
                let matrix = region.pack(precision, &weights, outputs, inputs, Some(&bias));
                let mut out = numbers(18, rows * outputs);
                region.linear(&input, None, &matrix, epilogue, &mut out);
                out
            })
        });
        for ((isa, singles), (_, halves)) in singles.iter().zip(&halves) {
            assert!(same_bytes(singles, halves), "{isa} {epilogue:?}: {rows} x {inputs} to {outputs}");
        }
    }
}

#[test]
fn weights_in_f16_give_what_they_give_in_f32() {
    for rows in 0..=26 {
        check_halves(rows, 37, 75);
    }
    for (rows, inputs, outputs) in [(1, 512, 515), (47, 64, 33), (49, 63, 31), (61, 16, 1), (150, 1, 40)] {
        check_halves(rows, inputs, outputs);
    }
}

/// In bytes the sums are exact, so that what comes out differs from the naive truth only by the rounding of its scales.
fn check_bytes(rows: usize, inputs: usize, outputs: usize, with_bias: bool) {
    let input = numbers(21, rows * inputs);
    let weights = numbers(22, outputs * inputs);
    let bias = numbers(23, outputs);
    let bias = with_bias.then_some(&bias[..]);
    let before = numbers(24, rows * outputs);
    for epilogue in [Epilogue::Store, Epilogue::Gelu, Epilogue::Add] {
        let results = everywhere(|region| {
            let matrix = region.pack(Precision::Int8, &weights, outputs, inputs, bias);
            let mut out = before.clone();
            region.linear(&input, None, &matrix, epilogue, &mut out);
            out
        });
        for (isa, result) in results {
            let product = reference::linear_of_bytes(&input, &weights, inputs, bias, largest_pair(isa));
            let (truth, tolerance): (Vec<f64>, f64) = match epilogue {
                Epilogue::Store => (product, 4e-7),
                Epilogue::Gelu => (product.iter().map(|&x| reference::gelu(x)).collect(), 2e-4),
                Epilogue::Add => (product.iter().zip(&before).map(|(x, &b)| x + f64::from(b)).collect(), 4e-7),
            };
            assert_close(&[(isa, result)], &truth, tolerance);
        }
    }
}

#[test]
fn bytes_at_every_small_row_count() {
    for rows in 0..=26 {
        check_bytes(rows, 37, 75, rows % 2 == 0);
    }
}

#[test]
fn bytes_at_the_borders_of_their_ways() {
    let shapes = [(1, 512, 515), (2, 64, 300), (47, 65, 33), (48, 63, 64), (49, 128, 31), (61, 4, 1), (150, 1, 40)];
    for (rows, inputs, outputs) in shapes {
        check_bytes(rows, inputs, outputs, true);
    }
}

/// Weights of four bits as the matrix gives them back, multiplied in bytes of the input: the sums of a group are exact.
fn check_nibbles(rows: usize, inputs: usize, outputs: usize) {
    let input = numbers(51, rows * inputs);
    let weights = numbers(52, outputs * inputs);
    let bias = numbers(53, outputs);
    let mut kept = Vec::new();
    let results = everywhere(|region| {
        let matrix = region.pack(Precision::Int4, &weights, outputs, inputs, Some(&bias));
        let mut out = vec![0.0; rows * outputs];
        region.linear(&input, None, &matrix, Epilogue::Store, &mut out);
        out
    });
    for kernels in every_kernels() {
        let matrix = team(kernels, 2).enter(|region| region.pack(Precision::Int4, &weights, outputs, inputs, None));
        let mut numbers = vec![0.0; outputs * inputs];
        for (output, row) in numbers.chunks_exact_mut(inputs).enumerate() {
            matrix.row(output, row);
        }
        assert!(kept.is_empty() || kept == numbers, "{}", kernels.isa());
        kept = numbers;
    }
    // The largest of a group has eight steps.
    for (kept, weights) in kept.chunks_exact(inputs).zip(weights.chunks_exact(inputs)) {
        for (kept, weights) in kept.chunks(32).zip(weights.chunks(32)) {
            let largest = weights.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            assert!(kept.iter().zip(weights).all(|(kept, weight)| (kept - weight).abs() <= largest / 8.0 + 1e-6));
        }
    }
    let (bytes, scales) = reference::bytes(&input, inputs);
    let whole =
        bytes.chunks_exact(inputs).zip(scales).flat_map(|(row, scale)| row.iter().map(move |x| f32::from(*x) * scale));
    let truth = reference::linear(&whole.collect::<Vec<_>>(), &kept, outputs, inputs, Some(&bias));
    assert_close(&results, &truth, 2e-5);
}

#[test]
fn four_bits_at_every_small_row_count() {
    for rows in 0..=14 {
        check_nibbles(rows, 70, 75);
    }
    for (rows, inputs, outputs) in [(1, 512, 515), (2, 64, 300), (49, 128, 31), (61, 4, 1), (13, 96, 40)] {
        check_nibbles(rows, inputs, outputs);
    }
}

#[test]
fn bytes_of_the_largest_sums() {
    // Every product at its limit, in both signs: nothing saturates on the way. Weights that are all the same are the
    // worst for pairs, too.
    let (inputs, outputs) = (2048, 70);
    for (of_input, of_weights) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
        let (input, weights) = (vec![of_input; 3 * inputs], vec![of_weights; outputs * inputs]);
        let results = everywhere(|region| {
            let matrix = region.pack(Precision::Int8, &weights, outputs, inputs, None);
            let mut out = vec![0.0; 3 * outputs];
            region.linear(&input, None, &matrix, Epilogue::Store, &mut out);
            out
        });
        for (isa, result) in results {
            let truth = reference::linear_of_bytes(&input, &weights, inputs, None, largest_pair(isa));
            assert_close(&[(isa, result)], &truth, 1e-6);
        }
    }
}

#[test]
fn what_is_not_a_number_does_not_hide_in_bytes() {
    let (inputs, outputs) = (100, 40);
    let mut weights = numbers(31, outputs * inputs);
    let mut input = numbers(32, 2 * inputs);
    input[130] = f32::INFINITY;
    weights[5 * inputs + 7] = f32::NAN;
    for (isa, result) in everywhere(|region| {
        let matrix = region.pack(Precision::Int8, &weights, outputs, inputs, None);
        let mut out = vec![0.0; 2 * outputs];
        region.linear(&input, None, &matrix, Epilogue::Store, &mut out);
        out
    }) {
        assert!(result[5].is_nan(), "{isa}: a weight");
        assert!(result[..5].iter().all(|number| number.is_finite()), "{isa}");
        assert!(result[outputs..].iter().all(|number| !number.is_finite()), "{isa}: an infinite input");
    }
}

#[test]
fn a_row_of_a_matrix_in_bytes_is_what_the_reference_makes_of_it() {
    let (outputs, inputs) = (67, 45);
    let weights = numbers(33, outputs * inputs);
    for kernels in every_kernels() {
        let (bytes, scales) = reference::weights(&weights, inputs, kernels.largest_pair());
        let matrix = team(kernels, 2).enter(|region| region.pack(Precision::Int8, &weights, outputs, inputs, None));
        let mut row = vec![0.0; inputs];
        for output in 0..outputs {
            matrix.row(output, &mut row);
            for (input, number) in row.iter().enumerate() {
                assert_eq!(*number, f32::from(bytes[output * inputs + input]) * scales[output], "{}", kernels.isa());
            }
        }
    }
}

/// Layer norm, up, GELU, down and the residual, in one call and one after the other. What comes down, by slices of 512.
fn check_feed_forward(rows: usize, width: usize, hidden: usize, precision: Precision) {
    const SLICE: usize = 512;
    let (x, gain, bias) = (numbers(41, rows * width), numbers(42, width), numbers(43, width));
    let (up, down) = (numbers(44, hidden * width), numbers(45, width * hidden));
    let norm = Norm { gain: &gain, bias: &bias };
    let together = everywhere(|region| {
        let up = region.pack(precision, &up, hidden, width, Some(&up[..hidden]));
        let down = region.pack_slices(precision, &down, width, hidden, Some(&bias));
        let mut x = x.clone();
        region.feed_forward(&mut x, norm, &up, &down);
        x
    });
    let slice = |rows: &[f32], first: usize| -> Vec<f32> {
        rows.chunks_exact(hidden).flat_map(|row| row[first..hidden.min(first + SLICE)].to_vec()).collect()
    };
    let apart = everywhere(|region| {
        let up = region.pack(precision, &up, hidden, width, Some(&up[..hidden]));
        let (mut x, mut normed, mut inner) = (x.clone(), x.clone(), vec![0.0; rows * hidden]);
        region.layer_norm(&x, &gain, &bias, &mut normed);
        region.linear(&normed, None, &up, Epilogue::Gelu, &mut inner);
        for first in (0..hidden).step_by(SLICE) {
            let (down, inner) = (slice(&down, first), slice(&inner, first));
            let bias = (first == 0).then_some(&bias[..]);
            let down = region.pack(precision, &down, width, down.len() / width, bias);
            region.linear(&inner, None, &down, Epilogue::Add, &mut x);
        }
        x
    });
    for ((isa, together), (_, apart)) in together.iter().zip(&apart) {
        assert!(same_bytes(together, apart), "{isa} {precision}: {rows} x {width}, {hidden} hidden");
    }
}

#[test]
fn feed_forward_is_its_parts() {
    for precision in Precision::ALL {
        for (rows, width, hidden) in
            [(1, 32, 128), (5, 30, 1070), (48, 16, 64), (49, 48, 100), (1000, 20, 530), (130, 64, 20_000)]
        {
            check_feed_forward(rows, width, hidden, precision);
        }
    }
}

#[test]
fn linear_at_every_small_row_count() {
    for rows in 0..=26 {
        check_linear(rows, 37, 75, rows % 2 == 0);
    }
}

#[test]
fn linear_at_the_borders_of_its_ways() {
    for (rows, inputs, outputs) in [(1, 512, 515), (47, 64, 33), (48, 65, 64), (49, 63, 31), (61, 16, 1), (150, 1, 40)]
    {
        check_linear(rows, inputs, outputs, true);
    }
}

#[test]
fn a_row_does_not_know_its_neighbours() {
    let (inputs, outputs) = (129, 70);
    let weights = numbers(5, outputs * inputs);
    let input = numbers(6, 100 * inputs);
    for kernels in every_kernels() {
        let matrix = PackedMatrix::pack(kernels, &weights, outputs, inputs, None);
        let mut team = team(kernels, 2);
        let mut run = |rows: &[f32]| {
            let mut out = vec![0.0; rows.len() / inputs * outputs];
            team.enter(|region| region.linear(rows, None, &matrix, Epilogue::Gelu, &mut out));
            out
        };
        let all = run(&input);
        for (first, rows) in [(0, 1), (3, 2), (5, 5), (7, 12), (20, 13), (40, 60)] {
            let some = run(&input[first * inputs..(first + rows) * inputs]);
            assert!(same_bytes(&some, &all[first * outputs..(first + rows) * outputs]), "{}", kernels.isa());
        }
    }
}

#[test]
fn weights_can_be_read_back() {
    for kernels in every_kernels() {
        for (outputs, inputs) in [(1, 1), (70, 33), (64, 16)] {
            let weights = numbers(7, outputs * inputs);
            let matrix = PackedMatrix::pack(kernels, &weights, outputs, inputs, None);
            assert!(matrix.bytes() >= weights.len() * 4);
            let mut row = vec![0.0; inputs];
            for output in 0..outputs {
                matrix.row(output, &mut row);
                assert!(same_bytes(&row, &weights[output * inputs..][..inputs]));
            }
        }
    }
}

#[test]
fn convolution_is_its_definition() {
    for (frames, channels, outputs, stride, with_positions) in
        [(0, 5, 3, 1, false), (1, 8, 33, 1, true), (7, 80, 40, 1, false), (9, 20, 37, 2, true), (131, 24, 20, 2, true)]
    {
        let mut input = numbers(8, (frames + 2) * channels);
        input[..channels].fill(0.0);
        input[(frames + 1) * channels..].fill(0.0);
        let weights: Vec<f32> = numbers(9, outputs * 3 * channels).iter().map(|x| x * 0.3).collect();
        let bias = numbers(10, outputs);
        let count = usize::div_ceil(frames, stride);
        let positions = numbers(11, count * outputs);
        let positions = with_positions.then_some(&positions[..]);
        let truth = reference::convolution(&input, channels, &weights, outputs, Some(&bias), stride, positions);
        let results = everywhere(|region| {
            let matrix = region.pack(Precision::F32, &weights, outputs, 3 * channels, Some(&bias));
            let mut out = vec![0.0; count * outputs];
            region.convolution(&input, &matrix, stride, positions, &mut out);
            out
        });
        assert_close(&results, &truth, 3e-6);
    }
}

#[test]
fn layer_norm_is_exact_even_far_from_zero() {
    for (rows, width, offset, spread) in
        [(0, 7, 0.0, 1.0), (1, 1, 3.0, 1.0), (5, 37, 0.0, 1.0), (40, 512, 10.0, 0.1), (3, 1280, -300.0, 2.0)]
    {
        let input: Vec<f32> = numbers(12, rows * width).iter().map(|x| x * spread + offset).collect();
        let (gain, bias) = (numbers(13, width), numbers(14, width));
        let truth = reference::layer_norm(&input, &gain, &bias);
        let results = everywhere(|region| {
            let mut out = vec![0.0; input.len()];
            region.layer_norm(&input, &gain, &bias, &mut out);
            out
        });
        assert_close(&results, &truth, 1e-6);
        let alone = everywhere(|region| {
            let mut out = vec![0.0; input.len()];
            for (row, out) in input.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                region.layer_norm(row, &gain, &bias, out);
            }
            out
        });
        for ((isa, together), (_, alone)) in results.iter().zip(&alone) {
            assert!(same_bytes(together, alone), "{isa}: {rows} rows of {width} and each alone");
        }
    }
}

#[test]
fn gelu_and_exponential_are_close_everywhere() {
    let inputs: Vec<f32> = (-120_000..=120_000).map(|i| i as f32 * 1e-4).collect();
    for kernels in every_kernels() {
        let mut out = inputs.clone();
        kernels.gelu(&mut out);
        for (&x, &y) in inputs.iter().zip(&out) {
            let error = (f64::from(y) - reference::gelu(f64::from(x))).abs();
            assert!(error <= 5e-7, "{}: gelu({x}) = {y}, off by {error:e}", kernels.isa());
        }
        let mut out: Vec<f32> = inputs.iter().map(|x| x * 7.0).collect();
        let inputs = out.clone();
        kernels.exponential(&mut out);
        for (&x, &y) in inputs.iter().zip(&out) {
            let want = f64::from(x).exp();
            if x < -69.0 {
                assert_eq!(y, 0.0, "{}: exp({x})", kernels.isa());
            } else {
                let error = (f64::from(y) / want - 1.0).abs();
                assert!(error <= 2e-7, "{}: exp({x}) = {y}, off by {error:e}", kernels.isa());
            }
        }
        let mut special = [f32::NEG_INFINITY, -1e30, 0.0];
        kernels.exponential(&mut special);
        assert_eq!(special, [0.0, 0.0, 1.0]);
    }
}

#[test]
fn a_row_of_scores_is_summed_and_searched() {
    for kernels in every_kernels() {
        assert_eq!(kernels.log_sum_exp(&[]), f32::NEG_INFINITY);
        assert_eq!(kernels.argmax(&[]), 0);
        assert_eq!(kernels.log_sum_exp(&[f32::NEG_INFINITY; 3]), f32::NEG_INFINITY);
        for count in [1, 3, 16, 63, 64, 65, 1000, 51865] {
            let mut scores: Vec<f32> = numbers(15, count).iter().map(|x| x * 5.0 - 20.0).collect();
            scores[count / 2] = f32::NEG_INFINITY;
            scores[count / 3] = 7.5;
            if count > 3 {
                scores[count - 1] = 7.5;
            }
            assert_eq!(kernels.argmax(&scores), count / 3, "{}", kernels.isa());
            let error = (f64::from(kernels.log_sum_exp(&scores)) - reference::log_sum_exp(&scores)).abs();
            assert!(error < 2e-6, "{}: {count} scores, off by {error:e}", kernels.isa());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linear_of_any_shape(rows in 0usize..70, inputs in 1usize..90, outputs in 1usize..140, bias: bool) {
        check_linear(rows, inputs, outputs, bias);
    }
}
