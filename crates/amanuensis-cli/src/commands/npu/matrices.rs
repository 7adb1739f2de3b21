//! The matrices of a problem as an array takes them, and its product as it gives it.

use amanuensis_npu::plan::{
    Element, Geometry, Lane, Overlay, PackError, Weights, pack_activations, pack_weights, unpack_results,
};
use amanuensis_npu::trust::Problem;
use half::bf16;

/// A problem's numbers are multiples of 1 / 64 from -1 to 1; as whole numbers they are multiplied by that.
const STEPS: f32 = 64.0;

/// Both factors, padded and in the order in which they are used.
pub(super) fn packed(problem: &Problem, overlay: &Overlay, geometry: &Geometry) -> Result<[Vec<u32>; 2], PackError> {
    match overlay.operands.input {
        Element::Int8 => packed_as(problem, overlay, geometry, |number| (number * STEPS) as i8),
        Element::Int16 => packed_as(problem, overlay, geometry, |number| (number * STEPS) as i16),
        // What no core takes is refused by the packer.
        Element::Bf16 | Element::Int32 | Element::F32 => packed_as(problem, overlay, geometry, bf16::from_f32),
    }
}

fn packed_as<T: Lane>(
    problem: &Problem,
    overlay: &Overlay,
    geometry: &Geometry,
    number: impl Fn(f32) -> T,
) -> Result<[Vec<u32>; 2], PackError> {
    let matrix = |numbers: &[f32]| numbers.iter().map(|one| number(*one)).collect::<Vec<T>>();
    let left = pack_activations(&matrix(&problem.a), overlay, geometry)?;
    let right = pack_weights(Weights::ByInput(&matrix(&problem.b)), overlay, geometry)?;
    Ok([left, right])
}

/// The product without its padding. Whole numbers are given with what they must be multiplied by.
pub(super) fn unpacked<T>(
    words: &[u32],
    overlay: &Overlay,
    geometry: &Geometry,
    whole: impl Fn(i32, f64) -> T,
    real: impl Fn(f32) -> T,
) -> Result<Vec<T>, PackError> {
    let unit = f64::from(STEPS * STEPS).recip();
    Ok(match overlay.operands.output {
        Element::Bf16 => {
            let results = unpack_results::<bf16>(words, overlay, geometry)?;
            results.into_iter().map(|result| real(result.to_f32())).collect()
        }
        Element::F32 => unpack_results::<f32>(words, overlay, geometry)?.into_iter().map(real).collect(),
        Element::Int8 | Element::Int16 | Element::Int32 => {
            unpack_results::<i32>(words, overlay, geometry)?.into_iter().map(|sum| whole(sum, unit)).collect()
        }
    })
}
