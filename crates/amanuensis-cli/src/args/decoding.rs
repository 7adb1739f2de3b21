//! How speech becomes text.

use std::num::NonZeroUsize;

use clap::{ArgAction, Args, ValueEnum};

use super::{MelConvention, Task};
use crate::values::{self, Clips, Language, Maybe, TokenList};

/// What is asked for, and how it is searched for.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is said")]
pub(crate) struct Decoding {
    /// What to do with the speech; `translate` is the same as the verb [default: that of the verb]
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<Task>,

    /// Language spoken, as a code (`de`) or an English name (`German`); None detects it
    #[arg(long, value_name = "LANGUAGE", default_value = "None", hide_default_value = true)]
    pub(crate) language: Maybe<Language>,

    #[command(flatten)]
    pub(crate) detection: Detection,

    /// Detect the language of every window anew; it changes only where another is twice as probable and above the
    /// threshold
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) multilingual: bool,

    /// Text that the first window is to follow: names, spellings, a style
    #[arg(long, value_name = "TEXT")]
    pub(crate) initial_prompt: Option<String>,

    /// Give every window the initial prompt, not only the first
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) carry_initial_prompt: bool,

    /// Words to be expected, given to every window before all else
    #[arg(long, value_name = "WORDS")]
    pub(crate) hotwords: Option<String>,

    /// Text that the transcript begins with
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,

    /// Give each window the text before it as context, unless there is something wrong with that text: names keep one
    /// spelling, but a mistake can go on from window to window (openai-whisper does so by default)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) condition_on_previous_text: bool,

    /// Text found above this temperature is not given to the next window
    #[arg(long, value_name = "TEMPERATURE", default_value = "0.5")]
    pub(crate) prompt_reset_on_temperature: f32,

    /// Do not ask the model for times; every window becomes one segment
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) without_timestamps: bool,

    /// How late a window may begin to speak [default: what the model's files say, 1 second]
    #[arg(long, value_name = "SECONDS", default_value = "None", hide_default_value = true)]
    pub(crate) max_initial_timestamp: Maybe<f32>,

    /// Stretches to transcribe: start,end,start,end,... in seconds; the last end may be left out
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(crate) clip_timestamps: Clips,

    /// Where to begin
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, conflicts_with = "clip_timestamps")]
    pub(crate) offset: Option<f64>,

    /// How much to transcribe
    #[arg(long, value_name = "SECONDS", value_parser = values::positive, conflicts_with = "clip_timestamps")]
    pub(crate) duration: Option<f64>,

    /// Hear windows with little sound, such as a recording of a few seconds, in a shorter context than 30 seconds, and
    /// again in all of it where the text is not certain (auto): quicker, but not what models are taught with, and
    /// measured with this project's own models only (docs/decoding.md)
    #[arg(long, value_name = "WHETHER", default_value = "off")]
    pub(crate) short_context: ShortContext,

    /// How quiet sound is treated: by the loudest of the whole file (openai) or of each window (huggingface)
    #[arg(long, value_name = "WHOSE", default_value = "openai", hide_possible_values = true)]
    pub(crate) mel_convention: MelConvention,
}

/// How the language is found out.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is said")]
pub(crate) struct Detection {
    /// Languages that detection may choose from, with commas between [default: all of the model's]
    #[arg(long, value_name = "LANGUAGES", value_delimiter = ',')]
    pub(crate) languages: Vec<Language>,

    /// Windows to listen to at most until a language is more probable than the threshold
    #[arg(long, value_name = "COUNT", default_value = "1")]
    pub(crate) language_detection_segments: NonZeroUsize,

    /// Probability from which on a language counts as recognised
    #[arg(long, value_name = "PROBABILITY", default_value = "0.5", value_parser = values::share)]
    pub(crate) language_detection_threshold: f32,
}

/// How the words are searched for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Search")]
pub(crate) struct Search {
    /// Hypotheses to follow at temperature 0; None takes the most probable token at every step (openai-whisper's
    /// program: 5)
    #[arg(long, value_name = "COUNT", default_value = "None")]
    pub(crate) beam_size: Maybe<usize>,

    /// The beam search ends when beam size times this many hypotheses are complete; None is 1
    #[arg(long, value_name = "FACTOR", default_value = "None")]
    pub(crate) patience: Maybe<f32>,

    /// How much long hypotheses are favoured; None compares the mean of their tokens
    #[arg(long, value_name = "ALPHA", default_value = "None")]
    pub(crate) length_penalty: Maybe<f32>,

    /// What the sum is divided by: ((5 + length) / 6)^alpha (gnmt, as openai-whisper) or length^alpha (power, as
    /// faster-whisper)
    #[arg(long, requires = "length_penalty", value_name = "KIND", default_value = "gnmt", hide_possible_values = true)]
    pub(crate) length_penalty_kind: PenaltyKind,

    /// Temperature to begin with; 0 does not sample
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = values::temperature)]
    pub(crate) temperature: f32,

    /// Steps to higher temperatures, up to 1, where the text is not good enough; None does not try again
    #[arg(long, value_name = "NUMBER", default_value = "0.2")]
    pub(crate) temperature_increment_on_fallback: Maybe<f32>,

    /// Hypotheses to sample at temperatures above 0; None is 1
    #[arg(long, value_name = "COUNT", default_value = "5")]
    pub(crate) best_of: Maybe<usize>,

    /// What sampling begins with: the same seed gives the same text
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) seed: u64,

    /// A text that compresses more than this repeats itself and is tried again; None switches the test off
    #[arg(long, value_name = "RATIO", default_value = "2.4")]
    pub(crate) compression_ratio_threshold: Maybe<f32>,

    /// Mean log probability below which a text is tried again; None switches the test off
    #[arg(long, value_name = "NUMBER", default_value = "-1.0", allow_negative_numbers = true)]
    pub(crate) logprob_threshold: Maybe<f32>,

    /// Take a window for silence when the model finds that more probable than this (0 to 1) and its text is below
    /// --logprob-threshold; None never does
    #[arg(long, value_name = "PROBABILITY", default_value = "0.6", allow_negative_numbers = true,
          value_parser = values::probability)]
    pub(crate) no_speech_threshold: Maybe<f32>,

    /// A text whose last 32 tokens have less entropy than this is tried again (whisper.cpp: 2.4)
    #[arg(long, value_name = "NATS", default_value = "None")]
    pub(crate) entropy_threshold: Maybe<f32>,

    /// What to take if no temperature gives a good text: the last one (openai-whisper) or the best one (faster-whisper)
    #[arg(long, value_name = "WHICH", default_value = "last", hide_possible_values = true)]
    pub(crate) last_resort: LastResort,

    /// Make tokens less probable that were said earlier in their window; 1 does not
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub(crate) repetition_penalty: f32,

    /// Never say so many tokens in a row twice in a window; 0 allows it
    #[arg(long, value_name = "COUNT", default_value = "0")]
    pub(crate) no_repeat_ngram_size: usize,

    /// Most tokens for one window [default: half of the model's positions]
    #[arg(long, value_name = "COUNT", default_value = "None", hide_default_value = true)]
    pub(crate) max_new_tokens: Maybe<usize>,

    /// Tokens that are never chosen, ids with commas between; -1 stands for everything that is not speech, an empty
    /// list for none [default: the model's own list]
    #[arg(long, value_name = "IDS", allow_hyphen_values = true)]
    pub(crate) suppress_tokens: Option<TokenList>,

    /// Never begin a window with a blank or with its end
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) suppress_blank: bool,

    /// Write numbers in words: no token with a digit, %, $ or a pound sign is chosen
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) suppress_numerals: bool,

    /// Never choose tokens whose whole text this regular expression matches
    #[arg(long, value_name = "REGEX")]
    pub(crate) suppress_regex: Option<String>,

    /// Act on what looks invented: end loops while they are decoded, give the next window nothing of a doubtful text,
    /// decode again what only echoes the prompt
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) hallucination_guard: bool,
}

/// Times of words.
#[derive(Debug, Args)]
#[command(next_help_heading = "Words")]
pub(crate) struct Words {
    /// Find out when each word was said, and let segments begin and end with their words
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) word_timestamps: bool,

    /// Marks that belong to the word behind them [default: openai-whisper's]
    #[arg(long, value_name = "MARKS")]
    pub(crate) prepend_punctuations: Option<String>,

    /// Marks that belong to the word before them [default: openai-whisper's]
    #[arg(long, value_name = "MARKS")]
    pub(crate) append_punctuations: Option<String>,

    /// Skip silences longer than this around text that looks invented, and the text; needs --word-timestamps
    #[arg(long, value_name = "SECONDS", default_value = "None")]
    pub(crate) hallucination_silence_threshold: Maybe<f32>,
}

/// Windows decoded together.
#[derive(Debug, Args)]
#[command(next_help_heading = "Batch")]
pub(crate) struct Batch {
    /// Cut each recording in its pauses and decode the pieces together, those of several files too: quicker with larger
    /// models, and text that is lost in one piece does not take that of the next with it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_possible_values = true, action = ArgAction::Set,
          value_parser = values::boolean())]
    pub(crate) batched: bool,

    /// Windows decoded together with --batched
    #[arg(long, requires = "batched", value_name = "COUNT", default_value = "8")]
    pub(crate) batch_size: NonZeroUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShortContext {
    Auto,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PenaltyKind {
    Gnmt,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LastResort {
    Last,
    Best,
}
