//! Transcripts that were made before, in other formats.

use std::path::PathBuf;

use clap::Args;

use super::output::{Files, Looks};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Render {
    /// Transcripts as JSON, from this program, openai-whisper, WhisperX, faster-whisper or whisper.cpp; `-` is standard
    /// input
    #[arg(value_name = "RESULT.json", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) files: Files,

    #[command(flatten)]
    pub(crate) looks: Looks,
}

const HELP: &str = "\
Examples:
  amanuensis render talk.json -f srt --sentences --balance     by sentences, lines alike
  amanuensis render *.json -f vtt,ass -o subtitles             several at once
  amanuensis render talk.json -f json --json-dialect whisperx -o -";
