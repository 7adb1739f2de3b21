//! Seeking: whatever the model says, the next window lies behind, and times are in order.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use amanuensis::audio::Sound;
use amanuensis::decoding::Search;
use amanuensis::segments::Punctuation;
use amanuensis::speech::{Detector, FRAME_SAMPLES, SpeechError, Vad, VadOptions, Watch};
use amanuensis::tokens::Token;
use amanuensis::{Control, Crew, Event, Options, Transcript};
use proptest::prelude::*;

use crate::scripted::{Lane, Opening, Script, Stub, second, special, stairs, stamp, text};
use crate::{outcome, plain, said, word};

/// Any number, the same for the same numbers.
fn mixed(numbers: [u64; 3]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |state, number| {
        let mut bits = (state ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    })
}

/// A model that would like to say anything: times in any order, words and the end.
fn anything(seed: u64, lane: &Lane<'_>) -> Vec<(Token, f32)> {
    let chance =
        |which: u64, below: u64| mixed([seed, lane.window as u64, 64 * lane.said.len() as u64 + which]) % below;
    let mut likely = Vec::new();
    for which in 0..4 {
        // Some windows are short of time, so that the last moments are visited too.
        let reach = [1501, 1501, 60, 4][chance(40, 4) as usize];
        let logit = |which: u64| chance(which + 20, 1000) as f32 / 100.0;
        likely.push((special().timestamp_begin + chance(which, reach) as Token, logit(which)));
        likely.push((word(chance(which + 4, 900) as usize), logit(which + 4)));
    }
    likely.push((special().end_of_text, chance(39, 1100) as f32 / 100.0));
    likely
}

/// A detector that finds speech here and there, whatever it hears.
struct Fancy(u64);

impl Detector for Fancy {
    fn name(&self) -> &str {
        "fancy"
    }

    fn probabilities(&self, sound: &dyn Sound, _: Crew, _: Watch<'_>) -> Result<Vec<f32>, SpeechError> {
        // Half of all halves of a second.
        let frames = sound.samples().div_ceil(FRAME_SAMPLES as u64);
        Ok((0..frames).map(|frame| (mixed([self.0, frame / 16, 99]) % 2) as f32).collect())
    }
}

fn wishes() -> impl Strategy<Value = Options> {
    let clips = prop::collection::vec((0.0..70.0, prop::option::of(0.0..70.0)), 0..4);
    let clips = prop_oneof![Just(Vec::new()), clips];
    let threshold = prop::option::of(0.0..5.0);
    let vad = prop::option::of((any::<u64>(), 0u32..400, 0u32..1000)).prop_map(|fancy| {
        let vad = |(seed, speech_pad_ms, min_silence_duration_ms)| Vad {
            detector: Arc::new(Fancy(seed)),
            options: VadOptions { speech_pad_ms, min_silence_duration_ms, ..VadOptions::default() },
        };
        fancy.map(vad)
    });
    let batch = prop::option::of(1usize..5);
    (any::<bool>(), any::<bool>(), clips, threshold, any::<bool>(), batch, vad).prop_map(
        |(timestamps, words, clips, threshold, conditioned, batch, vad)| Options {
            vad,
            timestamps,
            words: words.then(Punctuation::default),
            clips,
            hallucination_silence_threshold: threshold.filter(|_| words),
            condition_on_previous_text: conditioned,
            batch: batch.and_then(NonZeroUsize::new),
            ..plain()
        },
    )
}

/// What every transcript is, whatever was said.
fn check(transcript: &Transcript, ordered: bool) -> Result<(), TestCaseError> {
    let mut before = 0.0;
    for (id, segment) in transcript.segments.iter().enumerate() {
        prop_assert_eq!(segment.id, id);
        prop_assert!(segment.start >= 0.0 && segment.start < segment.end, "{:?}", segment);
        prop_assert!(segment.end <= transcript.duration, "{:?} of {}", segment, transcript.duration);
        prop_assert!(!ordered || segment.start >= before, "{:?} begins before {}", segment, before);
        before = segment.start;
        let mut spoken = segment.start;
        for word in segment.words.iter().flatten() {
            prop_assert!(spoken <= word.start && word.start <= word.end && word.end <= segment.end, "{:?}", segment);
            spoken = word.end;
        }
    }
    let told: String = transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
    prop_assert_eq!(&told, &transcript.text, "what is in the text is in a segment");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn whatever_the_model_says_each_window_lies_behind_the_one_before(
        seed in any::<u64>(), seconds in 0.0..66.0, options in wishes(),
    ) {
        let script = Script::saying(move |lane| anything(seed, lane))
            .looking(move |window, row| mixed([seed, window as u64, row as u64]) as usize % 1500)
            .opening(move |window, _| Opening {
                no_speech: (mixed([seed, window as u64, 7]) % 90) as f32 / 100.0,
                ..Opening::default()
            });
        let stub = Stub::new(script);
        let recording = stairs(seconds);
        let mut done = Vec::new();
        let mut watch = |event: Event<'_>| if let Event::Progress { processed, .. } = event { done.push(processed) };
        let never = AtomicBool::new(false);
        let outcome = stub.engine().transcribe(&recording, &options, &mut Control::with(&never, &mut watch));
        let transcript = outcome.expect("a transcript").transcript;

        // With detection of speech the clips are heard in the order of time.
        let ordered = options.vad.is_some() || options.clips.is_sorted_by(|a, b| a.1.is_some_and(|end| end <= b.0));
        check(&transcript, ordered)?;
        // Every round is progress, and a window gets on by a step of 20 ms at least.
        prop_assert!(done.is_sorted_by(|a, b| a < b), "{:?}", done);
        prop_assert!(done.last().is_none_or(|last| (last - recording.duration()).abs() < 0.011), "{:?}", done);
        let most = (50.0 * seconds) as usize * options.clips.len().max(1) + 4;
        prop_assert!(stub.log().levels.len() <= most, "{} windows", stub.log().levels.len());
        let steps = stub.log().steps.len();
        prop_assert!(steps <= 225 * stub.log().levels.len(), "{} steps", steps);
    }
}

#[test]
fn what_follows_the_last_pair_of_times_is_heard_again_from_there() {
    let script = Script::reading(|window, _| match window {
        0 => [said("One.", 8.0), vec![stamp(8.0)], text("Unfinished")].concat(),
        _ => said("Two.", 20.0),
    });
    let (outcome, log) = outcome(script, &stairs(40.0), &plain());
    let begins: Vec<i32> = log.levels.iter().map(|level| second(*level)).collect();
    assert_eq!(begins, [0, 8, 38]);
    assert_eq!(outcome.transcript.text, " One. Two. Two.");
    let times: Vec<_> = outcome.transcript.segments.iter().map(|segment| (segment.start, segment.end)).collect();
    assert_eq!(times, [(0.0, 8.0), (8.0, 28.0), (38.0, 40.0)], "the last ends with the sound");
}

#[test]
fn a_pair_of_times_at_the_very_start_does_not_hold_the_window_there() {
    let script = Script::reading(|_, _| [vec![stamp(0.0), stamp(0.0)], text("Stuck")].concat());
    let (_, log) = outcome(script, &stairs(65.0), &plain());
    assert!(log.levels.len() <= 3, "{} windows", log.levels.len());
}

#[test]
fn silent_windows_are_skipped_and_say_nothing() {
    let script = Script::reading(|_, _| said("Thank you.", 2.0));
    let silent = |level: f32| if second(level) == 30 { 0.9 } else { 0.1 };
    let heard = |threshold: Option<f32>, sure: bool| {
        let script = script.clone().opening(move |_, level| Opening { no_speech: silent(level), ..Opening::default() });
        let mut options = plain();
        options.thresholds.no_speech = threshold;
        // With this limit no text is certain enough to speak against silence.
        options.thresholds.logprob = if sure { Some(-1.0) } else { Some(1.0) };
        outcome(script, &stairs(75.0), &options).0.transcript
    };
    let seeks = |transcript: &Transcript| transcript.segments.iter().map(|segment| segment.seek).collect::<Vec<_>>();
    assert_eq!(seeks(&heard(Some(0.6), false)), [0, 6000]);
    assert_eq!(seeks(&heard(Some(0.6), true)), [0, 3000, 6000], "the text is certain");
    assert_eq!(seeks(&heard(None, false)), [0, 3000, 6000], "nobody asks");
}

#[test]
fn clips_are_heard_in_order_of_time_and_no_window_leaves_its_clip() {
    let script = Script::reading(|_, _| said("Far.", 29.0));
    let clips = vec![(40.0, Some(45.0)), (10.0, Some(12.5)), (58.0, None), (90.0, Some(95.0)), (3.0, Some(3.0))];
    let (outcome, log) = outcome(script, &stairs(60.0), &Options { clips, ..plain() });
    assert_eq!(log.levels.iter().map(|level| second(*level)).collect::<Vec<_>>(), [10, 40, 58]);
    let times: Vec<_> = outcome.transcript.segments.iter().map(|segment| (segment.start, segment.end)).collect();
    assert_eq!(times, [(10.0, 12.5), (40.0, 45.0), (58.0, 60.0)]);
}

#[test]
fn a_window_has_no_more_tokens_than_were_asked_for() {
    let script = Script::saying(|lane| vec![(stamp(0.0), 9.0), (word(lane.said.len()), 12.0)]);
    let tokens = |most: Option<usize>| {
        let options = Options { search: Search { max_new_tokens: most, ..plain().search }, ..plain() };
        outcome(script.clone(), &stairs(20.0), &options).0.transcript.segments[0].tokens.len()
    };
    assert_eq!((tokens(Some(1000)), tokens(None), tokens(Some(7))), (224, 224, 7));
}
