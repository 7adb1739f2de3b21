//! How speech becomes text.

use clap::{ArgAction, Args};

use super::{MelConvention, Task};
use crate::values::{self, Clips, Language, Maybe, TokenList};

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
