//! faster-whisper's objects as its users store them: what it says of the recording, and its segments, numbered from 1.
//!
//! What a transcript does not hold (the probability of the language, the settings) is left out, not made up.

use serde::Serialize;

use super::{Seconds, known_length};
use crate::segments::{Segment, Transcript, Word};
use crate::tokens::Token;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<Seconds>,
    segments: Vec<Piece<'a>>,
}

#[derive(Serialize)]
struct Piece<'a> {
    id: usize,
    seek: u64,
    start: Seconds,
    end: Seconds,
    text: &'a str,
    tokens: &'a [Token],
    avg_logprob: f32,
    compression_ratio: f32,
    no_speech_prob: f32,
    /// `null` where words were not asked for.
    words: Option<Vec<Timed<'a>>>,
    temperature: f32,
}

#[derive(Serialize)]
struct Timed<'a> {
    start: Seconds,
    end: Seconds,
    word: &'a str,
    probability: f32,
}

pub(super) fn document(transcript: &Transcript) -> Document<'_> {
    Document {
        language: &transcript.language,
        duration: known_length(transcript.duration),
        segments: (1..).zip(&transcript.segments).map(piece).collect(),
    }
}

fn piece((id, segment): (usize, &Segment)) -> Piece<'_> {
    Piece {
        id,
        seek: segment.seek,
        start: Seconds(segment.start),
        end: Seconds(segment.end),
        text: &segment.text,
        tokens: &segment.tokens,
        avg_logprob: segment.avg_logprob,
        compression_ratio: segment.compression_ratio,
        no_speech_prob: segment.no_speech_prob,
        words: segment.words.as_ref().map(|words| words.iter().map(timed).collect()),
        temperature: segment.temperature,
    }
}

fn timed(word: &Word) -> Timed<'_> {
    Timed { start: Seconds(word.start), end: Seconds(word.end), word: &word.word, probability: word.probability }
}
