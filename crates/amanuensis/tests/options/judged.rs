//! What is good enough, and what is acted upon.

use amanuensis::decoding::{Resort, Search, Thresholds};
use amanuensis::segments::Punctuation;
use amanuensis::{Options, Outcome};

use crate::scripted::{Log, Opening, Script, hardly, second, special, stamp, surely};
use crate::{A, B, Case, plain, word};

fn tries(outcome: &Outcome, _: &Log) -> String {
    outcome.transcript.segments[0].tries.to_string()
}

fn temperature(outcome: &Outcome, _: &Log) -> String {
    outcome.transcript.segments[0].temperature.to_string()
}

/// Two temperatures and these thresholds.
fn judging(change: impl Fn(&mut Thresholds)) -> Options {
    let search = Search { temperatures: vec![0.0, 0.4], best_of: 1, max_new_tokens: Some(40), ..Search::default() };
    let mut options = Options { search, guard: false, ..plain() };
    change(&mut options.thresholds);
    options
}

/// The same word again and again.
fn monotonous() -> Script {
    Script::saying(|_| surely(word(A)))
}

/// One improbable word.
fn improbable() -> Script {
    Script::saying(|lane| match lane.said.len() {
        0 => hardly(word(A)),
        _ => surely(special().end_of_text),
    })
}

/// A sentence that was heard at 12 s of the first window, improbably.
fn invented() -> Script {
    Script::saying(|lane| match (lane.prompt.contains(&special().no_timestamps), lane.said.len()) {
        (true, _) if second(lane.level) == 0 => hardly(word(B)),
        (true, _) => surely(word(A)),
        (_, 0) => surely(stamp(0.0)),
        (_, 1..3) => surely(word(A)),
        (_, 3) => surely(stamp(29.0)),
        _ => surely(special().end_of_text),
    })
    .looking(|window, row| 20 * row + if window == 0 { 600 } else { 0 })
}

pub(crate) fn cases() -> Vec<Case> {
    let lenient = || judging(|_| {});
    let resort = || judging(|thresholds| thresholds.logprob = Some(-1.0));
    let timed = Options { words: Some(Punctuation::default()), timestamps: true, ..plain() };
    let silent = improbable().opening(|_, _| Opening { no_speech: 0.7, ..Opening::default() });
    vec![
        Case::new(
            "compression_ratio_threshold",
            monotonous(),
            judging(|t| t.compression_ratio = Some(2.4)),
            ["1", "2"],
        )
        .without(lenient())
        .seeing(tries),
        Case::new("logprob_threshold", improbable(), resort(), ["1", "2"]).without(lenient()).seeing(tries),
        Case::new("entropy_threshold", monotonous(), judging(|t| t.entropy = Some(1.0)), ["1", "2"])
            .without(lenient())
            .seeing(tries),
        Case::new("no_speech_threshold", silent, judging(|t| t.no_speech = Some(0.6)), ["1 segments", "0 segments"])
            .without(lenient())
            .seeing(|outcome, _| format!("{} segments", outcome.transcript.segments.len())),
        // The word that is sampled is no likelier than the best.
        Case::new("last_resort", improbable(), Options { resort: Resort::Best, ..resort() }, ["0.4", "0"])
            .without(resort())
            .seeing(temperature),
        Case::new("hallucination_guard", monotonous(), Options { guard: false, ..plain() }, ["1 tokens", "224 tokens"])
            .seeing(|outcome, _| format!("{} tokens", outcome.transcript.segments[0].tokens.len())),
        Case::new(
            "hallucination_silence_threshold",
            invented(),
            Options { hallucination_silence_threshold: Some(2.0), ..timed.clone() },
            ["window 0", "a later window"],
        )
        .without(timed)
        .lasting(29.0)
        .seeing(|outcome, _| {
            if outcome.transcript.segments[0].seek == 0 { "window 0" } else { "a later window" }.to_owned()
        }),
    ]
}
