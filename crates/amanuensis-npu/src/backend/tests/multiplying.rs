//! Products of an emulated device, beside exact ones.

use super::*;
use crate::backend::multiplier::Multiplier;
use crate::backend::products::{Matrix, ProductError, Products};
use crate::driver::{Device, Origin};
use crate::trust::{Problem, Shape};

fn multiplier(operands: Operands) -> (Multiplier, tempfile::TempDir) {
    let overlay = overlay(operands);
    let folder = tempfile::tempdir().expect("a folder");
    let pack = synthetic::install(folder.path(), &overlay).expect("a synthetic pack");
    let driver = FakeDriver::new(Settings::default(), Array::new(overlay).expect("an array"));
    let device = Device::fake(&driver).expect("a device");
    (Multiplier::new(&device, &pack).expect("a context"), folder)
}

#[test]
fn rows_of_any_number_are_multiplied_with_a_matrix_that_is_handed_over_once() {
    for (operands, bound) in [(Operands::BF16, 1.0 / 256.0), (Operands::BF16_TO_F32, 1e-6)] {
        let (mut multiplier, _folder) = multiplier(operands);
        // One row of weights for each output: the second factor of these problems, turned.
        let (inputs, outputs) = (80, 100);
        let shape = |m| Shape { m, k: inputs as u32, n: outputs as u32 };
        let first = Problem::new(5, shape(1));
        let weights: Vec<f32> =
            (0..outputs).flat_map(|output| first.b.iter().skip(output).step_by(outputs).copied()).collect();
        let linear = multiplier.prepare(Matrix { outputs, inputs, weights: &weights }).expect("a matrix");
        for rows in [1_usize, 3, 256, 257] {
            let problem = Problem { b: first.b.clone(), ..Problem::new(rows as u64, shape(rows as u32)) };
            let mut found = vec![0.0; rows * outputs];
            let receipt = multiplier.run(&linear, &problem.a, &mut found).expect("a product");
            assert_eq!((receipt.origin(), receipt.operations()), (Origin::Emulated, 2 * (rows * 8000) as u64));
            let (sums, masses) = problem.solve();
            for ((found, sum), mass) in found.iter().zip(sums).zip(masses) {
                assert!((f64::from(*found) - sum).abs() <= bound * mass, "{found} for {sum}");
            }
        }
        let wrong = multiplier.run(&linear, &weights[..81], &mut [0.0; 100]);
        assert_eq!(wrong, Err(ProductError::Rows { numbers: 81, width: 80 }));
    }
}

#[test]
fn a_pack_of_other_numbers_is_refused() {
    let overlay = overlay(Operands::INT8);
    let folder = tempfile::tempdir().expect("a folder");
    let pack = synthetic::install(folder.path(), &overlay).expect("a synthetic pack");
    let driver = FakeDriver::new(Settings::default(), Array::new(overlay).expect("an array"));
    let device = Device::fake(&driver).expect("a device");
    let refused = Multiplier::new(&device, &pack).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("int32 from int8")));
}
