//! The manifest: what an overlay does not say of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::PackError;
use super::loading::MANIFEST;
use crate::driver::Generation;
use crate::trust::Shape;
use crate::uapi::ARGUMENT_LIMIT;

/// The schema that is written and read.
pub const SCHEMA: u32 = 1;
/// Rows of cores, in every column.
const CORE_ROWS: u8 = 4;
/// Bytes of a core's data memory.
const CORE_BYTES: u32 = 64 << 10;
/// Locks of a core.
const CORE_LOCKS: u8 = 16;

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

    /// Checks what can be checked without the overlay.
    pub(super) fn check(&self) -> Result<(), PackError> {
        let bad = |field, why: String| Err(PackError::Value { field, why });
        let generation = self.device.generation;
        if !(1..=generation.columns()).contains(&self.device.columns) {
            return bad(
                "device.columns",
                format!("{} of {} on {generation}", self.device.columns, generation.columns()),
            );
        }
        if let Some(firmware) = &self.device.minimum_firmware {
            parse_firmware(firmware)?;
        }
        plain_name("overlay.file", &self.overlay.file)?;
        digest("overlay.sha256", &self.overlay.sha256)?;
        if self.operation.rounding != Rounding::ConvEven {
            return Err(PackError::Rounding { found: "floor" });
        }
        let Operation { rows, rows_per_stream, tile, micro, arguments, .. } = &self.operation;
        if !(1..=CORE_ROWS).contains(rows) || *rows_per_stream == 0 || rows % rows_per_stream != 0 {
            return bad("operation.rows", format!("{rows} rows, {rows_per_stream} to a stream"));
        }
        for (side, part) in [(tile.m, micro.r), (tile.k, micro.s), (tile.n, micro.t)] {
            if side == 0 || part == 0 || side % part != 0 {
                return bad("operation.tile", format!("a side of {side} is no multiple of {part}"));
            }
        }
        let twice = arguments.iter().enumerate().any(|(place, one)| arguments[..place].contains(one));
        let whole =
            [Operand::Activations, Operand::Weights, Operand::Results].iter().all(|one| arguments.contains(one));
        if twice || !whole || arguments.len() > ARGUMENT_LIMIT {
            return bad("operation.arguments", format!("{arguments:?}: activations, weights and results, each once"));
        }
        for (place, port) in self.ports.iter().enumerate() {
            // Two channels in and two out of every column.
            let out = |port: &Port| port.stream == Operand::Results;
            let key = |port: &Port| (port.column, port.channel, out(port));
            let taken = self.ports[..place].iter().any(|other| key(other) == key(port));
            if u16::from(port.column) >= generation.columns() || port.channel > 1 || taken {
                let Port { stream, index, column, channel } = port;
                return bad(
                    "ports",
                    format!("{stream:?} {index} at column {column}, channel {channel}: not there, or taken"),
                );
            }
        }
        self.check_bounds()?;
        if let Some(sample) = &self.sample {
            plain_name("sample.file", &sample.file)?;
            digest("sample.sha256", &sample.sha256)?;
        }
        for test in &self.self_tests {
            match (&test.sha256, test.bound) {
                (Some(sha256), None) => digest("self_tests.sha256", sha256)?,
                (None, Some(bound)) if bound > 0.0 && bound < 1.0 => {}
                _ => return bad("self_tests", "one of sha256 and bound (between 0 and 1) is needed".to_owned()),
            }
            // What a reference on the CPU multiplies in no time.
            if test.shape.results() == 0 || test.shape.operations() > 1 << 33 || test.shape.results() > 1 << 24 {
                return bad("self_tests.shape", format!("{:?}", test.shape));
            }
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), PackError> {
        let bad = |why: String| Err(PackError::Value { field: "bounds", why });
        let core = |column: u8, row: u8| {
            u16::from(column) < self.device.columns && (2..2 + self.operation.rows).contains(&row)
        };
        match &self.bounds {
            Bounds::Fixed { depth: 0 } => bad("a depth of 0".to_owned()),
            Bounds::Fixed { .. } => Ok(()),
            Bounds::Runtime { parameters, barriers, rearmed } => {
                let place =
                    |one: &Parameter| !core(one.column, one.row) || one.offset >= CORE_BYTES || one.offset % 4 != 0;
                if let Some(one) = parameters.iter().find(|one| place(one)) {
                    return bad(format!("no word at {:#x} of core {}, {}", one.offset, one.column, one.row));
                }
                if let Some(one) = barriers.iter().find(|one| !core(one.column, one.row) || one.lock >= CORE_LOCKS) {
                    return bad(format!("no lock {} of core {}, {}", one.lock, one.column, one.row));
                }
                if !rearmed {
                    // The second run would begin with the words of the first, or hang.
                    return bad("cores that do not close their barrier again after reading their parameters".to_owned());
                }
                Ok(())
            }
        }
    }
}

/// Four numbers with dots.
pub(super) fn parse_firmware(text: &str) -> Result<[u32; 4], PackError> {
    let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    numbers.and_then(|numbers| <[u32; 4]>::try_from(numbers).ok()).ok_or_else(|| PackError::Value {
        field: "device.minimum_firmware",
        why: format!("{text:?} is not like 1.5.5.391"),
    })
}

/// A file of the folder and of no other.
fn plain_name(field: &'static str, name: &str) -> Result<(), PackError> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0', ':']);
    if plain {
        return Ok(());
    }
    Err(PackError::Value { field, why: format!("{name:?} is no name of a file in the pack's folder") })
}

fn digest(field: &'static str, text: &str) -> Result<(), PackError> {
    if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(PackError::Value { field, why: format!("{text:?} is no SHA-256 in 64 small digits") })
}
