//! How long each kernel takes, with Criterion: `cargo bench -p amanuensis-kernels -- [FILTER]`.
//!
//! Criterion compares with the run before, so this is for whoever changes a kernel. How far each is from what the
//! machine can do at all, `amanuensis bench kernels` says. Everything is measured with one thread and with one for each
//! core, in a region that is open, as in a model. `AMANUENSIS_ISA` chooses the instruction set.

mod attention;
mod linear;
mod pointwise;
mod roofs;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use amanuensis_kernels::{Kernels, Precision, Region, Team};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

/// Channels of whisper-base.
const WIDTH: usize = 512;
/// Heads of whisper-base.
const HEADS: usize = 8;
/// Positions of 30 s of sound.
const TIME: usize = 1500;
/// Tokens of multilingual models.
const VOCABULARY: usize = 51_865;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernels = Kernels::detect()?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    let mut counts = vec![NonZeroUsize::MIN, cores];
    counts.dedup();
    for threads in counts {
        let mut team = Team::new(kernels, threads);
        let mut group = criterion.benchmark_group(format!("{}, {} threads", kernels.isa(), team.threads()));
        roofs::measure(&mut group, &mut team);
        for precision in Precision::ALL {
            linear::measure(&mut group, &mut team, precision);
            attention::measure(&mut group, &mut team, precision);
        }
        pointwise::measure(&mut group, &mut team);
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}

/// Repeats `run` in an open region.
fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    team: &mut Team,
    name: &str,
    throughput: Throughput,
    mut run: impl FnMut(&mut Region<'_>),
) {
    group.throughput(throughput);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            team.enter(|region| {
                let begun = Instant::now();
                (0..iterations).for_each(|_| run(region));
                begun.elapsed()
            })
        });
    });
}

/// Bytes of so many f32.
fn floats(count: usize) -> Throughput {
    Throughput::Bytes((count * size_of::<f32>()) as u64)
}

/// Numbers between -0.05 and 0.05, about the size of weights, the same every time.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        0.1 * ((state >> 8) as f32 / (1 << 24) as f32 - 0.5)
    };
    (0..count).map(|_| number()).collect()
}
