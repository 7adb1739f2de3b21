//! The flags of `eval`.

use std::path::PathBuf;

use amanuensis::backend::ComputeType;
use clap::{Args, ValueEnum};

use super::{Model, Sound, Wish};

#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// JSON lines of {"file", "text", "language"} and, where known, "segments" and "words" with "start" and "end";
    /// paths are from the manifest's folder, and an empty text says that nothing is said
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,

    /// Only files whose name contains this, or fits it where it has `*` or `?`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,

    /// Only so many files, the first ones
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,

    /// How texts are made comparable: english, basic or none [default: english for English, basic otherwise]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    pub(crate) normalizer: Option<NormalizerName>,

    /// British and American spellings as JSON, such as openai-whisper's english.json [default: rules of this program,
    /// which cover the regular ones]
    #[arg(long, value_name = "FILE")]
    pub(crate) spelling: Option<PathBuf>,

    /// Detect each language instead of taking the manifest's
    #[arg(long, conflicts_with = "language")]
    pub(crate) detect_language: bool,

    /// Also transcribe everything with this compute type, and set what differs beside each other: error rates, texts,
    /// what the encoder makes of every window and, with --word-timestamps, the times of words
    #[arg(long, value_name = "TYPE")]
    pub(crate) against: Option<ComputeType>,

    /// End with exit code 1 when what --against measures is not within the limits of the quality gate
    #[arg(long, requires = "against")]
    pub(crate) gate: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) wish: Wish,

    #[command(flatten)]
    pub(crate) model: Model,

    #[command(flatten)]
    pub(crate) sound: Sound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NormalizerName {
    English,
    Basic,
    None,
}
