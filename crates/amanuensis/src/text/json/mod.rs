//! JSON, in this program's own schema and in those of others, characters as Python's `json.dump` writes them (whisper.cpp
//! indents instead) and no line break at the end.
//!
//! Differs from openai-whisper's and faster-whisper's in two things. Times are whole milliseconds (29.24 where a sum of
//! floats gave 29.240000000000002). A measure that is not a finite number is `null`: Python writes `NaN`, which no other
//! JSON reader accepts.

mod faster_whisper;
mod openai;
mod python;
mod whisper_cpp;
mod whisperx;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use serde::ser::Serializer;
use serde::{Serialize, ser};
use serde_json::ser::PrettyFormatter;

use super::time;
use crate::segments::Transcript;
use python::AsPython;

/// Whose JSON is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JsonDialect {
    /// openai-whisper's keys, and behind them what else is known.
    #[default]
    Native,
    /// openai-whisper's keys and no other.
    OpenAi,
    /// What WhisperX writes of aligned segments.
    WhisperX,
    /// faster-whisper's segments and what it knows of the recording, in one object.
    FasterWhisper,
    /// What whisper.cpp writes with `-oj`.
    WhisperCpp,
}

impl JsonDialect {
    /// Every dialect.
    pub const ALL: [JsonDialect; 5] = [
        JsonDialect::Native,
        JsonDialect::OpenAi,
        JsonDialect::WhisperX,
        JsonDialect::FasterWhisper,
        JsonDialect::WhisperCpp,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            JsonDialect::Native => "native",
            JsonDialect::OpenAi => "openai",
            JsonDialect::WhisperX => "whisperx",
            JsonDialect::FasterWhisper => "faster-whisper",
            JsonDialect::WhisperCpp => "whisper-cpp",
        }
    }
}

impl fmt::Display for JsonDialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The name of a dialect that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a dialect of JSON; there are native, openai, whisperx, faster-whisper and whisper-cpp")]
pub struct UnknownDialect {
    /// What was asked for.
    pub name: String,
}

impl FromStr for JsonDialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        let matches = |dialect: &JsonDialect| dialect.name().eq_ignore_ascii_case(name);
        JsonDialect::ALL.into_iter().find(matches).ok_or_else(|| UnknownDialect { name: name.to_owned() })
    }
}

pub(super) fn write(transcript: &Transcript, dialect: JsonDialect, out: &mut dyn Write) -> io::Result<()> {
    for segment in &transcript.segments {
        time::span(segment)?; // the error that names the segment
        for (index, word) in segment.words.iter().flatten().enumerate() {
            time::word_span(segment, index, word)?;
        }
    }
    let mut python = serde_json::Serializer::with_formatter(&mut *out, AsPython);
    match dialect {
        JsonDialect::Native => openai::document(transcript, openai::Keys::All).serialize(&mut python),
        JsonDialect::OpenAi => openai::document(transcript, openai::Keys::OpenAi).serialize(&mut python),
        JsonDialect::WhisperX => whisperx::document(transcript).serialize(&mut python),
        JsonDialect::FasterWhisper => faster_whisper::document(transcript).serialize(&mut python),
        JsonDialect::WhisperCpp => {
            let tabs = PrettyFormatter::with_indent(b"\t");
            whisper_cpp::document(transcript)?.serialize(&mut serde_json::Serializer::with_formatter(out, tabs))
        }
    }
    .map_err(io::Error::from)
}

/// A time, in seconds.
struct Seconds(f64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let not_a_time = || ser::Error::custom(format_args!("{} seconds is not a time", self.0));
        serializer.serialize_f64(time::tidy(self.0).ok_or_else(not_a_time)?)
    }
}

/// A length in seconds, where it is known.
fn known_length(seconds: f64) -> Option<Seconds> {
    time::length(seconds).filter(|length| length.0 > 0).map(|_| Seconds(seconds))
}

/// A measure that is a number.
fn finite(measure: Option<f32>) -> Option<f32> {
    measure.filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::{Segment, Word};

    #[test]
    fn a_measure_that_is_no_number_is_null() {
        let segment = Segment {
            id: 0,
            seek: 0,
            start: 0.1 + 0.2,
            end: 28.0 + 1.24,
            text: " \u{e4}\"\u{1f600}\n".to_owned(),
            tokens: vec![50364, 1],
            temperature: 0.0,
            avg_logprob: f32::NEG_INFINITY,
            compression_ratio: f32::NAN,
            no_speech_prob: 1e-9,
            words: Some(vec![Word { word: " a".to_owned(), start: 0.3, end: 1.0, probability: 0.5 }]),
            ..Segment::default()
        };
        let transcript = Transcript {
            text: " x".to_owned(),
            segments: vec![segment],
            language: "de".to_owned(),
            ..Transcript::default()
        };
        let mut bytes = Vec::new();
        write(&transcript, JsonDialect::Native, &mut bytes).unwrap();
        let expected = concat!(
            r#"{"text": " x", "segments": [{"id": 0, "seek": 0, "start": 0.3, "end": 29.24, "#,
            r#""text": " \u00e4\"\ud83d\ude00\n", "tokens": [50364, 1], "temperature": 0.0, "avg_logprob": null, "#,
            r#""compression_ratio": null, "no_speech_prob": 1e-09, "#,
            r#""words": [{"word": " a", "start": 0.3, "end": 1.0, "probability": 0.5}]}], "language": "de"}"#,
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn names_of_dialects_are_read_in_any_case() {
        for dialect in JsonDialect::ALL {
            assert_eq!(dialect.to_string().to_uppercase().parse(), Ok(dialect));
        }
        let error = "vosk".parse::<JsonDialect>().unwrap_err();
        assert!(error.to_string().starts_with("`vosk` is not a dialect"), "{error}");
    }
}
