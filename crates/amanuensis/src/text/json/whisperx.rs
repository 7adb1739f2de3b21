//! WhisperX's schema: words without blanks and with a `score`, in their segments and once more in one list.
//!
//! The `speaker` is the name of the channel, where channels were transcribed apart.

use serde::Serialize;

use super::super::channel::Channels;
use super::super::plain;
use super::{Seconds, finite};
use crate::segments::{Segment, Transcript};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    segments: Vec<Piece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    word_segments: Option<Vec<Scored<'a>>>,
    language: &'a str,
}

#[derive(Serialize)]
struct Piece<'a> {
    start: Seconds,
    end: Seconds,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<Scored<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_logprob: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<String>,
}

#[derive(Serialize)]
struct Scored<'a> {
    word: &'a str,
    start: Seconds,
    end: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<String>,
}

pub(super) fn document(transcript: &Transcript) -> Document<'_> {
    let channels = Channels::of(transcript);
    let speaker = |segment: &Segment| segment.channel.map(|channel| channels.name(channel));
    let words: Vec<_> =
        transcript.segments.iter().filter_map(|segment| scored(segment, speaker(segment))).flatten().collect();
    let any = transcript.segments.iter().any(|segment| segment.words.is_some());
    Document {
        segments: transcript.segments.iter().map(|segment| piece(segment, speaker(segment))).collect(),
        word_segments: any.then_some(words),
        language: &transcript.language,
    }
}

fn piece(segment: &Segment, speaker: Option<String>) -> Piece<'_> {
    Piece {
        start: Seconds(segment.start),
        end: Seconds(segment.end),
        text: &segment.text,
        words: scored(segment, speaker.clone()),
        avg_logprob: finite(Some(segment.avg_logprob)),
        speaker,
    }
}

fn scored(segment: &Segment, speaker: Option<String>) -> Option<Vec<Scored<'_>>> {
    let words = segment.words.as_ref()?.iter().map(|word| Scored {
        word: word.word.trim_matches(plain::is_blank),
        start: Seconds(word.start),
        end: Seconds(word.end),
        score: finite(Some(word.probability)),
        speaker: speaker.clone(),
    });
    Some(words.collect())
}
