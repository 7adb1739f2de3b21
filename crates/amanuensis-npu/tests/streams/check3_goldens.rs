//! Check 3: the planner makes two streams that compilers made too. Their order is derived by hand here; that every byte is the same is
//! known from the digests of the public files, which need not be there for that.

use std::fmt::Write as _;
use std::path::PathBuf;

use amanuensis_npu::emulator::{Array, poison};
use amanuensis_npu::plan::{Arguments, Drain, Gemm, NotRecovered, Overlay, Port, plan, recover_ports};
use amanuensis_npu::txn::{
    Expectations, Instruction, Place, Push, Register, Severity, assemble, disassemble, lint, words_of,
};
use sha2::{Digest, Sha256};

use super::support::{Numbers, public_256, public_512, small};

fn stream_512() -> Vec<u32> {
    plan(&public_512(), &Gemm::new(512, 512, 512), Drain::First).unwrap().words()
}

fn stream_256() -> Vec<u32> {
    plan(&public_256(), &Gemm::new(256, 256, 256), Drain::Last).unwrap().words()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Descriptors, pushes and waits by letters: `1.C0 token` is descriptor 0 of column 1, pushed to the results' queue.
fn order(words: &[u32]) -> Vec<String> {
    let mut said = Vec::new();
    let stream = disassemble(words).unwrap();
    for instruction in stream.instructions() {
        match instruction {
            Instruction::Write { address, value } => {
                let place = Place::of(*address).unwrap();
                let Register::Queue { direction, channel } = place.register else { panic!("{address:#x}") };
                let (push, _) = Push::decode(*value);
                let token = if push.token { " token" } else { "" };
                said.push(format!(
                    "{} {direction}{channel} {} x{}{token}",
                    place.tile.column, push.descriptor, push.passes
                ));
            }
            Instruction::Wait(wait) => said.push(format!("wait {} {}{}", wait.column, wait.direction, wait.channel)),
            _ => {}
        }
    }
    said
}

#[test]
fn four_columns_in_the_order_of_the_public_stream() {
    let words = stream_512();
    assert_eq!(words.len() * 4, 2592);
    // Per column the results of both row blocks, then for each of them the left and the right factor; the left one is read again for each of
    // the four blocks of columns, the right one moves on.
    let expected = [
        "1 S2MM0 0 x2 token",
        "0 MM2S0 0 x4",
        "1 MM2S1 1 x4",
        "0 MM2S0 1 x4",
        "1 MM2S1 2 x4",
        "1 S2MM1 3 x2 token",
        "1 MM2S0 4 x4",
        "0 MM2S1 2 x4",
        "1 MM2S0 5 x4",
        "0 MM2S1 3 x4",
        "0 S2MM0 4 x2 token",
        "2 MM2S0 0 x4",
        "2 MM2S1 1 x4",
        "2 MM2S0 2 x4",
        "2 MM2S1 3 x4",
        "2 S2MM0 4 x2 token",
        "3 MM2S0 0 x4",
        "3 MM2S1 1 x4",
        "3 MM2S0 2 x4",
        "3 MM2S1 3 x4",
        "wait 1 S2MM0",
        "wait 1 S2MM1",
        "wait 0 S2MM0",
        "wait 2 S2MM0",
    ];
    assert_eq!(order(&words), expected);
    // Results of the first column: 32 wide, 256 lines of 512, blocks of columns 128 apart, row blocks 256 lines apart.
    let results =
        [32 * 256 * 4, 0, 0, 32 << 20, 2 << 30 | 256 << 20 | 511, 2 << 24 | 127, 1 << 20 | (256 * 512 - 1), 1 << 25];
    assert_eq!(words[8..16], results);
    assert_eq!(words[16..28], [0x81, 48, 0, 0, 0, 0, 0x0201_D004, 0, 2, 0, 0, 0]);
    assert_eq!(words[28..35], [3, 0, 0x0201_D200, 0, 0xF00, 0x1F00, 28]);
    assert_eq!(words[35..41], [0, 0, 0x0201_D204, 0, 0x8001_0000, 24]);
    // The left factor's first rows: 64 elements of 16 bits wide, 64 lines of 512, eight tiles along the line; no iteration.
    let left = [32 * 64 * 8, 0, 0, 32 << 20, 2 << 30 | 64 << 20 | 255, 2 << 24 | 31, 0, 1 << 25];
    assert_eq!(words[45..53], left);
    // The right factor's first columns: 32 elements wide, eight tiles of 64 lines; four blocks of columns 128 apart.
    let right =
        [16 * 64 * 8, 0, 0, 16 << 20, 2 << 30 | 64 << 20 | 255, 2 << 24 | (64 * 256 - 1), 3 << 20 | 63, 1 << 25];
    assert_eq!(words[75..83], right);
}

#[test]
fn one_column_recycles_descriptors_like_the_public_stream() {
    let words = stream_256();
    assert_eq!(words.len() * 4, 2592);
    let mut used = String::new();
    for instruction in disassemble(&words).unwrap().instructions() {
        match instruction {
            Instruction::BlockWrite { address, .. } => {
                let Register::Descriptor { id, .. } = Place::of(*address).unwrap().register else {
                    panic!("{address:#x}")
                };
                let _ = write!(used, "B{id} ");
            }
            Instruction::Wait(_) => used.push_str("S "),
            _ => {}
        }
    }
    assert_eq!(used, "B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 S B0 B1 B2 B3 B4 S B5 B6 B7 B8 B9 S S ");
    let group = ["0 MM2S0 0 x8", "0 MM2S1 1 x8", "0 MM2S0 2 x8", "0 MM2S1 3 x8", "0 S2MM0 4 x2 token"];
    assert_eq!(order(&words)[..5], group);
}

#[test]
fn every_byte_is_that_of_the_public_streams() {
    let pinned: toml::Table = include_str!("../corpus.toml").parse().unwrap();
    let digest_of = |file: &str| {
        let streams = pinned["stream"].as_array().unwrap();
        let entry = streams.iter().find(|entry| entry["file"].as_str() == Some(file)).unwrap();
        entry["sha256"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(&bytes(&stream_512())), digest_of("gemm-512-4col.insts.txt"));
    assert_eq!(digest(&bytes(&stream_256())), digest_of("gemm-256-1col.insts.txt"));
}

#[test]
fn the_planned_streams_have_nothing_strange() {
    for words in [stream_512(), stream_256()] {
        assert_eq!(lint(&disassemble(&words).unwrap(), &Expectations { arguments: Some(3) }), []);
    }
}

/// Where the public builds' streams enter and leave can be read from their instruction streams.
#[test]
fn ports_are_recovered() {
    let sorted = |mut ports: Vec<Port>| {
        ports.sort_by_key(|port| port.fifo);
        ports
    };
    for (overlay, words) in [(public_512(), stream_512()), (public_256(), stream_256())] {
        let stream = disassemble(&words).unwrap();
        assert_eq!(sorted(recover_ports(&stream, &Arguments::default()).unwrap()), sorted(overlay.ports));
    }
    let packed = small();
    let stream = plan(&packed, &Gemm::new(100, 20, 100), Drain::First).unwrap().stream;
    assert_eq!(sorted(recover_ports(&stream, &Arguments::default()).unwrap()), sorted(packed.ports));
    let mut others = Arguments::default();
    others.weights.argument = 3;
    assert!(matches!(recover_ports(&stream, &others), Err(NotRecovered::Argument { argument: 1, .. })));
    others.weights.argument = 1;
    others.activations.argument = 2;
    others.results.argument = 0;
    assert!(matches!(recover_ports(&stream, &others), Err(NotRecovered::Argument { argument: 0 | 2, .. })));
}

/// 16-bit products on the public builds' arrays, executed from a stream.
fn executes_exactly(overlay: &Overlay, words: &[u32], side: usize) {
    let mut numbers = Numbers::new(side as u64);
    let mut matrix = || (0..side * side).map(|_| numbers.below(200) as i16 - 100).collect::<Vec<i16>>();
    let (left, right) = (matrix(), matrix());
    let pack = |values: &[i16]| -> Vec<u32> {
        values
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[low, high]| u32::from(*low as u16) | u32::from(*high as u16) << 16)
            .collect()
    };
    let (mut activations, mut weights, mut results) = (pack(&left), pack(&right), vec![0; side * side]);
    poison(&mut results);
    let mut array = Array::new(overlay.clone()).unwrap();
    let report = array.dispatch(words, &mut [&mut activations, &mut weights, &mut results]).unwrap();
    assert!(report.written[2].as_ref().unwrap().complete());
    assert_eq!(report.multiply_adds, (side * side * side) as u64);
    for row in 0..side {
        for column in 0..side {
            let products = (0..side).map(|k| i32::from(left[row * side + k]) * i32::from(right[k * side + column]));
            assert_eq!(results[row * side + column] as i32, products.sum::<i32>(), "({row}, {column})");
        }
    }
}

#[test]
fn the_planned_streams_execute_exactly() {
    executes_exactly(&public_512(), &stream_512(), 512);
    executes_exactly(&public_256(), &stream_256(), 256);
}

/// With AMANUENSIS_NPU_CORPUS: the public files themselves.
#[test]
fn corpus_streams() {
    let Some(folder) = std::env::var_os("AMANUENSIS_NPU_CORPUS").map(PathBuf::from) else {
        println!("skipped: no corpus");
        return;
    };
    let pinned: toml::Table = include_str!("../corpus.toml").parse().unwrap();
    for entry in pinned["stream"].as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        let Ok(found) = std::fs::read(folder.join(file)) else {
            println!("skipped: no {file}");
            continue;
        };
        assert!(digest(&found).starts_with(entry["sha256"].as_str().unwrap()), "{file} is another file");
        assert_eq!(found.len() as i64, entry["bytes"].as_integer().unwrap());
        let words = words_of(&found).unwrap();
        let stream = disassemble(&words).unwrap();
        assert_eq!(assemble(&stream), words, "{file}");
        let errors: Vec<_> = lint(&stream, &Expectations::default())
            .into_iter()
            .filter(|finding| finding.severity() == Severity::Error)
            .collect();
        if let Some(operations) = entry.get("operations") {
            assert_eq!(stream.operations.len() as i64, operations.as_integer().unwrap());
            println!("{file}: {} errors: {errors:?}", errors.len());
        }
        match entry.get("planned").and_then(|planned| planned.as_str()) {
            Some("512") => {
                assert_eq!((words.as_slice(), errors), (stream_512().as_slice(), vec![]));
                executes_exactly(&public_512(), &words, 512);
            }
            Some("256") => {
                assert_eq!((words.as_slice(), errors), (stream_256().as_slice(), vec![]));
                executes_exactly(&public_256(), &words, 256);
            }
            _ => {}
        }
        println!("{file}: the same");
    }
}
