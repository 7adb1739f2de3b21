//! The words of segments: with the times that were heard, or with the segment's time shared out among them.

use std::io;

use super::super::{captions::has_words, time::Milliseconds};
use super::super::{plain, time};
use super::width;
use crate::segments::Segment;

/// A word that a line is never broken in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    /// The blanks before it.
    pub(super) gap: String,
    /// Itself, without blanks around it.
    pub(super) body: String,
    pub(super) start: Milliseconds,
    pub(super) end: Milliseconds,
    /// Its start as the transcript has it.
    pub(super) seconds: f64,
    /// Whether its times were heard.
    pub(super) heard: bool,
}

/// The words of a segment as the transcript has them; a segment without words is one. Blank ones are left out.
pub(super) fn given(segment: &Segment) -> io::Result<Vec<Unit>> {
    let (start, end) = time::span(segment)?;
    let mut units = Vec::new();
    if !has_words(segment) {
        push(&mut units, &mut String::new(), &segment.text, (start, end), segment.start, false);
        return Ok(units);
    }
    let mut gap = String::new();
    for (index, word) in segment.words.iter().flatten().enumerate() {
        push(&mut units, &mut gap, &word.word, time::word_span(segment, index, word)?, word.start, true);
    }
    Ok(units)
}

/// The words of a segment in the smallest pieces that a line may be broken between; never with a mark at its beginning
/// that belongs to the word before.
pub(super) fn smallest(segment: &Segment) -> io::Result<Vec<Unit>> {
    let units = if has_words(segment) { given(segment)? } else { shared_out(segment)? };
    let mut result: Vec<Unit> = Vec::with_capacity(units.len());
    for unit in units {
        match result.last_mut() {
            Some(last) if unit.gap.is_empty() && !unit.body.contains(char::is_alphanumeric) => {
                last.body.push_str(&unit.body);
                last.end = last.end.max(unit.end);
            }
            _ => result.push(unit),
        }
    }
    Ok(result)
}

fn push(
    units: &mut Vec<Unit>,
    gap: &mut String,
    text: &str,
    (start, end): (Milliseconds, Milliseconds),
    seconds: f64,
    heard: bool,
) {
    let text = plain::word(text);
    let body = text.trim_matches(plain::is_blank);
    let (before, after) = match text.find(body) {
        Some(at) if !body.is_empty() => (&text[..at], &text[at + body.len()..]),
        _ => (text.as_str(), ""),
    };
    gap.push_str(before);
    if !body.is_empty() {
        units.push(Unit { gap: std::mem::take(gap), body: body.to_owned(), start, end, seconds, heard });
    }
    gap.push_str(after);
}

/// The words that blanks separate, and the characters of writing that has no blanks; each gets as much of the segment's
/// time as it has of its characters.
fn shared_out(segment: &Segment) -> io::Result<Vec<Unit>> {
    let (start, end) = time::span(segment)?;
    let text = plain::word(&segment.text);
    let mut units: Vec<Unit> = Vec::new();
    let mut gap = String::new();
    let mut before = ' ';
    for character in text.chars() {
        if plain::is_blank(character) {
            gap.push(character);
        } else {
            let apart = !gap.is_empty() || width::may_break_between(before, character);
            match units.last_mut() {
                Some(last) if !apart => last.body.push(character),
                _ => units.push(Unit {
                    gap: std::mem::take(&mut gap),
                    body: character.to_string(),
                    start,
                    end,
                    seconds: segment.start,
                    heard: false,
                }),
            }
        }
        before = character;
    }
    let characters = |unit: &Unit| unit.body.chars().count() as u64;
    let all: u64 = units.iter().map(characters).sum();
    let length = end.0.saturating_sub(start.0);
    let mut done = 0;
    for unit in &mut units {
        let after = done + characters(unit);
        let at = |count: u64| start.plus((u128::from(length) * u128::from(count) / u128::from(all.max(1))) as u64);
        (unit.start, unit.end) = (at(done), at(after));
        unit.seconds = unit.start.0 as f64 / 1000.0;
        done = after;
    }
    Ok(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::Word;

    fn segment(text: &str, words: Option<Vec<(&str, f64, f64)>>) -> Segment {
        let word = |(word, start, end): (&str, f64, f64)| Word { word: word.to_owned(), start, end, probability: 1.0 };
        let words = words.map(|words| words.into_iter().map(word).collect());
        Segment { start: 1.0, end: 2.0, text: text.to_owned(), words, ..Segment::default() }
    }

    fn seen(units: &[Unit]) -> Vec<(&str, u64, u64)> {
        units.iter().map(|unit| (unit.body.as_str(), unit.start.0, unit.end.0)).collect()
    }

    #[test]
    fn time_is_shared_out_by_characters() {
        let units = smallest(&segment(" Good  day, you", None)).unwrap();
        assert_eq!(seen(&units), [("Good", 1000, 1363), ("day,", 1363, 1727), ("you", 1727, 2000)]);
        assert_eq!(units[1].gap, "  ");
    }

    #[test]
    fn writing_without_blanks_may_break_at_every_character_but_not_before_a_mark() {
        let units = smallest(&segment("「東京」です。ok", None)).unwrap();
        let bodies: Vec<&str> = units.iter().map(|unit| unit.body.as_str()).collect();
        assert_eq!(bodies, ["「東", "京」", "で", "す。", "ok"]);
    }

    #[test]
    fn marks_given_as_words_join_the_word_before() {
        let words = vec![(" So", 1.0, 1.2), (".", 1.2, 1.3), (" -", 1.3, 1.4), (" no", 1.4, 2.0), (" ", 2.0, 2.0)];
        let units = smallest(&segment(" So. - no", Some(words))).unwrap();
        assert_eq!(seen(&units), [("So.", 1000, 1300), ("-", 1300, 1400), ("no", 1400, 2000)]);
        assert!(units[0].heard);
    }

    #[test]
    fn a_time_that_is_no_time_names_its_word() {
        let error = given(&segment(" a", Some(vec![(" a", 1.0, f64::NAN)]))).unwrap_err();
        assert!(error.to_string().contains("the end of word 0 of segment 0"), "{error}");
    }
}
