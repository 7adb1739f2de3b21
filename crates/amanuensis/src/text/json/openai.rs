//! openai-whisper's schema, its keys in its order, and behind them what this program knows besides.

use serde::Serialize;

use super::{Seconds, finite, known_length};
use crate::segments::{Flag, Provenance, Segment, Transcript, Word};
use crate::tokens::Token;

/// How much is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// openai-whisper's keys only.
    OpenAi,
    /// Also those that openai-whisper does not have, where there is something to say.
    All,
}

#[derive(Serialize)]
pub(super) struct Document<'a> {
    text: &'a str,
    segments: Vec<Piece<'a>>,
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'a Provenance>,
}

#[derive(Serialize)]
struct Piece<'a> {
    id: usize,
    seek: u64,
    start: Seconds,
    end: Seconds,
    text: &'a str,
    tokens: &'a [Token],
    temperature: f32,
    avg_logprob: f32,
    compression_ratio: f32,
    no_speech_prob: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<Timed<'a>>>,
    #[serde(flatten)]
    more: Option<More<'a>>,
}

/// What openai-whisper does not say of a segment.
#[derive(Serialize)]
struct More<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speech: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alignment: Option<f32>,
    #[serde(skip_serializing_if = "<[Flag]>::is_empty")]
    flags: &'a [Flag],
}

#[derive(Serialize)]
pub(super) struct Timed<'a> {
    word: &'a str,
    start: Seconds,
    end: Seconds,
    probability: f32,
}

pub(super) fn document(transcript: &Transcript, keys: Keys) -> Document<'_> {
    let all = keys == Keys::All;
    Document {
        text: &transcript.text,
        segments: transcript.segments.iter().map(|segment| piece(segment, all)).collect(),
        language: &transcript.language,
        duration: known_length(transcript.duration).filter(|_| all),
        provenance: transcript.provenance.as_ref().filter(|_| all),
    }
}

fn piece(segment: &Segment, all: bool) -> Piece<'_> {
    Piece {
        id: segment.id,
        seek: segment.seek,
        start: Seconds(segment.start),
        end: Seconds(segment.end),
        text: &segment.text,
        tokens: &segment.tokens,
        temperature: segment.temperature,
        avg_logprob: segment.avg_logprob,
        compression_ratio: segment.compression_ratio,
        no_speech_prob: segment.no_speech_prob,
        words: segment.words.as_ref().map(|words| words.iter().map(timed).collect()),
        more: all.then(|| More {
            language: &segment.language,
            channel: segment.channel,
            speaker: segment.speaker.as_deref(),
            tries: Some(segment.tries).filter(|tries| *tries > 0),
            speech: finite(segment.speech),
            alignment: finite(segment.alignment),
            flags: &segment.flags,
        }),
    }
}

fn timed(word: &Word) -> Timed<'_> {
    Timed { word: &word.word, start: Seconds(word.start), end: Seconds(word.end), probability: word.probability }
}
