//! The dialects that keep `segments` with times in seconds: openai-whisper's and this program's, faster-whisper's
//! (numbered from 1, without the whole text), WhisperX's (words without blanks, some without times).

use super::super::{channel, plain};
use super::field::{self, Object};
use super::{ReadError, joined};
use crate::segments::{Segment, Transcript, Word};

pub(super) fn read(document: Object<'_>) -> Result<Transcript, ReadError> {
    let objects = document.objects("segments")?.unwrap_or_default();
    // faster-whisper has no text of the whole, and its numbers begin with 1.
    let text = document.text("text")?;
    let mut segments: Vec<Segment> = objects
        .iter()
        .enumerate()
        .map(|(index, object)| segment(object, index, text.is_some()))
        .collect::<Result<_, _>>()?;
    let names = objects.iter().map(speaker).collect::<Result<Vec<_>, ReadError>>()?;
    channel::seat(&mut segments, &names);
    Ok(Transcript {
        text: text.map_or_else(|| joined(segments.iter().map(|segment| segment.text.as_str())), ToOwned::to_owned),
        segments,
        language: document.text("language")?.unwrap_or_default().to_owned(),
        duration: document.time("duration")?.unwrap_or(0.0),
        provenance: document.parsed("provenance")?,
    })
}

/// Who speaks, if anybody is named.
fn speaker<'a>(object: &Object<'a>) -> Result<Option<&'a str>, ReadError> {
    Ok(object.text("speaker")?.filter(|name| !name.trim().is_empty()))
}

fn segment(object: &Object<'_>, index: usize, keep_number: bool) -> Result<Segment, ReadError> {
    let (start, end) = (object.needed_time("start")?, object.needed_time("end")?);
    field::in_order(object, start, end)?;
    let text = object.needed_text("text")?;
    Ok(Segment {
        id: object.whole("id")?.filter(|_| keep_number).unwrap_or(index),
        seek: object.whole("seek")?.unwrap_or(0),
        start,
        end,
        text: text.to_owned(),
        tokens: object.tokens("tokens")?,
        logprobs: Vec::new(),
        temperature: object.measure("temperature")?,
        avg_logprob: object.measure("avg_logprob")?,
        compression_ratio: object.measure("compression_ratio")?,
        no_speech_prob: object.measure("no_speech_prob")?,
        words: object.objects("words")?.map(|words| read_words(&words, text, start, end)).transpose()?,
        language: object.text("language")?.unwrap_or_default().to_owned(),
        channel: object.whole("channel")?,
        speaker: None,
        tries: object.whole("tries")?.unwrap_or(0),
        speech: object.optional_measure("speech")?,
        alignment: object.optional_measure("alignment")?,
        flags: object.parsed("flags")?.unwrap_or_default(),
    })
}

fn read_words(objects: &[Object<'_>], text: &str, start: f64, end: f64) -> Result<Vec<Word>, ReadError> {
    let mut spans = Vec::with_capacity(objects.len());
    for object in objects {
        spans.push((object.time("start")?, object.time("end")?));
    }
    let texts = objects.iter().map(|object| object.needed_text("word")).collect::<Result<Vec<_>, _>>()?;
    // Only WhisperX has a score, and only its words come without their blanks.
    let bare = objects.iter().all(|object| object.get("probability").is_none())
        && texts.iter().all(|word| !word.starts_with(plain::is_blank));
    let texts = if bare { with_blanks(&texts, text) } else { texts.into_iter().map(ToOwned::to_owned).collect() };
    // Where the next word begins that has a time.
    let mut next = vec![end; spans.len()];
    for index in (1..spans.len()).rev() {
        next[index - 1] = spans[index].0.unwrap_or(next[index]);
    }
    let mut words = Vec::with_capacity(objects.len());
    let mut last = start;
    for (index, (object, word)) in objects.iter().zip(texts).enumerate() {
        // A word that WhisperX could not find lies between those that it found.
        let start = spans[index].0.unwrap_or(last);
        let end = spans[index].1.unwrap_or(next[index].max(start));
        field::in_order(object, start, end)?;
        let key = if object.get("score").is_some() { "score" } else { "probability" };
        words.push(Word { word, start, end, probability: object.measure(key)? });
        last = end;
    }
    Ok(words)
}

/// Words with what stands before them in the text, and behind the last; with a blank each if the text has other words.
fn with_blanks(words: &[&str], text: &str) -> Vec<String> {
    let mut rest = text;
    let mut result: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let Some(at) = rest.find(word) else {
            return words.iter().map(|word| format!(" {word}")).collect();
        };
        let (through, behind) = rest.split_at(at + word.len());
        result.push(through.to_owned());
        rest = behind;
    }
    if let Some(last) = result.last_mut() {
        last.push_str(rest);
    }
    result
}
