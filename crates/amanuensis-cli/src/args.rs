//! The flags, and nothing else: their names, defaults and what they say about themselves.
//!
//! Names are openai-whisper's where it has the flag. A boolean stands alone (`--flag`), takes a word (`--flag False`,
//! `--flag=false`) or is negated (`--no-flag`); `_` and `-` in a name are the same: see `spelling`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::values::{self, Clips, Formats, Language, Maybe, Threads, TokenList};

/// Speech to text with Whisper models
#[derive(Debug, Parser)]
#[command(name = "amanuensis", version, max_term_width = 110, after_help = values::AFTER_HELP)]
#[command(override_usage = "amanuensis [OPTIONS] FILE...\n       amanuensis COMMAND ...")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write down what is said in sound files (the default: `amanuensis FILE...` transcribes)
    Transcribe(Transcribe),
    /// Write down in English what is said in another language
    Translate(Transcribe),
    /// Say which language is spoken in sound files
    #[command(alias = "detect_language")]
    DetectLanguage(DetectLanguage),
    /// Say what a model is and list what is in its files
    Inspect(Inspect),
    /// List what this machine can compute with
    Devices(Devices),
    /// Measure how long a model takes here for a fixed piece of work
    Bench(Bench),
}

#[derive(Debug, Args)]
#[command(after_help = crate::unavailable::HELP)]
pub(crate) struct Transcribe {
    /// Sound files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) decoding: Decoding,

    #[command(flatten)]
    pub(crate) model: Model,

    #[command(flatten)]
    pub(crate) sound: Sound,

    #[command(flatten)]
    pub(crate) report: Report,
}

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

#[derive(Debug, Args)]
#[command(next_help_heading = "What is said")]
pub(crate) struct Decoding {
    /// What to do with the speech; `translate` is the same as the verb [default: that of the verb]
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<Task>,

    /// Language spoken, as a code (`de`) or an English name (`German`); None detects it
    #[arg(long, value_name = "LANGUAGE", default_value = "None", hide_default_value = true)]
    pub(crate) language: Maybe<Language>,

    /// Text that the first window is to follow: names, spellings, a style
    #[arg(long, value_name = "TEXT")]
    pub(crate) initial_prompt: Option<String>,

    /// Give each window the text before it as context: names keep one spelling, but a mistake can go on from window to
    /// window (openai-whisper does so by default)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) condition_on_previous_text: bool,

    /// Do not ask the model for times; every window becomes one segment
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) without_timestamps: bool,

    /// Tokens that are never chosen, ids with commas between; -1 stands for everything that is not speech, an empty
    /// list for none [default: the model's own list]
    #[arg(long, value_name = "IDS", allow_hyphen_values = true)]
    pub(crate) suppress_tokens: Option<TokenList>,

    /// Never begin a window with a blank or with its end
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) suppress_blank: bool,

    /// Take a window for silence when the model finds that more probable than this (0 to 1) and its text is below
    /// --logprob-threshold; None never does
    #[arg(long, value_name = "PROBABILITY", default_value = "0.6", allow_negative_numbers = true,
          value_parser = values::probability)]
    pub(crate) no_speech_threshold: Maybe<f32>,

    /// Mean log probability from which on text counts as understood; None switches the test off
    #[arg(long, value_name = "NUMBER", default_value = "-1.0", allow_negative_numbers = true)]
    pub(crate) logprob_threshold: Maybe<f32>,

    /// Stretches to transcribe: start,end,start,end,... in seconds; the last end may be left out
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(crate) clip_timestamps: Clips,

    /// How quiet sound is treated: by the loudest of the whole file (openai) or of each window (huggingface)
    #[arg(long, value_name = "WHOSE", default_value = "openai", hide_possible_values = true)]
    pub(crate) mel_convention: MelConvention,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct Model {
    /// Folder of a model in Hugging Face's layout; a name such as `base` or `openai/whisper-base` that Hugging Face's
    /// tools have stored here; or `demo`, the small model inside this program, which understands its own samples and
    /// nothing else [default: demo]
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: Option<String>,

    #[command(flatten)]
    pub(crate) computing: Computing,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct Computing {
    /// What to compute on: cpu, or auto for the fastest that is here
    #[arg(long, value_name = "DEVICE", default_value = "auto", hide_possible_values = true)]
    pub(crate) device: Device,

    /// Threads to compute with; 0 takes one for each core
    #[arg(long, value_name = "COUNT", default_value = "0")]
    pub(crate) threads: Threads,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Sound")]
pub(crate) struct Sound {
    /// The input has no header: its bytes are samples, written as ffmpeg would call it (s16le, f32le, u8, mulaw, ...)
    #[arg(long, value_name = "ENCODING")]
    pub(crate) raw: Option<String>,

    /// Samples a second of raw sound
    #[arg(long, value_name = "HERTZ", default_value = "16000", requires = "raw",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) raw_rate: u32,

    /// Channels of raw sound
    #[arg(long, value_name = "COUNT", default_value = "1", requires = "raw",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) raw_channels: u32,

    /// When to run the ffmpeg program: never, if-needed (no built-in decoder reads the file), always
    #[arg(long, value_name = "WHEN", default_value = "if-needed", hide_possible_values = true)]
    pub(crate) ffmpeg: Ffmpeg,

    /// Longest sound that is read, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "86400", value_parser = values::positive)]
    pub(crate) max_duration: f64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reports (on standard error)")]
pub(crate) struct Report {
    /// How progress is shown: bar, off, or json, which makes everything on standard error a JSON object a line (only
    /// flags that cannot be read are told of in plain text); auto is a bar on a terminal and off elsewhere
    #[arg(long, value_name = "HOW", default_value = "auto", hide_possible_values = true)]
    pub(crate) progress: ProgressStyle,

    /// Say how long each stage took, as a table or as json
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "table",
          hide_possible_values = true)]
    pub(crate) timings: Option<TimingsStyle>,
}

#[derive(Debug, Args)]
pub(crate) struct DetectLanguage {
    /// Sound files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// Print one JSON object a file, with the probability of every language
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: Model,

    #[command(flatten)]
    pub(crate) sound: Sound,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Folder or name of a model, as for `transcribe --model`
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) model: Model,

    /// Rounds to take the median of, behind one that does not count
    #[arg(long, value_name = "COUNT", default_value = "5")]
    pub(crate) rounds: std::num::NonZeroU8,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    Transcribe,
    Translate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MelConvention {
    Openai,
    Huggingface,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Device {
    Auto,
    Cpu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ffmpeg {
    Never,
    IfNeeded,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    Auto,
    Bar,
    Json,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimingsStyle {
    Table,
    Json,
}
