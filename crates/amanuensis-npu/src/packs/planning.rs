//! A pack's manifest as the planner wants it.

use super::error::PackError;
use super::manifest::{self, Family, Manifest, Operand};
use crate::driver;
use crate::plan::{
    Arguments, Barrier, Bounds, Fifo, Meaning, Micro, Operands, Overlay, Parameter, Port, Rounding, Slice, TileShape,
    WeightOrder,
};
use crate::txn::{Generation, Tile};

impl Manifest {
    /// The overlay that the manifest describes, if products can be planned on it.
    pub fn planned(&self) -> Result<Overlay, PackError> {
        let operation = &self.operation;
        if operation.family != Family::Gemm || operation.arguments.contains(&Operand::Bias) {
            let why = format!("{:?}: streams are planned for plain products (gemm)", operation.family);
            return Err(PackError::Value { field: "operation.family", why });
        }
        let columns = u8::try_from(self.device.columns)
            .map_err(|error| PackError::Value { field: "device.columns", why: error.to_string() })?;
        let size = |side: u32| side as usize;
        let (tile, micro) = (operation.tile, operation.micro);
        let overlay = Overlay {
            generation: generation(self.device.generation),
            columns,
            rows: operation.rows,
            rows_per_stream: operation.rows_per_stream,
            tile: TileShape { m: size(tile.m), k: size(tile.k), n: size(tile.n) },
            micro: Micro { r: size(micro.r), s: size(micro.s), t: size(micro.t) },
            operands: operands(operation)?,
            rounding: match operation.rounding {
                manifest::Rounding::ConvEven => Rounding::ConvergentEven,
                manifest::Rounding::Floor => Rounding::Floor,
            },
            weights: match operation.weights {
                manifest::WeightOrder::Matrix => WeightOrder::Matrix,
                manifest::WeightOrder::Tiles => WeightOrder::Tiles,
                manifest::WeightOrder::MicroTiles => WeightOrder::MicroTiles,
            },
            ports: self.ports.iter().map(port).collect::<Result<_, _>>()?,
            bounds: bounds(&self.bounds)?,
        };
        let checked = overlay.check();
        checked.map_err(|error| PackError::Value { field: "operation", why: error.to_string() })?;
        Ok(overlay)
    }

    /// Where each matrix stands among the buffers of a command.
    pub fn arguments(&self) -> Arguments {
        let place = |operand| {
            let found = self.operation.arguments.iter().position(|one| *one == operand);
            Slice { argument: found.unwrap_or(usize::MAX) as u32, offset: 0 }
        };
        let [activations, weights, results] = [Operand::Activations, Operand::Weights, Operand::Results].map(place);
        Arguments { activations, weights, results }
    }
}

/// The family as streams name it.
fn generation(generation: driver::Generation) -> Generation {
    match generation {
        driver::Generation::Xdna1 => Generation::Npu1,
        driver::Generation::Xdna2 => Generation::Npu2,
    }
}

fn operands(operation: &manifest::Operation) -> Result<Operands, PackError> {
    use manifest::Element as Stated;
    let known = [
        ([Stated::Int8, Stated::Int32, Stated::Int32], Operands::INT8),
        ([Stated::Int16, Stated::Int32, Stated::Int32], Operands::INT16),
        ([Stated::Bf16, Stated::F32, Stated::Bf16], Operands::BF16),
        ([Stated::Bf16, Stated::F32, Stated::F32], Operands::BF16_TO_F32),
        ([Stated::Bfp16, Stated::F32, Stated::Bf16], Operands::BFP16),
        ([Stated::Bfp16, Stated::F32, Stated::F32], Operands::BFP16_TO_F32),
    ];
    let stated = [operation.input, operation.accumulator, operation.output];
    let found = known.into_iter().find(|(numbers, _)| *numbers == stated);
    found.map(|(_, operands)| operands).ok_or_else(|| PackError::Value {
        field: "operation.input",
        why: format!("{stated:?}: no core multiplies, sums and stores such numbers"),
    })
}

/// The numbers as a manifest states them: input, accumulator, output.
#[cfg(any(test, feature = "fake-driver"))]
pub(super) fn stated(operands: Operands) -> [manifest::Element; 3] {
    use crate::plan::{Arithmetic, Element};
    use manifest::Element as Stated;
    let name = |element| match element {
        Element::Int8 => Stated::Int8,
        Element::Int16 => Stated::Int16,
        Element::Int32 => Stated::Int32,
        Element::Bf16 => Stated::Bf16,
        Element::F32 => Stated::F32,
    };
    match operands.arithmetic {
        Arithmetic::Integer => [name(operands.input), Stated::Int32, name(operands.output)],
        Arithmetic::Float => [name(operands.input), Stated::F32, name(operands.output)],
        Arithmetic::BlockFloat => [Stated::Bfp16, Stated::F32, name(operands.output)],
    }
}

fn port(port: &manifest::Port) -> Result<Port, PackError> {
    let fifo = match port.stream {
        Operand::Activations => Fifo::Activations(port.index),
        Operand::Weights => Fifo::Weights(port.index),
        Operand::Results => Fifo::Results(port.index),
        Operand::Bias => {
            return Err(PackError::Value { field: "ports", why: "a bias has no stream in a plain product".to_owned() });
        }
    };
    Ok(Port { fifo, column: port.column, channel: port.channel })
}

fn bounds(bounds: &manifest::Bounds) -> Result<Bounds, PackError> {
    let (parameters, barriers, rearmed) = match bounds {
        manifest::Bounds::Fixed { depth } => return Ok(Bounds::Fixed { depth: *depth }),
        manifest::Bounds::Runtime { parameters, barriers, rearmed } => (parameters, barriers, *rearmed),
    };
    let parameter = |one: &manifest::Parameter| {
        let meaning = match one.meaning {
            manifest::Meaning::Depth => Meaning::Depth,
            manifest::Meaning::Tiles => Meaning::Tiles,
            manifest::Meaning::Epilogue => {
                let why = "an epilogue is chosen by it, and none is planned".to_owned();
                return Err(PackError::Value { field: "bounds.parameters", why });
            }
        };
        Ok(Parameter { core: Tile { column: one.column, row: one.row }, offset: one.offset, meaning })
    };
    let barrier = |one: &manifest::Barrier| Barrier {
        core: Tile { column: one.column, row: one.row },
        lock: one.lock,
        open: one.open,
    };
    Ok(Bounds::Runtime {
        parameters: parameters.iter().map(parameter).collect::<Result<_, _>>()?,
        barriers: barriers.iter().map(barrier).collect(),
        rearmed,
    })
}
