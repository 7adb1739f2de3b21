//! Voice activity against faster-whisper: the stretches it makes of probabilities, and Silero's network frame by frame.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::PathBuf;

use amanuensis::Crew;
use amanuensis::speech::{Detector, Silero, Span, SpeechError, VadOptions, spans};
use common::{golden, numbers};
use proptest::prelude::*;
use serde_json::Value;

fn options(asked: &Value) -> VadOptions {
    let whole = |name: &str| asked[name].as_u64().unwrap() as u32;
    VadOptions {
        threshold: asked["threshold"].as_f64().unwrap() as f32,
        neg_threshold: asked["neg_threshold"].as_f64().map(|threshold| threshold as f32),
        min_speech_duration_ms: whole("min_speech_duration_ms"),
        max_speech_duration_s: asked["max_speech_duration_s"].as_f64().unwrap_or(f64::INFINITY),
        min_silence_duration_ms: whole("min_silence_duration_ms"),
        speech_pad_ms: whole("speech_pad_ms"),
    }
}

#[test]
fn stretches_are_those_of_faster_whisper() {
    let golden = golden("speech/spans.json");
    for case in golden["cases"].as_array().unwrap() {
        let probabilities: Vec<f32> =
            numbers::<f32>(&case["probabilities"]).into_iter().map(|numerator| numerator / 64.0).collect();
        let found = spans(&probabilities, case["samples"].as_u64().unwrap(), &options(&case["options"]));
        let expected: Vec<Span> =
            numbers::<[u64; 2]>(&case["spans"]).into_iter().map(|[start, end]| Span { start, end }).collect();
        assert_eq!(found, expected, "{}", case["options"]);
    }
}

/// The file of weights that the golden probabilities were made with.
fn weights() -> Option<PathBuf> {
    Some(common::shared()?.join("vocab/silero-v6.2.0-ggml.bin"))
}

#[test]
fn silero_hears_what_onnxruntime_hears() {
    let (Some(shared), Some(weights)) = (common::shared(), weights()) else { return };
    let silero = Silero::open(&weights).unwrap();
    for case in golden("speech/silero.json")["cases"].as_array().unwrap() {
        let name = case["file"].as_str().unwrap();
        let folder = if name == "jfk.wav" { "vocab" } else { "audio" };
        let recording = common::open(&shared.join(folder).join(name));
        let found = silero.probabilities(&recording, Crew::ALONE, &mut |_| ControlFlow::Continue(())).unwrap();
        let expected: Vec<f32> = numbers(&case["probabilities"]);
        assert_eq!(found.len(), expected.len(), "{name}");
        let apart = found.iter().zip(&expected).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
        println!("{name}: {} frames, at most {apart:.6} apart", found.len());
        // The golden file has five places.
        assert!(apart < 1e-4, "{name}: {apart}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn harmed_files_of_weights_are_survived(place in 0usize..885_098, byte in any::<u8>(), rest in 0usize..40_000) {
        let Some(weights) = weights() else { return Ok(()) };
        let whole = std::fs::read(weights).unwrap();
        let mut harmed = whole.clone();
        // Most places are numbers; the heads matter more.
        harmed[if byte % 2 == 0 { place } else { place % 0x90 }] = byte;
        let _ = Silero::from_bytes("harmed", &harmed);
        let is_refused = |bytes: &[u8]| matches!(Silero::from_bytes("harmed", bytes), Err(SpeechError::Weights { .. }));
        prop_assert!(is_refused(&whole[..whole.len() - 1 - rest]));
        prop_assert!(is_refused(&[&whole[..], &whole[..rest + 1]].concat()));
    }
}
