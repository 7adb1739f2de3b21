//! Windows with little sound in a shorter context, and again in the whole one where the text is not certain.

use std::num::NonZeroUsize;

use amanuensis::segments::{Contexts, Punctuation};
use amanuensis::{Options, ShortContext};

use crate::scripted::{Opening, Purpose, Script, hardly, next, stairs, stamp, surely};
use crate::{lenient, outcome, plain, said, word};

fn auto() -> Options {
    Options { short_context: ShortContext::Auto, ..plain() }
}

/// Another word in every window that is encoded, from the beginning to the third second.
fn counting() -> Script {
    Script::reading(|window, _| vec![stamp(0.0), word(window), stamp(3.0)])
}

#[test]
fn a_short_recording_is_heard_in_the_context_of_its_sound() {
    let (short, log) = outcome(counting(), &stairs(3.0), &auto());
    assert_eq!(log.positions, [200], "3 s and a margin of 1 s");
    assert_eq!(short.contexts, Contexts { windows: 1, positions: 200, shortened: 1, repeated: 0 });
    let (whole, log) = outcome(counting(), &stairs(3.0), &plain());
    assert_eq!(log.positions, [1500]);
    assert_eq!(whole.contexts, Contexts { windows: 1, positions: 1500, shortened: 0, repeated: 0 });
    assert_eq!(short.transcript, whole.transcript);
}

#[test]
fn only_the_rest_of_a_long_recording_is_short() {
    let script = Script::reading(|window, _| said("one two", if window < 2 { 30.0 } else { 5.0 }));
    let (outcome, log) = outcome(script, &stairs(65.0), &auto());
    assert_eq!(log.positions, [1500, 1500, 300]);
    assert_eq!((outcome.contexts.windows, outcome.contexts.shortened), (3, 1));
}

#[test]
fn what_would_save_little_is_heard_whole() {
    for (seconds, positions) in [(21.5, 1125), (21.6, 1500), (29.0, 1500)] {
        let (_, log) = outcome(counting(), &stairs(seconds), &auto());
        assert_eq!(log.positions, [positions], "{seconds}");
    }
}

#[test]
fn a_text_that_is_not_certain_is_heard_again_in_the_whole_context() {
    // The second of two words leads by little in the first window.
    let script = Script::saying(|lane| {
        let token = next(&[stamp(0.0), word(lane.window), word(7), stamp(3.0)], lane.said);
        if lane.window == 0 && token == word(7) { vec![(token, 5.0), (word(8), 4.9)] } else { surely(token) }
    });
    let (outcome, log) = outcome(script, &stairs(3.0), &auto());
    assert_eq!(log.positions, [200, 1500]);
    assert_eq!(outcome.contexts, Contexts { windows: 2, positions: 1700, shortened: 1, repeated: 1 });
    let [segment] = &outcome.transcript.segments[..] else { panic!("{:?}", outcome.transcript) };
    assert_eq!((&segment.tokens[1..3], segment.tries), ([word(1), word(7)].as_slice(), 2));
}

#[test]
fn a_short_context_is_not_tried_at_higher_temperatures() {
    let ladder = |options: Options| {
        let search = amanuensis::decoding::Search { temperatures: vec![0.0, 0.5, 1.0], ..options.search.clone() };
        Options { search, ..options }
    };
    let script = Script::saying(|lane| {
        let token = next(&[stamp(0.0), word(3), stamp(3.0)], lane.said);
        if lane.window == 0 { hardly(token) } else { surely(token) }
    });
    let (outcome, log) = outcome(script, &stairs(3.0), &ladder(auto()));
    assert_eq!((log.positions.as_slice(), log.tries()), ([200, 1500].as_slice(), vec![1, 1]));
    let segment = &outcome.transcript.segments[0];
    assert_eq!((segment.tries, segment.temperature), (2, 0.0));
}

#[test]
fn silence_and_times_behind_the_sound_are_heard_again() {
    let silent = counting().opening(|_, _| Opening { no_speech: 0.9, ..Opening::default() });
    let late = Script::reading(|window, _| vec![stamp(0.0), word(window), stamp(3.8)]);
    let empty = Script::reading(|_, _| vec![stamp(0.0), stamp(0.0)]);
    for (what, script, positions) in [
        ("certain words in what is taken for silence", silent, vec![200]),
        ("times behind the sound", late, vec![200, 1500]),
        ("no text", empty, vec![200, 1500]),
    ] {
        let options = Options { thresholds: if what == "no text" { lenient() } else { plain().thresholds }, ..auto() };
        let (_, log) = outcome(script, &stairs(3.0), &options);
        assert_eq!(log.positions, positions, "{what}");
    }
}

#[test]
fn a_language_that_is_not_certain_is_heard_again_before_any_text() {
    let script = counting().opening(|window, _| {
        let english = if window == 0 { 0.2 } else { 0.95 };
        Opening { languages: vec![("en", english), ("de", 1.0 - english)], ..Opening::default() }
    });
    let (outcome, log) = outcome(script, &stairs(3.0), &Options { language: None, ..auto() });
    assert_eq!((outcome.transcript.language.as_str(), log.positions.as_slice()), ("en", [200, 1500].as_slice()));
    let texts: Vec<usize> = log.prompts().iter().map(|(window, _)| *window).collect();
    assert_eq!(texts, [1], "nothing was decoded in a language that may be another");
    assert_eq!((outcome.contexts.repeated, outcome.transcript.segments[0].tries), (1, 1));
}

#[test]
fn words_are_aligned_with_the_sound_of_a_short_window() {
    let options = |short_context| Options { words: Some(Punctuation::default()), short_context, ..plain() };
    let script = || Script::reading(|_, _| said("one two three", 3.0));
    let (short, log) = outcome(script(), &stairs(3.0), &options(ShortContext::Auto));
    assert_eq!(log.positions, [200]);
    assert!(log.told.iter().any(|told| told.purpose == Purpose::Words));
    let (whole, _) = outcome(script(), &stairs(3.0), &options(ShortContext::Off));
    assert_eq!(short.transcript, whole.transcript);
}

#[test]
fn windows_of_a_batch_are_heard_each_in_its_own_context() {
    let together = NonZeroUsize::new(4);
    let (batched, log) = outcome(counting(), &stairs(70.0), &Options { batch: together, ..auto() });
    let (shortest, longest) = (log.positions.iter().min(), log.positions.iter().max());
    assert!(shortest < longest && log.rounds[0] > 1, "{:?} in rounds of {:?}", log.positions, log.rounds);
    assert_eq!(batched.contexts.positions, log.positions.iter().sum::<usize>() as u64);
}
