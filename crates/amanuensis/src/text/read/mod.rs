//! A transcript read back from JSON: this program's, openai-whisper's, WhisperX's, faster-whisper's or whisper.cpp's,
//! told apart by what is in it.
//!
//! Times are not forgiven: each has to be a number of seconds from 0 on, and nothing ends before it starts. What a
//! dialect does not say stays unknown: a measure is then not a number, and written again as `null`.

mod field;
mod segments;
#[cfg(test)]
mod tests;
mod whisper_cpp;

use serde_json::Value;

use crate::segments::Transcript;
use field::{Object, Place};

/// Why a file is not read as a transcript.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but none that tells of a transcript.
    #[error(
        "{found} is not a transcript; expected an object with `segments` (openai-whisper, WhisperX, faster-whisper, this \
         program) or `transcription` (whisper.cpp)"
    )]
    NotATranscript {
        /// What it is.
        found: String,
    },
    /// A transcript, with something in it that cannot be.
    #[error("{place}: {problem}")]
    Wrong {
        /// Where, as a path: `segments[3].words[0].start`.
        place: String,
        /// What is wrong there.
        problem: String,
    },
}

/// Reads a transcript from JSON in any of the dialects that are written, recognised by its content.
///
/// # Errors
/// [`ReadError`] says what is wrong and where.
pub fn read(bytes: &[u8]) -> Result<Transcript, ReadError> {
    // Windows writes a byte order mark before UTF-8; JSON does not know it.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let document: Value = serde_json::from_slice(bytes)?;
    let Value::Object(map) = &document else {
        return Err(ReadError::NotATranscript { found: field::kind(&document).to_owned() });
    };
    let object = Object { map, place: Place::default() };
    if map.contains_key("segments") {
        segments::read(object)
    } else if map.contains_key("transcription") {
        whisper_cpp::read(object)
    } else {
        let keys: Vec<&str> = map.keys().map(String::as_str).take(8).collect();
        let found = match keys.as_slice() {
            [] => "an empty object".to_owned(),
            keys => format!("an object with the keys {}", keys.join(", ")),
        };
        Err(ReadError::NotATranscript { found })
    }
}

/// The texts of segments as one, with a blank where two words would grow together.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut whole = String::new();
    for text in texts {
        let spaced = |character: char| character.is_ascii() && !character.is_whitespace();
        if whole.ends_with(spaced) && text.starts_with(spaced) {
            whole.push(' ');
        }
        whole.push_str(text);
    }
    whole
}
