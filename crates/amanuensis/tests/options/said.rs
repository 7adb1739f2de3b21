//! What may be said.

use amanuensis::segments::Punctuation;
use amanuensis::{Options, Outcome};

use crate::scripted::{DEMO, Log, Script, next, special, stamp, surely};
use crate::{A, B, C, Case, plain, timed, word, words};

/// Times of the segments.
fn times(outcome: &Outcome, _: &Log) -> String {
    let time = |segment: &amanuensis::Segment| format!("{}-{}", segment.start, segment.end);
    outcome.transcript.segments.iter().map(time).collect::<Vec<_>>().join(" ")
}

/// Would like to say the first token of each pair, or else the second.
fn rather(pairs: Vec<[u32; 2]>) -> Script {
    Script::saying(move |lane| match pairs.get(lane.said.len()) {
        Some(&[first, second]) => vec![(first, 12.0), (second, 8.0)],
        None => surely(special().end_of_text),
    })
}

fn token(text: &str) -> u32 {
    DEMO.tokenizer.encode(text)[0]
}

pub(crate) fn cases() -> Vec<Case> {
    let timestamps = Options { timestamps: true, ..plain() };
    let late = Script::saying(|lane| match lane.said.len() {
        0 => vec![(stamp(5.0), 12.0), (stamp(0.5), 8.0)],
        said => surely(next(&[stamp(5.0), word(A), stamp(9.0)], &vec![0; said])),
    });
    let pair = Script::reading(|_, _| {
        [timed(A), timed(B)]
            .concat()
            .into_iter()
            .enumerate()
            .map(|(at, token)| {
                // The second piece from 5 to 29.
                match at {
                    2 | 3 => stamp(5.0),
                    _ => token,
                }
            })
            .collect()
    });
    let [space, digit] = [token(" "), token("7")];
    vec![
        Case::new("timestamps", pair, timestamps.clone(), ["0-20", "0-5 5-20"]).seeing(times),
        Case::new(
            "max_initial_timestamp",
            late,
            Options { max_initial_timestamp: Some(6.0), ..timestamps.clone() },
            ["0.5-9", "5-9"],
        )
        .without(timestamps.clone())
        .seeing(|outcome, _| {
            // The first timestamp is the segment's, where a window has a pair or one piece with it.
            let tokens = &outcome.transcript.segments[0].tokens;
            let seconds = |token: u32| f64::from(token - special().timestamp_begin) / 50.0;
            format!("{}-{}", seconds(tokens[0]), seconds(tokens[tokens.len() - 1]))
        }),
        Case::new(
            "word_timestamps",
            words(&[A, B]),
            Options { words: Some(Punctuation::default()), ..plain() },
            ["no words", "2 words"],
        )
        .seeing(|outcome, _| {
            let words = outcome.transcript.segments[0].words.as_ref();
            words.map_or("no words".to_owned(), |words| format!("{} words", words.len()))
        }),
        Case::new(
            "repetition_penalty",
            rather(vec![[word(A), word(B)]; 2]),
            Options { repetition_penalty: 2.0, ..plain() },
            [" A A", " A B"],
        ),
        Case::new(
            "no_repeat_ngram_size",
            rather(vec![[word(A), word(B)]; 4]),
            Options { no_repeat_ngram_size: 2, ..plain() },
            [" A A A A", " A A B A"],
        ),
        Case::new(
            "suppress_tokens",
            rather(vec![[word(A), word(B)]]),
            Options { suppress_tokens: Some(vec![i64::from(word(A))]), ..plain() },
            [" A", " B"],
        ),
        Case::new(
            "suppress_blank",
            rather(vec![[special().end_of_text, word(B)]]),
            Options { suppress_blank: false, ..plain() },
            [" B", ""],
        ),
        Case::new(
            "suppress_numerals",
            rather(vec![[word(A), space], [digit, word(B)]]),
            Options { suppress_numerals: true, ..plain() },
            [" A7", " A B"],
        ),
        Case::new(
            "suppress_regex",
            rather(vec![[word(A), word(C)]]),
            Options { suppress_regex: Some(format!(" {}.*", &DEMO.tokenizer.decode(&[word(A)])[1..3])), ..plain() },
            [" A", " C"],
        ),
    ]
}
