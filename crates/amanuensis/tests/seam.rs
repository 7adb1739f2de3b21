//! What every backend owes the engine, whatever it computes with. Each check takes a backend; the CPU's is run here.

#![allow(clippy::unwrap_used, reason = "the files of models are made by code that fails by panicking")]

mod common;
#[allow(dead_code, reason = "the models of this test are whole")]
mod model_files;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{
    Availability, Backend, BackendError, ComputeType, CrossAttention, Decoding, Encoded, Feed, Kept, Logits, Model,
    Work,
};
use amanuensis::mel::{Mel, WINDOW_FRAMES};
use amanuensis::model::{self, Dims, ModelFile, Source};
use amanuensis::tokens::Token;
use common::model_folder;
use model_files::{ModelFiles, SMALL};

static NEVER: AtomicBool = AtomicBool::new(false);

/// How far logits may lie apart that should be the same, in a batch or alone.
const TOLERANCE: f32 = 1e-4;

fn file() -> ModelFile {
    model::open(&Source::Path(model_folder("demo", None))).unwrap_or_else(|error| panic!("{error}"))
}

fn cpu(threads: usize) -> Cpu {
    Cpu::new(NonZeroUsize::new(threads), ComputeType::F32)
}

/// A window of something: the same for the same seed.
fn window(file: &ModelFile, seed: u32) -> Mel {
    window_of(file, seed, WINDOW_FRAMES)
}

/// So many frames of it.
fn window_of(file: &ModelFile, seed: u32, frames: usize) -> Mel {
    let bins = file.dims.mel_bins;
    let value = |index: usize| (((index as u32).wrapping_mul(2_654_435_761) ^ seed) >> 16) as f32 / 40_000.0 - 0.8;
    Mel { bins, frames, values: (0..bins * frames).map(value).collect() }
}

fn encode(model: &dyn Model, windows: &[Mel]) -> Encoded {
    model.encode(windows, &mut Work::new(&NEVER)).expect("encoded windows")
}

/// One step of all lanes, each with its tokens: the logits behind the last token of each.
fn step(decoding: &mut dyn Decoding, tokens: &[&[Token]]) -> Vec<Vec<f32>> {
    let last: Vec<[usize; 1]> = tokens.iter().map(|tokens| [tokens.len() - 1]).collect();
    let feeds: Vec<Feed<'_>> = tokens.iter().zip(&last).map(|(tokens, read)| Feed { tokens, read }).collect();
    let mut logits = Logits::default();
    decoding.step(&feeds, &mut logits, &mut Work::new(&NEVER)).expect("a step");
    (0..tokens.len()).map(|row| logits.row(row).to_vec()).collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < TOLERANCE, "{what}: {difference}");
}

#[test]
fn a_batch_is_what_its_windows_are_alone() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let windows = [window(&file, 1), window(&file, 2)];
    let together = encode(&*model, &windows);
    assert_eq!(together.positions, [file.dims.audio_context; 2]);
    for (index, alone) in windows.iter().map(|mel| encode(&*model, std::slice::from_ref(mel))).enumerate() {
        let (alone, together) = (alone.values().expect("here"), together.values().expect("here"));
        assert_close(&format!("window {index}"), &together[index * alone.len()..][..alone.len()], &alone);
    }
}

#[test]
fn lanes_do_not_hear_each_other() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let encoded = encode(&*model, &[window(&file, 1), window(&file, 2)]);
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    // Three lanes on two windows, with prompts of different lengths, then one token each.
    let prompts: [&[Token]; 3] = [&[2049, 2050, 2053], &[2049], &[2055, 280, 467, 2049, 2051, 2053]];
    let listens = [1, 0, 1];
    decoding.start(&listens);
    let first = step(&mut *decoding, &prompts);
    let second = step(&mut *decoding, &[&[280], &[467], &[776]]);
    for (lane, next) in [[280], [467], [776]].iter().enumerate() {
        decoding.start(&listens[lane..=lane]);
        assert_close("the prompt", &step(&mut *decoding, &prompts[lane..=lane])[0], &first[lane]);
        assert_close("the token behind it", &step(&mut *decoding, &[next])[0], &second[lane]);
    }
}

#[test]
fn tokens_one_by_one_are_tokens_at_once() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let encoded = encode(&*model, &[window(&file, 3)]);
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    let tokens: Vec<Token> = (0..40).map(|n| 2049 + n % 5).collect();
    let mut logits = Logits::default();
    let read: Vec<usize> = (0..tokens.len()).collect();
    decoding.start(&[0]);
    decoding.step(&[Feed { tokens: &tokens, read: &read }], &mut logits, &mut Work::new(&NEVER)).expect("a step");
    decoding.start(&[0]);
    for (position, token) in tokens.iter().enumerate() {
        let alone = step(&mut *decoding, &[&[*token]]);
        assert_close(&format!("position {position}"), &alone[0], logits.row(position));
    }
}

#[test]
fn kept_lanes_go_on_from_their_parents() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let encoded = encode(&*model, &[window(&file, 1), window(&file, 2)]);
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    decoding.start(&[0, 1]);
    step(&mut *decoding, &[&[2049, 2050], &[2049, 2051]]);
    decoding.keep(&[1, 0, 1]);
    let kept = step(&mut *decoding, &[&[280], &[467], &[776]]);
    for (lane, (window, tokens)) in
        [(1, [2049, 2051, 280]), (0, [2049, 2050, 467]), (1, [2049, 2051, 776])].iter().enumerate()
    {
        decoding.start(&[*window]);
        assert_close(&format!("lane {lane}"), &step(&mut *decoding, &[tokens])[0], &kept[lane]);
    }
}

#[test]
fn lanes_are_permuted_doubled_and_dropped() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let encoded = encode(&*model, &[window(&file, 1), window(&file, 2)]);
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    let windows = [0, 1, 0, 1];
    // What each lane has heard and been told; `keep` and every step are followed here too.
    let mut said: Vec<(usize, Vec<Token>)> =
        windows.iter().enumerate().map(|(lane, &window)| (window, vec![2049, 2050 + lane as Token])).collect();
    decoding.start(&windows);
    step(&mut *decoding, &said.iter().map(|(_, tokens)| tokens.as_slice()).collect::<Vec<_>>());
    let steps: [&[usize]; 6] = [&[0, 1, 2, 3], &[3, 1, 0, 2], &[1, 1, 0, 1], &[2], &[0, 0, 0], &[2, 0, 2, 1, 0]];
    for (turn, parents) in steps.into_iter().enumerate() {
        decoding.keep(parents);
        let next: Vec<[Token; 1]> = (0..parents.len()).map(|lane| [280 + (20 * turn + lane) as Token]).collect();
        said = parents.iter().map(|&parent| said[parent].clone()).collect();
        said.iter_mut().zip(&next).for_each(|((_, tokens), next)| tokens.extend(next));
        let kept = step(&mut *decoding, &next.iter().map(<[Token; 1]>::as_slice).collect::<Vec<_>>());
        let mut alone = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
        for (lane, (window, tokens)) in said.iter().enumerate() {
            alone.start(&[*window]);
            assert_close(&format!("turn {turn}, lane {lane}"), &step(&mut *alone, &[tokens])[0], &kept[lane]);
        }
    }
}

/// Feeds each lane its tokens in pieces of at most `size`, and gives the attention to all of them and the last logits.
fn attend(
    decoding: &mut dyn Decoding,
    tokens: &[&[Token]],
    size: usize,
    heads: &[(usize, usize)],
) -> (CrossAttention, Vec<f32>) {
    let (mut attention, mut logits, mut work) = (CrossAttention::default(), Logits::default(), Work::new(&NEVER));
    let longest = tokens.iter().map(|tokens| tokens.len()).max().expect("a lane");
    let mut last = Vec::new();
    for first in (0..longest).step_by(size) {
        let pieces: Vec<&[Token]> =
            tokens.iter().map(|tokens| &tokens[first.min(tokens.len())..(first + size).min(tokens.len())]).collect();
        let read: Vec<Vec<usize>> = pieces.iter().map(|piece| (0..piece.len()).collect()).collect();
        let feeds: Vec<Feed<'_>> = pieces.iter().zip(&read).map(|(tokens, read)| Feed { tokens, read }).collect();
        decoding.attend(&feeds, heads, &mut logits, &mut attention, &mut work).expect("a step");
        let rows: usize = read.iter().map(Vec::len).sum();
        last = logits.row(rows - 1).to_vec();
    }
    (attention, last)
}

#[test]
fn attention_comes_in_any_pieces_heads_and_company() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let encoded = encode(&*model, &[window(&file, 1), window(&file, 2)]);
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    let positions = file.dims.audio_context;
    let tokens: Vec<Vec<Token>> = [17, 3].map(|count| (0..count).map(|n| 2049 + n % 5).collect()).into();
    let tokens: Vec<&[Token]> = tokens.iter().map(Vec::as_slice).collect();
    let (layers, many) = (file.dims.text_layers, file.dims.text_heads);
    let all: Vec<(usize, usize)> = (0..layers).flat_map(|layer| (0..many).map(move |head| (layer, head))).collect();

    decoding.start(&[0, 1]);
    let (whole, logits) = attend(&mut *decoding, &tokens, 100, &all);
    assert_eq!((whole.positions(0), whole.positions(1), whole.heads()), (positions, positions, all.len()));
    decoding.start(&[0, 1]);
    let plain = step(&mut *decoding, &tokens);
    assert_close("logits with and without attention", &logits, &plain[1]);

    decoding.start(&[0, 1]);
    let (pieces, _) = attend(&mut *decoding, &tokens, 5, &all);
    // Heads of several layers, in no order, one of them twice.
    let some = [(layers - 1, 1), (0, many - 1), (layers - 1, 0), (0, many - 1), (1, 1)];
    for (lane, tokens) in tokens.iter().enumerate() {
        decoding.start(&[lane]);
        let (alone, _) = attend(&mut *decoding, &[tokens], 4, &some);
        for (head, place) in all.iter().enumerate() {
            let expected = whole.rows(lane, head);
            assert_eq!(expected.len(), tokens.len() * positions, "a row for every token");
            assert_close(&format!("{place:?} in pieces"), pieces.rows(lane, head), expected);
            for chosen in (0..some.len()).filter(|&chosen| some[chosen] == *place) {
                assert_close(&format!("{place:?} alone"), alone.rows(0, chosen), expected);
            }
        }
    }
    assert_ne!(whole.rows(0, 0), whole.rows(0, 1), "heads differ");
}

#[test]
fn a_shorter_window_is_what_a_model_with_fewer_positions_hears() {
    // The same weights, but for the positions that a window does not have.
    let small = |positions: usize| {
        let mut files = ModelFiles::new(SMALL);
        files.set_dims(Dims { audio_context: positions, ..files.dims });
        let folder = model_files::written(&files);
        model_files::open(folder.path()).unwrap_or_else(|error| panic!("{error}"))
    };
    let (larger, smaller) = (small(6), small(4));
    let mel = window_of(&larger, 5, 8);
    let of = |file: &ModelFile| {
        let backend = cpu(1);
        let model = backend.load(file).expect("a model");
        let encoded = encode(&*model, std::slice::from_ref(&mel));
        let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
        decoding.start(&[0]);
        let (attention, logits) = attend(&mut *decoding, &[&[260, 261, 3]], 8, &[(1, 0)]);
        let values = encoded.values().expect("on the host").into_owned();
        (encoded.positions, values, attention.rows(0, 0).to_vec(), logits)
    };
    let (expected, found) = (of(&smaller), of(&larger));
    assert_eq!((expected.0.as_slice(), expected.2.len()), ([4].as_slice(), 3 * 4));
    assert!(found == expected, "{found:?} {expected:?}");
}

#[test]
fn what_another_model_encoded_is_refused() {
    struct Elsewhere;
    impl Kept for Elsewhere {
        fn values(&self) -> Result<Vec<f32>, BackendError> {
            Ok(vec![0.0; 8])
        }
    }
    let (file, backend) = (file(), cpu(1));
    let model = backend.load(&file).expect("a model");
    for encoded in [Encoded::new(vec![1], vec![0.0; 8]), Encoded::kept(vec![1], Elsewhere)] {
        let refused = model.begin(&encoded, &mut Work::new(&NEVER));
        assert!(matches!(refused, Err(BackendError::Foreign { .. })));
    }
}

#[test]
fn windows_of_all_lengths_go_together() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let frames = [420, WINDOW_FRAMES, 2, 778];
    let windows: Vec<Mel> = frames.iter().zip(1..).map(|(&frames, seed)| window_of(&file, seed, frames)).collect();
    let mut work = Work::new(&NEVER);
    let together = model.encode(&windows, &mut work).expect("encoded windows");
    assert_eq!((together.positions.as_slice(), work.receipt.positions), ([210, 1500, 1, 389].as_slice(), 2100));
    let tokens: [&[Token]; 4] = [&[2049, 2050, 2053], &[2049], &[2055, 280], &[2049, 2050, 2053, 280]];
    let mut decoding = model.begin(&together, &mut Work::new(&NEVER)).expect("a decoding");
    decoding.start(&[0, 1, 2, 3]);
    let (attention, _) = attend(&mut *decoding, &tokens, 100, &[(0, 1)]);
    decoding.start(&[0, 1, 2, 3]);
    let logits = step(&mut *decoding, &tokens);
    drop(decoding);
    for (lane, (mel, heard)) in windows.iter().zip(together.windows(file.dims.audio_width).expect("here")).enumerate() {
        let alone = encode(&*model, std::slice::from_ref(mel));
        assert_close(&format!("window {lane}"), heard, &alone.values().expect("here"));
        let mut decoding = model.begin(&alone, &mut Work::new(&NEVER)).expect("a decoding");
        decoding.start(&[0]);
        let (expected, _) = attend(&mut *decoding, &tokens[lane..=lane], 100, &[(0, 1)]);
        assert_eq!(attention.positions(lane), mel.frames / 2);
        assert_eq!(attention.rows(lane, 0).len(), tokens[lane].len() * mel.frames / 2, "a row for every token");
        assert_close(&format!("attention of lane {lane}"), attention.rows(lane, 0), expected.rows(0, 0));
        decoding.start(&[0]);
        assert_close(&format!("lane {lane}"), &logits[lane], &step(&mut *decoding, &tokens[lane..=lane])[0]);
    }
}

#[test]
fn threads_do_not_change_a_byte() {
    let file = file();
    let results: Vec<(Vec<f32>, Vec<Vec<f32>>)> = [1, 2, 3]
        .map(|threads| {
            let backend = cpu(threads);
            let model = backend.load(&file).expect("a model");
            let encoded = encode(&*model, &[window(&file, 4)]);
            let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
            decoding.start(&[0]);
            let logits = step(&mut *decoding, &[&[2049, 2050, 2053, 2057]]);
            drop(decoding);
            (encoded.values().expect("on the host").into_owned(), logits)
        })
        .into();
    assert!(results[0] == results[1] && results[1] == results[2]);
}

#[test]
fn work_can_be_cancelled_and_too_much_is_refused() {
    let (file, backend) = (file(), cpu(2));
    let model = backend.load(&file).expect("a model");
    let cancelled = AtomicBool::new(true);
    let result = model.encode(&[window(&file, 1)], &mut Work::new(&cancelled));
    assert!(matches!(result, Err(BackendError::Cancelled)));

    let encoded = encode(&*model, &[window(&file, 1)]);
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    decoding.start(&[0]);
    let mut logits = Logits::default();
    let feed = Feed { tokens: &[2049], read: &[0] };
    let result = decoding.step(&[feed], &mut logits, &mut Work::new(&cancelled));
    assert!(matches!(result, Err(BackendError::Cancelled)));
    let tokens = vec![280; file.dims.text_context + 1];
    let result = decoding.step(&[Feed { tokens: &tokens, read: &[0] }], &mut logits, &mut Work::new(&NEVER));
    assert!(matches!(result, Err(BackendError::TooLong { tokens: 449, limit: 448 })));
}

#[test]
fn receipts_say_what_was_done() {
    let (file, backend) = (file(), cpu(2));
    assert!(matches!(backend.probe(), Availability::Ready(_)));
    let model = backend.load(&file).expect("a model");
    let mut work = Work::new(&NEVER);
    assert!(work.receipt.devices().is_empty(), "nothing ran yet");
    let encoded = model.encode(&[window(&file, 1)], &mut work).expect("an encoded window");
    let mut decoding = model.begin(&encoded, &mut work).expect("a decoding");
    decoding.start(&[0]);
    let mut logits = Logits::default();
    decoding.step(&[Feed { tokens: &[2049, 2050], read: &[1] }], &mut logits, &mut work).expect("a step");
    assert_eq!((work.receipt.windows, work.receipt.tokens), (1, 2));
    assert_eq!(work.receipt.devices().len(), 1);
    let stages: Vec<String> = work.receipt.stages().into_iter().map(|stage| stage.stage).collect();
    for stage in ["encoder stem", "encoder 3 attention", "encoder 3 feed-forward", "cross keys and values", "logits"] {
        assert!(stages.iter().any(|known| known == stage), "{stage} is not among {stages:?}");
    }
}
