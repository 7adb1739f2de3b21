//! Floats are judged by their error as a part of the sum of all products' sizes. Cores that were not told how to round must fail.

use amanuensis_npu::emulator::{Array, poison};
use amanuensis_npu::plan::{
    Drain, Element, Gemm, Operands, Overlay, Rounding, TileShape, Weights, pack_activations, pack_weights, plan,
    reference, unpack_results,
};
use amanuensis_npu::txn::Generation;
use half::bf16;

use super::support::Numbers;

/// Errors of a product.
struct Errors {
    /// The largest, beyond half of a last place of bf16 where the result is one, as a part of the sum of sizes.
    beyond: f64,
    /// The root of the mean square, as a part of that.
    square: f64,
    /// The mean with its sign, in last places of bf16.
    bias: f64,
}

fn errors(generation: Generation, operands: Operands, rounding: Rounding) -> Errors {
    let [m, k, n] = [60, 1536, 70];
    let overlay = Overlay { rounding, ..reference(generation, operands, TileShape { m: 32, k: 64, n: 32 }) };
    let mut numbers = Numbers::new(21);
    let mut matrix = |count| (0..count).map(|_| bf16::from_f32(numbers.real())).collect::<Vec<bf16>>();
    let (mut left, right) = (matrix(m * k), matrix(k * n));
    // What an activation function leaves is mostly not negative; rounding down is worst for that.
    left.iter_mut().for_each(|value| *value = bf16::from_f32(f32::from(*value).abs()));
    let plan = plan(&overlay, &Gemm::new(m, k, n), Drain::First).unwrap();
    let mut activations = pack_activations(&left, &overlay, &plan.geometry).unwrap();
    let mut weights = pack_weights(Weights::ByInput(&right), &overlay, &plan.geometry).unwrap();
    let mut results = vec![0; plan.geometry.result_words];
    poison(&mut results);
    let mut array = Array::new(overlay.clone()).unwrap();
    array.dispatch(&plan.words(), &mut [&mut activations, &mut weights, &mut results]).unwrap();
    let results: Vec<f64> = if operands.output == Element::F32 {
        unpack_results::<f32>(&results, &overlay, &plan.geometry).unwrap().into_iter().map(f64::from).collect()
    } else {
        unpack_results::<bf16>(&results, &overlay, &plan.geometry).unwrap().into_iter().map(f64::from).collect()
    };
    let mut errors = Errors { beyond: 0.0, square: 0.0, bias: 0.0 };
    for (place, result) in results.iter().enumerate() {
        let products =
            (0..k).map(|inner| f64::from(left[place / n * k + inner]) * f64::from(right[inner * n + place % n]));
        let (exact, mass) = products.fold((0.0, 0.0), |(sum, mass), product| (sum + product, mass + product.abs()));
        let half = if operands.output == Element::F32 { 0.0 } else { exact.abs() / 256.0 };
        errors.beyond = errors.beyond.max(((result - exact).abs() - half).max(0.0) / mass);
        errors.square += ((result - exact) / mass).powi(2);
        errors.bias += (result - exact) / (exact.abs() / 256.0);
    }
    let count = results.len() as f64;
    Errors { square: (errors.square / count).sqrt(), bias: errors.bias / count, ..errors }
}

#[test]
fn bf16_with_the_right_rounding() {
    for generation in Generation::ALL {
        let wide = errors(generation, Operands::BF16_TO_F32, Rounding::ConvergentEven);
        assert!(wide.beyond < 1e-6, "{}", wide.beyond);
        let narrow = errors(generation, Operands::BF16, Rounding::ConvergentEven);
        assert!(narrow.beyond < 1e-6 && narrow.bias.abs() < 0.02, "{} {}", narrow.beyond, narrow.bias);
    }
}

/// The control: what must not pass does not.
#[test]
fn bf16_with_the_wrong_rounding_fails() {
    let floor = errors(Generation::Npu1, Operands::BF16, Rounding::Floor);
    assert!(floor.beyond > 1e-5, "{}", floor.beyond);
    assert!(floor.bias < -0.2, "{}", floor.bias);
}

#[test]
fn shared_exponents() {
    let right = errors(Generation::Npu2, Operands::BFP16_TO_F32, Rounding::ConvergentEven);
    let wrong = errors(Generation::Npu2, Operands::BFP16_TO_F32, Rounding::Floor);
    assert!(right.square < 2.4e-4, "{}", right.square);
    assert!(wrong.square > 5e-3, "{}", wrong.square);
}

/// Numbers with few bits come through exactly, whatever shares their exponent.
#[test]
fn small_whole_numbers_are_exact() {
    for operands in [Operands::BF16, Operands::BF16_TO_F32, Operands::BFP16_TO_F32] {
        let overlay = reference(Generation::Npu2, operands, TileShape { m: 8, k: 8, n: 8 });
        let plan = plan(&overlay, &Gemm::new(5, 8, 3), Drain::First).unwrap();
        let left: Vec<bf16> = (0..5 * 8).map(|place| bf16::from_f32(f32::from(place as u8 % 5) - 2.0)).collect();
        let right: Vec<bf16> = (0..8 * 3).map(|place| bf16::from_f32(f32::from(place as u8 % 3) - 1.0)).collect();
        let mut activations = pack_activations(&left, &overlay, &plan.geometry).unwrap();
        let mut weights = pack_weights(Weights::ByInput(&right), &overlay, &plan.geometry).unwrap();
        let mut results = vec![0; plan.geometry.result_words];
        let mut array = Array::new(overlay.clone()).unwrap();
        array.dispatch(&plan.words(), &mut [&mut activations, &mut weights, &mut results]).unwrap();
        let results: Vec<f32> = if operands.output == Element::F32 {
            unpack_results(&results, &overlay, &plan.geometry).unwrap()
        } else {
            unpack_results::<bf16>(&results, &overlay, &plan.geometry).unwrap().into_iter().map(f32::from).collect()
        };
        for (place, result) in results.iter().enumerate() {
            let products = (0..8).map(|k| f32::from(left[place / 3 * 8 + k]) * f32::from(right[k * 3 + place % 3]));
            assert_eq!(*result, products.sum::<f32>());
        }
    }
}
