//! How sound that comes piece by piece is listened to.

use clap::Args;

use super::{Model, Task};
use crate::values::{Language, Maybe};

#[derive(Debug, Args)]
#[command(after_help = "\
The sound is raw samples, or a wave file, on standard input. A microphone:
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | amanuensis listen                     (Linux)
  ffmpeg -loglevel error -f avfoundation -i :0 -f s16le -ac 1 -ar 16000 - | amanuensis listen  (macOS)
  ffmpeg -loglevel error -f dshow -i audio=NAME -f s16le -ac 1 -ar 16000 - | amanuensis listen (Windows)
A line is printed for every sentence once it is certain, and for what was said before a pause. On a terminal what is being
said is shown on standard error.")]
pub(crate) struct Listen {
    /// How a sample is written, as ffmpeg would call it (s16le, f32le, u8, mulaw, ...) [default: what a wave file says, else
    /// s16le]
    #[arg(long, value_name = "ENCODING")]
    pub(crate) encoding: Option<String>,

    /// Samples a second, 8000 to 48000 [default: what a wave file says, else 16000]
    #[arg(long, value_name = "HERTZ", value_parser = clap::value_parser!(u32).range(8_000..=48_000))]
    pub(crate) sample_rate: Option<u32>,

    /// Channels, which are mixed [default: what a wave file says, else 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) channels: Option<u32>,

    /// Print the messages of the server's /v1/live, a JSON object a line: also what is being said, and when somebody speaks
    #[arg(long)]
    pub(crate) json: bool,

    /// Add the words of a line with their times
    #[arg(long, requires = "json")]
    pub(crate) words: bool,

    /// Language that is spoken, as a code or a name; None detects it anew whenever something is heard
    #[arg(long, value_name = "LANGUAGE", default_value = "None", hide_default_value = true)]
    pub(crate) language: Maybe<Language>,

    /// transcribe, or translate into English
    #[arg(long, value_name = "TASK", default_value = "transcribe", hide_possible_values = true)]
    pub(crate) task: Task,

    /// A text as if it had been said before
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: Option<String>,

    /// Silence that ends what is said, in milliseconds
    #[arg(long, value_name = "MS", default_value = "500", value_parser = clap::value_parser!(u32).range(100..=10_000))]
    pub(crate) silence_ms: u32,

    #[command(flatten)]
    pub(crate) model: Model,
}
