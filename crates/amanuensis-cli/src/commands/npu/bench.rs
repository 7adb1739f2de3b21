//! `npu bench`: how long products take on the NPU, by the receipts of its driver. Without an NPU there is nothing to measure, and
//! nothing is measured in its place.

use std::cell::RefCell;

use amanuensis_npu::doctor::State;
use amanuensis_npu::driver::Device;
use amanuensis_npu::packs::Pack;
use amanuensis_npu::trust::{Problem, Shape};

use super::{Stop, device, doctor, print_text};
use crate::args::NpuBench;
use crate::console::say;

/// Products: the smallest that says something, those that others published, and the linear layers of Whisper base, small and
/// large for one window.
const SHAPES: [[u32; 3]; 10] = [
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [1500, 512, 512],
    [1500, 512, 2048],
    [1500, 2048, 512],
    [1500, 768, 3072],
    [1500, 1280, 1280],
    [1500, 1280, 5120],
    [1500, 5120, 1280],
];

pub(super) fn run(asked: &NpuBench) -> Result<u8, Stop> {
    let lines = RefCell::new(vec!["m,k,n,milliseconds,gflops,error".to_owned()]);
    let sweep = |node: &Device, pack: &Pack| {
        let bound = device::bound(&pack.manifest);
        for [m, k, n] in SHAPES {
            let problem = Problem::new(1, Shape { m, k, n });
            let (sums, masses) = problem.solve();
            let (mut best, mut worst) = (f64::INFINITY, 0.0_f64);
            for turn in 0..=asked.iterations.get() {
                let (results, receipt) =
                    device::multiply(node, pack, &problem).map_err(|why| format!("{m} x {k} x {n}: {why}"))?;
                if !receipt.origin().is_hardware() {
                    return Err("what answered was no NPU, and only an NPU's time is told".to_owned());
                }
                if turn > 0 {
                    best = best.min(receipt.wall().as_secs_f64());
                }
                for ((result, sum), mass) in results.iter().zip(&sums).zip(&masses) {
                    let error = (f64::from(*result) - sum).abs() / mass;
                    // The time of a wrong result is nobody's business. What is no number is no less than anything.
                    if !error.is_finite() || error > bound {
                        return Err(format!("{m} x {k} x {n}: {result} came out where {sum} is right"));
                    }
                    worst = worst.max(error);
                }
            }
            let operations = problem.shape.operations() as f64;
            lines.borrow_mut().push(format!(
                "{m},{k},{n},{:.4},{:.1},{worst:.2e}",
                best * 1e3,
                operations / best / 1e9
            ));
        }
        Ok(format!("{} products were measured", SHAPES.len()))
    };
    let report = doctor::this_machine(&asked.folder.path(), Some(&sweep));
    if report.state == State::Usable {
        print_text(&lines.borrow().join("\n"))?;
    } else {
        doctor::explain(&report);
        say!("so no time is told: only an NPU's own is; `npu emulate` tries a product without one");
    }
    Ok(report.exit_code())
}
