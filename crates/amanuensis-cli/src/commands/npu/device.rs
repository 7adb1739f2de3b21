//! Products on a device with a pack, from nothing to an answer. Nobody ran this on an NPU yet.

use std::time::Duration;

use amanuensis_npu::driver::{Argument, Device, Once, Receipt, Work, run_once};
use amanuensis_npu::packs::{Element, Manifest, Operand, Pack, verify};
use amanuensis_npu::plan::{Drain, Gemm, plan};
use amanuensis_npu::trust::{Canary, Finding, POISON, Passed, Problem, Shape};

use super::matrices;

/// The canary of a pack that has no tests of its own.
const SHAPE: Shape = Shape { m: 256, k: 256, n: 256 };
/// The driver ends a command after two seconds; this is for one that never answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a canary with a pack.
pub(super) fn canary(device: &Device, pack: &Pack) -> Result<Passed, Finding> {
    let shape = pack.manifest.self_tests.first().map_or(SHAPE, |test| test.shape);
    let canary = Canary { shape, seed: 1, bound: bound(&pack.manifest) };
    canary.fly(|problem, result| into(device, pack, problem, result))
}

/// Runs every test of a pack.
pub(super) fn self_tests(device: &Device, pack: &Pack) -> Result<String, String> {
    let tests = &pack.manifest.self_tests;
    for test in tests {
        verify(test, |problem, result| into(device, pack, problem, result)).map_err(|error| error.to_string())?;
    }
    Ok(format!("{} tests of the pack passed", tests.len()))
}

/// Largest error of a canary by what the pack makes. Whole numbers are exact, and lose a little as f32.
pub(super) fn bound(manifest: &Manifest) -> f64 {
    match (manifest.operation.input, manifest.operation.output) {
        (Element::Bfp16, Element::Bf16) => Canary::BOUND_BFP16 + Canary::BOUND_BF16,
        (Element::Bfp16, _) => Canary::BOUND_BFP16,
        (_, Element::Bf16) => Canary::BOUND_BF16,
        _ => Canary::BOUND_F32,
    }
}

fn into(device: &Device, pack: &Pack, problem: &Problem, result: &mut [f32]) -> Result<Receipt, String> {
    let (numbers, receipt) = multiply(device, pack, problem)?;
    if numbers.len() != result.len() {
        return Err(format!("{} results came back, {} are expected", numbers.len(), result.len()));
    }
    result.copy_from_slice(&numbers);
    Ok(receipt)
}

/// A product, into memory that was poisoned before.
pub(super) fn multiply(device: &Device, pack: &Pack, problem: &Problem) -> Result<(Vec<f32>, Receipt), String> {
    let overlay = pack.manifest.planned().map_err(|error| error.to_string())?;
    let Shape { m, k, n } = problem.shape;
    let gemm = Gemm { arguments: pack.manifest.arguments(), ..Gemm::new(m as usize, k as usize, n as usize) };
    let plan = plan(&overlay, &gemm, Drain::First).map_err(|refusal| refusal.to_string())?;
    let [left, right] = matrices::packed(problem, &overlay, &plan.geometry).map_err(|error| error.to_string())?;
    // The upper half of the poison in both halves is the same poison in bfloat16.
    let poison = match pack.manifest.operation.output {
        Element::Bf16 => POISON | POISON >> 16,
        _ => POISON,
    };
    let product = vec![poison; plan.geometry.result_words];
    let mut arguments = Vec::new();
    for operand in &pack.manifest.operation.arguments {
        let words = match operand {
            Operand::Activations => left.clone(),
            Operand::Weights => right.clone(),
            Operand::Results => product.clone(),
            Operand::Bias => return Err("a bias is no part of a plain product".to_owned()),
        };
        arguments.push(Argument { words });
    }
    let words = plan.words();
    let once = Once {
        partition: pack.partition,
        overlay: pack.overlay(),
        stream: &words,
        work: Work { operations: problem.shape.operations() },
        patience: PATIENCE,
    };
    let receipt = run_once(device, once, &mut arguments).map_err(|error| error.to_string())?;
    let place = pack.manifest.operation.arguments.iter().position(|operand| *operand == Operand::Results);
    let product = place.and_then(|place| arguments.get(place)).ok_or("the pack has no results")?;
    let whole = |sum: i32, unit: f64| match sum.cast_unsigned() {
        POISON => f32::from_bits(POISON),
        _ => (f64::from(sum) * unit) as f32,
    };
    let results = matrices::unpacked(&product.words, &overlay, &plan.geometry, whole, |number| number);
    Ok((results.map_err(|error| error.to_string())?, receipt))
}
