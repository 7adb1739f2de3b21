//! Loops, the ladder of temperatures, and prompts that come back.

use std::num::NonZeroUsize;

use amanuensis::decoding::{Resort, Search, Thresholds};
use amanuensis::segments::Flag;
use amanuensis::tokens::Token;
use amanuensis::{Options, Segment};

use crate::scripted::{Lane, Opening, Purpose, Script, hardly, next, second, special, stairs, stamp, surely, text};
use crate::{lenient, outcome, plain, said, word};

/// What speaks against a segment, but for that a tone is no speech, which is known in a batch.
fn signs(segment: &Segment) -> Vec<Flag> {
    // Their sound is no speech, and a word or two are little for half a minute.
    segment.flags.iter().copied().filter(|flag| !matches!(flag, Flag::Silence | Flag::Anomalous)).collect()
}

fn ladder(temperatures: &[f32]) -> Options {
    Options { search: Search { temperatures: temperatures.to_vec(), best_of: 2, ..Search::default() }, ..plain() }
}

/// Three words, and then the same round for ever.
fn for_ever(round: usize) -> Script {
    Script::saying(move |lane| match lane.said.len() {
        0 => surely(stamp(0.0)),
        at @ 1..4 => surely(word(at)),
        at => surely(word(100 + (at - 4) % round)),
    })
}

#[test]
fn a_loop_ends_its_window_soon_and_the_file_goes_on_to_its_end() {
    for round in [1, 2, 5, 16] {
        for beam_size in [None, Some(3)] {
            let search = Search { beam_size, ..plain().search };
            let (outcome, log) = outcome(for_ever(round), &stairs(70.0), &Options { search, ..plain() });
            let what = format!("round of {round}, beams {beam_size:?}");
            assert_eq!(log.levels.len(), 3, "{what}");
            // The prompt, the start, three words and one round; then it is a loop.
            let most = log.levels.len() * (1 + 1 + 3 + round + 32);
            assert!(log.steps.len() <= most, "{what}: {} steps, not {most}", log.steps.len());
            assert_eq!(outcome.transcript.segments.len(), 3, "{what}");
            for segment in &outcome.transcript.segments {
                assert!(segment.flags.contains(&Flag::Loop), "{what}: {:?}", segment.flags);
                assert_eq!(segment.tokens.len(), 1 + 3 + round, "{what}: the first round stays");
            }
        }
    }
}

#[test]
fn a_loop_is_tried_again_at_every_temperature_and_ended_at_each() {
    let (outcome, log) = outcome(for_ever(2), &stairs(20.0), &ladder(&[0.0, 0.4, 0.8]));
    let segment = &outcome.transcript.segments[0];
    assert_eq!((segment.tries, segment.temperature), (3, 0.8));
    assert_eq!(segment.flags, [Flag::Loop, Flag::Guessed]);
    assert!(log.steps.len() <= 3 * 38, "{} steps", log.steps.len());
}

#[test]
fn without_the_guard_a_loop_is_told_to_its_end() {
    let (outcome, _) = outcome(for_ever(2), &stairs(20.0), &Options { guard: false, ..plain() });
    let segment = &outcome.transcript.segments[0];
    assert_eq!(segment.tokens.len(), 224);
    assert_eq!(signs(segment), [Flag::Repetitive]);
}

/// Is sure everywhere but in the second window of each recording, where it is sure only above 0.5.
fn unsure_at(seconds: std::ops::Range<i32>) -> Script {
    Script::saying(move |lane| {
        let all = said("It is so.", 28.0);
        let token = next(&all, lane.said);
        if seconds.contains(&second(lane.level)) && token < special().end_of_text {
            hardly(token)
        } else {
            surely(token)
        }
    })
}

#[test]
fn only_windows_that_fail_walk_the_ladder() {
    for batch in [None, NonZeroUsize::new(4)] {
        let options = Options { batch, ..ladder(&[0.0, 0.2, 0.6]) };
        let (outcome, log) = outcome(unsure_at(25..40), &stairs(110.0), &options);
        let tries = log.tries();
        assert_eq!(tries.len(), 4, "{batch:?}");
        for (window, tries) in tries.iter().enumerate() {
            let unsure = (25..40).contains(&second(log.levels[window]));
            assert_eq!(*tries, if unsure { 3 } else { 1 }, "{batch:?}, window {window}");
        }
        let failed = outcome.transcript.segments.iter().filter(|segment| segment.tries == 3).count();
        assert_eq!(failed, 1, "{batch:?}");
        for segment in outcome.transcript.segments.iter().filter(|segment| segment.tries == 3) {
            assert_eq!((segment.temperature, signs(segment)), (0.6, vec![Flag::Unlikely, Flag::Guessed]));
        }
        for segment in outcome.transcript.segments.iter().filter(|segment| segment.tries != 3) {
            assert_eq!((segment.tries, segment.temperature, signs(segment).len()), (1, 0.0, 0));
        }
    }
}

#[test]
fn the_last_resort_is_what_was_asked_for() {
    let taken = |resort: Resort| {
        // The higher the temperature, the more steps it takes: the first try is the most probable.
        let options = Options { resort, ..ladder(&[0.0, 0.9]) };
        let (outcome, _) = outcome(unsure_at(0..1), &stairs(10.0), &options);
        outcome.transcript.segments[0].temperature
    };
    assert_eq!((taken(Resort::Last), taken(Resort::Best)), (0.9, 0.0));
}

#[test]
fn silence_is_not_tried_again() {
    let script = unsure_at(0..1).opening(|_, _| Opening { no_speech: 0.8, ..Opening::default() });
    let (outcome, log) = outcome(script, &stairs(10.0), &ladder(&[0.0, 0.5]));
    assert_eq!((log.tries(), outcome.transcript.text.as_str()), (vec![1], ""));
}

const NAMES: &str = "Mister Ferrer and Miss Okonkwo";

/// Says the names if it is told of them, or always; its windows hold no speech.
fn leaking(always: bool) -> Script {
    let told = |prompt: &[Token]| prompt.first() == special().start_of_previous.as_ref();
    Script::saying(move |lane: &Lane<'_>| {
        let leaks = always || told(lane.prompt);
        surely(next(&said(if leaks { NAMES } else { "Something else" }, 29.0), lane.said))
    })
    .opening(|_, _| Opening { no_speech: 0.8, ..Opening::default() })
}

fn named(guard: bool) -> Options {
    Options { guard, initial_prompt: Some(format!("Names: {NAMES}.")), carry_initial_prompt: true, ..plain() }
}

#[test]
fn a_prompt_that_comes_back_from_silence_is_left_out() {
    for batch in [None, NonZeroUsize::new(2)] {
        let (outcome, log) = outcome(leaking(false), &stairs(50.0), &Options { batch, ..named(true) });
        assert_eq!(outcome.transcript.text, " Something else Something else");
        assert_eq!(log.tries(), [2, 2]);
        let told: Vec<bool> = log.prompts().iter().map(|(_, told)| told.is_empty()).collect();
        assert_eq!(told.iter().filter(|empty| **empty).count(), 2, "each window once without the prompt");
        assert!(outcome.transcript.segments.iter().all(|segment| segment.tries == 2 && signs(segment).is_empty()));
    }
}

#[test]
fn a_prompt_that_comes_back_even_if_it_is_not_told_is_flagged_once_and_for_all() {
    let (persisting, log) = outcome(leaking(true), &stairs(20.0), &named(true));
    assert_eq!(persisting.transcript.segments[0].flags, [Flag::PromptLeak]);
    assert_eq!(log.tries(), [2]);
    let (unguarded, log) = outcome(leaking(false), &stairs(20.0), &named(false));
    assert_eq!(unguarded.transcript.text, format!(" {NAMES}"));
    assert_eq!((log.tries(), &unguarded.transcript.segments[0].flags[..]), (vec![1], &[][..]));
}

#[test]
fn a_window_that_was_told_nothing_is_not_decoded_again_without_it() {
    // Only the first window was told of the names; in the second they are what was said.
    let options = Options { carry_initial_prompt: false, ..named(true) };
    let (outcome, log) = outcome(leaking(true), &stairs(50.0), &options);
    assert_eq!(log.tries(), [2, 1]);
    assert_eq!(outcome.transcript.segments[1].flags, []);
}

#[test]
fn a_prompt_that_is_spoken_is_not_a_leak() {
    let script = leaking(true).opening(|_, _| Opening::default());
    let (outcome, log) = outcome(script, &stairs(20.0), &named(true));
    assert_eq!((log.tries(), &outcome.transcript.segments[0].flags[..]), (vec![1], &[][..]));
}

#[test]
fn nothing_is_tried_again_where_nothing_is_too_bad() {
    let options = Options { thresholds: lenient(), ..ladder(&[0.0, 0.5]) };
    let (outcome, log) = outcome(unsure_at(0..60), &stairs(50.0), &options);
    assert_eq!((log.tries(), outcome.transcript.segments.len()), (vec![1, 1], 2));
    let strict = Options {
        thresholds: Thresholds { entropy: Some(9.0), ..lenient() },
        search: Search { stop_loops: false, ..ladder(&[0.0, 0.5]).search },
        ..plain()
    };
    let long: Vec<Token> = (0..60).map(word).collect();
    let script = Script::reading(move |_, _| [vec![stamp(0.0)], long.clone(), vec![stamp(9.0)]].concat());
    assert_eq!(crate::outcome(script, &stairs(10.0), &strict).1.tries(), [2], "no text is as varied as this limit");
}

#[test]
fn words_are_asked_for_once_for_each_window() {
    let options = Options { words: Some(Default::default()), ..plain() };
    let (outcome, log) = outcome(Script::reading(|_, _| said("Two words.", 29.0)), &stairs(60.0), &options);
    let read = log.told.iter().filter(|told| told.purpose == Purpose::Words);
    assert_eq!(read.map(|told| told.window).collect::<Vec<_>>(), [0, 1]);
    for segment in &outcome.transcript.segments {
        let words: String = segment.words.iter().flatten().map(|word| word.word.as_str()).collect();
        assert_eq!(words, segment.text);
    }
    assert!(!text("Two words.").is_empty());
}
