//! What of a manifest can be checked without the overlay.

use super::error::PackError;
use super::manifest::{Bounds, Manifest, Operand, Operation, Parameter, Port, Rounding};
use crate::uapi::ARGUMENT_LIMIT;

/// Rows of cores, in every column.
const CORE_ROWS: u8 = 4;
/// Bytes of a core's data memory.
const CORE_BYTES: u32 = 64 << 10;
/// Locks of a core.
const CORE_LOCKS: u8 = 16;
/// Operations of a self-test, and results: what a reference on the CPU multiplies in no time.
const TEST_OPERATIONS: u64 = 1 << 33;
const TEST_RESULTS: usize = 1 << 24;

impl Manifest {
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
            if test.shape.results() == 0
                || test.shape.operations() > TEST_OPERATIONS
                || test.shape.results() > TEST_RESULTS
            {
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
                let place = |one: &Parameter| {
                    !core(one.column, one.row) || one.offset >= CORE_BYTES || !one.offset.is_multiple_of(4)
                };
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
