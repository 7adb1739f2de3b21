//! The shape of whisper-base with random weights: a whole encoder, and one step of the decoder.

use amanuensis_kernels::{Epilogue, KeysValues, PackedMatrix, Precision, Query, Region, Team};

use crate::{measure, numbers};

const MELS: usize = 80;
const WIDTH: usize = 512;
const HEADS: usize = 8;
const LAYERS: usize = 6;
const FRAMES: usize = 3000;
const TIME: usize = 1500;
const VOCABULARY: usize = 51865;

fn matrix(region: &mut Region<'_>, outputs: usize, inputs: usize) -> PackedMatrix {
    let weights = numbers(outputs * inputs, 1.0 / (inputs as f32).sqrt());
    region.pack(Precision::F32, &weights, outputs, inputs, Some(&numbers(outputs, 0.1)))
}

struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

fn norm() -> Norm {
    Norm { gain: vec![1.0; WIDTH], bias: numbers(WIDTH, 0.1) }
}

struct EncoderLayer {
    before_attention: Norm,
    query_key_value: PackedMatrix,
    attention_out: PackedMatrix,
    before_mlp: Norm,
    up: PackedMatrix,
    down: PackedMatrix,
}

pub(crate) fn encoder(team: &mut Team, peak: f64) {
    let (first, second, layers) = team.enter(|region| {
        let layer = |region: &mut Region<'_>| EncoderLayer {
            before_attention: norm(),
            query_key_value: matrix(region, 3 * WIDTH, WIDTH),
            attention_out: matrix(region, WIDTH, WIDTH),
            before_mlp: norm(),
            up: matrix(region, 4 * WIDTH, WIDTH),
            down: matrix(region, WIDTH, 4 * WIDTH),
        };
        let layers: Vec<EncoderLayer> = (0..LAYERS).map(|_| layer(region)).collect();
        (matrix(region, WIDTH, 3 * MELS), matrix(region, WIDTH, 3 * WIDTH), layers)
    });
    let mel = numbers((FRAMES + 2) * MELS, 1.0);
    let positions = numbers(TIME * WIDTH, 0.1);
    let mut frames = vec![0.0; (FRAMES + 2) * WIDTH];
    let mut state = vec![0.0; TIME * WIDTH];
    let mut normed = state.clone();
    let mut mixed = state.clone();
    let mut qkv = vec![0.0; TIME * 3 * WIDTH];
    let mut hidden = vec![0.0; TIME * 4 * WIDTH];
    let last = norm();
    let time = measure(|| {
        team.enter(|region| {
            region.convolution(&mel, &first, 1, None, &mut frames[WIDTH..(FRAMES + 1) * WIDTH]);
            region.convolution(&frames, &second, 2, Some(&positions), &mut state);
            for layer in &layers {
                region.layer_norm(&state, &layer.before_attention.gain, &layer.before_attention.bias, &mut normed);
                region.linear(&normed, None, &layer.query_key_value, Epilogue::Store, &mut qkv);
                region.self_attention(Precision::F32, &qkv, HEADS, WIDTH / HEADS, &mut mixed);
                region.linear(&mixed, None, &layer.attention_out, Epilogue::Add, &mut state);
                region.layer_norm(&state, &layer.before_mlp.gain, &layer.before_mlp.bias, &mut normed);
                region.linear(&normed, None, &layer.up, Epilogue::Gelu, &mut hidden);
                region.linear(&hidden, None, &layer.down, Epilogue::Add, &mut state);
            }
            region.layer_norm(&state, &last.gain, &last.bias, &mut normed);
        });
    });
    let stem = FRAMES * 3 * MELS * WIDTH + TIME * 3 * WIDTH * WIDTH;
    let layer = TIME * 12 * WIDTH * WIDTH + 2 * TIME * TIME * WIDTH;
    crate::report("encoder of base", time, 2.0 * (stem + LAYERS * layer) as f64, peak);
}

struct DecoderLayer {
    query_key_value: PackedMatrix,
    self_out: PackedMatrix,
    cross_query: PackedMatrix,
    cross_out: PackedMatrix,
    up: PackedMatrix,
    down: PackedMatrix,
    past: Vec<KeysValues>,
    sound: Vec<KeysValues>,
}

/// One step with a past of 100 tokens, for one window, five beams of one window, and four windows.
pub(crate) fn step(team: &mut Team) {
    for (lanes, windows) in [(1, 1), (5, 1), (4, 4)] {
        one_step(team, lanes, windows);
    }
}

fn one_step(team: &mut Team, lanes: usize, windows: usize) {
    let kernels = team.kernels();
    let size = WIDTH / HEADS;
    let rows = numbers(TIME * 2 * WIDTH, 1.0);
    let (mut layers, logits) = team.enter(|region| {
        let kept = |region: &mut Region<'_>, capacity: usize, time: usize| {
            let mut kept = KeysValues::new(kernels, HEADS, size, capacity);
            kept.fill(region, &rows[..time * 2 * WIDTH]);
            kept
        };
        let layer = |region: &mut Region<'_>| DecoderLayer {
            query_key_value: matrix(region, 3 * WIDTH, WIDTH),
            self_out: matrix(region, WIDTH, WIDTH),
            cross_query: matrix(region, WIDTH, WIDTH),
            cross_out: matrix(region, WIDTH, WIDTH),
            up: matrix(region, 4 * WIDTH, WIDTH),
            down: matrix(region, WIDTH, 4 * WIDTH),
            past: (0..lanes).map(|_| kept(region, 448, 100)).collect(),
            sound: (0..windows).map(|_| kept(region, TIME, TIME)).collect(),
        };
        let layers: Vec<DecoderLayer> = (0..LAYERS).map(|_| layer(region)).collect();
        (layers, matrix(region, VOCABULARY, WIDTH))
    });
    let norm = norm();
    let token = numbers(lanes * WIDTH, 1.0);
    let mut state = token.clone();
    let mut normed = token.clone();
    let mut mixed = token.clone();
    let mut qkv = vec![0.0; lanes * 3 * WIDTH];
    let mut hidden = vec![0.0; lanes * 4 * WIDTH];
    let mut scores = vec![0.0; lanes * VOCABULARY];
    let (best, median) = measure(|| {
        state.copy_from_slice(&token);
        team.enter(|region| {
            for layer in &mut layers {
                region.layer_norm(&state, &norm.gain, &norm.bias, &mut normed);
                region.linear(&normed, None, &layer.query_key_value, Epilogue::Store, &mut qkv);
                let mut queries = Vec::with_capacity(lanes * WIDTH);
                for (past, row) in layer.past.iter_mut().zip(qkv.chunks_exact(3 * WIDTH)) {
                    past.truncate(100);
                    past.append(&row[WIDTH..2 * WIDTH], &row[2 * WIDTH..]);
                    queries.extend_from_slice(&row[..WIDTH]);
                }
                let past: Vec<Query<'_>> =
                    layer.past.iter().map(|kept| Query { keys_values: kept, length: kept.len() }).collect();
                region.attention(&queries, &past, HEADS, &mut mixed, None);
                region.linear(&mixed, None, &layer.self_out, Epilogue::Add, &mut state);
                region.layer_norm(&state, &norm.gain, &norm.bias, &mut normed);
                region.linear(&normed, None, &layer.cross_query, Epilogue::Store, &mut queries);
                let sound: Vec<Query<'_>> = (0..lanes)
                    .map(|lane| Query { keys_values: &layer.sound[lane * windows / lanes], length: TIME })
                    .collect();
                region.attention(&queries, &sound, HEADS, &mut mixed, None);
                region.linear(&mixed, None, &layer.cross_out, Epilogue::Add, &mut state);
                region.layer_norm(&state, &norm.gain, &norm.bias, &mut normed);
                region.linear(&normed, None, &layer.up, Epilogue::Gelu, &mut hidden);
                region.linear(&hidden, None, &layer.down, Epilogue::Add, &mut state);
            }
            region.layer_norm(&state, &norm.gain, &norm.bias, &mut normed);
            region.linear(&normed, None, &logits, Epilogue::Store, &mut scores);
        });
    });
    let bytes = 4.0 * (LAYERS * (14 * WIDTH * WIDTH + windows * TIME * 2 * WIDTH) + VOCABULARY * WIDTH) as f64;
    println!(
        "  step of base, {lanes} lanes, {windows} windows       {:8.3} ms best {:8.3} median {:6.1} GB/s of {:.0} MB",
        best * 1e3,
        median * 1e3,
        bytes / best / 1e9,
        bytes / 1e6
    );
}
