//! JSON in openai-whisper's schema, keys in its order and characters as Python's `json.dump` writes them: ASCII only,
//! `", "` and `": "` between things, no line break at the end.
//!
//! Differs from it in two things. Times are whole milliseconds (29.24 where a sum of floats gave 29.240000000000002).
//! A measure that is not a finite number is `null`: Python writes `NaN`, which no other JSON reader accepts.

use std::io::{self, Write};

use serde::ser::{SerializeStruct, Serializer};
use serde::{Serialize, ser};
use serde_json::ser::Formatter;

use super::time;
use crate::segments::{Segment, Transcript, Word};

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    for segment in &transcript.segments {
        time::span(segment)?; // the error that names the segment
    }
    let mut serializer = serde_json::Serializer::with_formatter(out, AsPython);
    Document(transcript).serialize(&mut serializer).map_err(io::Error::from)
}

struct Document<'a>(&'a Transcript);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document(transcript) = self;
        let segments: Vec<_> = transcript.segments.iter().map(Piece).collect();
        let mut object = serializer.serialize_struct("Transcript", 3)?;
        object.serialize_field("text", &transcript.text)?;
        object.serialize_field("segments", &segments)?;
        object.serialize_field("language", &transcript.language)?;
        object.end()
    }
}

struct Piece<'a>(&'a Segment);

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Piece(segment) = self;
        let mut object = serializer.serialize_struct("Segment", 11)?;
        object.serialize_field("id", &segment.id)?;
        object.serialize_field("seek", &segment.seek)?;
        object.serialize_field("start", &Seconds(segment.start))?;
        object.serialize_field("end", &Seconds(segment.end))?;
        object.serialize_field("text", &segment.text)?;
        object.serialize_field("tokens", &segment.tokens)?;
        object.serialize_field("temperature", &segment.temperature)?;
        object.serialize_field("avg_logprob", &segment.avg_logprob)?;
        object.serialize_field("compression_ratio", &segment.compression_ratio)?;
        object.serialize_field("no_speech_prob", &segment.no_speech_prob)?;
        if let Some(words) = &segment.words {
            object.serialize_field("words", &words.iter().map(Timed).collect::<Vec<_>>())?;
        }
        object.end()
    }
}

struct Timed<'a>(&'a Word);

impl Serialize for Timed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Timed(word) = self;
        let mut object = serializer.serialize_struct("Word", 4)?;
        object.serialize_field("word", &word.word)?;
        object.serialize_field("start", &Seconds(word.start))?;
        object.serialize_field("end", &Seconds(word.end))?;
        object.serialize_field("probability", &word.probability)?;
        object.end()
    }
}

/// A time, in seconds.
struct Seconds(f64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let not_a_time = || ser::Error::custom(format_args!("{} seconds is not a time", self.0));
        serializer.serialize_f64(time::tidy(self.0).ok_or_else(not_a_time)?)
    }
}

/// Python's `json.dump` as it is without options. (serde_json asks for a float only when it is finite and writes
/// `null` otherwise.)
struct AsPython;

impl Formatter for AsPython {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        writer.write_all(number(&format!("{value:e}")).as_bytes())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(&format!("{value:e}")).as_bytes())
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            if character.is_ascii() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// A float as Python's `repr` writes it, from Rust's shortest scientific form (`d.ddde-x`): the digits are the same,
/// the exponent begins below 0.0001 and at 1e16 and has two digits and a sign.
fn number(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(|character| *character != '.').collect();
    if !(-4..16).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()));
    }
    let (before, after) = digits.split_at(whole);
    format!("{sign}{before}.{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_python_prints_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (3.24, "3.24"),
            (-0.25, "-0.25"),
            (123_456.75, "123456.75"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (1e-5, "1e-05"),
            (-3e-120, "-3e-120"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (29.24, "29.24"),
            (100.0, "100.0"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(&format!("{value:e}")), expected);
        }
        assert_eq!(number(&format!("{:e}", 0.1_f32)), "0.1");
    }

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
        write(&transcript, &mut bytes).unwrap();
        let expected = concat!(
            r#"{"text": " x", "segments": [{"id": 0, "seek": 0, "start": 0.3, "end": 29.24, "#,
            r#""text": " \u00e4\"\ud83d\ude00\n", "tokens": [50364, 1], "temperature": 0.0, "avg_logprob": null, "#,
            r#""compression_ratio": null, "no_speech_prob": 1e-09, "#,
            r#""words": [{"word": " a", "start": 0.3, "end": 1.0, "probability": 0.5}]}], "language": "de"}"#,
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
