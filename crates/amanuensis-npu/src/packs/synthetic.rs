//! Synthetic packs: whole in form, with the manifest of an overlay that the emulator plays, and with a program that computes
//! nothing. They are for tests, say so in their name, and no device passes a canary with one.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::PackError;
use super::importing::{Declared, import};
use super::loading::{MANIFEST, Pack};
use super::manifest::{
    Barrier, Bounds, Family, Meaning, Micro, Operand, Operation, Parameter, Port, Rounding, SelfTest, Tile, WeightOrder,
};
use super::planning::stated;
use crate::containers::{Command, Group, Kernel, Partition, Program, layout, pdi, xclbin};
use crate::driver::Generation;
use crate::plan::{self, Fifo, Overlay};
use crate::trust::{Canary, Shape};
use crate::txn;

/// What every synthetic pack's name begins with.
pub const SYNTHETIC: &str = "synthetic, for the emulator only";

/// An overlay's file with the parts of one and a program of one write.
pub(super) fn xclbin(columns: u16, operations_per_cycle: u32) -> Vec<u8> {
    let image = pdi::write(&[Command::Write { address: 0x0003_2000, value: 1 }]);
    let groups = vec![Group { kind: 1, program: 1, kernels: vec![0x901] }];
    let partition = Partition {
        name: String::new(),
        operations_per_cycle,
        columns,
        first_columns: vec![0],
        programs: vec![Program { uuid: [1; 16], image: &image, groups }],
    };
    let kernel =
        Kernel { name: "MLIR_AIE:MLIRAIE".to_owned(), kind: layout::PS_KERNEL, id: 0x901, subtype: 1, functional: 0 };
    let (partition, kernels) = (partition.write(), layout::write(&[kernel]));
    xclbin::write([2; 16], &[(xclbin::AIE_PARTITION, "", &partition), (xclbin::IP_LAYOUT, "", &kernels)])
}

/// Writes a pack for an overlay into a folder, and loads it as any other.
pub fn install(folder: &Path, overlay: &Overlay) -> Result<Pack, PackError> {
    let generation = match overlay.generation {
        txn::Generation::Npu1 => Generation::Xdna1,
        txn::Generation::Npu2 => Generation::Xdna2,
    };
    let file = xclbin(u16::from(overlay.columns), generation.operations_per_cycle());
    let manifest = import(&file, declared(overlay, generation))?;
    let unwritable = |error: std::io::Error| PackError::Unreadable { path: folder.to_owned(), why: error.to_string() };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    std::fs::write(folder.join(&manifest.overlay.file), file).map_err(unwritable)?;
    std::fs::write(folder.join(MANIFEST), manifest.to_toml()?).map_err(unwritable)?;
    Pack::load(folder, None)
}

fn declared(overlay: &Overlay, generation: Generation) -> Declared<'static> {
    let [input, accumulator, output] = stated(overlay.operands);
    let (tile, micro) = (overlay.tile, overlay.micro);
    let shape = Shape {
        m: (tile.m * usize::from(overlay.rows)) as u32,
        k: tile.k as u32,
        n: (tile.n * usize::from(overlay.columns)) as u32,
    };
    Declared {
        name: format!("{SYNTHETIC}: {} to {}", overlay.operands.input.name(), overlay.operands.output.name()),
        generation,
        minimum_firmware: None,
        file: "overlay.xclbin".to_owned(),
        operation: Operation {
            family: Family::Gemm,
            input,
            accumulator,
            output,
            rounding: match overlay.rounding {
                plan::Rounding::ConvergentEven => Rounding::ConvEven,
                plan::Rounding::Floor => Rounding::Floor,
            },
            rows: overlay.rows,
            rows_per_stream: overlay.rows_per_stream,
            tile: Tile { m: tile.m as u32, k: tile.k as u32, n: tile.n as u32 },
            micro: Micro { r: micro.r as u32, s: micro.s as u32, t: micro.t as u32 },
            weights: match overlay.weights {
                plan::WeightOrder::Matrix => WeightOrder::Matrix,
                plan::WeightOrder::Tiles => WeightOrder::Tiles,
                plan::WeightOrder::MicroTiles => WeightOrder::MicroTiles,
            },
            arguments: vec![Operand::Activations, Operand::Weights, Operand::Results],
        },
        ports: overlay.ports.iter().map(port).collect(),
        bounds: bounds(&overlay.bounds),
        sample: None,
        toolchain: BTreeMap::from([("compiler".to_owned(), "none: nothing of this was compiled".to_owned())]),
        self_tests: vec![SelfTest { seed: 1, shape, sha256: None, bound: Some(Canary::BOUND_BF16) }],
    }
}

fn port(port: &plan::Port) -> Port {
    let (stream, index) = match port.fifo {
        Fifo::Activations(index) => (Operand::Activations, index),
        Fifo::Weights(index) => (Operand::Weights, index),
        Fifo::Results(index) => (Operand::Results, index),
    };
    Port { stream, index, column: port.column, channel: port.channel }
}

fn bounds(bounds: &plan::Bounds) -> Bounds {
    let (parameters, barriers, rearmed) = match bounds {
        plan::Bounds::Fixed { depth } => return Bounds::Fixed { depth: *depth },
        plan::Bounds::Runtime { parameters, barriers, rearmed } => (parameters, barriers, *rearmed),
    };
    let parameter = |one: &plan::Parameter| Parameter {
        column: one.core.column,
        row: one.core.row,
        offset: one.offset,
        meaning: match one.meaning {
            plan::Meaning::Depth => Meaning::Depth,
            plan::Meaning::Tiles => Meaning::Tiles,
        },
    };
    let barrier =
        |one: &plan::Barrier| Barrier { column: one.core.column, row: one.core.row, lock: one.lock, open: one.open };
    Bounds::Runtime {
        parameters: parameters.iter().map(parameter).collect(),
        barriers: barriers.iter().map(barrier).collect(),
        rearmed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Operands, TileShape, reference};

    #[test]
    fn what_is_written_of_an_overlay_is_read_as_it() {
        let tile = TileShape { m: 64, k: 64, n: 32 };
        for generation in [txn::Generation::Npu1, txn::Generation::Npu2] {
            for operands in [Operands::BF16, Operands::BF16_TO_F32, Operands::BFP16_TO_F32, Operands::INT8] {
                let folder = tempfile::tempdir().expect("a folder");
                let overlay = reference(generation, operands, tile);
                let pack = install(folder.path(), &overlay).expect("a pack");
                assert!(pack.manifest.name.starts_with(SYNTHETIC));
                assert_eq!(pack.manifest.planned(), Ok(overlay));
                assert_eq!(pack.manifest.arguments(), plan::Arguments::default());
            }
        }
    }

    #[test]
    fn what_no_stream_is_planned_for_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let tile = TileShape { m: 64, k: 64, n: 32 };
        let overlay = reference(txn::Generation::Npu1, Operands::BF16, tile);
        let pack = install(folder.path(), &overlay).expect("a pack");
        let refused = |change: fn(&mut super::super::Manifest)| {
            let mut manifest = pack.manifest.clone();
            change(&mut manifest);
            manifest.planned().expect_err("it is changed").to_string()
        };
        assert!(refused(|manifest| manifest.operation.family = Family::GemmBias).contains("plain products"));
        assert!(refused(|manifest| manifest.operation.output = super::super::Element::Int8).contains("no core"));
        assert!(refused(|manifest| manifest.ports.truncate(3)).contains("ports"));
    }
}
