//! Packs that load, and each way not to.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::containers::{Command, pdi};
use crate::driver::Generation;
use crate::trust::Shape;
use crate::uapi::FirmwareVersion;

const SHAPE: Shape = Shape { m: 256, k: 256, n: 256 };
const STREAM: [u8; 8] = [1, 0, 0, 0, 2, 0, 0, 0];
const TARGET: Target = Target {
    generation: Generation::Xdna1,
    firmware: Some(FirmwareVersion { major: 1, minor: 5, patch: 5, build: 391 }),
};

/// A synthetic overlay: it has the parts of one and computes nothing.
pub(crate) fn overlay() -> Vec<u8> {
    super::synthetic::xclbin(4, 2048)
}

fn declared() -> Declared<'static> {
    let port = |stream, index, column, channel| Port { stream, index, column, channel };
    let cores = || (0..4).flat_map(|column| (2..6).map(move |row| (column, row)));
    let parameter = |meaning, offset| {
        cores().map(move |(column, row)| Parameter { column, row, offset, meaning }).collect::<Vec<_>>()
    };
    Declared {
        name: "synthetic".to_owned(),
        generation: Generation::Xdna1,
        minimum_firmware: Some("1.5.2.380".to_owned()),
        file: "overlay.xclbin".to_owned(),
        operation: Operation {
            family: Family::Gemm,
            input: Element::Bf16,
            accumulator: Element::F32,
            output: Element::Bf16,
            rounding: Rounding::ConvEven,
            rows: 4,
            rows_per_stream: 1,
            tile: Tile { m: 64, k: 64, n: 64 },
            micro: Micro { r: 4, s: 8, t: 4 },
            weights: WeightOrder::MicroTiles,
            arguments: vec![Operand::Activations, Operand::Weights, Operand::Results],
        },
        ports: (0..4)
            .flat_map(|column| {
                [
                    port(Operand::Activations, column, column, 0),
                    port(Operand::Weights, column, column, 1),
                    port(Operand::Results, column, column, 0),
                ]
            })
            .collect(),
        bounds: Bounds::Runtime {
            parameters: [parameter(Meaning::Depth, 0x400), parameter(Meaning::Tiles, 0x404)].concat(),
            barriers: cores().map(|(column, row)| Barrier { column, row, lock: 15, open: 1 }).collect(),
            rearmed: true,
        },
        sample: Some(("sample.insts".to_owned(), &STREAM, SHAPE)),
        toolchain: BTreeMap::from([("mlir-aie".to_owned(), "none, it is synthetic".to_owned())]),
        self_tests: vec![SelfTest { seed: 1, shape: SHAPE, sha256: None, bound: Some(0.002) }],
    }
}

/// Installs a pack in a folder, as a changed manifest describes it.
pub(crate) fn install(folder: &Path, change: impl FnOnce(&mut Manifest)) {
    let overlay = overlay();
    let mut manifest = import(&overlay, declared()).expect("a synthetic pack");
    change(&mut manifest);
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("overlay.xclbin"), overlay).expect("written");
    std::fs::write(folder.join("sample.insts"), STREAM).expect("written");
    std::fs::write(folder.join(MANIFEST), manifest.to_toml().expect("a text")).expect("written");
}

/// What loading a changed pack says.
fn refused(change: impl FnOnce(&mut Manifest)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    install(folder.path(), change);
    Pack::load(folder.path(), Some(TARGET)).map(|_| ()).expect_err("it is changed").to_string()
}

#[test]
fn what_is_imported_loads() {
    let folder = tempfile::tempdir().expect("a folder");
    install(folder.path(), |_| {});
    let pack = Pack::load(folder.path(), Some(TARGET)).expect("it is whole");
    assert_eq!((pack.partition.columns, pack.partition.operations_per_cycle), (4, 2048));
    assert_eq!((pack.manifest.overlay.kernel_id, pack.manifest.ports.len()), (0x901, 12));
    assert_eq!(pack.image, pdi::write(&[Command::Write { address: 0x0003_2000, value: 1 }]));
    assert_eq!(pack.sample, Some(vec![1, 2]));
    assert_eq!(pack.overlay().image.len(), pack.image.len());
}

#[test]
fn each_refusal_has_its_name() {
    for (change, says) in [
        (Box::new(|pack: &mut Manifest| pack.schema = 2) as Box<dyn FnOnce(&mut Manifest)>, "schema 2"),
        (Box::new(|pack| pack.overlay.sha256 = "0".repeat(64)), "the manifest says 000"),
        (Box::new(|pack| pack.device.generation = Generation::Xdna2), "the pack is for XDNA2 and the device is XDNA1"),
        (Box::new(|pack| pack.device.minimum_firmware = Some("1.6.0.0".to_owned())), "needs firmware 1.6.0.0"),
        (
            Box::new(|pack| {
                pack.device.columns = 2;
                pack.bounds = Bounds::Fixed { depth: 4 };
            }),
            "columns: the manifest says 2, the overlay 4",
        ),
        (Box::new(|pack| pack.overlay.operations_per_cycle = 4096), "operations in a cycle: the manifest says 4096"),
        (Box::new(|pack| pack.overlay.kernel_id = 0x902), "the kernel's number: the manifest says 0x902"),
        (Box::new(|pack| pack.overlay.kernel = "DPU".to_owned()), "the kernel's name"),
        (Box::new(|pack| pack.operation.rounding = Rounding::Floor), "round by floor"),
        (Box::new(|pack| pack.overlay.file = "../overlay.xclbin".to_owned()), "no name of a file in the pack's folder"),
        (Box::new(|pack| pack.overlay.file = "absent.xclbin".to_owned()), "absent.xclbin"),
        (Box::new(|pack| pack.operation.tile.n = 63), "operation.tile"),
        (Box::new(|pack| pack.operation.arguments.truncate(2)), "operation.arguments"),
        (Box::new(|pack| pack.ports[0].column = 4), "ports"),
        (Box::new(|pack| pack.ports[0].channel = 1), "ports"),
        (Box::new(|pack| pack.bounds = Bounds::Fixed { depth: 0 }), "bounds"),
        (
            Box::new(|pack| {
                if let Bounds::Runtime { rearmed, .. } = &mut pack.bounds {
                    *rearmed = false;
                }
            }),
            "do not close their barrier",
        ),
        (Box::new(|pack| pack.self_tests[0].bound = None), "self_tests"),
        (Box::new(|pack| pack.device.minimum_firmware = Some("new".to_owned())), "like 1.5.5.391"),
    ] {
        let said = refused(change);
        assert!(said.contains(says), "{said:?} for {says:?}");
    }
}

#[test]
fn files_that_are_no_packs_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = || Pack::load(folder.path(), None).map(|_| ()).expect_err("no pack");
    assert!(matches!(load(), PackError::Unreadable { .. }));
    let manifest = folder.path().join(MANIFEST);
    std::fs::write(&manifest, "schema = ").expect("written");
    assert!(matches!(load(), PackError::Syntax { path, .. } if path == manifest));
    std::fs::write(&manifest, "name = \"no schema\"").expect("written");
    assert!(matches!(load(), PackError::Value { field: "schema", .. }));
    std::fs::write(&manifest, "schema = 1\nsurprise = true").expect("written");
    assert!(matches!(load(), PackError::Syntax { .. }));
    std::fs::write(&manifest, vec![b'#'; 300 << 10]).expect("written");
    assert!(matches!(load(), PackError::TooLarge { .. }));
}

#[test]
fn a_folder_lists_what_loads_and_what_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    install(&folder.path().join("b"), |_| {});
    install(&folder.path().join("a"), |pack| pack.operation.rounding = Rounding::Floor);
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    let found = installed(folder.path(), Some(TARGET));
    let names: Vec<_> = found.iter().map(|(path, pack)| (path.file_name().expect("a name"), pack.is_ok())).collect();
    assert_eq!(names, [("a".as_ref(), false), ("b".as_ref(), true)]);
    assert!(installed(Path::new("/no/such/folder"), None).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn damaged_manifests_never_panic(place in any::<prop::sample::Index>(), text in "[ -~\n]{0,12}") {
        let manifest = import(&overlay(), declared()).and_then(|manifest| manifest.to_toml()).expect("a text");
        let at = place.index(manifest.len());
        let mut damaged = manifest;
        damaged.replace_range(at..at.saturating_add(text.len()).min(damaged.len()), &text);
        let _ = Manifest::from_toml(&damaged);
    }
}
