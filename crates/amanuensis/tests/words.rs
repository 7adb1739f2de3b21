//! Word times equal those of openai-whisper with the same weights.

mod common;

use amanuensis::decoding::Search;
use amanuensis::segments::Punctuation;
use amanuensis::{Control, Engine, Options, Segment, Word};
use common::{engine, golden, model_folder, open, shared};
use serde_json::Value;

/// openai-whisper with word times, greedily and without its fallback.
fn options(language: &str) -> Options {
    Options {
        language: Some(language.to_owned()),
        condition_on_previous_text: false,
        search: Search { temperatures: vec![0.0], stop_loops: false, ..Search::default() },
        words: Some(Punctuation::default()),
        guard: false,
        ..Options::default()
    }
}

fn segments(engine: &Engine, path: &std::path::Path, options: &Options) -> Vec<Segment> {
    let outcome = engine.transcribe(&open(path), options, &mut Control::new());
    outcome.unwrap_or_else(|error| panic!("{}: {error}", path.display())).transcript.segments
}

/// How far the words of a model are from openai-whisper's.
#[derive(Default)]
struct Distance {
    words: usize,
    /// Words with a time more than 20 ms off.
    far: usize,
    /// Segments with other words than openai-whisper gives them.
    dealt_otherwise: usize,
    worst_time: (f64, String),
    worst_probability: (f64, String),
}

impl Distance {
    fn add(&mut self, file: &str, word: &Word, expected: &Value) {
        let number = |field: &str| expected[field].as_f64().expect("a number");
        let what = format!("{file} {:?} {:.2}-{:.2}: {expected}", word.word, word.start, word.end);
        assert_eq!(word.word, expected["word"], "{what}");
        let (start, end) = (word.start - number("start"), word.end - number("end"));
        let time = start.abs().max(end.abs());
        self.words += 1;
        self.far += usize::from(time > 0.020_001);
        worst(&mut self.worst_time, time, &what);
        worst(&mut self.worst_probability, (f64::from(word.probability) - number("probability")).abs(), &what);
    }
}

fn worst(known: &mut (f64, String), found: f64, what: &str) {
    if found > known.0 {
        *known = (found, what.to_owned());
    }
}

fn equals_openai_whisper(name: &str) {
    let Some(shared) = shared() else { return };
    let engine = engine(model_folder(name, Some(&shared)));
    let golden = golden(&format!("{name}/words.json"));
    let mut distance = Distance::default();
    for (file, expected) in golden["files"].as_object().expect("files by name") {
        let language = expected["language"].as_str().expect("a language");
        let found = segments(&engine, &shared.join("audio").join(file), &options(language));
        let expected_segments = expected["alone"]["segments"].as_array().expect("segments");
        let expected: Vec<&Value> = expected_segments
            .iter()
            .filter(|segment| !segment["text"].as_str().unwrap_or_default().trim().is_empty())
            .collect();
        assert_eq!(found.len(), expected.len(), "{name} {file}: segments");
        for (found, &expected) in found.iter().zip(&expected) {
            assert_eq!(found.text, expected["text"], "{name} {file}");
            let words = expected["words"].as_array().expect("words");
            // Behind a segment that begins with a mark openai-whisper deals words to the wrong segments.
            let same = |word: &Word, expected: &Value| expected["word"] == word.word.as_str();
            let ours = found.words.as_deref().unwrap_or_default();
            if ours.len() == words.len() && ours.iter().zip(words).all(|(word, expected)| same(word, expected)) {
                assert_covers(&format!("{name} {file} {:?}", found.text), found, expected, words);
            } else {
                distance.dealt_otherwise += 1;
            }
        }
        let words: Vec<&Value> = expected.iter().filter_map(|segment| segment["words"].as_array()).flatten().collect();
        let ours: Vec<&Word> = found.iter().filter_map(|segment| segment.words.as_ref()).flatten().collect();
        assert_eq!(ours.len(), words.len(), "{name} {file}: words");
        ours.iter().zip(words).for_each(|(word, expected)| distance.add(file, word, expected));
    }
    let Distance { words, far, worst_time, worst_probability, dealt_otherwise } = &distance;
    eprintln!("{name}: {words} words, {far} more than 20 ms off; worst {worst_time:?} and {worst_probability:?}");
    assert!(*dealt_otherwise <= 8, "{name}: {dealt_otherwise} segments have other words");
    assert!(*words > 100 && far * 100 <= *words, "{name}: {far} of {words} words are more than 20 ms off");
    assert!(worst_probability.0 < 1e-2, "{name}: {worst_probability:?}");
}

/// The segment has the times of openai-whisper's segment, but for words that stand out of it there.
fn assert_covers(what: &str, segment: &Segment, expected: &Value, words: &[Value]) {
    let number = |value: &Value, field: &str| value[field].as_f64().expect("a number");
    let (mut start, mut end) = (number(expected, "start"), number(expected, "end"));
    if let ([first, ..], [.., last]) = (words, words) {
        (start, end) = (start.min(number(first, "start")), end.max(number(last, "end")));
    }
    assert!((segment.start - start).abs() < 0.020_001, "{what}: {} is not {start}", segment.start);
    assert!((segment.end - end).abs() < 0.020_001, "{what}: {} is not {end}", segment.end);
}

#[test]
fn demo_times_words_as_openai_whisper_does() {
    equals_openai_whisper("demo");
}

#[test]
fn std_times_words_as_openai_whisper_does() {
    equals_openai_whisper("std");
}
