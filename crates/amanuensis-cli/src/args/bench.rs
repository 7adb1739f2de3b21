//! The flags of `bench`.

use std::num::NonZeroU32;

use clap::{Args, Subcommand, ValueEnum, value_parser};

use super::Model;
use crate::values::Threads;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) part: Option<BenchPart>,

    /// How often each piece of work is measured, behind once that does not count
    #[arg(long, value_name = "COUNT", default_value = "5")]
    pub(crate) iterations: NonZeroU32,

    /// Only these pieces of work, with commas between [default: all of them on a GPU, elsewhere all but those of 16 windows and
    /// of choices where the logits lie]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<Measure>,

    /// Minutes of sound in the long piece
    #[arg(long, value_name = "COUNT", default_value = "10", value_parser = value_parser!(u32).range(1..=6000))]
    pub(crate) minutes: u32,

    /// Windows of the long piece that are encoded and decoded together
    // Five of whisper-base in bytes: what a step of more reads does not stay in the third cache (docs/benchmarks.md).
    #[arg(long, value_name = "COUNT", default_value = "5", value_parser = value_parser!(u32).range(1..=4096))]
    pub(crate) together: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: Model,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchPart {
    /// Measure every operation that models are made of, beside what this processor and its memory can do at most
    Kernels(BenchKernels),
}

#[derive(Debug, Args)]
pub(crate) struct BenchKernels {
    /// Only these groups of operations, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<Group>,

    /// Threads to compute with; 0 takes one for each core
    #[arg(long, value_name = "COUNT", default_value = "0")]
    pub(crate) threads: Threads,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A piece of work of a model, in the order in which they are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// From files to ready
    Load,
    /// The log-mel spectrogram of 30 s
    Mel,
    /// The encoder over 30 s
    Encoder,
    /// The encoder over 16 windows together
    #[value(name = "encoder_batch16")]
    EncoderBatch16,
    /// What the decoder prepares once for 30 s
    CrossKeysValues,
    /// One token
    DecodeStep,
    /// One token for each of 4 windows together
    #[value(name = "decode_step_batch4")]
    DecodeStepBatch4,
    /// One token for each of 8 windows together
    #[value(name = "decode_step_batch8")]
    DecodeStepBatch8,
    /// One token, and the choice of the next one where the logits lie
    GreedyStep,
    /// The same for each of 8 windows together
    #[value(name = "greedy_step_batch8")]
    GreedyStepBatch8,
    /// The same for each of 64 windows together
    #[value(name = "greedy_step_batch64")]
    GreedyStepBatch64,
    /// The same for each of 256 windows together
    #[value(name = "greedy_step_batch256")]
    GreedyStepBatch256,
    /// From 30 s of samples to the first token
    FirstToken,
    /// From 30 s of samples to 100 tokens, the most probable each time
    Window,
    /// The same with a beam of 5
    #[value(name = "window_beam5")]
    WindowBeam5,
    /// From minutes of samples to 100 tokens for each 30 s, several windows together
    Long,
}

impl Measure {
    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> String {
        value_name(&self)
    }

    /// Whether it says something of a device with lanes by the hundred, and elsewhere takes long or much memory for little.
    pub(crate) fn is_for_gpus(self) -> bool {
        use Measure::{EncoderBatch16, GreedyStep, GreedyStepBatch8, GreedyStepBatch64, GreedyStepBatch256};
        matches!(self, EncoderBatch16 | GreedyStep | GreedyStepBatch8 | GreedyStepBatch64 | GreedyStepBatch256)
    }
}

/// Operations that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Group {
    /// Linear layers of an encoder
    LinearManyRows,
    /// Linear layers of a decoder
    LinearFewRows,
    /// The encoder's convolutions
    Convolution,
    /// Attention in an encoder
    SelfAttention,
    /// Attention in a decoder, to its past and to the sound
    KeptAttention,
    /// Layer norm, GELU, and what turns scores into probabilities
    Pointwise,
    /// Bringing weights, keys and values into the order of the kernels
    Packing,
    /// The log-mel spectrogram of 30 s
    Mel,
    /// What it costs to share out work
    Team,
}

impl Group {
    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> String {
        value_name(&self)
    }
}

fn value_name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
