//! Long transcription from outside, with a model that says what a script tells it to: every branch between the sound
//! and the transcript can be forced.

#[path = "../common/mod.rs"]
mod common;
#[path = "../scripted/mod.rs"]
mod scripted;

mod guards;
mod hallucinations;
mod languages;
mod many;
mod rounds;
mod saved;
mod seeking;
mod short;
mod told;

use amanuensis::audio::Recording;
use amanuensis::decoding::{Search, Thresholds};
use amanuensis::tokens::Token;
use amanuensis::{Control, Engine, Options, Outcome};
use scripted::{Log, Script, Stub, WORDS, stamp, text};

/// What a script makes of a recording, and what the stub saw of it.
fn outcome(script: Script, recording: &Recording, options: &Options) -> (Outcome, Log) {
    let stub = Stub::new(script);
    let outcome = transcribe(&stub.engine(), recording, options);
    let log = std::mem::take(&mut *stub.log());
    (outcome, log)
}

fn transcribe(engine: &Engine, recording: &Recording, options: &Options) -> Outcome {
    engine.transcribe(recording, options, &mut Control::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// Greedy English, nothing tried twice.
fn plain() -> Options {
    Options {
        language: Some("en".to_owned()),
        search: Search { temperatures: vec![0.0], ..Search::default() },
        ..Options::default()
    }
}

/// The same, and windows are told what was said before.
fn conditioned() -> Options {
    Options { condition_on_previous_text: true, ..plain() }
}

/// A text from the window's start to so many seconds, with the window heard to its end.
fn said(words: &str, end: f64) -> Vec<Token> {
    [vec![stamp(0.0)], text(words), vec![stamp(end)]].concat()
}

/// The word of a number, another for each.
fn word(number: usize) -> Token {
    WORDS[number % WORDS.len()]
}

/// Nothing is bad enough to be tried again.
fn lenient() -> Thresholds {
    Thresholds { compression_ratio: None, logprob: None, no_speech: None, entropy: None }
}
