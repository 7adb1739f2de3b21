//! `amanuensis npu` from outside. Nothing here needs an NPU: trees of files, streams and packs are made by the crate, and say that
//! they are made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use amanuensis_npu::containers::{self, Group, Kernel, Partition, Program, layout, pdi, xclbin};
use amanuensis_npu::packs::{
    Barrier, Bounds, Element, Family, Meaning, Micro, Operand, Operation, Parameter, Rounding, SelfTest, Tile,
    WeightOrder,
};
use amanuensis_npu::plan::{self, Drain, Gemm, Operands, TileShape, plan, reference};
use amanuensis_npu::trust::Shape;
use amanuensis_npu::txn::Generation;
use tempfile::TempDir;

fn npu(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    // A folder in which there is nothing, so that packs of this machine do not matter.
    command.arg("npu").args(words).stdin(Stdio::null()).env("AMANUENSIS_NPU_PACKS", "/nowhere/packs");
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The files of a system with one device on its bus.
struct System(TempDir);

const ADDRESS: &str = "sys/bus/pci/devices/0000:c5:00.1";

impl System {
    fn new(device: &str, revision: &str) -> Self {
        let system = Self(tempfile::tempdir().unwrap());
        for (file, text) in [("vendor", "0x1022"), ("device", device), ("revision", revision)] {
            system.file(&format!("{ADDRESS}/{file}"), text);
        }
        system.file("proc/sys/kernel/osrelease", "6.14.0\n");
        system
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Exit code and text of the doctor.
    fn doctor(&self) -> (Option<i32>, String) {
        let output = npu(&["doctor", "--root", text(self.0.path())]);
        (output.status.code(), out(&output))
    }
}

#[test]
fn check_10_the_doctor_ends_with_3_where_there_is_no_npu() {
    let empty = tempfile::tempdir().unwrap();
    let output = npu(&["doctor", "--root", text(empty.path())]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(out(&output).contains("do:      NPUs are used on Linux only"), "{}", out(&output));

    let output = npu(&["doctor", "--json", "--root", text(empty.path())]);
    assert_eq!(output.status.code(), Some(3));
    let report = json(&output);
    assert_eq!((report["state"].as_str(), report["emulated"].as_bool()), (Some("absent"), Some(false)));
    assert_eq!(report["checks"].as_array().unwrap().len(), 14);
    assert_eq!(npu(&["doctor", "--root", "/no/such/folder"]).status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn the_doctor_follows_a_chain_to_where_it_breaks() {
    let (code, text) = System::new("0x17f2", "0x00").doctor();
    assert_eq!(code, Some(4));
    assert!(text.contains("NPU3 detected: not supported"), "{text}");

    let system = System::new("0x1502", "0x00");
    let (code, text) = system.doctor();
    assert_eq!(code, Some(4));
    assert!(text.contains("FAILED   no driver") && text.contains("modprobe amdxdna"), "{text}");

    std::os::unix::fs::symlink("../../../../bus/pci/drivers/amdxdna", system.0.path().join(ADDRESS).join("driver"))
        .unwrap();
    system.file(&format!("{ADDRESS}/accel/accel0/dev"), "261:0\n");
    system.file("dev/accel/accel0", "");
    let (code, text) = system.doctor();
    assert_eq!(code, Some(4), "a tree of files is no NPU: {text}");
    assert!(text.contains("skipped  a tree of files has no device behind it"), "{text}");
}

/// What needs an NPU says that there is none, why, and what to do. Not on a machine with one.
#[test]
fn check_10_nothing_is_measured_or_tested_without_an_npu() {
    if Path::new("/dev/accel").exists() {
        println!("skipped: this machine has an accelerator");
        return;
    }
    for words in [&["selftest"][..], &["bench"], &["bench", "--iterations", "2"]] {
        let output = npu(words);
        let code = output.status.code();
        assert!(code == Some(3) || code == Some(4), "{words:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{words:?}");
        assert!(err(&output).contains("NPU"), "{words:?}: {}", err(&output));
    }
    assert!(err(&npu(&["bench"])).contains("no time is told"));
    let report = json(&npu(&["selftest", "--json"]));
    assert_ne!(report["state"].as_str(), Some("usable"));

    let output = Command::new(env!("CARGO_BIN_EXE_amanuensis")).args(["devices", "--json"]).output().unwrap();
    let report = json(&output);
    assert!(report["npu"]["missing"].is_string() && report["npu"]["remedy"].is_string(), "{report}");
    let output = Command::new(env!("CARGO_BIN_EXE_amanuensis")).arg("devices").output().unwrap();
    assert!(out(&output).lines().any(|line| line.starts_with("npu    ")), "{}", out(&output));
}

#[test]
fn products_are_emulated_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let stream = folder.path().join("stream.bin");
    let shape = ["--m", "100", "--k", "128", "--n", "70"];
    let gemm = |more: &[&str]| npu(&[&["emulate", "gemm"], &shape[..], more].concat());

    let output = gemm(&["--stream", text(&stream)]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = out(&output);
    for line in ["emulated       100 x 128 times 128 x 70 in bf16, not on an NPU", "ESTIMATE       ", "not measured"] {
        assert!(said.contains(line), "{said}");
    }
    let output = npu(&["disasm", "--arguments", "3", text(&stream)]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).starts_with("version 0.1, npu1 (3), 4 columns, 6 rows"), "{}", out(&output));
    assert!(out(&output).ends_with("nothing is wrong with it\n"), "{}", out(&output));

    let report = json(&gemm(&["--dtype", "int8", "--generation", "npu2", "--json"]));
    assert_eq!((report["emulated"].as_bool(), report["passed"].as_bool()), (Some(true), Some(true)));
    assert_eq!((report["differ"].as_u64(), report["results"].as_u64()), (Some(0), Some(7000)));
    assert_eq!((report["generation"].as_str(), report["columns"].as_u64()), (Some("npu2"), Some(8)));
    assert_eq!(report["estimate"]["is_an_estimate"].as_bool(), Some(true));
}

/// The control: cores that were not told how to round are found out.
#[test]
fn check_9_rounding_down_fails_its_bound() {
    let output = npu(&["emulate", "gemm", "--m", "64", "--k", "256", "--n", "64", "--rounding", "floor"]);
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(out(&output).contains("TOO LARGE"), "{}", out(&output));
}

#[test]
fn what_is_too_much_to_emulate_is_refused() {
    let output = npu(&["emulate", "gemm", "--m", "4000000000", "--k", "4000000000", "--n", "4000000000"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("too much to emulate"), "{}", err(&output));
    assert_eq!(npu(&["emulate", "gemm", "--m", "0", "--k", "1", "--n", "1"]).status.code(), Some(2));
}

/// The words of a stream for a product on the overlay of this project.
fn stream(shape: [usize; 3]) -> Vec<u32> {
    let overlay = reference(Generation::Npu1, Operands::BF16, TileShape { m: 64, k: 64, n: 64 });
    plan(&overlay, &Gemm::new(shape[0], shape[1], shape[2]), Drain::First).unwrap().words()
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn streams_are_listed_from_bytes_and_from_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let words = stream([256, 128, 256]);
    let hexadecimal = words.iter().map(|word| format!("{word:08X}\n")).collect::<String>();
    let binary = npu(&["disasm", text(&file("stream.bin", &bytes(&words)))]);
    let textual = npu(&["disasm", text(&file("stream.txt", hexadecimal.as_bytes()))]);
    assert_eq!((binary.status.code(), textual.status.code()), (Some(0), Some(0)), "{}", err(&textual));
    assert_eq!(out(&binary), out(&textual));
    assert!(out(&binary).contains("push descriptor"), "{}", out(&binary));

    // The header says an operation more than there is.
    let mut wrong = words.clone();
    wrong[2] += 1;
    let output = npu(&["disasm", text(&file("wrong.bin", &bytes(&wrong)))]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("error: the header says how many operations there are"), "{}", out(&output));

    let output = npu(&["disasm", text(&file("cut.bin", &bytes(&words)[..41]))]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(1), ""));
    assert!(err(&output).contains("41 bytes are no whole number of 32-bit words"), "{}", err(&output));
    assert_eq!(npu(&["disasm", "/no/such/file"]).status.code(), Some(1));
}

/// An overlay's file with the parts of one and a program that computes nothing.
fn overlay(columns: u16) -> Vec<u8> {
    let image = pdi::write(&[containers::Command::Write { address: 0x0003_2000, value: 1 }]);
    let groups = vec![Group { kind: 1, program: 1, kernels: vec![0x901] }];
    let partition = Partition {
        name: String::new(),
        operations_per_cycle: 2048,
        columns,
        first_columns: vec![0],
        programs: vec![Program { uuid: [1; 16], image: &image, groups }],
    };
    let kernel =
        Kernel { name: "MLIR_AIE:MLIRAIE".to_owned(), kind: layout::PS_KERNEL, id: 0x901, subtype: 1, functional: 0 };
    let (partition, kernels) = (partition.write(), layout::write(&[kernel]));
    xclbin::write([2; 16], &[(xclbin::AIE_PARTITION, "", &partition), (xclbin::IP_LAYOUT, "", &kernels)])
}

/// What is declared of it: the overlay of this project, without its ports.
fn declaration(name: &str) -> String {
    let operation = Operation {
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
    };
    let cores = || (0..4_u8).flat_map(|column| (2..6_u8).map(move |row| (column, row)));
    let words = [(Meaning::Depth, 0xFFF0), (Meaning::Tiles, 0xFFF4)];
    let bounds = Bounds::Runtime {
        parameters: cores()
            .flat_map(|(column, row)| words.map(|(meaning, offset)| Parameter { column, row, offset, meaning }))
            .collect(),
        barriers: cores().map(|(column, row)| Barrier { column, row, lock: 15, open: 1 }).collect(),
        rearmed: true,
    };
    let shape = Shape { m: 256, k: 128, n: 256 };
    let tests = vec![SelfTest { seed: 1, shape, sha256: None, bound: Some(0.004) }];
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), name.into());
    table.insert("generation".to_owned(), "xdna1".into());
    table.insert("operation".to_owned(), toml::Value::try_from(operation).unwrap());
    table.insert("bounds".to_owned(), toml::Value::try_from(bounds).unwrap());
    table.insert("sample".to_owned(), toml::Value::try_from(shape).unwrap());
    table.insert("self_tests".to_owned(), toml::Value::try_from(tests).unwrap());
    table.to_string()
}

/// A folder for packs, and beside it what packs are made of.
struct Packs(TempDir);

impl Packs {
    fn new() -> Self {
        let packs = Self(tempfile::tempdir().unwrap());
        packs.file("final.xclbin", &overlay(4));
        packs.file("insts.bin", &bytes(&stream([256, 128, 256])));
        packs
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Does something with the packs.
    fn packs(&self, words: &[&str]) -> Output {
        let folder = self.0.path().join("packs");
        npu(&[&["packs"], words, &["--packs", text(&folder)]].concat())
    }

    fn import(&self, declaration: &str, sample: bool) -> Output {
        let declaration = self.file("declaration.toml", declaration.as_bytes());
        let (overlay, insts) = (self.0.path().join("final.xclbin"), self.0.path().join("insts.bin"));
        let sample = if sample { vec!["--sample", text(&insts)] } else { Vec::new() };
        self.packs(&[&["import", text(&overlay), "--declaration", text(&declaration)], &sample[..]].concat())
    }
}

#[test]
fn a_pack_is_imported_listed_and_checked() {
    let packs = Packs::new();
    assert!(out(&packs.packs(&["list"])).starts_with("no packs in "));
    assert_eq!(packs.packs(&["check"]).status.code(), Some(1));

    let output = packs.import(&declaration("first"), true);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("first: 12 ports, 1 self-tests"), "ports of the sample: {}", out(&output));
    let list = out(&packs.packs(&["list"]));
    assert!(list.contains("first  XDNA1, 4 columns: gemm bf16 to bf16, tiles of 64 x 64 x 64"), "{list}");
    assert_eq!(json(&packs.packs(&["list", "--json"]))[0]["name"].as_str(), Some("first"));
    let output = packs.packs(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains("a sample stream of "), "{}", out(&output));

    // Another overlay than the one whose digest is in the manifest.
    let file = packs.0.path().join("packs/first/overlay.xclbin");
    let mut changed = fs::read(&file).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&file, changed).unwrap();
    let output = packs.packs(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("REFUSED"), "{}", out(&output));
    assert!(out(&packs.packs(&["list"])).contains("REFUSED"));
}

#[test]
fn what_cannot_be_a_pack_is_not_imported() {
    let packs = Packs::new();
    let refused = |declaration: &str, sample: bool, why: &str| {
        let output = packs.import(declaration, sample);
        assert_eq!(output.status.code(), Some(1), "{why}");
        assert!(err(&output).contains(why), "{why}: {}", err(&output));
    };
    refused(&declaration("../outside"), true, "is no name of a pack");
    refused(&declaration("first"), false, "no ports");
    refused(&declaration("first").replace("conv_even", "floor"), true, "round");
    refused("name = 'first'", true, "generation");
    assert!(!packs.0.path().join("packs/first").exists());
    assert_eq!(packs.import(&declaration("first"), true).status.code(), Some(0));
    refused(&declaration("first"), true, "is there already");
}

/// What the sources of the overlay print.
#[cfg(unix)]
fn generate(what: &str, device: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../amanuensis-npu/overlay/generate");
    let output = Command::new("bash").arg(script).args([what, device]).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    out(&output)
}

/// The overlay's sources declare the array that is planned for and emulated.
#[cfg(unix)]
#[test]
fn the_sources_declare_what_is_emulated() {
    for (device, generation) in [("npu1", Generation::Npu1), ("npu2", Generation::Npu2)] {
        let packs = Packs::new();
        let array = reference(generation, Operands::BF16, TileShape { m: 64, k: 64, n: 64 });
        let columns = u16::from(array.columns);
        packs.file("final.xclbin", &overlay(columns));
        let sample = plan(&array, &Gemm::new(256, 128, 64 * usize::from(columns)), Drain::First).unwrap();
        packs.file("insts.bin", &bytes(&sample.words()));
        let output = packs.import(&generate("declaration", device), true);
        assert_eq!(output.status.code(), Some(0), "{device}: {}", err(&output));
        let folder = packs.0.path().join(format!("packs/gemm-bf16-{device}"));
        let mut planned = amanuensis_npu::packs::Pack::load(&folder, None).unwrap().manifest.planned().unwrap();
        let mut array = array;
        // Ports are in another order where they were read from a stream.
        planned.ports.sort_by_key(|port| port.fifo);
        array.ports.sort_by_key(|port| port.fifo);
        let sorted = |bounds: &mut plan::Bounds| {
            if let plan::Bounds::Runtime { parameters, .. } = bounds {
                parameters.sort_by_key(|one| (one.core, one.offset));
            }
        };
        sorted(&mut planned.bounds);
        sorted(&mut array.bounds);
        assert_eq!(planned, array, "{device}");
    }
}

/// No compiler for it is at hand, so its names and brackets are all that can be looked at.
#[cfg(unix)]
#[test]
fn the_sources_name_what_they_define() {
    for (device, cores) in [("npu1", 16), ("npu2", 32)] {
        let text = generate("mlir", device);
        let (mut open, mut uses) = (0, 0);
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            open += line.matches('{').count() as i64 - line.matches('}').count() as i64;
            assert!(open >= 0, "{device}: {line}");
            for name in line.split(['@', '%']).skip(1) {
                let name: String =
                    name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                let defined = [
                    format!("%{name} = "),
                    format!("objectfifo @{name}("),
                    format!("private @{name}("),
                    format!("%{name}: "),
                    format!("scf.for %{name} = "),
                ];
                assert!(defined.iter().any(|definition| text.contains(definition)), "{device}: {name} in {line}");
                uses += 1;
            }
        }
        assert_eq!((open, text.matches("aie.core(").count()), (0, cores), "{device}");
        assert!(uses > 100 && !text.contains("\"\""), "{device}");
    }
}
