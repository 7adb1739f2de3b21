//! The flags of the verbs that write and compare models: `quantize`, `convert`, `diff`.

use std::path::PathBuf;

use amanuensis::model::write::{Container, Type};
use clap::Args;

use crate::values;

/// Where a model goes.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where the model is to appear: a folder, or a file in formats that are one file. It appears whole or not at all
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: PathBuf,

    /// Replace a model that is there
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = QUANTIZE_HELP)]
pub(crate) struct Quantize {
    /// Folder, file or name of a model, as for `transcribe --model`
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,

    /// What matrices and convolutions become: f32, bf16, f16; int8 (bytes with a scale for every output); int4 (four bits
    /// with a scale for every 32). Positions, normalisations and biases become f32
    #[arg(long, value_name = "TYPE")]
    pub(crate) to: Type,

    /// Format of the files; those that are not safetensors have their own types
    #[arg(long, value_name = "FORMAT", default_value = "safetensors", value_parser = values::container)]
    pub(crate) format: &'static Container,

    /// With int8: one scale for a whole tensor instead of one for every output
    #[arg(long)]
    pub(crate) per_tensor: bool,

    /// Keep tensors in f16 whose name contains this, or fits it where it has `*` or `?`; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub(crate) keep: Vec<String>,

    /// Recordings to hear first: what a few channels of the encoder's activations are too large for is moved into the
    /// weights that follow, where it does less harm
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) calibrate: Vec<PathBuf>,

    /// How much of that is moved: 0 nothing, 1 everything
    #[arg(long, value_name = "SHARE", default_value = "0.5", requires = "calibrate", value_parser = values::share)]
    pub(crate) smoothing: f32,

    #[command(flatten)]
    pub(crate) place: Place,
}

const QUANTIZE_HELP: &str = "\
Examples:
  amanuensis quantize base --to int8 -o base-int8        a quarter of the size, for --compute-type int8
  amanuensis quantize base --to int4 --keep embed_tokens -o base-int4
  amanuensis quantize base --to int8 --calibrate *.wav -o base-smooth
  amanuensis transcribe --model base-int8 --compute-type int8 talk.mp3

What is written is read back and compared before it appears; the table says what each tensor lost.";

#[derive(Debug, Args)]
#[command(after_help = CONVERT_HELP)]
pub(crate) struct Convert {
    /// Folder, file or name of a model, as for `transcribe --model`
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,

    /// Format of the files
    #[arg(long, value_name = "FORMAT", value_parser = values::container)]
    pub(crate) to: &'static Container,

    /// What matrices and convolutions become [default: what they are, if the format has it, or else f32]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<Type>,

    #[command(flatten)]
    pub(crate) place: Place,
}

const CONVERT_HELP: &str = "\
Examples:
  amanuensis convert model.bin --to safetensors -o folder
  amanuensis convert base --to safetensors --type f16 -o base-f16

What is written is read back and compared before it appears.";

#[derive(Debug, Args)]
#[command(after_help = DIFF_HELP)]
pub(crate) struct Diff {
    /// A model, as for `transcribe --model`
    #[arg(value_name = "MODEL")]
    pub(crate) one: String,

    /// Another model, of any format
    #[arg(value_name = "OTHER")]
    pub(crate) other: String,

    /// Differences of numbers that are no larger than this pass for none
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = values::tolerance)]
    pub(crate) tolerance: f32,

    /// List every tensor, not only those that differ
    #[arg(long)]
    pub(crate) all: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const DIFF_HELP: &str = "\
The last line is the verdict: equal, equal but for the rounding of a type, or different. Exit code: 0 when the models are
equal, but for rounding or --tolerance; 1 when they are different or cannot be read.";
