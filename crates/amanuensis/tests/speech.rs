//! Voice activity against faster-whisper: the stretches that it makes of probabilities.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis::speech::{Span, VadOptions, spans};
use common::{golden, numbers};
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
