//! The roofs, so that a figure stands beside what there was to reach.

use amanuensis_kernels::roof::Roofs;
use amanuensis_kernels::{AlignedBuffer, Team};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};

use super::{bench, floats};

/// Steps of a loop of arithmetic, some 100 microseconds.
const STEPS: usize = 30_000;
/// Numbers that no cache holds.
const MEMORY: usize = 64 << 20;
/// Numbers that a thread reads at a time.
const BLOCK: usize = 64 << 10;

pub(super) fn measure(group: &mut BenchmarkGroup<'_, WallTime>, team: &mut Team) {
    let roofs = Roofs::of(team.kernels());
    let threads = team.threads();
    for (name, arithmetic) in [("f32", roofs.multiply_add), ("int8", roofs.dot_product)] {
        let operations = (threads * STEPS) as u64 * arithmetic.operations();
        let name = format!("roof {name}, {}", arithmetic.instruction());
        bench(group, team, &name, Throughput::Elements(operations), |region| {
            region.split(threads, |_| arithmetic.run(STEPS));
        });
    }
    let mut numbers = AlignedBuffer::<f32>::zeroed(MEMORY);
    // Memory that nobody wrote to is one and the same page of zeros, which would be read from a cache.
    numbers.fill(1.0);
    bench(group, team, "roof of memory", floats(MEMORY), |region| {
        region.split(MEMORY / BLOCK, |block| {
            std::hint::black_box(roofs.read(&numbers[block * BLOCK..][..BLOCK]));
        });
    });
}
