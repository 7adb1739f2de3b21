//! What a shorter context changes, with real models: measured beside the whole one, sentence by sentence.

#[allow(dead_code, reason = "windows are cut here")]
#[path = "common/bare.rs"]
mod bare;
mod common;

use std::path::Path;

use amanuensis::decoding::Decoded;
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis::{Control, Crew, Engine, Options, Outcome, ShortContext};
use bare::{Bare, work};
use common::{engine, model_folder, open, shared};
use serde_json::Value;

/// A sentence alone: a file, or a part of it in seconds.
struct Sentence {
    file: String,
    clip: Option<(f64, f64)>,
}

/// The sentences of the files that `wanted` names.
fn sentences(shared: &Path, wanted: impl Fn(&str) -> bool) -> Vec<Sentence> {
    let manifest = std::fs::read_to_string(shared.join("audio/manifest.jsonl")).expect("a manifest");
    let lines = manifest.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let mut sentences = Vec::new();
    for line in lines {
        let file = line["file"].as_str().expect("a file").to_owned();
        let segments = line["segments"].as_array().expect("segments");
        if !wanted(&file) {
            continue;
        }
        if segments.len() < 2 {
            sentences.push(Sentence { file, clip: None });
            continue;
        }
        // The pauses between are a third of a second at least.
        let second = |segment: &Value, name: &str| segment[name].as_f64().expect("a time");
        sentences.extend(segments.iter().map(|segment| Sentence {
            file: file.clone(),
            clip: Some((second(segment, "start") - 0.15, second(segment, "end") + 0.15)),
        }));
    }
    sentences
}

fn transcribe(engine: &Engine, shared: &Path, sentence: &Sentence, short_context: ShortContext) -> Outcome {
    let clips = sentence.clip.iter().map(|&(start, end)| (start, Some(end))).collect();
    let search = amanuensis::decoding::Search { temperatures: vec![0.0], ..Default::default() };
    let options = Options { short_context, clips, search, ..Options::default() };
    let recording = open(&shared.join("audio").join(&sentence.file));
    engine.transcribe(&recording, &options, &mut Control::new()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_taken_of_a_short_context_is_what_is_heard_in_the_whole_one() {
    let Some(shared) = shared() else { return };
    // Single sentences in all formats, silence, noise.
    let sentences =
        sentences(&shared, |file| ["short", "format", "silence", "noise"].iter().any(|name| file.starts_with(name)));
    for name in ["demo", "std"] {
        let engine = engine(model_folder(name, Some(&shared)));
        let (mut positions, mut repeated) = (0, 0);
        for sentence in &sentences {
            let [whole, short] =
                [ShortContext::Off, ShortContext::Auto].map(|context| transcribe(&engine, &shared, sentence, context));
            assert_eq!(short.transcript.text, whole.transcript.text, "{name} {}", sentence.file);
            assert_eq!(short.transcript.language, whole.transcript.language, "{name} {}", sentence.file);
            assert_eq!(short.contexts.shortened, 1, "{name} {}: each has less than 22 s", sentence.file);
            positions += short.contexts.positions;
            repeated += short.contexts.repeated;
        }
        let all = 1500 * sentences.len() as u64;
        eprintln!("{name}: {positions} positions instead of {all}; {repeated} of {} heard again", sentences.len());
        assert!(positions < all, "{name}: {positions}");
    }
}

/// What a sentence is decoded to in so many frames.
fn decoded(bare: &Bare, spectrogram: &Spectrogram<'_>, start: u64, content: usize, frames: usize) -> Decoded {
    let mel = spectrogram.window(start, content, frames).expect("a window");
    let encoded = bare.model.encode(&[mel], &mut work()).expect("an encoded window");
    let mut decoding = bare.model.begin(&encoded, &mut work()).expect("a decoding");
    bare.decode(&mut *decoding, "en", true)
}

/// Margins behind the sound in frames of 10 ms; the last stands for the whole context.
const MARGINS: [usize; 8] = [0, 50, 100, 200, 400, 800, 1200, WINDOW_FRAMES];

#[test]
#[ignore = "a measurement of many minutes: the table of docs/decoding.md"]
fn table_of_margins() {
    let Some(shared) = shared() else { return };
    for name in ["demo", "std"] {
        let bare = Bare::open(&model_folder(name, Some(&shared)));
        let sentences = sentences(&shared, |file| !file.starts_with("silence") && !file.starts_with("noise"));
        let mut found: Vec<Vec<Decoded>> = Vec::new();
        for sentence in &sentences {
            let recording = open(&shared.join("audio").join(&sentence.file));
            let mut go_on = || Ok::<(), amanuensis::Error>(());
            let spectrogram =
                Spectrogram::new(&recording, bare.file.dims.mel_bins, Convention::OpenAi, Crew::ALONE, &mut go_on)
                    .expect("a spectrogram");
            let all = spectrogram.content_frames();
            let frame = |seconds: f64| ((seconds * 100.0).round() as u64).min(all);
            let (start, end) = sentence.clip.map_or((0, all), |(start, end)| (frame(start), frame(end)));
            let content = (end - start) as usize;
            let frames = MARGINS.map(|margin| (content + margin).next_multiple_of(2).min(WINDOW_FRAMES));
            found.push(frames.iter().map(|frames| decoded(&bare, &spectrogram, start, content, *frames)).collect());
        }
        let whole = MARGINS.len() - 1;
        for (index, margin) in MARGINS.iter().enumerate().take(whole) {
            let count = |holds: &dyn Fn(&Decoded, &Decoded) -> bool| {
                found.iter().filter(|texts| holds(&texts[index], &texts[whole])).count()
            };
            let moved = found.iter().map(|texts| (texts[index].avg_logprob - texts[whole].avg_logprob).abs());
            let certain = |short: &Decoded| short.least_logprob >= -0.5;
            eprintln!(
                "{name}, margin {:.1} s: text the same in {} of {}, of {} certain ones in all but {}; avg_logprob moves by {:.3}",
                *margin as f64 / 100.0,
                count(&|short, whole| short.text == whole.text),
                found.len(),
                count(&|short, _| certain(short)),
                count(&|short, whole| certain(short) && short.text != whole.text),
                moved.sum::<f32>() / found.len() as f32,
            );
        }
    }
}
