//! How fast the kernels are, beside the roofs of this machine measured in the same run.
//!
//! `cargo bench -p amanuensis-kernels -- [threads] [part...]`, parts: roof gemm attention pointwise encoder step pack.
//! Without threads: one, then as many as there are cores. `AMANUENSIS_ISA` chooses the instruction set. Best and median
//! of a second each: the best is what the code can do, the median what this machine let it do. One thread is measured
//! in processor time, several by the wall.

#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

mod model;
mod roof;

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use amanuensis_kernels::{Epilogue, Kernels, Precision, Team};

/// Best and median seconds of `run`, repeated for about a second.
pub(crate) fn measure(mut run: impl FnMut()) -> (f64, f64) {
    run();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || (start.elapsed().as_secs_f64() < 1.0 && times.len() < 5000) {
        let begin = now();
        run();
        times.push(now() - begin);
    }
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

/// One thread is measured in the processor time it got, which other programs on the machine disturb far less than the
/// time on the wall; several threads wait for each other, and only the wall tells the truth.
static ALONE: AtomicBool = AtomicBool::new(false);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> f64 {
    #[cfg(target_os = "linux")]
    if ALONE.load(Relaxed) {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a valid place for the result, and the clock exists on every Linux.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        return time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9;
    }
    START.elapsed().as_secs_f64()
}

/// Numbers about the normal distribution.
pub(crate) fn numbers(count: usize, scale: f32) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ count as u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count).map(|_| (uniform() + uniform() + uniform() + uniform()) * 1.7 * scale).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let given: Vec<usize> = arguments.iter().filter_map(|word| word.parse().ok()).collect();
    let parts: Vec<&str> = arguments.iter().filter(|word| word.parse::<usize>().is_err()).map(String::as_str).collect();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let counts = if given.is_empty() { vec![1, cores] } else { given };
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let kernels = Kernels::detect()?;
    for threads in counts {
        ALONE.store(threads == 1, Relaxed);
        let mut team = Team::new(kernels, NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN));
        println!("\n{} threads, {}", team.threads(), kernels.isa());
        let peak = roof::peak(&mut team);
        println!("  f32 fused multiply-add, in registers {:8.1} GFLOP/s", peak / 1e9);
        if wanted("roof") {
            roof::bandwidth(&mut team);
        }
        if wanted("gemm") {
            gemm(&mut team, peak);
        }
        if wanted("attention") {
            attention(&mut team, peak);
        }
        if wanted("pointwise") {
            pointwise(&mut team);
        }
        if wanted("pack") {
            pack(&mut team);
        }
        if wanted("encoder") {
            model::encoder(&mut team, peak);
        }
        if wanted("step") {
            model::step(&mut team);
        }
    }
    Ok(())
}

fn report(name: &str, (best, median): (f64, f64), flops: f64, peak: f64) {
    println!(
        "  {name:36} {:8.3} ms best {:8.3} median {:7.1} GFLOP/s {:5.1} % of peak",
        best * 1e3,
        median * 1e3,
        flops / best / 1e9,
        100.0 * flops / best / peak
    );
}

fn gemm(team: &mut Team, peak: f64) {
    for (rows, inputs, outputs) in
        [(192, 512, 2048), (96, 2048, 512), (1500, 512, 512), (1500, 512, 2048), (1500, 2048, 512), (1500, 1280, 5120)]
    {
        let weights = numbers(inputs * outputs, 0.05);
        let matrix =
            team.enter(|region| region.pack(Precision::F32, &weights, outputs, inputs, Some(&weights[..outputs])));
        let input = numbers(rows * inputs, 1.0);
        let mut out = vec![0.0; rows * outputs];
        for epilogue in [Epilogue::Store, Epilogue::Gelu, Epilogue::Add] {
            let time = measure(|| team.enter(|region| region.linear(&input, None, &matrix, epilogue, &mut out)));
            let name = format!("linear {rows} x {inputs} x {outputs} {epilogue:?}");
            report(&name, time, 2.0 * (rows * inputs * outputs) as f64, peak);
        }
    }
    for (inputs, outputs) in [(512, 512), (2048, 512), (512, 51865)] {
        let weights = numbers(inputs * outputs, 0.05);
        let matrix = team.enter(|region| region.pack(Precision::F32, &weights, outputs, inputs, None));
        for rows in [1, 2, 4, 5, 8, 12, 20, 48] {
            let input = numbers(rows * inputs, 1.0);
            let mut out = vec![0.0; rows * outputs];
            let (best, median) =
                measure(|| team.enter(|region| region.linear(&input, None, &matrix, Epilogue::Store, &mut out)));
            println!(
                "  linear {rows:2} x {inputs} x {outputs:5}   {:8.1} us best {:8.1} median {:6.1} GB/s of weights {:6.1} GFLOP/s",
                best * 1e6,
                median * 1e6,
                matrix.bytes() as f64 / best / 1e9,
                2.0 * (rows * inputs * outputs) as f64 / best / 1e9
            );
        }
    }
}

fn attention(team: &mut Team, peak: f64) {
    for (heads, time) in [(1, 1500), (8, 1500), (20, 1500)] {
        let size = 64;
        let qkv = numbers(time * 3 * heads * size, 1.0);
        let mut out = vec![0.0; time * heads * size];
        let took = measure(|| team.enter(|region| region.self_attention(Precision::F32, &qkv, heads, size, &mut out)));
        report(&format!("self-attention {time}, {heads} heads"), took, (4 * time * time * heads * size) as f64, peak);
    }
}

fn pointwise(team: &mut Team) {
    let (rows, width) = (1500, 512);
    let input = numbers(rows * width, 1.0);
    let (gain, bias) = (numbers(width, 1.0), numbers(width, 1.0));
    let mut out = vec![0.0; rows * width];
    let (best, _) = measure(|| team.enter(|region| region.layer_norm(&input, &gain, &bias, &mut out)));
    println!("  layer norm {rows} x {width}                {:8.3} ns a number", best * 1e9 / out.len() as f64);
    let (best, _) = measure(|| team.enter(|region| region.gelu(&mut out)));
    println!("  gelu                                 {:8.3} ns a number", best * 1e9 / out.len() as f64);
    let scores = numbers(51865, 3.0);
    let kernels = team.kernels();
    let mut sum = 0.0;
    let (best, _) = measure(|| sum += kernels.log_sum_exp(&scores));
    println!("  log of the sum of 51865 exponentials {:8.3} us", best * 1e6);
    let mut place = 0;
    let (best, _) = measure(|| place += kernels.argmax(&scores));
    println!("  largest of 51865                     {:8.3} us", best * 1e6);
    assert!(sum.is_finite() && place > 0);
    let (best, median) = measure(|| team.enter(|region| region.split(8, |_| ())));
    println!("  an empty job in a region of its own  {:8.3} us best {:.3} median", best * 1e6, median * 1e6);
    let (best, _) = measure(|| team.enter(|region| (0..1000).for_each(|_| region.split(8, |_| ()))));
    println!("  an empty job among others            {:8.3} us", best * 1e3);
}

fn pack(team: &mut Team) {
    let (inputs, outputs) = (512, 51865);
    let weights = numbers(inputs * outputs, 1.0);
    let mut bytes = 0;
    let (best, median) =
        measure(|| bytes = team.enter(|region| region.pack(Precision::F32, &weights, outputs, inputs, None)).bytes());
    println!(
        "  pack {outputs} x {inputs}                   {:8.3} ms best {:8.3} median {:6.1} GB/s",
        best * 1e3,
        median * 1e3,
        bytes as f64 / best / 1e9
    );
}
