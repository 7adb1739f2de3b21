//! The flags, and nothing else: their names, defaults and what they say about themselves.
//!
//! Names are openai-whisper's where it has the flag. A boolean stands alone (`--flag`), takes a word (`--flag False`,
//! `--flag=false`) or is negated (`--no-flag`); `_` and `-` in a name are the same: see `spelling`.

mod bench;
mod decoding;
mod eval;
mod inspect;
mod listen;
mod models;
mod npu;
mod output;
mod render;
mod serve;
mod speech;
mod weights;

use std::fmt;
use std::path::PathBuf;

use amanuensis::backend::ComputeType;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use bench::{Bench, BenchKernels, BenchPart, Group, Measure};
pub(crate) use decoding::{Batch, Decoding, Detection, LastResort, PenaltyKind, Search, ShortContext, Words};
pub(crate) use eval::{Eval, NormalizerName};
pub(crate) use inspect::Inspect;
pub(crate) use listen::Listen;
pub(crate) use models::{
    Fetching, Models, ModelsAlias, ModelsBundle, ModelsInfo, ModelsList, ModelsPart, ModelsPull, ModelsRm, ModelsVerify,
};
pub(crate) use npu::{
    Npu, NpuBench, NpuDisasm, NpuDoctor, NpuDtype, NpuEmulateGemm, NpuEmulatePart, NpuGeneration, NpuPacks,
    NpuPacksCheck, NpuPacksImport, NpuPacksList, NpuPacksPart, NpuPart, NpuRounding, NpuSelftest, PackFolder,
};
pub(crate) use output::{Files, Looks, Output};
pub(crate) use render::Render;
pub(crate) use serve::{Config, ConfigPart, LogStyle, Serve, Settings};
pub(crate) use speech::{Speech, VadMethod};
pub(crate) use weights::{Convert, Diff, Place, Quantize};

use crate::values::{self, Threads};

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
    /// Write transcripts that were made before in other formats, without the model
    Render(Render),
    /// Say which language is spoken in sound files
    #[command(alias = "detect_language")]
    DetectLanguage(DetectLanguage),
    /// Say what a model is and list what is in its files
    Inspect(Inspect),
    /// Write a model in fewer bits, and say what that costs
    Quantize(Quantize),
    /// Write a model as files of another format
    Convert(Convert),
    /// Compare two models, whatever their formats
    Diff(Diff),
    /// List, fetch, remove and check the models that are kept here
    Models(Models),
    /// Write down what is being said, from a microphone or another pipe
    Listen(Listen),
    /// Answer over HTTP: OpenAI's endpoints, jobs, a web page
    Serve(Serve),
    /// Show or check the server's settings
    Config(Config),
    /// List what this machine can compute with
    Devices(Devices),
    /// Examine an AMD NPU, emulate what would be sent to one
    Npu(Npu),
    /// Measure how long a model takes here for fixed pieces of work, and what the kernels reach
    Bench(Bench),
    /// Measure how well a model transcribes recordings whose text is known
    Eval(Eval),
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
    pub(crate) wish: Wish,

    #[command(flatten)]
    pub(crate) model: Model,

    #[command(flatten)]
    pub(crate) sound: Sound,

    #[command(flatten)]
    pub(crate) report: Report,
}

/// Everything that is asked of the engine.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    #[command(flatten)]
    pub(crate) decoding: Decoding,

    #[command(flatten)]
    pub(crate) search: Search,

    #[command(flatten)]
    pub(crate) words: Words,

    #[command(flatten)]
    pub(crate) speech: Speech,

    #[command(flatten)]
    pub(crate) batch: Batch,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct Model {
    /// Folder or file of a model; a name such as `base`, `openai/whisper-base` or `Systran/faster-whisper-base`, which is
    /// fetched from Hugging Face's hub if it is not here yet (see `models`); or `demo`, the small model inside this
    /// program, which understands its own samples and nothing else [default: demo]
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: Option<String>,

    #[command(flatten)]
    pub(crate) fetching: Fetching,

    #[command(flatten)]
    pub(crate) computing: Computing,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct Computing {
    /// What to compute on: cpu; cuda, or cuda:1, for an NVIDIA GPU; cuda:0,1 or cuda:all for several, among which batches are
    /// dealt out; npu, for the encoder on an AMD NPU and the rest on the cpu; or auto, which is the cpu, whatever else is
    /// there, unless --npu says more: nobody has measured the speed of a GPU or an NPU yet [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<Device>,

    /// Whether an AMD NPU is used: off; auto, where one works and is quicker than the cpu; or require, which fails without one
    /// [default: require with --device npu, off otherwise]
    #[arg(long, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) npu: Option<NpuMode>,

    /// How the emulated device's cores round
    #[cfg(feature = "npu-emulated")]
    #[arg(long, value_name = "HOW", default_value = "even")]
    pub(crate) npu_rounding: NpuRounding,

    /// Threads to compute with; 0 takes one for each core
    #[arg(long, value_name = "COUNT", default_value = "0")]
    pub(crate) threads: Threads,

    /// How exactly to compute: f32; f16 (half the memory; the results of f32 to the last bit if f16 holds every weight, as
    /// it does those of Whisper); int8 (bytes with a scale for every row: a quarter of the memory, several times the
    /// speed, about one percent apart); int8-int4 (four bits for the weights of the decoder); or auto, which loses
    /// nothing: f16 if that holds every weight, else f32
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    pub(crate) compute_type: ComputeType,
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

    /// Channels to listen to: all of them mixed (mix), one alone (left, right), or each alone, with transcripts that
    /// are put together in order of time (split)
    #[arg(long, value_name = "WHICH", default_value = "mix", hide_possible_values = true)]
    pub(crate) channels: Channels,

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

    /// Say how long each stage took, as a table or as json; reading is what was waited for, as it goes on beside the rest
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
    pub(crate) detection: Detection,

    #[command(flatten)]
    pub(crate) model: Model,

    #[command(flatten)]
    pub(crate) sound: Sound,
}

#[derive(Debug, Args)]
pub(crate) struct Devices {
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Device {
    Auto,
    Cpu,
    /// GPUs by their numbers.
    Cuda(Vec<usize>),
    /// All GPUs that can be used.
    CudaAll,
    Npu,
    /// No NPU, and called so wherever it is named.
    #[cfg(feature = "npu-emulated")]
    NpuEmulated,
    /// No GPU, likewise.
    #[cfg(feature = "cuda-emulated")]
    CudaEmulated,
}

impl Device {
    /// Whether something else computes in its place.
    pub(crate) fn is_emulated(&self) -> bool {
        match self {
            Device::Auto | Device::Cpu | Device::Cuda(_) | Device::CudaAll | Device::Npu => false,
            #[cfg(feature = "npu-emulated")]
            Device::NpuEmulated => true,
            #[cfg(feature = "cuda-emulated")]
            Device::CudaEmulated => true,
        }
    }

    /// Whether it is a GPU, or emulates one.
    pub(crate) fn is_cuda(&self) -> bool {
        match self {
            Device::Cuda(_) | Device::CudaAll => true,
            #[cfg(feature = "cuda-emulated")]
            Device::CudaEmulated => true,
            _ => false,
        }
    }
}

/// As it is asked for.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Auto => write!(f, "auto"),
            Device::Cpu => write!(f, "cpu"),
            Device::Cuda(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
                write!(f, "cuda:{}", numbers.join(","))
            }
            Device::CudaAll => write!(f, "cuda:all"),
            Device::Npu => write!(f, "npu"),
            #[cfg(feature = "npu-emulated")]
            Device::NpuEmulated => write!(f, "npu-emulated"),
            #[cfg(feature = "cuda-emulated")]
            Device::CudaEmulated => write!(f, "cuda-emulated"),
        }
    }
}

impl std::str::FromStr for Device {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "auto" => Device::Auto,
            "cpu" => Device::Cpu,
            "cuda" => Device::Cuda(vec![0]),
            "cuda:all" => Device::CudaAll,
            "npu" => Device::Npu,
            #[cfg(feature = "cuda-emulated")]
            "cuda-emulated" => Device::CudaEmulated,
            #[cfg(feature = "npu-emulated")]
            "npu-emulated" => Device::NpuEmulated,
            _ => {
                let numbers = name
                    .strip_prefix("cuda:")
                    .and_then(|list| list.split(',').map(|number| number.parse().ok()).collect());
                let numbers: Vec<usize> = numbers.ok_or(
                    "there are auto, cpu, cuda, cuda with a number as in cuda:1, with several as in cuda:0,1, with all as in \
                     cuda:all, and npu",
                )?;
                if (1..numbers.len()).any(|index| numbers[..index].contains(&numbers[index])) {
                    return Err("a GPU is named twice".to_owned());
                }
                Device::Cuda(numbers)
            }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NpuMode {
    Off,
    Auto,
    Require,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Channels {
    Mix,
    Left,
    Right,
    Split,
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
