//! Text that was invented in a silence, known by its words.

use amanuensis::Options;
use amanuensis::segments::{Flag, Punctuation};

use crate::scripted::{Script, hardly, next, second, special, stairs, surely, text};
use crate::{outcome, plain, said, word};

const SENTENCE: &str = "Thanks for your patience";

/// Words behind the prompt of the reading, which has four tokens: where the decoder looks for each.
fn position(first: f64, row: usize) -> usize {
    let word = row.saturating_sub(3) as f64;
    ((first + 0.4 * word) * 50.0) as usize
}

fn listening(threshold: Option<f64>) -> Options {
    Options { words: Some(Punctuation::default()), hallucination_silence_threshold: threshold, ..plain() }
}

/// Says one sentence in each window, from so many seconds on; each word is improbable in windows that begin in the
/// given seconds.
fn improbable(seconds: std::ops::Range<i32>, first: impl Fn(usize) -> f64 + Send + Sync + 'static) -> Script {
    Script::saying(move |lane| {
        // For its words the text is read once more, without its times.
        let mut parts = lane.prompt.split(|token| *token == special().no_timestamps);
        match (parts.next(), parts.next()) {
            (_, Some(_)) if seconds.contains(&second(lane.level)) => hardly(word(60)),
            (_, Some(read)) => surely(next(&text(SENTENCE), read)),
            _ => surely(next(&said(SENTENCE, 29.0), lane.said)),
        }
    })
    .looking(move |window, row| position(first(window), row))
}

#[test]
fn an_improbable_sentence_behind_a_silence_is_heard_again_from_there() {
    // Window 0 is improbable and begins to speak at 12 s.
    let script = |_: ()| improbable(0..1, |window| if window == 0 { 12.0 } else { 0.5 });
    let (kept, log) = outcome(script(()), &stairs(40.0), &listening(None));
    assert_eq!(log.levels.iter().map(|level| second(*level)).collect::<Vec<_>>(), [0, 30]);
    assert_eq!(kept.transcript.segments[0].flags, [Flag::Anomalous], "without a threshold it is only told");

    let (heard, log) = outcome(script(()), &stairs(40.0), &listening(Some(2.0)));
    let begins: Vec<i32> = log.levels.iter().map(|level| second(*level)).collect();
    assert!((11..=12).contains(&begins[1]), "{begins:?}");
    assert!(heard.transcript.segments.iter().all(|segment| segment.start >= 11.0), "{:?}", heard.transcript.segments);
    assert!(heard.transcript.segments.iter().all(|segment| segment.flags.is_empty()));
    let (_, log) = outcome(script(()), &stairs(40.0), &listening(Some(13.0)));
    assert_eq!(log.levels.len(), 2, "the silence is shorter than that");
}

#[test]
fn an_improbable_sentence_with_silence_on_both_sides_is_dropped() {
    // It stands at the start of the second window, which holds nothing else.
    let script = |_: ()| improbable(29..32, |_| 0.5);
    let (kept, _) = outcome(script(()), &stairs(90.0), &listening(None));
    assert_eq!(kept.transcript.segments.len(), 3);
    let (heard, _) = outcome(script(()), &stairs(90.0), &listening(Some(2.0)));
    let starts: Vec<f64> = heard.transcript.segments.iter().map(|segment| segment.start).collect();
    assert!(starts.iter().all(|start| !(30.0..31.0).contains(start)), "{starts:?}");
    assert!(starts[0] < 1.0 && starts[starts.len() - 1] > 59.0, "{starts:?}");
    assert!(heard.transcript.segments.iter().all(|segment| segment.flags.is_empty()));
}
