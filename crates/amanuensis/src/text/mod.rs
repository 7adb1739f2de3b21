//! Text: a transcript as a file, one writer per format, and read back from one.
//!
//! The bytes are those of openai-whisper's writers (and of whisper.cpp's for lyrics and tables), so that what reads their
//! files reads these. They differ only where theirs would be broken: a line break inside a segment, a control character,
//! an arrow that survives being shortened, markup characters in WebVTT, a number that JSON cannot hold. Each writer names
//! its differences. A new format is a new file here, a line in [`Format`] and a line in [`Writing::write`].
//!
//! Subtitles are laid out by [`Captions`], JSON is written in a [`JsonDialect`], and [`read()`] reads every dialect.

mod ass;
mod aud;
mod captions;
mod channel;
mod csv;
mod cues;
mod json;
mod lrc;
mod plain;
mod read;
mod srt;
mod time;
mod tsv;
mod txt;
mod vtt;

use std::fmt;
use std::io;
use std::str::FromStr;

pub use captions::{CaptionError, CaptionWarning, Captions};
pub use channel::Channels;
pub use json::{JsonDialect, UnknownDialect};
pub use read::{ReadError, read};

use crate::segments::{Segment, Transcript};

/// A file format that a transcript can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The text alone, a segment a line.
    Txt,
    /// WebVTT subtitles, for browsers.
    Vtt,
    /// SubRip subtitles, for players.
    Srt,
    /// A table of start, end (milliseconds) and text.
    Tsv,
    /// Everything, in openai-whisper's schema and beyond it.
    Json,
    /// Lyrics with the time each line begins.
    Lrc,
    /// whisper.cpp's table of start, end (milliseconds) and text, for spreadsheets.
    Csv,
    /// Advanced SubStation Alpha subtitles, with karaoke where words have times.
    Ass,
    /// Labels for Audacity.
    Aud,
}

impl Format {
    /// Every format, in the order in which `all` writes them.
    pub const ALL: [Format; 9] = [
        Format::Txt,
        Format::Vtt,
        Format::Srt,
        Format::Tsv,
        Format::Json,
        Format::Lrc,
        Format::Csv,
        Format::Ass,
        Format::Aud,
    ];

    /// Its name, which is also the ending of a file of it (without the dot).
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Txt => "txt",
            Format::Vtt => "vtt",
            Format::Srt => "srt",
            Format::Tsv => "tsv",
            Format::Json => "json",
            Format::Lrc => "lrc",
            Format::Csv => "csv",
            Format::Ass => "ass",
            Format::Aud => "aud",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.extension())
    }
}

/// The name of a format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not an output format; there are txt, vtt, srt, tsv, json, lrc, csv, ass and aud")]
pub struct UnknownFormat {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let matches = |format: &Format| format.extension().eq_ignore_ascii_case(name);
        Format::ALL.into_iter().find(matches).ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// How transcripts are written, beyond their format.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writing {
    /// How subtitles (srt, vtt, ass) are laid out.
    pub captions: Captions,
    /// Whose JSON is written.
    pub dialect: JsonDialect,
}

impl Writing {
    /// Writes `transcript` to `out` as `format`.
    ///
    /// # Errors
    /// What `out` reports; [`io::ErrorKind::InvalidData`] when a time is negative or not a number, which no file can say;
    /// and [`io::ErrorKind::InvalidInput`] with a [`CaptionError`] when subtitles cannot be laid out as asked.
    pub fn write(&self, format: Format, transcript: &Transcript, out: &mut dyn io::Write) -> io::Result<()> {
        match format {
            Format::Txt => txt::write(transcript, out),
            Format::Vtt => vtt::write(transcript, &self.captions, out),
            Format::Srt => srt::write(transcript, &self.captions, out),
            Format::Tsv => tsv::write(transcript, out),
            Format::Json => json::write(transcript, self.dialect, out),
            Format::Lrc => lrc::write(transcript, out),
            Format::Csv => csv::write(transcript, out),
            Format::Ass => ass::write(transcript, &self.captions, out),
            Format::Aud => aud::write(transcript, out),
        }
    }

    /// `transcript` as `format`, in memory.
    ///
    /// # Errors
    /// As [`Writing::write`].
    pub fn to_string(&self, format: Format, transcript: &Transcript) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.write(format, transcript, &mut bytes)?;
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// Writes `transcript` to `out` as `format`, with the default [`Writing`].
///
/// # Errors
/// As [`Writing::write`].
pub fn write(format: Format, transcript: &Transcript, out: &mut dyn io::Write) -> io::Result<()> {
    Writing::default().write(format, transcript, out)
}

/// `transcript` as `format`, in memory.
///
/// # Errors
/// As [`Writing::write`].
pub fn to_string(format: Format, transcript: &Transcript) -> io::Result<String> {
    Writing::default().to_string(format, transcript)
}

/// A segment as one line for reading along: `[00:00.000 --> 00:03.240]  text`, without a line break at its end.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] as for [`write()`].
pub fn line(segment: &Segment) -> io::Result<String> {
    let (start, end) = time::span(segment)?;
    Ok(format!("[{} --> {}]  {}", start.clock('.'), end.clock('.'), plain::one_line(&segment.text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_are_named() {
        for format in Format::ALL {
            assert_eq!(format.extension().parse::<Format>(), Ok(format));
            assert_eq!(format.to_string().to_uppercase().parse::<Format>(), Ok(format));
        }
        let error = "docx".parse::<Format>().unwrap_err();
        assert!(error.to_string().starts_with("`docx` is not an output format"), "{error}");
    }

    #[test]
    fn a_line_for_reading_along_has_two_spaces_like_openai_whispers() {
        let segment = segment(0.0, 3.24, " Good morning.");
        assert_eq!(line(&segment).unwrap(), "[00:00.000 --> 00:03.240]  Good morning.");
    }

    #[test]
    fn a_time_that_is_no_time_is_an_error_in_every_format_that_tells_time() {
        for (start, end) in [(f64::NAN, 1.0), (0.0, f64::INFINITY), (-1.0, 1.0)] {
            let transcript = Transcript {
                text: String::new(),
                segments: vec![segment(start, end, " x")],
                language: "en".to_owned(),
                duration: 1.0,
                ..Transcript::default()
            };
            for format in Format::ALL.into_iter().filter(|format| *format != Format::Txt) {
                if format == Format::Lrc && start == 0.0 {
                    continue; // lyrics tell where a line starts and nothing else
                }
                let error = to_string(format, &transcript).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{format}");
                assert!(error.to_string().contains("segment 7"), "{error}");
            }
        }
    }

    fn segment(start: f64, end: f64, text: &str) -> Segment {
        Segment {
            id: 7,
            seek: 0,
            start,
            end,
            text: text.to_owned(),
            tokens: Vec::new(),
            temperature: 0.0,
            avg_logprob: 0.0,
            compression_ratio: 0.0,
            no_speech_prob: 0.0,
            ..Segment::default()
        }
    }
}
