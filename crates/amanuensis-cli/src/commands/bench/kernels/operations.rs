//! The operations that Whisper is made of, at the shapes of whisper-base: 512 channels, 8 heads, 1,500 positions of
//! sound and a vocabulary of 51,865.

use std::hint::black_box;

use amanuensis::Crew;
use amanuensis::audio::Recording;
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis_kernels::{Epilogue, Kernels, KeysValues, Norm, PackedMatrix, Past, Precision, Region, Team, Turn};

use super::measure::{Bench, Need, Operation};
use super::roofs::{Roof, Roofs};
use crate::args::Group;

const WIDTH: usize = 512;
const HEADS: usize = 8;
const TIME: usize = 1500;
const VOCABULARY: usize = 51_865;

/// Measures the operations of a group.
pub(super) fn measure(group: Group, bench: &mut Bench) {
    let mut rows = bench.of(group);
    match group {
        Group::LinearManyRows => {
            rows.each(|team, precision| linear(team, precision, TIME, WIDTH, WIDTH, Epilogue::Add));
            rows.each(|team, precision| linear(team, precision, TIME, WIDTH, 3 * WIDTH, Epilogue::Store));
            rows.each(|team, precision| linear(team, precision, TIME, WIDTH, 4 * WIDTH, Epilogue::Gelu));
            rows.each(|team, precision| linear(team, precision, TIME, 4 * WIDTH, WIDTH, Epilogue::Add));
            rows.each(|team, precision| feed_forward(team, precision, TIME));
        }
        Group::LinearFewRows => {
            rows.each(|team, precision| linear(team, precision, 1, WIDTH, WIDTH, Epilogue::Add));
            rows.each(|team, precision| linear(team, precision, 8, WIDTH, WIDTH, Epilogue::Add));
            rows.each(|team, precision| feed_forward(team, precision, 1));
            rows.each(|team, precision| feed_forward(team, precision, 8));
            rows.each(|team, precision| linear(team, precision, 1, WIDTH, VOCABULARY, Epilogue::Store));
            rows.each(|team, precision| linear(team, precision, 4, WIDTH, VOCABULARY, Epilogue::Store));
            rows.each(|team, precision| linear(team, precision, 8, WIDTH, VOCABULARY, Epilogue::Store));
            rows.each(|team, precision| linear(team, precision, 20, WIDTH, VOCABULARY, Epilogue::Store));
        }
        Group::Convolution => {
            rows.each(|team, precision| convolution(team, precision, 2 * TIME, 80, 1));
            rows.each(|team, precision| convolution(team, precision, 2 * TIME, WIDTH, 2));
        }
        Group::SelfAttention => rows.each_attention(|_, precision| self_attention(precision, TIME)),
        Group::KeptAttention => {
            rows.one(|team| attention_to_past(team, Precision::F32, 1));
            rows.one(|team| attention_to_past(team, Precision::F16, 1));
            rows.one(|team| attention_to_past(team, Precision::F32, 8));
            rows.one(|team| attention_to_past(team, Precision::F16, 8));
            rows.each_attention(|team, precision| kept_attention(team, precision, 1, 1, TIME));
            rows.each_attention(|team, precision| kept_attention(team, precision, 5, 1, TIME));
            rows.each_attention(|team, precision| kept_attention(team, precision, 4, 4, TIME));
            rows.each_attention(|team, precision| kept_attention(team, precision, 8, 8, TIME));
        }
        Group::Pointwise => {
            rows.one(|_| layer_norm(TIME));
            rows.one(|_| layer_norm(1));
            rows.one(|_| gelu(TIME));
            rows.one(|team| scores(team, "exponentials", 2, Kernels::exponential));
            rows.one(|team| {
                scores(team, "log of the sum of exponentials", 1, |kernels, scores| {
                    black_box(kernels.log_sum_exp(scores));
                })
            });
            rows.one(|team| {
                scores(team, "place of the largest", 1, |kernels, scores| {
                    black_box(kernels.argmax(scores));
                })
            });
        }
        Group::Packing => {
            rows.each(|_, precision| pack(precision, VOCABULARY, WIDTH));
            rows.each_attention(|team, precision| fill(team, precision, TIME));
        }
        Group::Mel => rows.one(|_| mel()),
        Group::Team => rows.one(|_| nothing()),
    }
}

fn linear(
    team: &mut Team,
    precision: Precision,
    rows: usize,
    inputs: usize,
    outputs: usize,
    epilogue: Epilogue,
) -> Operation {
    let matrix = packed(team, precision, inputs, outputs);
    let input = numbers(rows * inputs);
    let mut out = vec![0.0; rows * outputs];
    let bytes = matrix.bytes() + floats(input.len() + out.len());
    let end = match epilogue {
        Epilogue::Store => "",
        Epilogue::Gelu => ", GELU",
        Epilogue::Add => ", added",
    };
    operation(
        format!("linear {precision} {rows} x {inputs} x {outputs}{end}"),
        need(precision, 2 * rows * inputs * outputs, bytes),
        move |region| region.linear(&input, None, &matrix, epilogue, &mut out),
    )
}

fn feed_forward(team: &mut Team, precision: Precision, rows: usize) -> Operation {
    let up = packed(team, precision, WIDTH, 4 * WIDTH);
    let down = numbers(4 * WIDTH * WIDTH);
    let down = team.enter(|region| region.pack_slices(precision, &down, WIDTH, 4 * WIDTH, None));
    let (gain, bias) = (vec![1.0; WIDTH], numbers(WIDTH));
    let mut x = numbers(rows * WIDTH);
    let bytes = up.bytes() + down.bytes() + floats(2 * x.len());
    operation(
        format!("feed-forward {precision} {rows} x {WIDTH} x {}", 4 * WIDTH),
        need(precision, 2 * rows * 2 * WIDTH * 4 * WIDTH, bytes),
        move |region| region.feed_forward(&mut x, Norm { gain: &gain, bias: &bias }, &up, &down),
    )
}

fn convolution(team: &mut Team, precision: Precision, frames: usize, channels: usize, stride: usize) -> Operation {
    let matrix = packed(team, precision, 3 * channels, WIDTH);
    let input = numbers((frames + 2) * channels);
    let results = frames / stride;
    let mut out = vec![0.0; results * WIDTH];
    let bytes = matrix.bytes() + floats(input.len() + out.len());
    operation(
        format!("convolution {precision} {frames} x {channels}, stride {stride}"),
        need(precision, 2 * results * 3 * channels * WIDTH, bytes),
        move |region| region.convolution(&input, &matrix, stride, None, &mut out),
    )
}

fn self_attention(precision: Precision, time: usize) -> Operation {
    let queries_keys_values = numbers(time * 3 * WIDTH);
    let mut out = vec![0.0; time * WIDTH];
    let bytes = floats(queries_keys_values.len() + out.len());
    operation(
        format!("self-attention {precision}, {HEADS} heads, {time} positions"),
        need(precision, 4 * time * time * WIDTH, bytes),
        move |region| region.self_attention(precision, &queries_keys_values, HEADS, WIDTH / HEADS, &mut out),
    )
}

/// A new token of as many sequences, each after 99 others.
fn attention_to_past(team: &mut Team, precision: Precision, sequences: usize) -> Operation {
    const BEFORE: usize = 99;
    let kernels = team.kernels();
    let queries_keys_values = numbers(sequences * 3 * WIDTH);
    let mut out = vec![0.0; sequences * WIDTH];
    let mut pasts: Vec<Past> =
        (0..sequences).map(|_| Past::new(kernels, precision, HEADS, WIDTH / HEADS, BEFORE + 1)).collect();
    team.enter(|region| {
        let new = numbers(BEFORE * 3 * WIDTH);
        for past in &mut pasts {
            region.attention_to_past(&new, &mut [Turn { past, rows: BEFORE }], &mut vec![0.0; BEFORE * WIDTH]);
        }
    });
    let bytes = bytes_of(precision, sequences * 2 * BEFORE * WIDTH) + floats(4 * sequences * WIDTH);
    operation(
        format!("attention to the past {precision}, sequences: {sequences} x {}", BEFORE + 1),
        need(Precision::F32, 4 * sequences * (BEFORE + 1) * WIDTH, bytes),
        move |region| {
            pasts.iter_mut().for_each(|past| past.truncate(BEFORE));
            let mut turns: Vec<Turn<'_>> = pasts.iter_mut().map(|past| Turn { past, rows: 1 }).collect();
            region.attention_to_past(&queries_keys_values, &mut turns, &mut out);
        },
    )
}

/// Rows that look at `time` positions of as many windows as there are, the same number of rows at each.
fn kept_attention(team: &mut Team, precision: Precision, rows: usize, windows: usize, time: usize) -> Operation {
    let kept: Vec<KeysValues> = (0..windows)
        .map(|_| {
            team.enter(|region| {
                let mut kept = region.keys_values(precision, HEADS, WIDTH / HEADS, time);
                kept.fill(region, &numbers(time * 2 * WIDTH));
                kept
            })
        })
        .collect();
    let queries = numbers(rows * WIDTH);
    let mut out = vec![0.0; rows * WIDTH];
    let of_window = rows / windows;
    let bytes = bytes_of(precision, windows * 2 * time * WIDTH) + floats(2 * rows * WIDTH);
    operation(
        format!("attention {precision}, rows: {rows}, windows: {windows} x {time}"),
        need(precision, 4 * rows * time * WIDTH, bytes),
        move |region| {
            let queried: Vec<&KeysValues> = (0..rows).map(|row| &kept[row / of_window]).collect();
            region.attention(&queries, &queried, HEADS, &mut out, None);
        },
    )
}

fn layer_norm(rows: usize) -> Operation {
    let input = numbers(rows * WIDTH);
    let (gain, bias) = (numbers(WIDTH), numbers(WIDTH));
    let mut out = vec![0.0; rows * WIDTH];
    operation(format!("layer norm {rows} x {WIDTH}"), moving(floats(2 * rows * WIDTH)), move |region| {
        region.layer_norm(&input, &gain, &bias, &mut out);
    })
}

fn gelu(rows: usize) -> Operation {
    // GELU leaves these as they are. Smaller ones would shrink with every repetition until they are denormal, and slow.
    let mut values = vec![8.0; rows * 4 * WIDTH];
    operation(format!("GELU {rows} x {}", 4 * WIDTH), moving(floats(2 * values.len())), move |region| {
        region.gelu(&mut values);
    })
}

/// What a thread does with the scores of all tokens, over which it goes `passes` times to read or write. Every thread has
/// scores of its own, as the roof has threads.
fn scores(
    team: &mut Team,
    name: &str,
    passes: usize,
    run: impl Fn(&Kernels, &mut [f32]) + Sync + 'static,
) -> Operation {
    let (kernels, threads) = (team.kernels(), team.threads());
    let mut scores = numbers(threads * VOCABULARY);
    let bytes = floats(passes * scores.len());
    operation(format!("{name}, {threads} x {VOCABULARY}"), moving(bytes), move |region| {
        region.rows(&mut scores, VOCABULARY, 1, |_, scores| run(kernels, scores));
    })
}

fn pack(precision: Precision, outputs: usize, inputs: usize) -> Operation {
    let weights = numbers(outputs * inputs);
    let bytes = floats(weights.len()) + bytes_of(precision, weights.len());
    operation(format!("pack {precision} {outputs} x {inputs}"), moving(bytes), move |region| {
        black_box(region.pack(precision, &weights, outputs, inputs, None));
    })
}

fn fill(team: &mut Team, precision: Precision, time: usize) -> Operation {
    let mut kept = team.enter(|region| region.keys_values(precision, HEADS, WIDTH / HEADS, time));
    let rows = numbers(time * 2 * WIDTH);
    let bytes = floats(rows.len()) + bytes_of(precision, rows.len());
    operation(format!("pack {precision} keys and values of {time} positions"), moving(bytes), move |region| {
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
        let window = Spectrogram::new(&recording, 80, Convention::OpenAi, Crew::ALONE, &mut go_on)
            .map(|spectrogram| spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES));
        // Samples in memory can always be read; what was read is of no interest.
        let _ = black_box(window);
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

/// Arithmetic, and bytes.
fn need(precision: Precision, operations: usize, bytes: usize) -> Need {
    let arithmetic: fn(&Roofs) -> &Roof = match precision {
        Precision::F32 | Precision::F16 => |roofs| &roofs.multiply_add,
        Precision::Int8 | Precision::Int4 => |roofs| &roofs.dot_product,
    };
    Need { arithmetic, operations: operations as f64, bytes: bytes as f64 }
}

/// Bytes alone: the little that is done to each number is not what takes the time, or should not be.
fn moving(bytes: usize) -> Need {
    need(Precision::F32, 0, bytes)
}

/// Bytes of so many numbers; those of four bits with the scales of their groups.
fn bytes_of(precision: Precision, count: usize) -> usize {
    match precision {
        Precision::F32 => 4 * count,
        Precision::F16 => 2 * count,
        Precision::Int8 => count,
        Precision::Int4 => 5 * count / 8,
    }
}

fn floats(count: usize) -> usize {
    bytes_of(Precision::F32, count)
}

fn packed(team: &mut Team, precision: Precision, inputs: usize, outputs: usize) -> PackedMatrix {
    let weights = numbers(inputs * outputs);
    team.enter(|region| region.pack(precision, &weights, outputs, inputs, None))
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
