//! How the tokens are searched for.

use amanuensis::decoding::{LengthPenalty, Search};
use amanuensis::{Options, Outcome};

use crate::scripted::{Lane, Log, Script, hardly, special, surely};
use crate::{A, B, C, Case, D, greedy, plain, word, words};

fn searching(search: Search) -> Options {
    Options { search, ..plain() }
}

fn beam() -> Search {
    Search { beam_size: Some(2), ..greedy() }
}

fn said(lane: &Lane<'_>) -> Vec<usize> {
    lane.said.iter().map(|token| crate::scripted::WORDS.iter().position(|word| word == token).unwrap_or(0)).collect()
}

fn end() -> u32 {
    special().end_of_text
}

/// Words with their probabilities.
fn perhaps(words: &[(u32, f32)]) -> Vec<(u32, f32)> {
    words.iter().map(|(token, probability)| (*token, probability.ln() + 12.0)).collect()
}

/// The more probable beginning goes on badly.
fn deceiving() -> Script {
    Script::saying(|lane| match said(lane)[..] {
        [] => perhaps(&[(word(A), 0.6), (word(B), 0.4)]),
        [A] => hardly(word(C)),
        [B] => surely(word(D)),
        _ => surely(end()),
    })
}

/// What ends soon is more probable as a whole, what lasts longer more probable on average.
fn soon_or_late() -> Script {
    Script::saying(|lane| match said(lane)[..] {
        [] => perhaps(&[(word(A), 0.6), (word(B), 0.4)]),
        [B] | [B, C] => surely(word(C)),
        [A] | [B, C, C] => surely(end()),
        // What strays from both does not end in time.
        _ => surely(word(D)),
    })
}

/// Both beginnings may end at once; what goes on is the better on average.
fn patient() -> Script {
    Script::saying(|lane| match said(lane)[..] {
        [] => perhaps(&[(word(A), 0.6), (word(B), 0.4)]),
        [_] => perhaps(&[(end(), 0.55), (word(C), 0.45)]),
        [_, C] => surely(word(D)),
        _ => surely(end()),
    })
}

/// Any of many words, three times.
fn any() -> Script {
    Script::saying(|lane| if lane.said.len() < 3 { hardly(word(0)) } else { surely(end()) })
}

fn lanes(_: &Outcome, log: &Log) -> String {
    log.steps.iter().max().map_or(String::new(), ToString::to_string)
}

pub(crate) fn cases() -> Vec<Case> {
    let hot = Search { temperatures: vec![1.0], best_of: 1, ..Search::default() };
    vec![
        Case::new("temperature", words(&[A]), searching(hot.clone()), ["0", "1"])
            .seeing(|outcome, _| outcome.transcript.segments[0].temperature.to_string()),
        Case::new("beam_size", deceiving(), searching(beam()), [" A C", " B D"]),
        Case::new("patience", patient(), searching(Search { patience: 2.0, ..beam() }), [" A", " A C D"])
            .without(searching(beam())),
        Case::new(
            "length_penalty",
            soon_or_late(),
            searching(Search { length_penalty: LengthPenalty::Gnmt(0.0), ..beam() }),
            [" B C C", " A"],
        )
        .without(searching(beam())),
        Case::new("best_of", any(), searching(Search { best_of: 4, ..hot.clone() }), ["1", "4"])
            .without(searching(hot.clone()))
            .seeing(lanes),
        Case::new(
            "max_new_tokens",
            words(&[A, B, C]),
            searching(Search { max_new_tokens: Some(2), ..greedy() }),
            [" A B C", " A B"],
        ),
        Case::new(
            "seed",
            any(),
            searching(Search { seed: 1, ..hot.clone() }),
            [
                // The same on every machine and in every version.
                " fro off wit",
                " five off last",
            ],
        )
        .without(searching(hot)),
    ]
}
