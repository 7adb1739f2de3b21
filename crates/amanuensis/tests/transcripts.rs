//! Transcripts equal those of openai-whisper, and windows those of transformers, with the same weights.

#[path = "common/bare.rs"]
mod bare;
mod common;

use std::path::Path;

use amanuensis::decoding::{self, Search};
use amanuensis::mel::Convention;
use amanuensis::{Control, Engine, Options, Outcome};
use bare::{Bare, work};
use common::{engine, golden, model_folder, numbers, open, shared};
use serde_json::Value;

#[test]
fn demo_transcribes_as_openai_whisper_does() {
    transcribes_as_openai_whisper("demo");
}

#[test]
fn std_transcribes_as_openai_whisper_does() {
    transcribes_as_openai_whisper("std");
}

#[test]
fn samples_are_transcribed_as_openai_whisper_does() {
    let folder = common::in_repository("samples");
    equals_openai_whisper("demo", &engine(model_folder("demo", None)), &folder, &golden("demo/samples-openai.json"));
}

fn transcribes_as_openai_whisper(model: &str) {
    let Some(shared) = shared() else { return };
    let engine = engine(model_folder(model, Some(&shared)));
    equals_openai_whisper(model, &engine, &shared.join("audio"), &golden(&format!("{model}/openai.json")));
}

fn equals_openai_whisper(model: &str, engine: &Engine, folder: &Path, golden: &Value) {
    for (file, expected) in golden["files"].as_object().expect("files by name") {
        let recording = open(&folder.join(file));
        let languages = engine.detect_language(&recording, &Options::default(), &mut Control::new());
        let detected = languages.unwrap_or_else(|error| panic!("{file}: {error}"))[0].0.clone();
        assert_eq!(Some(detected.as_str()), expected["detected_language"].as_str(), "{model} {file}");
        for (run, conditioned) in [("alone", false), ("conditioned", true)] {
            if let Some(expected_run) = expected.get(run) {
                let options = Options {
                    language: expected["language"].as_str().map(str::to_owned).or(Some("en".to_owned())),
                    condition_on_previous_text: conditioned,
                    search: Search { temperatures: vec![0.0], stop_loops: false, ..Search::default() },
                    guard: false,
                    ..Options::default()
                };
                let outcome = transcribe(engine, &folder.join(file), &options);
                // Decoders of lossy codecs round differently, so that the sound differs in its last bits.
                let exact = file.ends_with(".wav") || file.ends_with(".flac");
                let (tolerance, hair) = if exact { (2e-3, 0.0) } else { (2e-2, HAIR) };
                assert_equal(&format!("{model} {file} {run}"), &outcome, expected_run, tolerance, hair);
            }
        }
    }
}

fn transcribe(engine: &Engine, path: &Path, options: &Options) -> Outcome {
    engine.transcribe(&open(path), options, &mut Control::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// How much more probable a token must have been than the next for every program to choose it. Decoders of lossy codecs
/// differ in the last bits of the sound.
const HAIR: f64 = 1e-3;

/// The same segments, but for those that openai-whisper keeps although they hold no text.
fn assert_equal(what: &str, outcome: &Outcome, expected: &Value, tolerance: f64, hair: f64) {
    let segments = &outcome.transcript.segments;
    let text = expected["text"].as_str().expect("a text");
    // From a window on that was decided by a hair, a program that rounds differently may go another way.
    let windows = expected["windows"].as_array().expect("windows");
    let close = |window: &&Value| window["token_margin"].as_f64().is_some_and(|margin| margin < hair);
    let decided = windows.iter().find(close).map_or(f64::INFINITY, |window| window["seek"].as_f64().expect("a seek"));
    let expected: Vec<&Value> = expected["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .filter(|segment| segment["text"].as_str().is_some_and(|text| !text.trim().is_empty()))
        .collect();
    for (segment, expected) in segments.iter().zip(&expected) {
        if expected["seek"].as_f64().is_some_and(|seek| seek >= decided) {
            return;
        }
        let number = |field: &str| expected[field].as_f64().expect("a number");
        let what = format!("{what}, segment {} at {:.2}: {:?} {expected}", segment.id, segment.start, segment.text);
        assert_eq!(segment.tokens, numbers::<u32>(&expected["tokens"]), "{what}");
        assert_eq!(segment.text, expected["text"], "{what}");
        // The model may speak of times behind the last frame of the sound; openai-whisper passes them on.
        let last = (outcome.transcript.duration * 100.0).floor() / 100.0;
        assert!((segment.start - number("start").min(last - 0.02)).abs() < 1e-6, "{what}");
        assert!((segment.end - number("end").min(last)).abs() < 1e-6, "{what}");
        assert_eq!(segment.seek as f64, number("seek"), "{what}");
        assert!(
            (f64::from(segment.avg_logprob) - number("avg_logprob")).abs() < tolerance,
            "{what}: {}",
            segment.avg_logprob
        );
        assert!((f64::from(segment.no_speech_prob) - number("no_speech_prob")).abs() < tolerance, "{what}");
        let ratio = number("compression_ratio");
        assert!(
            (f64::from(segment.compression_ratio) - ratio).abs() < 1e-4 * ratio,
            "{what}: {}",
            segment.compression_ratio
        );
    }
    assert_eq!(segments.len(), expected.len(), "{what}: number of segments");
    assert_eq!(outcome.transcript.text, text, "{what}");
}

#[test]
fn demo_decodes_windows_as_transformers_does() {
    decodes_as_transformers("demo");
}

#[test]
fn std_decodes_windows_as_transformers_does() {
    decodes_as_transformers("std");
}

#[test]
fn samples_are_decoded_as_transformers_does() {
    let folder = common::in_repository("samples");
    equals_transformers("demo", &model_folder("demo", None), &folder, &golden("demo/samples-transformers.json"));
}

fn decodes_as_transformers(name: &str) {
    let Some(shared) = shared() else { return };
    let golden = golden(&format!("{name}/transformers.json"));
    equals_transformers(name, &model_folder(name, Some(&shared)), &shared.join("audio"), &golden);
}

fn equals_transformers(name: &str, model: &Path, folder: &Path, golden: &Value) {
    let bare = Bare::open(model);
    for (file, expected) in golden["files"].as_object().expect("files by name") {
        let path = folder.join(file);
        let language = expected["language"].as_str().unwrap_or("en");
        for (timestamps, tokens) in [(false, "tokens"), (true, "tokens_with_timestamps")] {
            let (mel, _) = bare.first_window(&path, Convention::HuggingFace);
            let encoded = bare.model.encode(&[mel], &mut work()).expect("an encoded window");
            let mut decoding = bare.model.begin(&encoded, &mut work()).expect("a decoding");
            let special = bare.file.tokenizer.special();
            let languages = decoding::detect(&mut *decoding, &[0], special, &mut work()).expect("languages").remove(0);
            let decoded = bare.decode(&mut *decoding, language, timestamps);
            assert_eq!(decoded.tokens, numbers::<u32>(&expected[tokens]), "{name} {file} {tokens}: {:?}", decoded.text);
            let no_speech = expected["no_speech_prob"].as_f64().expect("a probability");
            assert!((f64::from(decoded.no_speech_prob) - no_speech).abs() < 1e-3, "{name} {file}");
            assert_eq!(Some(languages[0].0.as_str()), expected["detected_language"].as_str(), "{name} {file}");
        }
    }
}
