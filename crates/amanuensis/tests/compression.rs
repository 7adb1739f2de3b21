//! Compression ratios of what was heard, against those of openai-whisper, which divides by the size that zlib gives.

mod common;

use amanuensis::decoding::compression_ratio;
use amanuensis::model::{self, Source};
use amanuensis::tokens::Tokenizer;
use common::{golden, model_folder, numbers, shared};
use serde_json::Value;

/// Compares every window of a golden file, and says how many they were.
fn agree(tokenizer: &Tokenizer, golden: &Value) -> usize {
    let files = golden["files"].as_object().expect("files by name");
    let runs = files.values().flat_map(|file| ["alone", "conditioned"].map(|run| &file[run]));
    let windows: Vec<&Value> = runs.filter_map(|run| run["windows"].as_array()).flatten().collect();
    for window in &windows {
        let text = tokenizer.decode(&numbers::<u32>(&window["tokens"]));
        let ratio = f64::from(compression_ratio(text.trim()));
        let expected = window["compression_ratio"].as_f64().expect("a ratio");
        assert!((ratio - expected).abs() <= 1e-6 * expected, "{ratio}, not {expected}: {text:?}");
    }
    windows.len()
}

fn ratios_are_those_of_openai_whisper(model: &str, files: &[&str]) {
    let shared = if model == "demo" { None } else { shared() };
    if model != "demo" && shared.is_none() {
        return;
    }
    let folder = model_folder(model, shared.as_deref());
    let file = model::open(&Source::Path(folder)).unwrap_or_else(|error| panic!("{error}"));
    for name in files {
        assert!(
            agree(&file.tokenizer, &golden(&format!("{model}/{name}.json"))) > 0,
            "{model}/{name}.json has windows"
        );
    }
}

#[test]
fn compression_ratios_of_demo_are_those_of_openai_whisper() {
    ratios_are_those_of_openai_whisper("demo", &["openai", "samples-openai", "words"]);
}

#[test]
fn compression_ratios_of_std_are_those_of_openai_whisper() {
    ratios_are_those_of_openai_whisper("std", &["openai", "words"]);
}
