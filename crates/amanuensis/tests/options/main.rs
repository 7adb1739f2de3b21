//! Every option takes effect: for each one a scripted model that does another, expected thing with it than without.

#[path = "../common/mod.rs"]
mod common;
#[path = "../scripted/mod.rs"]
mod scripted;

mod extremes;
mod heard;
mod judged;
mod said;
mod searched;
mod told;

use std::collections::BTreeSet;

use amanuensis::audio::Recording;
use amanuensis::decoding::{Search, Thresholds};
use amanuensis::tokens::Token;
use amanuensis::{Control, Options, Outcome};
use scripted::{Log, Script, Stub, WORDS, next, stairs, stamp, surely};

/// What an option changes.
struct Case {
    /// The option as provenance names it.
    name: &'static str,
    script: Script,
    sound: Recording,
    without: Options,
    with: Options,
    /// What is looked at.
    see: fn(&Outcome, &Log) -> String,
    /// What is seen without the option and with it.
    expected: [&'static str; 2],
}

impl Case {
    /// A case of 20 s in which the text is looked at.
    fn new(name: &'static str, script: Script, with: Options, expected: [&'static str; 2]) -> Self {
        Case { name, script, sound: stairs(20.0), without: plain(), with, see: text_of, expected }
    }

    fn without(self, without: Options) -> Self {
        Case { without, ..self }
    }

    fn seeing(self, see: fn(&Outcome, &Log) -> String) -> Self {
        Case { see, ..self }
    }

    fn lasting(self, seconds: f64) -> Self {
        Case { sound: stairs(seconds), ..self }
    }
}

fn text_of(outcome: &Outcome, _: &Log) -> String {
    outcome.transcript.text.clone()
}

/// Greedy English without times and without doubts.
fn plain() -> Options {
    Options {
        language: Some("en".to_owned()),
        timestamps: false,
        search: greedy(),
        thresholds: Thresholds { compression_ratio: None, logprob: None, no_speech: None, entropy: None },
        ..Options::default()
    }
}

fn greedy() -> Search {
    Search { temperatures: vec![0.0], ..Search::default() }
}

/// Four words, each of one token.
const A: usize = 10;
const B: usize = 110;
const C: usize = 210;
const D: usize = 310;

fn word(number: usize) -> Token {
    WORDS[number]
}

/// Says these words and ends.
fn words(words: &'static [usize]) -> Script {
    Script::saying(move |lane| {
        let words: Vec<Token> = words.iter().map(|number| word(*number)).collect();
        surely(next(&words, lane.said))
    })
}

/// Says a word from the window's start to its 29th second.
fn timed(number: usize) -> Vec<Token> {
    vec![stamp(0.0), word(number), stamp(29.0)]
}

fn observed(case: &Case, options: &Options) -> String {
    let stub = Stub::new(case.script.clone());
    let outcome = stub.engine().transcribe(&case.sound, options, &mut Control::new());
    let outcome = outcome.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let seen = (case.see)(&outcome, &stub.log());
    // The words by their letters.
    let letters = [(A, " A"), (B, " B"), (C, " C"), (D, " D")];
    letters
        .iter()
        .fold(seen, |seen, (number, letter)| seen.replace(&scripted::DEMO.tokenizer.decode(&[word(*number)]), letter))
}

#[test]
fn every_option_takes_effect() {
    let cases: Vec<Case> = [heard::cases(), told::cases(), said::cases(), searched::cases(), judged::cases()]
        .into_iter()
        .flatten()
        .collect();
    for case in &cases {
        let found = [observed(case, &case.without), observed(case, &case.with)];
        assert_eq!(found, case.expected, "{}", case.name);
        assert_ne!(found[0], found[1], "{} changes nothing", case.name);
    }
    let tested: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    let described = Options::default().described();
    assert_eq!(tested, described.keys().map(String::as_str).collect(), "options without a case, or cases of none");
}

#[test]
fn every_option_is_described() {
    let cases = [heard::cases(), told::cases(), said::cases(), searched::cases(), judged::cases()];
    for case in cases.into_iter().flatten() {
        let (without, with) = (case.without.described(), case.with.described());
        assert_ne!(without[case.name], with[case.name], "{} is told alike with it and without", case.name);
    }
}
