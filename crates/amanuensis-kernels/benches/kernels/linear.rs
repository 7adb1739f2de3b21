//! Linear layers, the feed-forward half of a layer, convolutions, and the packing of their weights.

use amanuensis_kernels::{Epilogue, Norm, PackedMatrix, Precision, Team};
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

pub(super) fn measure(group: &mut BenchmarkGroup<'_, WallTime>, team: &mut Team, precision: Precision) {
    for (rows, inputs, outputs) in SHAPES {
        let matrix = packed(team, precision, inputs, outputs);
        let input = numbers(rows * inputs);
        let mut out = vec![0.0; rows * outputs];
        let operations = Throughput::Elements((2 * rows * inputs * outputs) as u64);
        bench(group, team, &format!("linear {precision} {rows} x {inputs} x {outputs}"), operations, |region| {
            region.linear(&input, None, &matrix, Epilogue::Store, &mut out);
        });
    }
    for epilogue in [Epilogue::Gelu, Epilogue::Add] {
        let matrix = packed(team, precision, WIDTH, WIDTH);
        let input = numbers(TIME * WIDTH);
        let mut out = vec![0.0; TIME * WIDTH];
        let operations = Throughput::Elements((2 * TIME * WIDTH * WIDTH) as u64);
        let name = format!("linear {precision} {TIME} x {WIDTH} x {WIDTH} {epilogue:?}");
        bench(group, team, &name, operations, |region| region.linear(&input, None, &matrix, epilogue, &mut out));
    }
    for rows in [1, 8, TIME] {
        let (up, down) = (packed(team, precision, WIDTH, 4 * WIDTH), numbers(4 * WIDTH * WIDTH));
        let down = team.enter(|region| region.pack_slices(precision, &down, WIDTH, 4 * WIDTH, None));
        let (gain, bias) = (vec![1.0; WIDTH], numbers(WIDTH));
        let mut x = numbers(rows * WIDTH);
        let operations = Throughput::Elements((2 * rows * 2 * WIDTH * 4 * WIDTH) as u64);
        bench(group, team, &format!("feed-forward {precision} {rows} x {WIDTH}"), operations, |region| {
            region.feed_forward(&mut x, Norm { gain: &gain, bias: &bias }, &up, &down);
        });
    }
    for (frames, channels, stride) in [(2 * TIME, 80, 1), (2 * TIME, WIDTH, 2)] {
        let matrix = packed(team, precision, 3 * channels, WIDTH);
        let input = numbers((frames + 2) * channels);
        let mut out = vec![0.0; frames / stride * WIDTH];
        let operations = Throughput::Elements((2 * out.len() * 3 * channels) as u64);
        let name = format!("convolution {precision} {frames} x {channels}, stride {stride}");
        bench(group, team, &name, operations, |region| {
            region.convolution(&input, &matrix, stride, None, &mut out);
        });
    }
    let weights = numbers(VOCABULARY * WIDTH);
    bench(group, team, &format!("pack {precision} {VOCABULARY} x {WIDTH}"), floats(weights.len()), |region| {
        std::hint::black_box(region.pack(precision, &weights, VOCABULARY, WIDTH, None));
    });
}

fn packed(team: &mut Team, precision: Precision, inputs: usize, outputs: usize) -> PackedMatrix {
    let weights = numbers(inputs * outputs);
    team.enter(|region| region.pack(precision, &weights, outputs, inputs, None))
}
