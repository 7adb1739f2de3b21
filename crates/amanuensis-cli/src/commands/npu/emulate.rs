//! `npu emulate gemm`: a product planned and packed as for an NPU, run in the emulator, and compared with the exact one.

use std::fs;

use amanuensis_npu::emulator::{Array, Report as Ran, poison};
use amanuensis_npu::plan::{
    Drain, Estimate, Gemm, Operands, Overlay, Plan, Rounding, TileShape, estimate, plan, reference,
};
use amanuensis_npu::trust::{Canary, Problem, Shape};
use amanuensis_npu::txn::{Direction, Generation};
use anyhow::Context;
use serde::Serialize;

use super::{Stop, matrices, print_json, print_text};
use crate::args::{NpuDtype, NpuEmulateGemm, NpuGeneration, NpuRounding};
use crate::commands::weights::size;

/// What a core of the overlay in `overlay` holds: see that folder.
const TILE: TileShape = TileShape { m: 64, k: 64, n: 64 };
/// Elements of a matrix: the exact product and its sizes are kept in f64, so this is 1 GiB.
const MOST_ELEMENTS: u64 = 1 << 26;
/// Multiply-adds: some minutes.
const MOST_WORK: u64 = 1 << 38;

/// What came of it.
#[derive(Serialize)]
struct Report {
    /// Always: nothing here ran on an NPU.
    emulated: bool,
    m: u32,
    k: u32,
    n: u32,
    dtype: &'static str,
    generation: &'static str,
    columns: u8,
    operations: usize,
    stream_bytes: usize,
    pushes: usize,
    tokens: usize,
    bytes_in: u64,
    bytes_out: u64,
    multiply_adds: u64,
    multiply_adds_wanted: u64,
    /// Results, and how many of them differ from the exact ones at all.
    results: usize,
    differ: usize,
    /// The largest error, as a part of the sum of the sizes of what was added.
    error: f64,
    bound: f64,
    passed: bool,
    estimate: Estimated,
}

/// Seconds that an NPU might take: from other people's measurements.
#[derive(Serialize)]
struct Estimated {
    is_an_estimate: bool,
    seconds: f64,
    basis: &'static str,
}

pub(super) fn run(asked: &NpuEmulateGemm) -> Result<u8, Stop> {
    let shape = Shape { m: asked.m.get(), k: asked.k.get(), n: asked.n.get() };
    let [m, k, n] = [shape.m, shape.k, shape.n].map(u64::from);
    let most = (m * k).max(k * n).max(m * n);
    if most > MOST_ELEMENTS || m.saturating_mul(k).saturating_mul(n) > MOST_WORK {
        let limits = format!("{MOST_ELEMENTS} elements of a matrix and {MOST_WORK} multiply-adds are the most");
        return Err(Stop::Usage(format!("{m} x {k} x {n} is too much to emulate: {limits}")));
    }
    let overlay = overlay(asked);
    let gemm = Gemm::new(shape.m as usize, shape.k as usize, shape.n as usize);
    let plan = plan(&overlay, &gemm, Drain::First).map_err(anyhow::Error::new).context("there is no plan")?;
    let words = plan.words();
    if let Some(path) = &asked.stream {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let problem = Problem::new(asked.seed, shape);
    let (results, ran) = multiply(&overlay, &plan, &words, &problem)?;
    let report = judge(asked, &overlay, &plan, words.len() * 4, &problem, &results, &ran);
    if asked.json {
        print_json(&report)?;
    } else {
        print_text(&text(&report, &estimate(&overlay, &plan)))?;
    }
    Ok(u8::from(!report.passed))
}

fn overlay(asked: &NpuEmulateGemm) -> Overlay {
    let generation = match asked.generation {
        NpuGeneration::Npu1 => Generation::Npu1,
        NpuGeneration::Npu2 => Generation::Npu2,
    };
    let operands = match asked.dtype {
        NpuDtype::Bf16 => Operands::BF16,
        NpuDtype::Int8 => Operands::INT8,
    };
    Overlay { rounding: rounding(asked.rounding), ..reference(generation, operands, TILE) }
}

/// How cores round.
pub(in crate::commands) fn rounding(asked: NpuRounding) -> Rounding {
    match asked {
        NpuRounding::Even => Rounding::ConvergentEven,
        NpuRounding::Floor => Rounding::Floor,
    }
}

/// The product as the emulator makes it. Every word of the result must have been written, once.
fn multiply(
    overlay: &Overlay,
    plan: &Plan,
    words: &[u32],
    problem: &Problem,
) -> Result<(Vec<f64>, Ran), anyhow::Error> {
    let [mut left, mut right] = matrices::packed(problem, overlay, &plan.geometry)?;
    let mut product = vec![0; plan.geometry.result_words];
    poison(&mut product);
    let mut array = Array::new(overlay.clone())?;
    let ran = array.dispatch(words, &mut [&mut left, &mut right, &mut product]).context("the emulator")?;
    if let Some(word) = ran.first_unwritten(2, 0..product.len()) {
        anyhow::bail!("the emulator: word {word} of the result was never written");
    }
    let whole = |sum: i32, unit: f64| f64::from(sum) * unit;
    let results = matrices::unpacked(&product, overlay, &plan.geometry, whole, f64::from)?;
    Ok((results, ran))
}

fn judge(
    asked: &NpuEmulateGemm,
    overlay: &Overlay,
    plan: &Plan,
    stream_bytes: usize,
    problem: &Problem,
    results: &[f64],
    ran: &Ran,
) -> Report {
    let (sums, masses) = problem.solve();
    let (mut error, mut differ) = (0.0_f64, 0);
    for ((result, sum), mass) in results.iter().zip(&sums).zip(&masses) {
        differ += usize::from(result != sum);
        // A result that is no number is as wrong as can be.
        let far = (result - sum).abs() / mass.max(f64::MIN_POSITIVE);
        error = if far.is_nan() { f64::INFINITY } else { error.max(far) };
    }
    let (dtype, bound) = match asked.dtype {
        NpuDtype::Bf16 => ("bf16", Canary::BOUND_BF16),
        NpuDtype::Int8 => ("int8", 0.0),
    };
    let moved = |direction: Direction| {
        let channels = ran.moved.iter().filter(|(channel, _)| channel.direction == direction);
        4 * channels.map(|(_, words)| words).sum::<u64>()
    };
    let estimate = estimate(overlay, plan);
    Report {
        emulated: true,
        m: problem.shape.m,
        k: problem.shape.k,
        n: problem.shape.n,
        dtype,
        generation: overlay.generation.name(),
        columns: overlay.columns,
        operations: ran.operations,
        stream_bytes,
        pushes: ran.pushes,
        tokens: ran.tokens,
        bytes_in: moved(Direction::MemoryToStream),
        bytes_out: moved(Direction::StreamToMemory),
        multiply_adds: ran.multiply_adds,
        multiply_adds_wanted: problem.shape.operations() / 2,
        results: results.len(),
        differ,
        error,
        bound,
        passed: error <= bound,
        estimate: Estimated { is_an_estimate: true, seconds: estimate.total, basis: estimate.basis },
    }
}

fn text(report: &Report, estimate: &Estimate) -> String {
    let Report { m, k, n, dtype, generation, columns, .. } = report;
    let TileShape { m: tile_m, k: tile_k, n: tile_n } = TILE;
    let padding = 100.0 - 100.0 * report.multiply_adds_wanted as f64 / report.multiply_adds as f64;
    let verdict = match (report.passed, report.bound == 0.0) {
        (true, true) => format!("none: all {} results are exact", report.results),
        (false, true) => format!("WRONG: {} of {} results are not exact", report.differ, report.results),
        (passed, false) => format!(
            "{}{:.2e} of the sum of sizes at most; {:.2e} is allowed",
            if passed { "" } else { "TOO LARGE: " },
            report.error,
            report.bound
        ),
    };
    let memory =
        estimate.memory.map_or_else(String::new, |seconds| format!(", {} moving words", milliseconds(seconds)));
    [
        format!("emulated       {m} x {k} times {k} x {n} in {dtype}, not on an NPU: cores do what their contract says"),
        format!("array          {generation}, {columns} columns of 4 cores, tiles of {tile_m} x {tile_k} x {tile_n}"),
        format!(
            "stream         {} operations in {} bytes, {} pushes, {} tokens",
            report.operations, report.stream_bytes, report.pushes, report.tokens
        ),
        format!(
            "moved          {} in, {} out; every word of the result was written once",
            size(report.bytes_in),
            size(report.bytes_out)
        ),
        format!("multiply-adds  {}, {padding:.1} % of them padding", report.multiply_adds),
        format!("error          {verdict}"),
        format!(
            "ESTIMATE       {} on an NPU, not measured: {} multiplying{memory}, {} beginning and ending; the rate is from {}",
            milliseconds(estimate.total),
            milliseconds(estimate.compute),
            milliseconds(estimate.dispatch),
            estimate.basis
        ),
    ]
    .join("\n")
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}
