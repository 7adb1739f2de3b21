//! The flags of `npu`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(crate) struct Npu {
    #[command(subcommand)]
    pub(crate) part: NpuPart,
}

/// What the help of `npu` ends with.
const EXIT_CODES: &str = "\
Exit code of doctor, selftest and bench: 0 when the NPU is usable and did what was asked, 3 when there is none, 4 when \
there is one that cannot be used. disasm, emulate and packs need no NPU.

Nothing of this was run on an NPU by this project yet: streams are proven in an emulator, the driver's side on one in \
memory.";

#[derive(Debug, Subcommand)]
pub(crate) enum NpuPart {
    /// Examine the chain from the PCI bus to a multiplication, and say what to do where it breaks
    Doctor(NpuDoctor),
    /// List, check and make kernel packs
    Packs(NpuPacks),
    /// Say in words what an instruction stream does, and what is wrong with it
    Disasm(NpuDisasm),
    /// Run what would be sent to an NPU in an emulator, and compare the result
    Emulate(NpuEmulate),
    /// Run the canary and the tests of the pack on the NPU
    Selftest(NpuSelftest),
    /// Measure multiplications on the NPU
    Bench(NpuBench),
}

/// Where packs are.
#[derive(Debug, Args)]
pub(crate) struct PackFolder {
    /// Folder of the kernel packs [default: amanuensis/npu in the user's data folder, or AMANUENSIS_NPU_PACKS]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) packs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NpuDoctor {
    /// Read the system's files below this folder; nothing behind the device's node is examined then
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) folder: PackFolder,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(crate) struct NpuPacks {
    #[command(subcommand)]
    pub(crate) part: NpuPacksPart,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NpuPacksPart {
    /// List the packs that are here, and why one would be refused
    List(NpuPacksList),
    /// Compare packs with their manifests; exit code 1 when one is refused
    Check(NpuPacksCheck),
    /// Make a pack of an overlay that was built
    Import(NpuPacksImport),
}

#[derive(Debug, Args)]
pub(crate) struct NpuPacksList {
    #[command(flatten)]
    pub(crate) folder: PackFolder,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NpuPacksCheck {
    /// Folders of packs [default: all that are here]
    #[arg(value_name = "PACK")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) folder: PackFolder,
}

#[derive(Debug, Args)]
pub(crate) struct NpuPacksImport {
    /// The overlay
    #[arg(value_name = "XCLBIN")]
    pub(crate) overlay: PathBuf,

    /// What the overlay does not say of itself, as TOML: name, generation, operation, bounds, and ports unless a sample
    /// stream tells them
    #[arg(long, value_name = "FILE")]
    pub(crate) declaration: PathBuf,

    /// An instruction stream that the overlay's compiler made for it; the declaration's `sample` says its m, k and n
    #[arg(long, value_name = "FILE")]
    pub(crate) sample: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) folder: PackFolder,
}

#[derive(Debug, Args)]
pub(crate) struct NpuDisasm {
    /// The stream: its bytes, or a word of eight hexadecimal digits to a line; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,

    /// Buffers that the command carries, to check the stream's against
    #[arg(long, value_name = "COUNT")]
    pub(crate) arguments: Option<u32>,
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(crate) struct NpuEmulate {
    #[command(subcommand)]
    pub(crate) part: NpuEmulatePart,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NpuEmulatePart {
    /// A product of two matrices, on the overlay whose sources this project has
    Gemm(NpuEmulateGemm),
}

#[derive(Debug, Args)]
pub(crate) struct NpuEmulateGemm {
    /// Rows of the left matrix
    #[arg(long, value_name = "COUNT")]
    pub(crate) m: NonZeroU32,

    /// Columns of the left matrix, rows of the right one
    #[arg(long, value_name = "COUNT")]
    pub(crate) k: NonZeroU32,

    /// Columns of the right matrix
    #[arg(long, value_name = "COUNT")]
    pub(crate) n: NonZeroU32,

    /// What is multiplied: bf16, or int8 with sums of 32 bits
    #[arg(long, value_name = "TYPE", default_value = "bf16", hide_possible_values = true)]
    pub(crate) dtype: NpuDtype,

    /// The device: npu1 (Phoenix, Hawk Point) or npu2 (Strix, Krackan)
    #[arg(long, value_name = "NAME", default_value = "npu1", hide_possible_values = true)]
    pub(crate) generation: NpuGeneration,

    /// How cores round: even, or floor, which is what a core does that was told nothing and fails in bf16
    #[arg(long, value_name = "HOW", default_value = "even", hide_possible_values = true)]
    pub(crate) rounding: NpuRounding,

    /// Seed of the numbers
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub(crate) seed: u64,

    /// Also write the instruction stream to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) stream: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NpuSelftest {
    #[command(flatten)]
    pub(crate) folder: PackFolder,

    /// Print JSON: the doctor's report with the tests as its last check
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NpuBench {
    #[command(flatten)]
    pub(crate) folder: PackFolder,

    /// How often each product is measured, behind once that does not count
    #[arg(long, value_name = "COUNT", default_value = "5")]
    pub(crate) iterations: NonZeroU32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NpuDtype {
    Bf16,
    Int8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NpuGeneration {
    Npu1,
    Npu2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NpuRounding {
    Even,
    Floor,
}
