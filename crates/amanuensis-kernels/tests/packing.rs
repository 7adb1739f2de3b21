//! Packing: whatever the weights are stored as and wherever they lie, the matrix is that of their numbers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis_kernels::{Epilogue, MappedFile, PackedMatrix, Precision, Stored, StoredMatrix};
use common::{every_kernels, numbers, team};
use proptest::prelude::*;

/// Every row of a matrix, one after the other.
fn rows(matrix: &PackedMatrix) -> Vec<u32> {
    let mut row = vec![0.0; matrix.inputs()];
    let mut all = Vec::new();
    for output in 0..matrix.outputs() {
        matrix.row(output, &mut row);
        all.extend(row.iter().map(|number| number.to_bits()));
    }
    all
}

fn of_f32(weights: &[f32]) -> Vec<u8> {
    weights.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Bytes that nothing is aligned in.
fn behind_one(bytes: Vec<u8>) -> Vec<u8> {
    [vec![0], bytes].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn parts_one_below_the_other_are_one_matrix(
        outputs in prop::collection::vec(0_usize..50, 1..4),
        inputs in 1_usize..140,
        threads in 1_usize..4,
    ) {
        let all: usize = outputs.iter().sum();
        let weights = numbers(41, all * inputs);
        let bytes = behind_one(of_f32(&weights));
        let mut parts = Vec::new();
        let mut rest = &bytes[1..];
        for count in &outputs {
            let (part, behind) = rest.split_at(4 * count * inputs);
            parts.push(Stored::f32(part));
            rest = behind;
        }
        let parts = StoredMatrix::of(parts);
        for kernels in every_kernels() {
            for precision in Precision::ALL {
                let [whole, of_parts] = team(kernels, threads).enter(|region| {
                    let mut pack = |weights| region.pack(precision, weights, all, inputs, None);
                    [pack(StoredMatrix::from(&weights)), pack(parts.clone())]
                });
                prop_assert_eq!(rows(&whole), rows(&of_parts), "{} {}", kernels.isa(), precision);
                if precision == Precision::F32 {
                    let bits: Vec<u32> = weights.iter().map(|number| number.to_bits()).collect();
                    prop_assert_eq!(rows(&whole), bits);
                }
            }
        }
    }
}

#[test]
fn halves_are_packed_as_the_numbers_they_are() {
    let (outputs, inputs) = (75, 300);
    let weights = numbers(42, outputs * inputs);
    let f16: Vec<half::f16> = weights.iter().map(|number| half::f16::from_f32(*number)).collect();
    let bf16: Vec<half::bf16> = weights.iter().map(|number| half::bf16::from_f32(*number)).collect();
    let f16_bytes = behind_one(f16.iter().flat_map(|number| number.to_le_bytes()).collect());
    let bf16_bytes = behind_one(bf16.iter().flat_map(|number| number.to_le_bytes()).collect());
    let f16: Vec<f32> = f16.into_iter().map(f32::from).collect();
    let bf16: Vec<f32> = bf16.into_iter().map(f32::from).collect();
    for kernels in every_kernels() {
        for precision in Precision::ALL {
            team(kernels, 2).enter(|region| {
                let mut pack =
                    |weights: StoredMatrix<'_>| rows(&region.pack(precision, weights, outputs, inputs, None));
                let mut stored = |part| pack(StoredMatrix::of(vec![part]));
                let [of_f16, of_bf16] = [Stored::f16(&f16_bytes[1..]), Stored::bf16(&bf16_bytes[1..])].map(&mut stored);
                assert_eq!(of_f16, pack(StoredMatrix::from(&f16)), "{} {precision}", kernels.isa());
                assert_eq!(of_bf16, pack(StoredMatrix::from(&bf16)), "{} {precision}", kernels.isa());
            });
        }
    }
}

#[test]
fn every_f16_is_the_number_it_is() {
    // All that are numbers, subnormal ones too; one more would not make the row even.
    let halves: Vec<half::f16> = (0..=u16::MAX).map(half::f16::from_bits).filter(|half| half.is_finite()).collect();
    let weights: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
    let bits: Vec<u32> = weights.iter().map(|number| number.to_bits()).collect();
    for kernels in every_kernels() {
        team(kernels, 2).enter(|region| {
            let matrix = region.pack(Precision::F16, &weights, weights.len(), 1, None);
            assert!(rows(&matrix) == bits && !matrix.overflowed(), "{}", kernels.isa());
            // And through the product, which reads them its own way. Nothing is added to them but zero.
            let mut out = vec![0.0; weights.len()];
            region.linear(&[1.0], None, &matrix, Epilogue::Store, &mut out);
            assert_eq!(out, weights, "{}", kernels.isa());
        });
    }
}

#[test]
fn numbers_that_f16_holds_are_told_from_others() {
    let bf16 = |numbers: &[f32]| -> Vec<u8> {
        numbers.iter().flat_map(|number| half::bf16::from_f32(*number).to_le_bytes()).collect()
    };
    let mut weights: Vec<f32> = numbers(45, 300 * 1000).into_iter().map(|x| (x * 100.0).round() / 64.0).collect();
    let kernels = every_kernels()[0];
    let fits = |weights: &[f32]| team(kernels, 2).enter(|region| region.fits_f16(&StoredMatrix::from(weights)));
    assert!(fits(&weights));
    for other in [0.1, 65_520.0, 1e-9, f32::NAN, f32::INFINITY] {
        let kept = std::mem::replace(&mut weights[299_999], other);
        assert_eq!(fits(&weights), other.is_infinite(), "{other}");
        weights[299_999] = kept;
    }
    team(kernels, 2).enter(|region| {
        let mut of_bf16 = |bytes: &[u8]| region.fits_f16(&StoredMatrix::of(vec![Stored::bf16(bytes)]));
        assert!(of_bf16(&bf16(&[0.5, -3.0, 1e4])));
        assert!(!of_bf16(&bf16(&[0.5, -3.0, 1e6])));
    });
}

#[test]
fn a_weight_that_f16_cannot_hold_is_noticed() {
    for kernels in every_kernels() {
        for (largest, overflowed) in [(65_504.0, false), (-65_519.0, false), (65_520.0, true), (-1e9, true)] {
            let mut weights = numbers(44, 40 * 33);
            weights[39 * 33 + 32] = largest;
            team(kernels, 2).enter(|region| {
                let matrix = region.pack(Precision::F16, &weights, 40, 33, None);
                assert_eq!(matrix.overflowed(), overflowed, "{} {largest}", kernels.isa());
                assert!(!region.pack(Precision::F32, &weights, 40, 33, None).overflowed());
            });
        }
    }
}

#[test]
fn a_convolution_is_packed_tap_by_tap() {
    let (outputs, channels, taps) = (40, 70, 3);
    let weights = numbers(43, outputs * channels * taps);
    let mut ordered = vec![0.0; weights.len()];
    for output in 0..outputs {
        for channel in 0..channels {
            for tap in 0..taps {
                ordered[(output * taps + tap) * channels + channel] =
                    weights[(output * channels + channel) * taps + tap];
            }
        }
    }
    for kernels in every_kernels() {
        team(kernels, 2).enter(|region| {
            let mut pack = |weights| rows(&region.pack(Precision::Int8, weights, outputs, taps * channels, None));
            let stored = StoredMatrix::from(&weights).with_taps(taps);
            assert_eq!(pack(stored), pack(StoredMatrix::from(&ordered)), "{}", kernels.isa());
        });
    }
}

#[test]
fn weights_in_a_file_are_packed_as_those_in_memory() {
    // The file is this test's own program: as numbers it is nonsense, but of the kind that no test would write down.
    let file = MappedFile::open(&std::env::current_exe().unwrap()).unwrap();
    let (outputs, inputs) = (300, 513);
    let stored = Stored::bf16(&file[7..7 + 2 * outputs * inputs]);
    for kernels in every_kernels() {
        for precision in Precision::ALL {
            team(kernels, 2).enter(|region| {
                let mut pack =
                    |part| rows(&region.pack(precision, StoredMatrix::of(vec![part]), outputs, inputs, None));
                assert_eq!(pack(stored.in_file(&file)), pack(stored), "{} {precision}", kernels.isa());
            });
        }
    }
}

#[test]
#[should_panic(expected = "within a row")]
fn parts_that_end_within_a_row_are_refused() {
    let weights = numbers(44, 12);
    let parts = StoredMatrix::of(vec![weights[..5].into(), weights[5..].into()]);
    team(every_kernels()[0], 1).enter(|region| region.pack(Precision::F32, parts, 3, 4, None));
}
