//! Windows that are transcribed together come out as they do alone, with the demo model.
//!
//! `cargo test --test batched -- --nocapture` with AMANUENSIS_SHARED set prints how many words are wrong in long
//! recordings, window by window and in batches.

mod common;
#[path = "common/words.rs"]
mod words;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use amanuensis::audio::Recording;
use amanuensis::decoding::Search;
use amanuensis::segments::{Flag, Punctuation};
use amanuensis::speech::{Detector, TimeMap, Voicing, chunks};
use amanuensis::{Control, Crew, Engine, Job, Options, Segment, Transcript};
use common::{engine, in_repository, joined, model_folder, open, shared};
use words::error_rate;

static DEMO: LazyLock<Engine> = LazyLock::new(|| engine(model_folder("demo", None)));
static NEVER: AtomicBool = AtomicBool::new(false);

const SAMPLES: [&str; 7] = [
    "english.wav",
    "english.mp3",
    "english-numbers.wav",
    "german.wav",
    "two-voices.wav",
    "ten-sentences.opus",
    "silence.flac",
];

fn sample(name: &str) -> Recording {
    open(&in_repository("samples").join(name))
}

fn transcribe(recording: &Recording, options: &Options) -> Transcript {
    let outcome = DEMO.transcribe(recording, options, &mut Control::new());
    outcome.unwrap_or_else(|error| panic!("{error}")).transcript
}

fn many(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("more than none")
}

/// What is searched for in different ways, words and lots among them.
fn ways() -> Vec<(&'static str, Options)> {
    let searching = |search: Search| Options { search, ..Options::default() };
    vec![
        ("greedy", Options::default()),
        ("beam", searching(Search { beam_size: Some(5), temperatures: vec![0.0], ..Search::default() })),
        (
            "word times, told what was said before",
            Options { words: Some(Punctuation::default()), condition_on_previous_text: true, ..Options::default() },
        ),
        ("sampling", searching(Search { temperatures: vec![0.7], best_of: 3, seed: 7, ..Search::default() })),
    ]
}

#[test]
fn several_files_together_are_what_each_is_alone() {
    let recordings: Vec<Recording> = SAMPLES.iter().map(|name| sample(name)).collect();
    for (way, options) in ways() {
        let alone: Vec<Transcript> = recordings.iter().map(|recording| transcribe(recording, &options)).collect();
        // One together is what alone is; of the slower ways the widest says most.
        let most: &[usize] = if way == "greedy" { &[1, 3, 8] } else { &[8] };
        for &together in most {
            let job = |recording| Job { recording, options: &options, control: Control::new() };
            let mut jobs: Vec<Job<'_>> = recordings.iter().map(job).collect();
            let outcomes = DEMO.transcribe_many(&mut jobs, many(together), &NEVER);
            for ((outcome, alone), name) in outcomes.into_iter().zip(&alone).zip(SAMPLES) {
                let found = outcome.unwrap_or_else(|error| panic!("{error}")).transcript;
                let bytes = |transcript: &Transcript| serde_json::to_string(transcript).expect("JSON");
                assert_eq!(bytes(&found), bytes(alone), "{name}, {way}, {together} together");
            }
        }
    }
}

/// A segment without its number and what only the detector of speech knows.
fn bare(segment: &Segment) -> Segment {
    let mut bare = Segment { id: 0, speech: None, ..segment.clone() };
    bare.flags.retain(|flag| *flag != Flag::Silence);
    bare
}

#[test]
fn a_chunk_of_a_batch_is_what_it_is_as_a_clip() {
    let recording = joined();
    let probabilities =
        Voicing.probabilities(&recording, Crew::ALONE, &mut |_| ControlFlow::Continue(())).expect("probabilities");
    let chunks = chunks(&TimeMap::identity(), recording.len(), &probabilities, 30.0);
    assert!(chunks.len() >= 3, "{chunks:?}");
    for (way, options) in ways() {
        let options = Options {
            language: Some("en".to_owned()),
            initial_prompt: Some("The annual proposal.".to_owned()),
            hotwords: Some("Okonkwo".to_owned()),
            ..options
        };
        let batched = transcribe(&recording, &Options { batch: Some(many(3)), ..options.clone() });
        let clip = |&(start, end): &(u64, u64)| {
            let clips = vec![(start as f64 / 100.0, Some(end as f64 / 100.0))];
            transcribe(&recording, &Options { clips, ..options.clone() }).segments
        };
        let alone: Vec<Segment> = chunks.iter().flat_map(clip).collect();
        assert_eq!(
            batched.segments.iter().map(bare).collect::<Vec<_>>(),
            alone.iter().map(bare).collect::<Vec<_>>(),
            "{way}"
        );
    }
}

/// Words that differ between one window after the other and a batch, where the model hears well: 0.004 was measured.
const AGREEMENT: f64 = 0.02;
/// How much more of two long recordings, which the model hears badly, may be wrong in a batch: 0.25 of their words are
/// without and 0.22 in one, but a window that begins elsewhere goes wrong elsewhere, by up to 0.08 in one recording.
const LOST: f64 = 0.03;

#[test]
fn a_batch_says_what_one_window_after_the_other_says() {
    let recording = joined();
    let options = Options { language: Some("en".to_owned()), ..Options::default() };
    let sequential = transcribe(&recording, &options).text;
    for batch in [1, 2, 8] {
        let batched = transcribe(&recording, &Options { batch: Some(many(batch)), ..options.clone() }).text;
        let apart = error_rate(&sequential, &batched);
        println!("joined samples, {batch} together: {apart:.3} apart");
        assert!(apart <= AGREEMENT, "{apart:.3}\n{sequential}\n{batched}");
    }
}

#[test]
fn no_words_are_lost_where_long_recordings_are_cut() {
    let Some(shared) = shared() else { return };
    let manifest = std::fs::read_to_string(shared.join("audio/manifest.jsonl")).expect("a manifest");
    let (mut said, mut sequential, mut batched) = (String::new(), String::new(), String::new());
    println!("\n| recording | window by window | in batches |\n|---|---|---|");
    for line in manifest.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("an entry");
        let file = entry["file"].as_str().expect("a name");
        if !["long_2min.flac", "long_5min.flac"].contains(&file) {
            continue;
        }
        let recording = open(&shared.join("audio").join(file));
        let text = entry["text"].as_str().expect("a text");
        let one = transcribe(&recording, &Options::default()).text;
        let other = transcribe(&recording, &Options { batch: Some(many(8)), ..Options::default() }).text;
        println!("| {file} | {:.4} | {:.4} |", error_rate(text, &one), error_rate(text, &other));
        for (all, text) in [(&mut said, text), (&mut sequential, &one), (&mut batched, &other)] {
            all.push_str(text);
            all.push(' ');
        }
    }
    let (one, other) = (error_rate(&said, &sequential), error_rate(&said, &batched));
    assert!(other <= one + LOST, "{other:.4} of the words are wrong in a batch, {one:.4} without");
}
