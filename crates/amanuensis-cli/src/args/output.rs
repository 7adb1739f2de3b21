//! What is written, and how it looks.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::values::{self, Formats};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Folder for the files written, made if it is missing [default: the current folder, if --output-format is given];
    /// `-` writes one format of one input to standard output
    #[arg(short = 'o', long, value_name = "FOLDER")]
    pub(crate) output_dir: Option<PathBuf>,

    /// Files to write: txt, vtt, srt, tsv, json, lrc, several with commas between, or all [default: all, if
    /// --output-dir is given; without either no file is written]
    #[arg(short = 'f', long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) output_format: Vec<Formats>,

    /// Print each segment with its times to standard output as soon as it is understood [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, action = ArgAction::Set, value_parser = values::boolean())]
    pub(crate) verbose: Option<bool>,
}
