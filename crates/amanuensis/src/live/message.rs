//! What a session tells, as JSON: the messages of `/v1/live` and of `listen --json`.

use serde_json::{Value, json};

use super::update::{Line, Update, text_of};
use crate::segments::Word;

/// An update as a message, if it is one: agreed words come in partials and lines, and an utterance ends with its last line.
/// `words` adds the words of a line.
pub fn message(update: &Update, lag: f64, words: bool) -> Option<Value> {
    let mut message = match update {
        Update::Started { utterance, at } => {
            json!({ "type": "speech_started", "utterance": utterance, "at": rounded(*at) })
        }
        Update::Stopped { utterance, at } => {
            json!({ "type": "speech_stopped", "utterance": utterance, "at": rounded(*at) })
        }
        Update::Partial { utterance, agreed, tentative } => partial(*utterance, agreed, tentative),
        Update::Line(line) => whole(line, words),
        Update::Agreed { .. } | Update::Dropped { .. } | Update::Ended { .. } => return None,
    };
    message["lag"] = json!(rounded(lag));
    Some(message)
}

fn partial(utterance: u64, agreed: &[Word], tentative: &[Word]) -> Value {
    let stable = text_of(agreed);
    let text = stable.clone() + &text_of(tentative);
    let (first, last) = (agreed.first().or(tentative.first()), tentative.last().or(agreed.last()));
    json!({
        "type": "partial",
        "utterance": utterance,
        "text": text.trim(),
        "stable": stable.trim(),
        "start": first.map(|word| rounded(word.start)),
        "end": last.map(|word| rounded(word.end)),
    })
}

fn whole(line: &Line, words: bool) -> Value {
    let mut message = json!({
        "type": "final",
        "id": line.id,
        "utterance": line.utterance,
        "text": line.text(),
        "start": rounded(line.start()),
        "end": rounded(line.end()),
    });
    if words {
        let word = |word: &Word| {
            let probability = (f64::from(word.probability) * 1e4).round() / 1e4;
            json!({ "word": word.word.trim(), "start": rounded(word.start), "end": rounded(word.end), "probability": probability })
        };
        message["words"] = line.words.iter().map(word).collect();
    }
    message
}

/// Seconds to the millisecond.
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_manual() {
        let word = |text: &str, start: f64| Word { word: text.to_owned(), start, end: start + 0.5, probability: 0.5 };
        let words = vec![word(" Good", 1.0), word(" day.", 1.5)];
        let partial = Update::Partial { utterance: 2, agreed: words[..1].to_vec(), tentative: words[1..].to_vec() };
        assert_eq!(
            message(&partial, 0.12345, false),
            Some(json!({
                "type": "partial", "utterance": 2, "text": "Good day.", "stable": "Good", "start": 1.0, "end": 2.0, "lag": 0.123
            }))
        );
        let line = Update::Line(Line { id: 7, utterance: 2, words: words.clone() });
        let message_of_line = message(&line, 0.0, true).unwrap();
        assert_eq!((&message_of_line["text"], &message_of_line["end"]), (&json!("Good day."), &json!(2.0)));
        assert_eq!(
            message_of_line["words"][1],
            json!({ "word": "day.", "start": 1.5, "end": 2.0, "probability": 0.5 })
        );
        let empty =
            message(&Update::Partial { utterance: 2, agreed: Vec::new(), tentative: Vec::new() }, 0.0, false).unwrap();
        assert_eq!((&empty["text"], &empty["start"]), (&json!(""), &Value::Null));
        assert_eq!(message(&Update::Agreed { utterance: 2, words }, 0.0, true), None);
    }
}
