//! What the fuzz targets begin with is what the writers make.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use amanuensis_npu::containers::{Command, Group, Kernel, Partition, Program, layout, pdi, xclbin};
use amanuensis_npu::driver::Generation as Family;
use amanuensis_npu::packs::{self, Declared, Operand, Operation, SelfTest};
use amanuensis_npu::plan::{Drain, Gemm, Operands, TileShape, plan, reference};
use amanuensis_npu::trust::Shape;
use amanuensis_npu::txn::{Form, Generation, Stream, assemble};

/// Target, name of the seed, and its bytes.
fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let overlay = reference(Generation::Npu1, Operands::INT8, TileShape { m: 4, k: 8, n: 8 });
    let plan = plan(&overlay, &Gemm::new(20, 24, 40), Drain::First).unwrap();
    let instructions = plan.stream.instructions().cloned().collect();
    let optimised = assemble(&Stream::new(Generation::Npu2, Form::Optimised, instructions));
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let text: String = plan.words().iter().map(|word| format!("{word:08X}\n")).collect();
    let program = pdi::write(&[
        Command::Write { address: 0x0003_2000, value: 1 },
        Command::MaskWrite { address: 0x0001_D200, mask: 0x1F00, value: 0xF00 },
        Command::DmaWrite { address: 0x0020_0000, data: &[7; 64] },
        Command::Nop { words: 3 },
    ]);
    vec![
        ("txn", "classic", bytes(&plan.words())),
        ("txn", "optimised", bytes(&optimised)),
        ("txn", "text", text.into_bytes()),
        ("xclbin", "whole", xclbin(&program)),
        ("pdi", "whole", program.clone()),
        // Where the CDO begins in a PDI.
        ("pdi", "commands", program[0x150..].to_vec()),
        ("pack_manifest", "whole", manifest(&xclbin(&program)).into_bytes()),
    ]
}

fn xclbin(image: &[u8]) -> Vec<u8> {
    let groups = vec![Group { kind: 1, program: 1, kernels: vec![0x901] }];
    let partition = Partition {
        name: "partition".to_owned(),
        operations_per_cycle: 2048,
        columns: 4,
        first_columns: vec![0],
        programs: vec![Program { uuid: [1; 16], image, groups }],
    };
    let kernel =
        Kernel { name: "MLIR_AIE:MLIRAIE".to_owned(), kind: layout::PS_KERNEL, id: 0x901, subtype: 1, functional: 0 };
    let (partition, kernels) = (partition.write(), layout::write(&[kernel]));
    let sections: [(u32, &str, &[u8]); 3] = [
        (xclbin::AIE_PARTITION, "partition", &partition),
        (xclbin::IP_LAYOUT, "kernels", &kernels),
        (xclbin::EMBEDDED_METADATA, "metadata", b"<project/>"),
    ];
    xclbin::write([2; 16], &sections)
}

/// One column of one core, so that the text is short.
fn manifest(overlay: &[u8]) -> String {
    let port = |stream, channel| packs::Port { stream, index: 0, column: 0, channel };
    let parameter = |meaning, offset| packs::Parameter { column: 0, row: 2, offset, meaning };
    let shape = Shape { m: 64, k: 64, n: 64 };
    let declared = Declared {
        name: "a seed".to_owned(),
        generation: Family::Xdna1,
        minimum_firmware: Some("1.5.2.380".to_owned()),
        file: "overlay.xclbin".to_owned(),
        operation: Operation {
            family: packs::Family::Gemm,
            input: packs::Element::Bf16,
            accumulator: packs::Element::F32,
            output: packs::Element::Bf16,
            rounding: packs::Rounding::ConvEven,
            rows: 1,
            rows_per_stream: 1,
            tile: packs::Tile { m: 64, k: 64, n: 64 },
            micro: packs::Micro { r: 4, s: 8, t: 4 },
            weights: packs::WeightOrder::MicroTiles,
            arguments: vec![Operand::Activations, Operand::Weights, Operand::Results],
        },
        ports: vec![port(Operand::Activations, 0), port(Operand::Weights, 1), port(Operand::Results, 0)],
        bounds: packs::Bounds::Runtime {
            parameters: vec![parameter(packs::Meaning::Depth, 0xFFF0), parameter(packs::Meaning::Tiles, 0xFFF4)],
            barriers: vec![packs::Barrier { column: 0, row: 2, lock: 15, open: 1 }],
            rearmed: true,
        },
        sample: Some(("sample.insts".to_owned(), &[1, 2, 3, 4], shape)),
        toolchain: [("compiler".to_owned(), "none".to_owned())].into(),
        self_tests: vec![SelfTest { seed: 1, shape, sha256: None, bound: Some(0.004) }],
    };
    packs::import(overlay, declared).unwrap().to_toml().unwrap()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds")
}

#[test]
fn seeds_are_what_the_writers_make() {
    for (target, name, bytes) in seeds() {
        let found = fs::read(folder().join(target).join(name)).unwrap_or_default();
        assert!(found == bytes, "{target}/{name} differs: make it anew with -- --ignored");
    }
}

#[test]
#[ignore = "writes the seeds"]
fn make_seeds() {
    for (target, name, bytes) in seeds() {
        fs::create_dir_all(folder().join(target)).unwrap();
        fs::write(folder().join(target).join(name), bytes).unwrap();
    }
}
