//! Packing: whatever the weights are stored as and wherever they lie, the matrix is that of their numbers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis_kernels::{MappedFile, PackedMatrix, Precision, Stored, StoredMatrix};
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
