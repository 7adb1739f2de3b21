//! The language: of a recording, of each window, of those allowed.

use std::num::NonZeroUsize;

use amanuensis::tokens::Token;
use amanuensis::{Detection, Options};

use crate::scripted::{Opening, Purpose, Script, Stub, special, stairs};
use crate::{outcome, plain, said};

/// Detects, by this.
fn detecting(detection: Detection) -> Options {
    Options { language: None, detection, ..plain() }
}

/// English with these probabilities, window by window in the order in which they are heard; German is the rest.
fn english(probabilities: &'static [f32]) -> Script {
    Script::reading(|_, _| said("So.", 29.0)).opening(|window, _| {
        let english = probabilities[window.min(probabilities.len() - 1)];
        Opening { languages: vec![("en", english), ("de", 1.0 - english)], ..Opening::default() }
    })
}

/// The language that each window's text was written in.
fn written(log: &crate::Log) -> Vec<&'static str> {
    let of = |tokens: &[Token]| special().languages.iter().find(|(_, token)| tokens.contains(token));
    let texts = log.told.iter().filter(|told| told.purpose == Purpose::Text);
    texts.map(|told| of(&told.tokens).expect("a language").0.as_str()).collect()
}

#[test]
fn the_first_window_says_it_for_all() {
    for batch in [None, NonZeroUsize::new(3)] {
        let (outcome, log) =
            outcome(english(&[0.2, 0.9]), &stairs(80.0), &Options { batch, ..detecting(Detection::default()) });
        assert_eq!((outcome.transcript.language.as_str(), outcome.languages[0].0.as_str()), ("de", "de"));
        assert!((outcome.languages[0].1 - 0.8).abs() < 1e-3);
        assert_eq!(written(&log), ["de"; 3]);
        let heard = log.told.iter().filter(|told| told.purpose == Purpose::Language).count();
        assert_eq!(heard, 1, "{batch:?}");
        assert!(outcome.transcript.segments.iter().all(|segment| segment.language == "de"));
    }
}

#[test]
fn more_windows_are_heard_until_one_language_is_probable_enough() {
    let heard = |windows: usize, threshold: f32| {
        let windows = NonZeroUsize::new(windows).expect("more than none");
        let detection = Detection { windows, threshold, ..Detection::default() };
        let (outcome, log) = outcome(english(&[0.45, 0.6, 0.9, 0.9]), &stairs(100.0), &detecting(detection));
        let heard = log.told.iter().filter(|told| told.purpose == Purpose::Language).count();
        (outcome.transcript.language, heard)
    };
    assert_eq!(heard(1, 0.7), ("de".to_owned(), 1));
    assert_eq!(heard(2, 0.7), ("en".to_owned(), 2), "0.525 on average");
    assert_eq!(heard(3, 0.6), ("en".to_owned(), 3), "0.65 on average");
    assert_eq!(heard(9, 0.5), ("de".to_owned(), 1), "0.55 is enough at once");
    assert_eq!(heard(9, 1.0), ("en".to_owned(), 4), "there are no more windows");
}

#[test]
fn only_allowed_languages_are_found() {
    let allowed = |codes: &[&str]| Detection {
        allowed: codes.iter().map(|code| (*code).to_owned()).collect(),
        ..Detection::default()
    };
    let (found, log) = outcome(english(&[0.9]), &stairs(40.0), &detecting(allowed(&["German"])));
    assert_eq!(found.languages, [("de".to_owned(), 1.0)]);
    assert_eq!(written(&log), ["de"; 2]);
    let engine = Stub::new(english(&[0.9])).engine();
    let refused = engine.transcribe(&stairs(1.0), &detecting(allowed(&["en", "fr"])), &mut Default::default());
    assert!(refused.expect_err("French is none of the model's").to_string().contains("fr"));
}

#[test]
fn every_window_has_its_own_but_only_what_is_certain_changes_it() {
    // English; German, not certain; German, not twice as probable; German; English by a little.
    let script = english(&[0.9, 0.45, 0.34, 0.1, 0.6]);
    let every = Detection { every_window: true, ..Detection::default() };
    let (found, log) = outcome(script.clone(), &stairs(150.0), &detecting(every.clone()));
    assert_eq!(written(&log), ["en", "en", "en", "de", "de"]);
    let told: Vec<_> = found.transcript.segments.iter().map(|segment| segment.language.as_str()).collect();
    assert_eq!(told, ["en", "en", "en", "de", "de"]);
    assert_eq!(found.transcript.language, "en", "that of the first");

    let strict = Detection { threshold: 0.95, ..every };
    let (_, log) = outcome(script, &stairs(150.0), &detecting(strict.clone()));
    assert_eq!(written(&log), ["en"; 5]);
    let (_, log) =
        outcome(english(&[0.1]), &stairs(60.0), &Options { language: Some("en".to_owned()), ..detecting(strict) });
    assert_eq!(written(&log), ["en"; 2], "what is given is not detected");
}

#[test]
fn in_a_batch_every_window_has_its_own_too() {
    let detection = Detection { every_window: true, ..Detection::default() };
    let options = Options { batch: NonZeroUsize::new(4), ..detecting(detection) };
    let (found, log) = outcome(english(&[0.9, 0.1, 0.9, 0.1]), &stairs(110.0), &options);
    assert_eq!(written(&log), ["en", "de", "en", "de"]);
    let told: Vec<_> = found.transcript.segments.iter().map(|segment| segment.language.as_str()).collect();
    assert_eq!(told, ["en", "de", "en", "de"]);
}
