use amanuensis::Segment;

use super::*;
use crate::evaluation::measure::Cost;
use crate::evaluation::normalize::{Normalizer, Spelling};
use crate::evaluation::{manifest::Entry, measure::Comparison, measure::measure};

/// A transcript of these words with their times.
fn transcript(words: &[(&str, f64, f64)]) -> Transcript {
    let word = |&(word, start, end): &(&str, f64, f64)| Word { word: word.to_owned(), start, end, probability: 1.0 };
    let segment = Segment { words: Some(words.iter().map(word).collect()), ..Segment::default() };
    let text = words.iter().map(|word| word.0).collect();
    Transcript { text, segments: vec![segment], language: "en".to_owned(), ..Transcript::default() }
}

fn measured(said: &str, transcript: &Transcript) -> Measured {
    let entry: Entry = serde_json::from_value(serde_json::json!({ "file": "a.wav" })).unwrap();
    let spelling = Spelling::rules();
    let compared =
        Comparison { entry: &entry, reference: said, transcript, normalizer: Normalizer::English, spelling: &spelling };
    measure(&compared, Cost::new(1.0, 1.0), None, Vec::new())
}

/// The gate over one recording.
fn gate(said: &str, this: &Transcript, other: &Transcript, cosines: &[f64]) -> Gate {
    let beside = Beside::new(this, other, measured(said, other), cosines.to_vec());
    let file = Measured { against: Some(beside), ..measured(said, this) };
    Gate::new(ComputeType::Int8, ComputeType::F32, &file.words.clone(), &[file])
}

fn kept(gate: &Gate) -> [Option<bool>; 3] {
    gate.checks.map(|check| check.kept)
}

#[test]
fn what_is_the_same_passes() {
    let same = transcript(&[(" One", 0.1, 0.32), (" two", 0.32, 0.5)]);
    let gate = gate("one two", &same, &same, &[1.0, 0.9995]);
    assert_eq!((kept(&gate), gate.passed, gate.same_texts), ([Some(true); 3], true, 1));
    assert_eq!(gate.cosines, Some(Cosines { windows: 2, smallest: 0.9995, mean: 0.99975 }));
    assert_eq!(gate.word_times, Some(Steady { words: 2, within: 2 }));
}

#[test]
fn times_of_words_are_the_same_within_a_position_of_the_encoder() {
    let this = transcript(&[(" a", 0.0, 0.34), (" b", 0.34, 0.5), (" c", 0.5, 0.7)]);
    let other = transcript(&[(" a", 0.02, 0.32), (" b", 0.32, 0.5), (" c", 0.5, 0.73)]);
    let gate = gate("a b c", &this, &other, &[1.0]);
    assert_eq!(gate.word_times, Some(Steady { words: 3, within: 2 }));
    assert_eq!((kept(&gate)[2], gate.passed), (Some(false), false));
}

#[test]
fn another_text_has_no_times_to_compare_and_its_errors_count() {
    let (this, other) = (transcript(&[(" one", 0.0, 1.0)]), transcript(&[(" won", 0.0, 1.0)]));
    let better = gate("one", &this, &other, &[0.9991]);
    assert_eq!((better.same_texts, better.word_times), (0, None));
    assert_eq!(better.checks[0].value, Some(-100.0), "a text that is better is another one too");
    assert_eq!(kept(&better), [Some(false), Some(true), None]);
    assert_eq!(gate("one", &other, &this, &[1.0]).checks[0].value, Some(100.0));
}

#[test]
fn one_window_that_sounds_otherwise_is_enough() {
    let same = transcript(&[(" one", 0.0, 1.0)]);
    for (cosine, expected) in [(0.999, false), (0.9991, true)] {
        assert_eq!(gate("one", &same, &same, &[1.0, cosine, 1.0]).passed, expected, "{cosine}");
    }
}

#[test]
fn what_was_not_measured_does_not_pass() {
    let gate = Gate::new(ComputeType::Int8, ComputeType::F32, &Errors::from(Edits::default()), &[]);
    assert_eq!((kept(&gate), gate.passed), ([None; 3], false));
}

#[test]
fn a_cosine_is_of_directions() {
    assert_eq!(cosine(&[1.0, 2.0], &[2.0, 4.0]), 1.0);
    assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
    assert_eq!(cosine(&[0.0, 0.0], &[0.0, 1.0]), 0.0);
}
