//! The overlay that this project's sources describe, for the planner and the emulator. A build of it brings its own ports and
//! addresses: compilers place streams and buffers as they like.

use super::super::{Arithmetic, Element, Micro, Operands, Rounding, WeightOrder};
use super::{Barrier, Bounds, Fifo, Meaning, Overlay, Parameter, Port, TileShape};
use crate::txn::Generation;

/// Where the parameters lie in a core's memory: its last words, behind everything else.
const PARAMETERS: u32 = 0xFFF0;
/// The lock of the barrier: the last one, compilers take the first.
const BARRIER: u8 = 15;

/// All columns of four rows, packed weights, runtime parameters.
pub fn reference(generation: Generation, operands: Operands, tile: TileShape) -> Overlay {
    let (columns, rows) = (generation.columns(), 4);
    let wide = generation == Generation::Npu2;
    let micro = match (operands.arithmetic, operands.input) {
        (Arithmetic::Integer, Element::Int16) => Micro { r: 4, s: 4, t: 4 },
        (Arithmetic::Integer, _) if wide => Micro { r: 8, s: 8, t: 8 },
        (Arithmetic::Integer, _) => Micro { r: 4, s: 8, t: 8 },
        (Arithmetic::Float, _) if wide => Micro { r: 4, s: 8, t: 8 },
        (Arithmetic::Float, _) => Micro { r: 4, s: 8, t: 4 },
        (Arithmetic::BlockFloat, _) => Micro { r: 8, s: 8, t: 8 },
    };
    // A tile at the edge takes words from the host by two channels: weights by the second, activations by the first where there are rows.
    let streams = (0..rows).map(|row| Port { fifo: Fifo::Activations(row), column: row, channel: 0 });
    let columns_of = (0..columns).flat_map(|column| {
        [
            Port { fifo: Fifo::Weights(column), column, channel: 1 },
            Port { fifo: Fifo::Results(column), column, channel: 0 },
        ]
    });
    let mut overlay = Overlay {
        generation,
        columns,
        rows,
        rows_per_stream: 1,
        tile,
        micro,
        operands,
        rounding: Rounding::ConvergentEven,
        weights: WeightOrder::MicroTiles,
        ports: streams.chain(columns_of).collect(),
        bounds: Bounds::Fixed { depth: 1 },
    };
    let words = [(PARAMETERS, Meaning::Depth), (PARAMETERS + 4, Meaning::Tiles)];
    let parameters =
        overlay.cores().flat_map(|core| words.map(|(offset, meaning)| Parameter { core, offset, meaning })).collect();
    let barriers = overlay.cores().map(|core| Barrier { core, lock: BARRIER, open: 1 }).collect();
    overlay.bounds = Bounds::Runtime { parameters, barriers, rearmed: true };
    overlay
}
