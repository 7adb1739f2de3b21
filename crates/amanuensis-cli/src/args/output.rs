//! What is written, and how it looks.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use amanuensis::text::JsonDialect;
use clap::{ArgAction, Args};

use crate::values::{self, Formats, Maybe};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    #[command(flatten)]
    pub(crate) files: Files,

    /// Print each segment with its times to standard output as soon as it is understood [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, action = ArgAction::Set, value_parser = values::boolean())]
    pub(crate) verbose: Option<bool>,

    #[command(flatten)]
    pub(crate) looks: Looks,
}

/// Which files are written, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Files {
    /// Folder for the files written, made if it is missing [default: the current folder, if --output-format is given];
    /// `-` writes one format of one input to standard output
    #[arg(short = 'o', long, value_name = "FOLDER")]
    pub(crate) output_dir: Option<PathBuf>,

    /// Files to write: txt, vtt, srt, tsv, json, lrc, csv, ass, aud, several with commas between, or all [default: all,
    /// if --output-dir is given; without either no file is written]
    #[arg(short = 'f', long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) output_format: Vec<Formats>,
}

/// How subtitles and JSON look.
#[derive(Debug, Args)]
#[command(next_help_heading = "Subtitles (srt, vtt, ass) and JSON")]
pub(crate) struct Looks {
    /// Characters in a line of a subtitle; needs word times, as the next two do, unless --sentences, --balance or
    /// --max-chars-per-second is given
    #[arg(long, value_name = "COUNT", default_value = "None", hide_default_value = true, value_parser = count)]
    pub(crate) max_line_width: Maybe<NonZeroUsize>,

    /// Lines in a subtitle
    #[arg(long, value_name = "COUNT", default_value = "None", hide_default_value = true, value_parser = count)]
    pub(crate) max_line_count: Maybe<NonZeroUsize>,

    /// Words in a line of a subtitle
    #[arg(long, value_name = "COUNT", default_value = "None", hide_default_value = true, value_parser = count)]
    pub(crate) max_words_per_line: Maybe<NonZeroUsize>,

    /// Underline each word while it is said (always needs word times; ass lights words up by itself)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) highlight_words: bool,

    /// Let subtitles begin and end with sentences instead of segments
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) sentences: bool,

    /// Let a subtitle that is faster than this stay into the pause behind it
    #[arg(long, value_name = "SPEED", default_value = "None", hide_default_value = true, value_parser = speed)]
    pub(crate) max_chars_per_second: Maybe<f64>,

    /// Make the lines of a subtitle alike in length and break them where the sentence pauses; 42 columns wide without
    /// --max-line-width
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) balance: bool,

    /// Whose JSON is written: native (openai-whisper's keys and more), openai, whisperx, faster-whisper, whisper-cpp
    #[arg(long, value_name = "WHOSE", default_value = "native")]
    pub(crate) json_dialect: JsonDialect,
}

fn count(text: &str) -> Result<Maybe<NonZeroUsize>, String> {
    if values::is_none(text) {
        return Ok(Maybe(None));
    }
    text.parse().map(|count| Maybe(Some(count))).map_err(|_| "give a whole number from 1 on, or None".to_owned())
}

fn speed(text: &str) -> Result<Maybe<f64>, String> {
    if values::is_none(text) {
        return Ok(Maybe(None));
    }
    values::positive(text).map(|speed| Maybe(Some(speed))).map_err(|error| format!("{error}, or None"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_from_one_or_none() {
        assert_eq!(count("None"), Ok(Maybe(None)));
        assert_eq!(count("42"), Ok(Maybe(NonZeroUsize::new(42))));
        assert!(count("0").is_err() && count("-1").is_err() && count("4.5").is_err());
        assert_eq!((speed("none"), speed("17.5")), (Ok(Maybe(None)), Ok(Maybe(Some(17.5)))));
        assert!(speed("0").is_err() && speed("nan").is_err());
    }
}
