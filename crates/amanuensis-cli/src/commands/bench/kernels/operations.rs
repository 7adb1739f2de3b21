//! The operations that Whisper is made of, at the shapes of whisper-base: 512 channels, 8 heads, 1,500 positions of
//! sound and a vocabulary of 51,865.

use amanuensis::audio::Recording;
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis_kernels::{Epilogue, Kernels, KeysValues, PackedMatrix, Query, Region, Team};

use super::measure::{Bench, Need, Operation};
use crate::args::Group;

const WIDTH: usize = 512;
const HEADS: usize = 8;
const TIME: usize = 1500;
const VOCABULARY: usize = 51_865;

/// Measures the operations of a group.
pub(super) fn measure(group: Group, bench: &mut Bench) {
    let mut row = |make: &dyn Fn(&mut Team) -> Operation| bench.row(group, make);
    match group {
        Group::LinearManyRows => {
            row(&|team| linear(team, TIME, WIDTH, WIDTH, Epilogue::Add));
            row(&|team| linear(team, TIME, WIDTH, 3 * WIDTH, Epilogue::Store));
            row(&|team| linear(team, TIME, WIDTH, 4 * WIDTH, Epilogue::Gelu));
            row(&|team| linear(team, TIME, 4 * WIDTH, WIDTH, Epilogue::Add));
        }
        Group::LinearFewRows => {
            row(&|team| linear(team, 1, WIDTH, WIDTH, Epilogue::Add));
            row(&|team| linear(team, 1, 4 * WIDTH, WIDTH, Epilogue::Add));
            row(&|team| linear(team, 1, WIDTH, VOCABULARY, Epilogue::Store));
            row(&|team| linear(team, 4, WIDTH, VOCABULARY, Epilogue::Store));
            row(&|team| linear(team, 8, WIDTH, WIDTH, Epilogue::Add));
            row(&|team| linear(team, 8, WIDTH, VOCABULARY, Epilogue::Store));
            row(&|team| linear(team, 20, WIDTH, VOCABULARY, Epilogue::Store));
        }
        Group::Convolution => {
            row(&|team| convolution(team, 2 * TIME, 80, 1));
            row(&|team| convolution(team, 2 * TIME, WIDTH, 2));
        }
        Group::SelfAttention => {
            row(&|team| self_attention(team, TIME));
        }
        Group::KeptAttention => {
            row(&|team| kept_attention(team, 1, 1, 100));
            row(&|team| kept_attention(team, 1, 1, TIME));
            row(&|team| kept_attention(team, 5, 1, TIME));
            row(&|team| kept_attention(team, 4, 4, TIME));
            row(&|team| kept_attention(team, 8, 8, TIME));
        }
        Group::Pointwise => {
            row(&|team| layer_norm(team, TIME));
            row(&|team| layer_norm(team, 1));
            row(&|team| gelu(team, TIME));
            row(&|team| scores(team, "exponentials", 2, |kernels, scores| kernels.exponential(scores)));
            row(&|team| {
                scores(team, "log of the sum of exponentials", 1, |kernels, scores| {
                    std::hint::black_box(kernels.log_sum_exp(scores));
                })
            });
            row(&|team| {
                scores(team, "place of the largest", 1, |kernels, scores| {
                    std::hint::black_box(kernels.argmax(scores));
                })
            });
        }
        Group::Packing => {
            row(&|_| pack(VOCABULARY, WIDTH));
            row(&|team| fill(team, TIME));
        }
        Group::Mel => row(&|_| mel()),
        Group::Team => row(&|_| nothing()),
    }
}

fn linear(team: &mut Team, rows: usize, inputs: usize, outputs: usize, epilogue: Epilogue) -> Operation {
    let matrix = packed(team, inputs, outputs);
    let input = numbers(rows * inputs);
    let mut out = vec![0.0; rows * outputs];
    let bytes = matrix.bytes() + floats(input.len() + out.len());
    operation(
        format!("linear {rows} x {inputs} x {outputs}, {}", said(epilogue)),
        need(2 * rows * inputs * outputs, bytes),
        move |region| region.linear(&input, &matrix, epilogue, &mut out),
    )
}

fn convolution(team: &mut Team, frames: usize, channels: usize, stride: usize) -> Operation {
    let matrix = packed(team, 3 * channels, WIDTH);
    let input = numbers((frames + 2) * channels);
    let results = frames / stride;
    let mut out = vec![0.0; results * WIDTH];
    let bytes = matrix.bytes() + floats(input.len() + out.len());
    operation(
        format!("convolution {frames} x {channels}, stride {stride}"),
        need(2 * results * 3 * channels * WIDTH, bytes),
        move |region| region.convolution(&input, &matrix, stride, None, &mut out),
    )
}

fn self_attention(_: &mut Team, time: usize) -> Operation {
    let queries_keys_values = numbers(time * 3 * WIDTH);
    let mut out = vec![0.0; time * WIDTH];
    let bytes = floats(queries_keys_values.len() + out.len());
    operation(
        format!("self-attention, {HEADS} heads, {time} positions"),
        need(4 * time * time * WIDTH, bytes),
        move |region| region.self_attention(&queries_keys_values, HEADS, WIDTH / HEADS, &mut out),
    )
}

/// Rows that look at `time` positions of as many windows as there are, the same number of rows at each.
fn kept_attention(team: &mut Team, rows: usize, windows: usize, time: usize) -> Operation {
    let kept: Vec<KeysValues> = (0..windows).map(|_| filled(team, time)).collect();
    let queries = numbers(rows * WIDTH);
    let mut out = vec![0.0; rows * WIDTH];
    let of_window = rows / windows;
    operation(
        format!("attention, rows: {rows}, windows: {windows} x {time}"),
        need(4 * rows * time * WIDTH, floats(windows * 2 * time * WIDTH + 2 * rows * WIDTH)),
        move |region| {
            let query = |row: usize| Query { keys_values: &kept[row / of_window], length: time };
            let queried: Vec<Query<'_>> = (0..rows).map(query).collect();
            region.attention(&queries, &queried, HEADS, &mut out, None);
        },
    )
}

fn layer_norm(_: &mut Team, rows: usize) -> Operation {
    let input = numbers(rows * WIDTH);
    let (gain, bias) = (numbers(WIDTH), numbers(WIDTH));
    let mut out = vec![0.0; rows * WIDTH];
    operation(format!("layer norm {rows} x {WIDTH}"), need(0, floats(2 * rows * WIDTH)), move |region| {
        region.layer_norm(&input, &gain, &bias, &mut out);
    })
}

fn gelu(_: &mut Team, rows: usize) -> Operation {
    // GELU leaves these as they are. Smaller ones would shrink with every repetition until they are denormal, and slow.
    let mut values = vec![8.0; rows * 4 * WIDTH];
    operation(format!("GELU {rows} x {}", 4 * WIDTH), need(0, floats(2 * values.len())), move |region| {
        region.gelu(&mut values);
    })
}

/// What a thread does with the scores of all tokens, over which it goes `passes` times to read or write. Every thread has
/// scores of its own, as the roof has threads.
fn scores(
    team: &mut Team,
    name: &str,
    passes: usize,
    run: impl Fn(&'static Kernels, &mut [f32]) + Sync + 'static,
) -> Operation {
    let (kernels, threads) = (team.kernels(), team.threads());
    let mut scores = numbers(threads * VOCABULARY);
    let bytes = floats(passes * scores.len());
    operation(format!("{name}, {threads} x {VOCABULARY}"), need(0, bytes), move |region| {
        region.rows(&mut scores, VOCABULARY, 1, |_, scores| run(kernels, scores));
    })
}

fn pack(outputs: usize, inputs: usize) -> Operation {
    let weights = numbers(outputs * inputs);
    operation(format!("pack {outputs} x {inputs}"), need(0, floats(2 * weights.len())), move |region| {
        region.pack(&weights, outputs, inputs, None);
    })
}

fn fill(team: &mut Team, time: usize) -> Operation {
    let mut kept = KeysValues::new(team.kernels(), HEADS, WIDTH / HEADS, time);
    let rows = numbers(time * 2 * WIDTH);
    operation(format!("pack keys and values of {time} positions"), need(0, floats(2 * rows.len())), move |region| {
        kept.fill(region, &rows);
    })
}

/// The whole spectrogram of a recording of 30 s: the search for its loudest moment, and the window. It is the engine's,
/// on one thread.
fn mel() -> Operation {
    let samples = numbers(WINDOW_FRAMES * amanuensis::mel::HOP);
    let recording = Recording::from_samples(&samples);
    let run = move |_: &mut Region<'_>| {
        let mut go_on = || Ok::<(), amanuensis::Error>(());
        let window = Spectrogram::new(&recording, 80, Convention::OpenAi, &mut go_on)
            .map(|mut spectrogram| spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES));
        // Samples in memory can always be read; what was read is of no interest.
        let _ = std::hint::black_box(window);
    };
    Operation { name: "log-mel, 30 s, 80 bins, 1 thread".to_owned(), need: None, of_kernels: false, run: Box::new(run) }
}

fn nothing() -> Operation {
    let run = |region: &mut Region<'_>| region.split(region.threads() * 4, |_| ());
    Operation { name: "a job without work".to_owned(), need: None, of_kernels: true, run: Box::new(run) }
}

/// An operation of the kernels.
fn operation(name: String, need: Need, run: impl FnMut(&mut Region<'_>) + 'static) -> Operation {
    Operation { name, need: Some(need), of_kernels: true, run: Box::new(run) }
}

/// Multiply-adds of f32, and bytes.
fn need(operations: usize, bytes: usize) -> Need {
    Need { arithmetic: |roofs| &roofs.multiply_add, operations: operations as f64, bytes: bytes as f64 }
}

fn said(epilogue: Epilogue) -> &'static str {
    match epilogue {
        Epilogue::Store => "stored",
        Epilogue::Gelu => "GELU",
        Epilogue::Add => "added",
    }
}

fn floats(count: usize) -> usize {
    count * size_of::<f32>()
}

fn packed(team: &mut Team, inputs: usize, outputs: usize) -> PackedMatrix {
    let weights = numbers(inputs * outputs);
    team.enter(|region| region.pack(&weights, outputs, inputs, None))
}

fn filled(team: &mut Team, time: usize) -> KeysValues {
    let mut kept = KeysValues::new(team.kernels(), HEADS, WIDTH / HEADS, time);
    team.enter(|region| kept.fill(region, &numbers(time * 2 * WIDTH)));
    kept
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
