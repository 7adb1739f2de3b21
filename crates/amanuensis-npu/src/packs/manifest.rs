//! The manifest: what an overlay does not say of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::PackError;
use super::loading::MANIFEST;
use crate::driver::Generation;
use crate::trust::Shape;

/// The schema that is written and read.
pub const SCHEMA: u32 = 1;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Which schema this is.
    pub schema: u32,
    /// What the pack is called.
    pub name: String,
    /// The devices that it is for.
    pub device: DeviceNeeds,
    /// The overlay.
    pub overlay: OverlayFile,
    /// What it computes.
    pub operation: Operation,
    /// Where its streams enter and leave the array.
    pub ports: Vec<Port>,
    /// How its cores know how often to go round.
    pub bounds: Bounds,
    /// A stream that was made for it by its compiler.
    pub sample: Option<Sample>,
    /// What it was built with: names and versions.
    #[serde(default)]
    pub toolchain: BTreeMap<String, String>,
    /// What it must compute.
    #[serde(default)]
    pub self_tests: Vec<SelfTest>,
}

/// The devices that a pack is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceNeeds {
    /// Their family.
    pub generation: Generation,
    /// Columns that the overlay takes.
    pub columns: u16,
    /// The oldest firmware, as four numbers with dots.
    pub minimum_firmware: Option<String>,
}

/// The file of the overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverlayFile {
    /// Its name in the folder.
    pub file: String,
    /// Its SHA-256, in 64 digits.
    pub sha256: String,
    /// The kernel, as the overlay calls it.
    pub kernel: String,
    /// The kernel's number.
    pub kernel_id: u16,
    /// The kernel's function.
    pub function: u8,
    /// What the partition states.
    pub operations_per_cycle: u32,
}

/// What a pack computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Which computation.
    pub family: Family,
    /// What goes in.
    pub input: Element,
    /// What is summed in.
    pub accumulator: Element,
    /// What comes out.
    pub output: Element,
    /// How cores round.
    pub rounding: Rounding,
    /// Rows of cores that are used.
    pub rows: u8,
    /// Rows of cores that one stream of activations feeds.
    pub rows_per_stream: u8,
    /// What a core holds at a time.
    pub tile: Tile,
    /// What its instruction multiplies.
    pub micro: Micro,
    /// How weights lie in memory.
    pub weights: WeightOrder,
    /// The order of the buffers.
    pub arguments: Vec<Operand>,
}

macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($(#[$says:meta])* $word:ident),* $(,)? })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$says])* $word,)*
        }
    )*};
}

words! {
    /// Computations.
    Family {
        /// A product.
        Gemm,
        /// A product and a bias.
        GemmBias,
        /// A product, a bias, and GELU by the error function.
        GemmBiasGelu,
    }

    /// Kinds of numbers.
    Element {
        /// Bytes.
        Int8,
        /// Halves of words.
        Int16,
        /// Words.
        Int32,
        /// bfloat16.
        Bf16,
        /// bfloat16 that is multiplied in blocks of eight with one exponent.
        Bfp16,
        /// f32.
        F32,
    }

    /// How cores round what does not fit.
    Rounding {
        /// To the nearest, halves to even.
        ConvEven,
        /// Down: what a core does that was told nothing.
        Floor,
    }

    /// In which order weights lie in memory.
    WeightOrder {
        /// Row by row, as a matrix.
        Matrix,
        /// Tile by tile as they are used, each row by row.
        Tiles,
        /// The same, each tile in the blocks of the core's instruction.
        MicroTiles,
    }

    /// What a buffer holds.
    Operand {
        /// The left factor.
        Activations,
        /// The right factor.
        Weights,
        /// What is added.
        Bias,
        /// The product.
        Results,
    }

    /// What a runtime parameter says.
    Meaning {
        /// How many tiles are summed: K / k.
        Depth,
        /// How many tiles of the product the core makes.
        Tiles,
        /// Which epilogue runs.
        Epilogue,
    }
}

/// Sides of a core's tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// Rows of the left factor.
    pub m: u32,
    /// What is summed over.
    pub k: u32,
    /// Columns of the right factor.
    pub n: u32,
}

/// Sides of what an instruction multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Micro {
    /// Rows of the left factor.
    pub r: u32,
    /// What is summed over.
    pub s: u32,
    /// Columns of the right factor.
    pub t: u32,
}

/// Where a stream enters or leaves the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// What it carries.
    pub stream: Operand,
    /// Which of those: a row of cores, or a column.
    pub index: u8,
    /// The shim tile's column.
    pub column: u8,
    /// The channel, of those in the stream's direction.
    pub channel: u8,
}

/// How cores know how often to go round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Bounds {
    /// It is in their program.
    Fixed {
        /// Tiles that are summed.
        depth: u32,
    },
    /// The stream tells them.
    Runtime {
        /// The words it writes.
        parameters: Vec<Parameter>,
        /// The locks it opens behind them.
        barriers: Vec<Barrier>,
        /// Whether a core closes its lock again when it has read the words.
        rearmed: bool,
    },
}

/// A word of a core's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The core's column.
    pub column: u8,
    /// The core's row in the array, from 2 on.
    pub row: u8,
    /// Bytes behind the beginning of its memory.
    pub offset: u32,
    /// What it says.
    pub meaning: Meaning,
}

/// A lock behind which a core waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// The core's column.
    pub column: u8,
    /// The core's row in the array, from 2 on.
    pub row: u8,
    /// Which of its locks.
    pub lock: u8,
    /// What the lock must be for the core to go on.
    pub open: u32,
}

/// A stream that the overlay's compiler made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its name in the folder.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// What it computes.
    pub shape: Shape,
}

/// A multiplication of seeded numbers, and what must come out: of `sha256` and `bound` one is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// The numbers.
    pub seed: u64,
    /// The sizes.
    pub shape: Shape,
    /// SHA-256 of the results as f32, least significant byte first.
    pub sha256: Option<String>,
    /// Largest error, as a part of the sum of sizes.
    pub bound: Option<f64>,
}

impl Manifest {
    /// Reads a manifest's text. The schema comes first: of another one nothing else is understood.
    pub fn from_toml(text: &str) -> Result<Self, PackError> {
        let syntax = |error: toml::de::Error| PackError::Syntax { path: MANIFEST.into(), why: error.to_string() };
        let table: toml::Table = text.parse().map_err(syntax)?;
        match table.get("schema").and_then(toml::Value::as_integer) {
            Some(found) if found == i64::from(SCHEMA) => {}
            Some(found) => return Err(PackError::Schema { found, known: SCHEMA }),
            None => return Err(PackError::Value { field: "schema", why: "it is missing".to_owned() }),
        }
        let manifest: Self = toml::from_str(text).map_err(syntax)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest as the text of its file.
    pub fn to_toml(&self) -> Result<String, PackError> {
        toml::to_string(self).map_err(|error| PackError::Value { field: "manifest", why: error.to_string() })
    }
}
