//! Numbers that nobody would ask for: refused in words or taken as far as they go, never a panic.

use std::num::NonZeroUsize;

use amanuensis::decoding::{LengthPenalty, Resort, Search, Thresholds};
use amanuensis::segments::Punctuation;
use amanuensis::speech::{Vad, VadOptions};
use amanuensis::{Control, Detection, Error, Options};
use proptest::prelude::*;

use crate::scripted::{DEMO, Script, Stub, stairs, surely};
use crate::{timed, word};

fn number() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        29.99,
        1e-300,
        1e-30,
        1e9,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ])
}

/// What is refused is mostly left as it is, so that the rest is reached.
fn seldom<T: std::fmt::Debug + Clone + 'static>(
    usual: T,
    odd: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![9 => Just(usual), 1 => odd]
}

fn count() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![0, 1, 2, 64, 65, 100_000, usize::MAX - 1, usize::MAX])
}

fn text() -> impl Strategy<Value = Option<String>> {
    let texts = ["", " ", "a", "\u{0}", "<|endoftext|>", "\u{1f600}\u{301}", "(", "[a-z]{1000}"].map(str::to_owned);
    let long = "long ".repeat(3000);
    prop::option::of(prop::sample::select(texts.into_iter().chain([long]).collect::<Vec<_>>()))
}

fn search() -> impl Strategy<Value = Search> {
    let temperature = prop::sample::select(vec![0.0, 1e-30, 0.4, 1.0, 1e30]);
    let temperatures = seldom(vec![0.0], prop::collection::vec(number(), 0..3));
    let temperatures = prop_oneof![temperatures, prop::collection::vec(temperature, 0..3)];
    let penalty = (0..3, seldom(1.0, number())).prop_map(|(kind, power)| match kind {
        0 => LengthPenalty::Mean,
        1 => LengthPenalty::Gnmt(power as f32),
        _ => LengthPenalty::Power(power as f32),
    });
    // Few lanes: that many are allowed is known, and takes long.
    let beams = prop::option::of(prop::sample::select(vec![1, 3, 3, 3, 0, usize::MAX]));
    let best_of = prop::sample::select(vec![1, 1, 3, 3, 3, 3, 0, usize::MAX]);
    let limit = prop::option::of(count());
    (temperatures, beams, seldom(1.0, number()), best_of, penalty, limit, any::<u64>(), any::<bool>()).prop_map(
        |(temperatures, beam_size, patience, best_of, length_penalty, max_new_tokens, seed, stop_loops)| Search {
            keep_logprobs: seed % 2 == 0,
            temperatures: temperatures.into_iter().map(|temperature| temperature as f32).collect(),
            beam_size,
            patience: patience as f32,
            best_of,
            length_penalty,
            max_new_tokens,
            seed,
            stop_loops,
        },
    )
}

fn thresholds() -> impl Strategy<Value = Thresholds> {
    let limit = || prop::option::of(number().prop_map(|limit| limit as f32));
    (limit(), limit(), limit(), limit()).prop_map(|(compression_ratio, logprob, no_speech, entropy)| Thresholds {
        compression_ratio,
        logprob,
        no_speech,
        entropy,
    })
}

fn vad() -> impl Strategy<Value = Option<Vad>> {
    let milliseconds = || prop::sample::select(vec![0, 1, 400, u32::MAX]);
    let options = (number(), prop::option::of(number()), milliseconds(), number(), milliseconds(), milliseconds());
    prop::option::of(options.prop_map(|(threshold, neg, speech, most, silence, pad)| Vad {
        options: VadOptions {
            threshold: threshold as f32,
            neg_threshold: neg.map(|threshold| threshold as f32),
            min_speech_duration_ms: speech,
            max_speech_duration_s: most,
            min_silence_duration_ms: silence,
            speech_pad_ms: pad,
        },
        ..Vad::default()
    }))
}

/// What concerns sound and languages.
fn heard() -> impl Strategy<Value = Options> {
    let clips = prop::collection::vec((number(), prop::option::of(number())), 0..3);
    (clips, vad(), prop::option::of(count()), count(), number(), any::<bool>(), prop::option::of(number())).prop_map(
        |(clips, vad, batch, windows, threshold, every_window, initial)| Options {
            clips,
            vad,
            batch: batch.and_then(NonZeroUsize::new),
            detection: Detection {
                windows: NonZeroUsize::new(windows).unwrap_or(NonZeroUsize::MIN),
                threshold: threshold as f32,
                every_window,
                ..Detection::default()
            },
            max_initial_timestamp: initial,
            ..Options::default()
        },
    )
}

/// All else.
fn options() -> impl Strategy<Value = Options> {
    let texts = (text(), text(), text(), text());
    let numbers = (number(), seldom(1.0, number()), seldom(0, count()), prop::option::of(number()));
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (heard(), search(), thresholds(), texts, numbers, switches).prop_map(
        |(heard, search, thresholds, texts, numbers, (words, conditioned, guard, timestamps))| Options {
            search,
            thresholds,
            initial_prompt: texts.0,
            hotwords: texts.1,
            prefix: texts.2,
            suppress_regex: texts.3,
            prompt_reset_on_temperature: numbers.0 as f32,
            repetition_penalty: numbers.1 as f32,
            no_repeat_ngram_size: numbers.2,
            hallucination_silence_threshold: numbers.3.filter(|_| words),
            words: words.then(Punctuation::default),
            condition_on_previous_text: conditioned,
            guard,
            timestamps,
            resort: if guard { Resort::Last } else { Resort::Best },
            ..heard
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn no_number_and_no_text_makes_it_panic(options in options()) {
        let script = Script::saying(|lane| match lane.said.len() {
            said @ 0..3 => surely(timed(7)[said]),
            said @ 3..9 => surely(word(said)),
            _ => surely(DEMO.tokenizer.special().end_of_text),
        });
        let outcome = Stub::new(script).engine().transcribe(&stairs(33.0), &options, &mut Control::new());
        match outcome {
            Ok(outcome) => prop_assert!(outcome.transcript.segments.iter().all(|s| s.start < s.end && s.end <= 33.0)),
            Err(Error::BadOption { .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
