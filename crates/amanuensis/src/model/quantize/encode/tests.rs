use std::num::NonZeroUsize;

use amanuensis_kernels::{Isa, Kernels, PackedMatrix, Precision, StoredMatrix, Team};
use proptest::prelude::*;

use super::*;
use crate::model::Encoding;
use crate::model::numbers::{Scaled, Whole};

/// What a tensor of these numbers becomes: the bytes, and the scales.
fn encoded(numbers: &[f32], shape: &[usize], target: Target) -> Result<(Vec<u8>, Vec<f32>), WriteError> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let tensor = Tensor { name: "t", encoding: &Encoding::Plain(Dtype::F32), shape, bytes: &bytes, file: None };
    let (mut out, mut scales) = (Vec::new(), Vec::new());
    encode(&tensor, target, &mut |part, bytes| {
        match part {
            Part::Numbers => out.extend_from_slice(bytes),
            Part::Scales => scales.extend(bytes.as_chunks().0.iter().map(|scale| f32::from_le_bytes(*scale))),
        }
        Ok(())
    })?;
    Ok((out, scales))
}

fn rows(matrix: &PackedMatrix) -> Vec<u32> {
    let mut row = vec![0.0; matrix.inputs()];
    let mut all = Vec::new();
    for output in 0..matrix.outputs() {
        matrix.row(output, &mut row);
        // Nothing may have a sign, which makes no difference.
        all.extend(row.iter().map(|number| (number + 0.0).to_bits()));
    }
    all
}

/// Packs the numbers, and what was made of them, and compares.
fn packs_the_same(numbers: &[f32], shape: [usize; 2], target: Target, precision: Precision) {
    let (bytes, scales) = encoded(numbers, &shape, target).unwrap();
    let whole = if target == Target::Groups { Whole::I4 } else { Whole::I8 };
    let encoding = Encoding::Scaled(Scaled { whole, run: numbers.len() / scales.len(), scales, zeros: vec![] });
    assert_eq!(encoding.bytes(numbers.len()), Some(bytes.len()));
    let tensor = Tensor { name: "t", encoding: &encoding, shape: &shape, bytes: &bytes, file: None };
    // Kernels that keep neighbours small choose other scales than the file has.
    let free = Some(Kernels::detect().unwrap()).filter(|kernels| kernels.largest_pair() == 254);
    let kernels = free.or_else(|| Kernels::new(Isa::Scalar)).unwrap();
    Team::new(kernels, NonZeroUsize::MIN).enter(|region| {
        let mut pack = |weights| rows(&region.pack(precision, weights, shape[0], shape[1], None));
        let expected = pack(StoredMatrix::from(numbers));
        assert_eq!(pack(StoredMatrix::of(vec![tensor.stored()])), expected);
        // And what is read of the file is what is multiplied with.
        let read: Vec<u32> = tensor.to_f32().iter().map(|number| (number + 0.0).to_bits()).collect();
        assert_eq!(read, expected);
    });
}

fn numbers(count: usize) -> impl Strategy<Value = Vec<f32>> {
    let mantissa = -1.0_f32..1.0;
    let number = (mantissa, -20..3_i32).prop_map(|(mantissa, exponent)| mantissa * 2.0_f32.powi(exponent));
    prop::collection::vec(prop_oneof![4 => number, 1 => Just(0.0)], count..=count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_of_a_file_are_packed_as_the_numbers_they_came_from(numbers in numbers(5 * 96)) {
        packs_the_same(&numbers, [5, 96], Target::Outputs, Precision::Int8);
        packs_the_same(&numbers, [5, 96], Target::Groups, Precision::Int4);
    }

    #[test]
    fn nothing_is_farther_off_than_half_a_step(numbers in numbers(4 * 64)) {
        for (target, whole, steps) in
            [(Target::Outputs, Whole::I8, 0.5), (Target::Whole, Whole::I8, 0.5), (Target::Groups, Whole::I4, 1.0)]
        {
            let (bytes, scales) = encoded(&numbers, &[4, 64], target).unwrap();
            let run = numbers.len() / scales.len();
            let encoding = Encoding::Scaled(Scaled { whole, run, scales: scales.clone(), zeros: vec![] });
            let tensor = Tensor { name: "t", encoding: &encoding, shape: &[4, 64], bytes: &bytes, file: None };
            for (place, (number, read)) in numbers.iter().zip(tensor.to_f32()).enumerate() {
                let step = scales[place / run].abs();
                prop_assert!((number - read).abs() <= steps * step * 1.0001, "{number} became {read}, a step is {step}");
            }
        }
    }
}

#[test]
fn whole_models_of_edges_are_packed_the_same() {
    // Rows whose largest number is at an edge of the rounding of its scale, and rows of nothing.
    for bits in (0x3f7e_0000_u32..0x3f82_0000).step_by(997) {
        let mut row: Vec<f32> = (0..64).map(|place| (place as f32 - 31.0) / 64.0).collect();
        row[7] = f32::from_bits(bits);
        row.extend([0.0; 64]);
        packs_the_same(&row, [2, 64], Target::Outputs, Precision::Int8);
        packs_the_same(&row, [2, 64], Target::Groups, Precision::Int4);
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let refused = |numbers: &[f32], target| encoded(numbers, &[1, numbers.len()], target).unwrap_err().to_string();
    assert_eq!(
        refused(&[1.0, 70000.0], Target::Plain(Dtype::F16)),
        "tensor t holds 70000, which f16 cannot hold; bf16 reaches as far as f32"
    );
    assert!(refused(&[f32::MAX], Target::Plain(Dtype::BF16)).contains("bf16 cannot hold"));
    for target in [Target::Outputs, Target::Whole, Target::Groups] {
        assert!(refused(&[1.0, f32::NAN], target).contains("tensor t holds NaN"));
        assert!(refused(&[f32::NEG_INFINITY, 1.0], target).contains("-inf"));
    }
    // What is infinite already stays so.
    assert_eq!(encoded(&[f32::INFINITY], &[1], Target::Plain(Dtype::F16)).unwrap().0, [0, 0x7c]);
}

#[test]
fn plain_numbers_are_rounded_to_the_nearest() {
    let (bytes, scales) = encoded(&[1.0, 1.0 + 1.0 / 4096.0], &[2], Target::Plain(Dtype::F16)).unwrap();
    assert_eq!((bytes, scales.len()), (vec![0, 0x3c, 0, 0x3c], 0));
    assert_eq!(encoded(&[1.0, -2.5], &[2], Target::Plain(Dtype::BF16)).unwrap().0, [0x80, 0x3f, 0x20, 0xc0]);
    assert_eq!(encoded(&[1.5], &[1], Target::Plain(Dtype::F32)).unwrap().0, 1.5_f32.to_le_bytes());
}
