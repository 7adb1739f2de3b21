//! Courses that are saved after every round and gone on with by another, as if the process had died in between.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use amanuensis::audio::Recording;
use amanuensis::decoding::Search;
use amanuensis::segments::Punctuation;
use amanuensis::speech::Vad;
use amanuensis::{Control, Detection, Engine, Error, Event, Options, Outcome, Saved, ShortContext};
use serde_json::{Value, json};

use crate::scripted::{Opening, Script, Stub, hardly, next, second, special, stairs, stamp, surely, text};
use crate::{conditioned, plain, said, transcribe, word};

static NEVER: AtomicBool = AtomicBool::new(false);

fn many(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("more than none")
}

/// What becomes of a recording that begins anew, from JSON, before every round; and the segments that were told of.
fn cut_up(engine: &Engine, recording: &Recording, options: &Options, apart: bool) -> (Outcome, Vec<String>, usize) {
    let together = options.batch.unwrap_or(NonZeroUsize::MIN);
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let (mut kept, mut rounds) = (Vec::new(), 0);
    let mut saved: Option<String> = None;
    loop {
        let listener = Arc::clone(&told);
        let control = Control::shared(Arc::default(), move |event| {
            if let Event::Segment(segment) = event {
                listener.lock().expect("nobody panicked").push(segment.text.clone());
            }
        });
        let prepared = engine.prepare(recording, options, &NEVER).expect("it is prepared");
        let mut course = match &saved {
            None => prepared.set_out(control),
            Some(saved) => {
                let mut saved: Saved = serde_json::from_str(saved).expect("it is read");
                if apart {
                    saved.segments = kept.clone();
                }
                prepared.resume(saved, control).expect("it goes on")
            }
        };
        if course.is_over() {
            let told = told.lock().expect("nobody panicked").clone();
            return (course.finish().expect("a transcript"), told, rounds);
        }
        engine.round(&mut [&mut course], together, &NEVER).expect("a round");
        rounds += 1;
        let mut state = course.save_behind(if apart { kept.len() } else { 0 }).expect("it has not failed");
        if apart {
            kept.append(&mut state.segments);
        }
        saved = Some(serde_json::to_string(&state).expect("it is written"));
    }
}

/// The same comes of it whole and cut up, from as many windows.
fn compare(name: &str, script: &Script, recording: &Recording, options: &Options) -> Outcome {
    let whole = Stub::new(script.clone());
    let expected = transcribe(&whole.engine(), recording, options);
    for apart in [false, true] {
        let stub = Stub::new(script.clone());
        let (found, told, rounds) = cut_up(&stub.engine(), recording, options, apart);
        assert_eq!(found.transcript, expected.transcript, "{name}");
        assert_eq!(found.languages, expected.languages, "{name}");
        assert_eq!(found.contexts, expected.contexts, "{name}");
        assert_eq!(found.warnings, expected.warnings, "{name}");
        assert_eq!(found.receipt.devices(), expected.receipt.devices(), "{name}");
        let texts: Vec<&str> = found.transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(told, texts, "{name}: each segment is told of once");
        assert_eq!(stub.log().levels, whole.log().levels, "{name}: no window is heard twice");
        assert_eq!(stub.log().prompts(), whole.log().prompts(), "{name}: windows are told the same");
        assert!(rounds >= 2, "{name}: {rounds} rounds");
    }
    expected
}

/// Says where it is, twice in a window, with another end each time.
fn counting() -> Script {
    Script::reading(|_, level| {
        let at = second(level);
        let halves = [text(&format!("It is {at}.")), text(&format!("Then {}.", at + 11))];
        let (middle, end) = (10.0 + f64::from(at % 7) / 5.0, 27.0 + f64::from(at % 5) / 3.0);
        let times = [vec![stamp(0.0)], halves[0].clone(), vec![stamp(middle), stamp(middle)], halves[1].clone()];
        [times.concat(), vec![stamp(end), stamp(end)]].concat()
    })
}

#[test]
fn windows_one_behind_the_other_are_told_what_was_said_before_the_cut() {
    let prompted = Options { initial_prompt: Some("Names".to_owned()), ..conditioned() };
    let all = [
        ("plain", plain()),
        ("conditioned", conditioned()),
        ("prompted", prompted.clone()),
        ("carried", Options { carry_initial_prompt: true, ..prompted.clone() }),
        ("hotwords", Options { hotwords: Some("Ferrer".to_owned()), ..prompted.clone() }),
        ("prefix", Options { prefix: Some("It".to_owned()), ..prompted }),
        ("clips", Options { clips: vec![(3.0, Some(40.5)), (45.0, Some(80.0)), (90.0, None)], ..conditioned() }),
        ("no times", Options { timestamps: false, ..conditioned() }),
    ];
    for (name, options) in all {
        compare(name, &counting(), &stairs(118.0), &options);
    }
}

#[test]
fn what_is_forgotten_stays_forgotten() {
    // Every second window is unsure, and sampled in the end.
    let script = Script::saying(|lane| {
        let at = second(lane.level);
        let token = next(&said(&format!("It is {at}."), 29.0), lane.said);
        if at / 30 % 2 == 1 && token < special().end_of_text { hardly(token) } else { surely(token) }
    });
    let search = Search { temperatures: vec![0.0, 0.8], best_of: 2, ..Search::default() };
    let outcome = compare("sampled", &script, &stairs(118.0), &Options { search, ..conditioned() });
    let temperatures: Vec<f32> = outcome.transcript.segments.iter().map(|segment| segment.temperature).collect();
    assert!(temperatures.contains(&0.0) && temperatures.contains(&0.8), "{:?}", outcome.transcript.segments);
}

#[test]
fn chunks_of_a_batch_are_finished_in_any_order() {
    for batch in [1, 2, 3, 9].map(many) {
        for vad in [None, Some(Vad::default())] {
            let options = Options { batch: Some(batch), vad, ..conditioned() };
            let windows = transcribe(&Stub::new(counting()).engine(), &stairs(118.0), &options).contexts.windows;
            if windows > batch.get() as u64 {
                compare(&format!("{batch} together"), &counting(), &stairs(118.0), &options);
            }
        }
    }
}

#[test]
fn chunks_behind_one_that_takes_longer_keep_what_they_said() {
    // The first window ends early again and again, those behind it are over at once.
    let script = Script::reading(|_, level| {
        let tokens = said(&format!("It is {}.", second(level)), 5.0);
        // A pair of times ends the window there.
        if second(level) < 20 { [tokens, vec![stamp(5.0)]].concat() } else { said("late", 29.0) }
    });
    compare("uneven", &script, &stairs(100.0), &Options { batch: Some(many(4)), ..conditioned() });
}

#[test]
fn words_and_where_speech_was_last_heard_are_kept() {
    let words = Options { words: Some(Punctuation::default()), ..conditioned() };
    let skipping = Options { hallucination_silence_threshold: Some(2.0), ..words.clone() };
    for (name, options) in [("words", words.clone()), ("silences", skipping)] {
        let outcome = compare(name, &counting(), &stairs(118.0), &options);
        assert!(outcome.transcript.segments.iter().all(|segment| segment.words.is_some()), "{name}");
    }
    compare("words in a batch", &counting(), &stairs(118.0), &Options { batch: Some(many(2)), ..words });
}

#[test]
fn a_language_that_was_detected_is_not_detected_again() {
    let script = counting().opening(|_, level| {
        let german = if second(level) > 50 { 0.9 } else { 0.3 };
        Opening { languages: vec![("en", 1.0 - german), ("de", german)], ..Opening::default() }
    });
    let every = Detection { every_window: true, ..Detection::default() };
    let longer = Detection { windows: many(3), threshold: 0.8, ..Detection::default() };
    for (name, detection) in [("once", Detection::default()), ("every window", every), ("longer", longer)] {
        for batch in [None, Some(many(2))] {
            let options = Options { language: None, detection: detection.clone(), batch, ..conditioned() };
            let stub = Stub::new(script.clone());
            let expected = transcribe(&stub.engine(), &stairs(118.0), &options);
            let again = Stub::new(script.clone());
            let (found, _, _) = cut_up(&again.engine(), &stairs(118.0), &options, false);
            assert_eq!(found.transcript, expected.transcript, "{name}");
            assert_eq!((found.languages, found.contexts), (expected.languages, expected.contexts), "{name}");
            assert_eq!(again.log().levels, stub.log().levels, "{name}");
        }
    }
}

#[test]
fn a_window_that_is_to_be_heard_in_the_whole_context_still_is() {
    let doubtful = Script::saying(|lane| {
        let token = next(&[stamp(0.0), word(second(lane.level) as usize), word(7), stamp(3.0)], lane.said);
        if token == word(7) { vec![(token, 5.0), (word(8), 4.9)] } else { surely(token) }
    });
    let clips = (0..8).map(|number| (f64::from(number) * 10.0, Some(f64::from(number) * 10.0 + 3.0))).collect();
    for batch in [None, Some(many(3))] {
        let options = Options { short_context: ShortContext::Auto, clips: Vec::clone(&clips), batch, ..plain() };
        let outcome = compare("short", &doubtful, &stairs(100.0), &options);
        assert!(outcome.contexts.repeated > 2, "{:?}", outcome.contexts);
    }
}

#[test]
fn one_that_is_over_is_only_finished() {
    let stub = Stub::new(counting());
    let engine = stub.engine();
    let prepare = || engine.prepare(&stairs(20.0), &plain(), &NEVER).expect("it is prepared");
    let mut course = prepare().set_out(Control::new());
    engine.round(&mut [&mut course], many(1), &NEVER).expect("a round");
    assert!(course.is_over());
    let saved = course.save().expect("it has not failed");
    let resumed = prepare().resume(saved, Control::new()).expect("it goes on");
    assert!(resumed.is_over());
    assert_eq!(resumed.finish().expect("one").transcript, course.finish().expect("one").transcript);
    let mut given_up = prepare().set_out(Control::new());
    given_up.fail(Error::Cancelled);
    assert!(given_up.save().is_none());
}

#[test]
fn what_does_not_fit_is_refused() {
    let stub = Stub::new(counting());
    let engine = stub.engine();
    let options = Options { batch: Some(many(2)), ..conditioned() };
    let prepare = |seconds: f64, options: &Options| engine.prepare(&stairs(seconds), options, &NEVER).expect("ready");
    let mut course = prepare(118.0, &options).set_out(Control::new());
    let save = |course: &amanuensis::Course<'_>| {
        serde_json::to_value(course.save().expect("it has not failed")).expect("JSON")
    };
    let mut saved = save(&course);
    while saved["over"].as_array().expect("a list").is_empty() {
        engine.round(&mut [&mut course], many(2), &NEVER).expect("a round");
        saved = save(&course);
    }
    assert!(!course.is_over());
    let resume = |prepared: amanuensis::Prepared, saved: Value| {
        let saved: Saved = serde_json::from_value(saved).expect("it is read");
        prepared.resume(saved, Control::new()).map(drop)
    };
    let refused = |prepared, saved| match resume(prepared, saved) {
        Err(Error::CannotResume { reason }) => reason,
        other => panic!("{other:?}"),
    };
    resume(prepare(118.0, &options), saved.clone()).expect("it fits");
    assert!(refused(prepare(117.0, &options), saved.clone()).contains("another recording"));
    let german = Options { language: Some("de".to_owned()), ..options.clone() };
    assert!(refused(prepare(118.0, &german), saved.clone()).contains("other options"));
    let changed = |path: &str, value: Value| {
        let mut saved = saved.clone();
        *saved.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        refused(prepare(118.0, &options), saved)
    };
    assert!(changed("/version", json!(2)).contains("version 2"));
    assert!(changed("/of/strands", json!(1)).contains("another recording"));
    assert!(changed("/language", json!("de")).contains("asked is for"));
    assert!(changed("/over", json!([])).contains("no strand"));
    assert!(changed("/over", json!([1, 1, 1, 1, 1, 1, 1, 1, 1])).contains("more strands"));
    assert!(changed("/over/0", json!(u64::MAX)).contains("segments are missing"));
    assert!(changed("/segments/0/tokens/0", json!(4_000_000)).contains("4000000"));

    let mut course = prepare(118.0, &conditioned()).set_out(Control::new());
    engine.round(&mut [&mut course], many(1), &NEVER).expect("a round");
    let saved = save(&course);
    let changed = |path: &str, value: Value| {
        let mut saved = saved.clone();
        *saved.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        refused(prepare(118.0, &conditioned()), saved)
    };
    assert!(changed("/strands/0/frame", json!(40_000)).contains("outside of clip"));
    assert!(changed("/strands/0/clip", json!(3)).contains("outside of clip"));
    assert!(changed("/strands/0/index", json!(7)).contains("no strand 7"));
    assert!(changed("/strands/0/forgotten", json!(10_000)).contains("forgotten"));
    assert!(changed("/strands/0/last_speech", json!(f64::NAN.to_bits())).contains("no time"));
    assert!(changed("/strands/0/language", json!("xx")).contains("no language"));
    assert!(changed("/strands", json!([])).contains("of no strand"));
}
