//! Linear layers, convolutions, and the packing of their weights.

use amanuensis_kernels::{Epilogue, PackedMatrix, Team};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};

use super::{TIME, VOCABULARY, WIDTH, bench, floats, numbers};

/// Rows, inputs, outputs.
const SHAPES: [(usize, usize, usize); 9] = [
    (TIME, WIDTH, WIDTH),
    (TIME, WIDTH, 4 * WIDTH),
    (TIME, 4 * WIDTH, WIDTH),
    (TIME, 1280, 5120),
    (1, WIDTH, WIDTH),
    (1, WIDTH, VOCABULARY),
    (4, WIDTH, VOCABULARY),
    (8, WIDTH, VOCABULARY),
    (20, WIDTH, VOCABULARY),
];

pub(super) fn measure(group: &mut BenchmarkGroup<'_, WallTime>, team: &mut Team) {
    for (rows, inputs, outputs) in SHAPES {
        let matrix = packed(team, inputs, outputs);
        let input = numbers(rows * inputs);
        let mut out = vec![0.0; rows * outputs];
        let operations = Throughput::Elements((2 * rows * inputs * outputs) as u64);
        bench(group, team, &format!("linear {rows} x {inputs} x {outputs}"), operations, |region| {
            region.linear(&input, &matrix, Epilogue::Store, &mut out);
        });
    }
    for epilogue in [Epilogue::Gelu, Epilogue::Add] {
        let matrix = packed(team, WIDTH, WIDTH);
        let input = numbers(TIME * WIDTH);
        let mut out = vec![0.0; TIME * WIDTH];
        let operations = Throughput::Elements((2 * TIME * WIDTH * WIDTH) as u64);
        bench(group, team, &format!("linear {TIME} x {WIDTH} x {WIDTH} {epilogue:?}"), operations, |region| {
            region.linear(&input, &matrix, epilogue, &mut out);
        });
    }
    for (frames, channels, stride) in [(2 * TIME, 80, 1), (2 * TIME, WIDTH, 2)] {
        let matrix = packed(team, 3 * channels, WIDTH);
        let input = numbers((frames + 2) * channels);
        let mut out = vec![0.0; frames / stride * WIDTH];
        let operations = Throughput::Elements((2 * out.len() * 3 * channels) as u64);
        bench(group, team, &format!("convolution {frames} x {channels}, stride {stride}"), operations, |region| {
            region.convolution(&input, &matrix, stride, None, &mut out);
        });
    }
    let weights = numbers(VOCABULARY * WIDTH);
    bench(group, team, &format!("pack {VOCABULARY} x {WIDTH}"), floats(weights.len()), |region| {
        region.pack(&weights, VOCABULARY, WIDTH, None);
    });
}

fn packed(team: &mut Team, inputs: usize, outputs: usize) -> PackedMatrix {
    let weights = numbers(inputs * outputs);
    team.enter(|region| region.pack(&weights, outputs, inputs, None))
}
