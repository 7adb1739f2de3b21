//! Every stage of the model equals transformers in float32, with the same weights and the same sound.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use amanuensis::Crew;
use amanuensis::Error;
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType, Feed, Logits, Stage, Work};
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::{self, Source};
use common::{numbers, open, shared, tensors};
use serde_json::Value;

/// Largest difference of a mel value.
const MEL: f32 = 1e-4;
/// Largest relative difference of a stage's output, as a whole.
const STAGE: f64 = 2e-4;
/// Largest difference of a logit.
const LOGIT: f32 = 1e-3;

static NEVER: AtomicBool = AtomicBool::new(false);

#[test]
fn demo_equals_transformers_stage_by_stage() {
    equals_transformers("espeak-whisper-demo");
}

#[test]
fn std_equals_transformers_stage_by_stage() {
    equals_transformers("espeak-whisper-std");
}

fn equals_transformers(name: &str) {
    let Some(shared) = shared() else { return };
    let file = model::open(&Source::Path(shared.join("models").join(name))).unwrap_or_else(|error| panic!("{error}"));
    let model = Cpu::new(None, ComputeType::F32).load(&file).unwrap_or_else(|error| panic!("{error}"));
    let shape = [file.dims.audio_context, file.dims.audio_width];
    let positions = file.weights.tensor("encoder.embed_positions.weight", &shape).expect("positions").to_f32();

    let oracle = shared.join("oracle").join(name);
    let index = std::fs::read_to_string(oracle.join("index.json")).expect("an index");
    let index: Value = serde_json::from_str(&index).expect("an index in JSON");
    for (sound, expected) in index.as_object().expect("recordings by name") {
        let reference = tensors(&oracle.join(Path::new(sound).with_extension("safetensors")));
        let stride = WINDOW_FRAMES / reference["mel"].0[1];

        let recording = open(&shared.join("audio").join(sound));
        let mut go_on = || Ok::<(), Error>(());
        let spectrogram =
            Spectrogram::new(&recording, file.dims.mel_bins, Convention::HuggingFace, Crew::ALONE, &mut go_on)
                .expect("a spectrogram");
        let mel = spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES).expect("a window");
        for (index, expected) in reference["mel"].1.iter().enumerate() {
            let frames = WINDOW_FRAMES / stride;
            let (bin, frame) = (index / frames, index % frames * stride);
            let value = mel.values[frame * mel.bins + bin];
            assert!((value - expected).abs() < MEL, "{sound}: mel frame {frame}, bin {bin}: {value} {expected}");
        }

        let mut stages = BTreeMap::new();
        let mut keep = |stage: Stage, values: &[f32]| {
            stages.insert(stage, values.to_vec());
        };
        let mut work = Work::new(&NEVER);
        work.watch = Some(&mut keep);
        let encoded = model.encode(&[mel], &mut work).expect("an encoded window");
        let heard = encoded.values().expect("on the host").into_owned();
        let mut work = Work::new(&NEVER);

        let stem = stages.get_mut(&Stage::Stem).expect("the stem was shown");
        stem.iter_mut().zip(&positions).for_each(|(value, position)| *value -= position);
        let layer = |index: usize| (format!("encoder_layer_{index}"), &stages[&Stage::EncoderFeedForward(index)]);
        let mut compared = vec![("conv_stem".to_owned(), &stages[&Stage::Stem])];
        compared.extend((0..file.dims.audio_layers).map(layer));
        compared.push(("encoder_out".to_owned(), &heard));
        for (stage, values) in compared {
            let difference = relative(values, &reference[&stage].1, file.dims.audio_width, stride);
            eprintln!("{name} {sound} {stage}: {difference:.1e}");
            assert!(difference < STAGE, "{name} {sound} {stage}: {difference:.1e}");
        }

        // The language and silence logits at the start of the transcript, and logits along the reference's tokens.
        let special = file.tokenizer.special();
        let mut decoding = model.begin(&encoded, &mut work).expect("a decoding");
        let mut logits = Logits::default();
        decoding.start(&[0]);
        decoding
            .step(&[Feed { tokens: &[special.start_of_transcript], read: &[0] }], &mut logits, &mut work)
            .expect("a step");
        let first = [special.language_token("en"), special.language_token("de"), special.no_speech];
        for (token, expected) in first.into_iter().zip(&reference["start_logits_lang_nospeech"].1) {
            let token = token.expect("a token of the model") as usize;
            let value = logits.row(0)[token];
            assert!((value - expected).abs() < LOGIT, "{name} {sound}: logit {token} at the start: {value} {expected}");
        }
        let Some((shape, expected_logits)) = reference.get("logits") else { continue };
        let prompt = [numbers::<u32>(&expected["prefix"]), numbers(&expected["tokens"])].concat();
        let read: Vec<usize> = (3..3 + shape[0]).collect();
        decoding.start(&[0]);
        decoding.step(&[Feed { tokens: &prompt, read: &read }], &mut logits, &mut work).expect("a step");
        for (row, expected) in expected_logits.chunks_exact(file.dims.vocabulary).enumerate() {
            for (token, (value, expected)) in logits.row(row).iter().zip(expected).enumerate() {
                assert!(
                    (*value - expected).abs() < LOGIT,
                    "{name} {sound}: logit {token} of row {row}: {value} {expected}"
                );
            }
        }
    }
}

/// How far `values` are from every `stride`-th row of the reference, relative to the reference's length.
fn relative(values: &[f32], reference: &[f32], width: usize, stride: usize) -> f64 {
    let rows = values.chunks_exact(width).step_by(stride).flatten();
    let squares = rows.zip(reference).map(|(value, expected)| {
        let (difference, expected) = (f64::from(value - expected), f64::from(*expected));
        (difference * difference, expected * expected)
    });
    let (difference, length) = squares.fold((0.0, 0.0), |sum, square| (sum.0 + square.0, sum.1 + square.1));
    (difference / length).sqrt()
}
