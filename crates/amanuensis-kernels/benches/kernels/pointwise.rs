//! What is done to numbers one by one, and what a job costs that does nothing.

use amanuensis_kernels::Team;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};

use super::{TIME, VOCABULARY, WIDTH, bench, floats, numbers};

pub(super) fn measure(group: &mut BenchmarkGroup<'_, WallTime>, team: &mut Team) {
    let input = numbers(TIME * WIDTH);
    let (gain, bias) = (numbers(WIDTH), numbers(WIDTH));
    let mut out = vec![0.0; TIME * WIDTH];
    bench(group, team, &format!("layer norm {TIME} x {WIDTH}"), floats(input.len()), |region| {
        region.layer_norm(&input, &gain, &bias, &mut out);
    });
    // GELU leaves these as they are. Smaller ones would shrink with every repetition until they are denormal, and slow.
    let mut values = vec![8.0; TIME * 4 * WIDTH];
    bench(group, team, &format!("GELU {TIME} x {}", 4 * WIDTH), floats(values.len()), |region| {
        region.gelu(&mut values);
    });
    let kernels = team.kernels();
    let mut scores = numbers(VOCABULARY);
    bench(group, team, "exponentials", floats(VOCABULARY), |_| kernels.exponential(&mut scores));
    let scores = numbers(VOCABULARY);
    bench(group, team, "log of the sum of exponentials", floats(VOCABULARY), |_| {
        std::hint::black_box(kernels.log_sum_exp(&scores));
    });
    bench(group, team, "place of the largest", floats(VOCABULARY), |_| {
        std::hint::black_box(kernels.argmax(&scores));
    });
    let blocks = 4 * team.threads();
    bench(group, team, "a job without work", Throughput::Elements(1), |region| region.split(blocks, |_| ()));
}
