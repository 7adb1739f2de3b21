//! Check 2: words become instructions and instructions words, without a bit lost.

use amanuensis_npu::txn::{
    Channel, Descriptor, Dimension, Direction, Expectations, Form, Generation, Instruction, Iteration, Malformed,
    Opcode, Operation, Place, Push, Register, Rule, Severity, Stream, Tile, TokenWait, assemble, disassemble, lint,
    words_of, words_of_text,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The header of mlir-aie's test npu_instgen: seven operations for a Phoenix.
#[test]
fn header_of_a_published_stream() {
    let words = [0x0603_0100, 0x0000_0104, 7, 0xDC];
    let header = disassemble(&words).unwrap().header;
    assert_eq!((header.form, header.rows, header.columns, header.memory_rows), (Form::Classic, 6, 4, 1));
    assert_eq!(Generation::of_code(header.generation), Some(Generation::Npu1));
    assert_eq!((header.operations, header.bytes), (7, 220));
    let strix = Stream::new(Generation::Npu2, Form::Classic, vec![]);
    assert_eq!(assemble(&strix), [0x0604_0100, 0x0000_0108, 0, 16]);
}

/// The descriptor of mlir-aie's test npu_dma_memcpy.
#[test]
fn descriptor_of_a_published_stream() {
    let words = [0x800, 0, 0, 0x0200_0000, 0x8200_003F, 0x0200_07FF, 0, 0x0200_0000];
    let descriptor = Descriptor::decode(&words);
    let expected = Descriptor {
        length: 2048,
        dimensions: [Dimension { wrap: 32, stride: 1 }, Dimension { wrap: 32, stride: 64 }],
        outer_stride: 2048,
        iteration: Iteration { current: 0, size: 1, stride: 1 },
        ..Descriptor::linear(0, 0)
    };
    assert_eq!(descriptor, expected);
    assert_eq!(descriptor.encode(), words);
    let runs: Vec<_> = descriptor.pattern(4096, 1).runs(0).map(|run| (run.start, run.count, run.step)).collect();
    assert_eq!(
        (runs.len(), runs[0], runs[31], runs[32]),
        (64, (4096, 32, 1), (4096 + 31 * 64, 32, 1), (4096 + 2048, 32, 1))
    );
    assert_eq!(descriptor.pattern(4096, 1).extent(), (4096, 4096 + 2048 + 31 * 64 + 32));
}

/// Addresses that occur in published streams, by what is there.
#[test]
fn registers_of_published_streams() {
    let shim = |column| Tile::shim(column);
    let cases = [
        (0x0001_D000, shim(0), Register::Descriptor { id: 0, word: 0 }),
        (0x0001_D004, shim(0), Register::Descriptor { id: 0, word: 1 }),
        (0x0001_D1FC, shim(0), Register::Descriptor { id: 15, word: 7 }),
        (0x0001_D204, shim(0), Register::Queue { direction: Direction::StreamToMemory, channel: 0 }),
        (0x0001_D208, shim(0), Register::Control { direction: Direction::StreamToMemory, channel: 1 }),
        (0x0001_D214, shim(0), Register::Queue { direction: Direction::MemoryToStream, channel: 0 }),
        (0x0001_D21C, shim(0), Register::Queue { direction: Direction::MemoryToStream, channel: 1 }),
        (0x0201_D000, shim(1), Register::Descriptor { id: 0, word: 0 }),
        (0x0801_D000, shim(4), Register::Descriptor { id: 0, word: 0 }),
        (
            0x001A_0630,
            Tile { column: 0, row: 1 },
            Register::Control { direction: Direction::MemoryToStream, channel: 0 },
        ),
        (0x001C_03F0, Tile { column: 0, row: 1 }, Register::Lock { id: 63 }),
        (0x0221_F0F0, Tile { column: 1, row: 2 }, Register::Lock { id: 15 }),
        (0x0250_0400, Tile { column: 1, row: 5 }, Register::Memory { offset: 0x400 }),
    ];
    for (address, tile, register) in cases {
        let place = Place::of(address).unwrap();
        assert_eq!((place.tile, place.register), (tile, register), "{address:#x}");
        assert_eq!(tile.address(place.offset), address);
    }
    assert_eq!(Place::of(0x0061_D000), None, "there is no seventh row");
    assert_eq!(Place::of(0x0001_D002), None, "registers begin at words");
    let channel = Channel { tile: shim(0), direction: Direction::MemoryToStream, index: 1 };
    assert_eq!((channel.control(), channel.queue()), (0x1D218, 0x1D21C));
}

/// One of each instruction in words that were written by hand from the format's description.
fn by_hand(form: Form) -> (Vec<Instruction>, Vec<u32>) {
    let wait = TokenWait { column: 1, row: 0, columns: 1, rows: 1, direction: Direction::StreamToMemory, channel: 1 };
    let cases: Vec<(Instruction, &[u32], &[u32])> = vec![
        (
            Instruction::Write { address: 0x1D214, value: 0x8003_0005 },
            &[0, 0, 0x1D214, 0, 0x8003_0005, 24],
            &[0, 0x1D214, 0x8003_0005],
        ),
        (
            Instruction::BlockWrite { address: 0x1D000, data: vec![7, 8] },
            &[1, 0, 0x1D000, 24, 7, 8],
            &[1, 0x1D000, 20, 7, 8],
        ),
        (
            Instruction::MaskWrite { address: 0x1D200, value: 0xF00, mask: 0x1F00 },
            &[3, 0, 0x1D200, 0, 0xF00, 0x1F00, 28],
            &[3, 0x1D200, 0xF00, 0x1F00],
        ),
        (
            Instruction::MaskPoll { address: 0x1D220, value: 1, mask: 3 },
            &[4, 0, 0x1D220, 0, 1, 3, 32, 0],
            &[4, 0x1D220, 1, 3],
        ),
        (Instruction::Noop, &[5], &[5]),
        (Instruction::Preempt { level: 2 }, &[0x206], &[0x206]),
        (
            Instruction::LoadPdi { id: 9, size: 64, address: 0x1_0000_2000 },
            &[0x0009_0008, 64, 0x2000, 1],
            &[0x0009_0008, 64, 0x2000, 1],
        ),
        (Instruction::Wait(wait), &[0x80, 16, 0x0001_0000, 0x0101_0100], &[0x80, 16, 0x0001_0000, 0x0101_0100]),
        (
            Instruction::Patch { register: 0x1D004, argument: 2, plus: 16384 },
            &[0x81, 48, 0, 0, 0, 0, 0x1D004, 0, 2, 0, 16384, 0],
            &[0x81, 24, 0x1D004, 2, 16384, 0],
        ),
        (
            Instruction::Other { opcode: Opcode::MergeSync, data: vec![12, 0x0402] },
            &[0x84, 12, 0x0402],
            &[0x84, 12, 0x0402],
        ),
    ];
    let words =
        cases.iter().flat_map(|(_, classic, short)| if form == Form::Classic { *classic } else { *short }).copied();
    (cases.iter().map(|(instruction, ..)| instruction.clone()).collect(), words.collect())
}

#[test]
fn words_written_by_hand() {
    for (form, version) in [(Form::Classic, 0x0603_0100), (Form::Optimised, 0x0603_0001)] {
        let (instructions, words) = by_hand(form);
        let bytes = (words.len() + 4) * 4;
        let whole = [&[version, 0x104, instructions.len() as u32, bytes as u32], words.as_slice()].concat();
        let stream = Stream::new(Generation::Npu1, form, instructions);
        assert_eq!(assemble(&stream), whole);
        assert_eq!(disassemble(&whole).unwrap(), stream);
    }
}

/// Published streams of one tool have garbage beside the opcode and in a patch's unused words.
#[test]
fn garbage_in_padding_is_kept_and_noted() {
    let descriptor = [0xC0, 0, 0, 0, 0x8000_0000, 0x0200_0000, 0, 0x0200_0000];
    let mut words = vec![0x0604_0100, 0x0000_0108, 3, 0];
    words.extend([0x0300_0001, 0, 0x0801_D000, 48]);
    words.extend(descriptor);
    words.extend([0x203A_2281, 48, 0x6569_4158, 0x616D_445F, 0, 0x7F4C, 0x0801_D004, 0, 3, 0x0000_0000, 0, 0]);
    words.extend([0x6F69_7400, 0, 0x0801_D214, 0, 0, 24]);
    words[3] = words.len() as u32 * 4;
    let stream = disassemble(&words).unwrap();
    assert_eq!(assemble(&stream), words);
    let instructions: Vec<_> = stream.instructions().collect();
    assert_eq!(instructions[1], &Instruction::Patch { register: 0x0801_D004, argument: 3, plus: 0 });
    let findings = lint(&stream, &Expectations::default());
    assert_eq!(findings.len(), 3, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.rule == Rule::Padding && finding.severity() == Severity::Note));
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_where() {
    let header = [0x0603_0100, 0x104, 0, 0];
    let read = |words: &[u32]| disassemble(&[&header, words].concat()).unwrap_err();
    assert_eq!(words_of_text("06030100\r\n00000104\n\nDC\n"), Ok(vec![0x0603_0100, 0x104, 0xDC]));
    assert_eq!(words_of_text("06030100\n+1\n"), Err(Malformed::Text { line: 2 }));
    assert_eq!(words_of_text("006030100\n"), Err(Malformed::Text { line: 1 }));
    assert_eq!(words_of(&[0; 7]), Err(Malformed::Bytes(7)));
    assert_eq!(disassemble(&header[..3]), Err(Malformed::Short(3)));
    assert_eq!(disassemble(&[0x0603_0200, 0, 0, 0]), Err(Malformed::Version { major: 0, minor: 2 }));
    assert_eq!(read(&[5, 0x55]), Malformed::Opcode { operation: 1, word: 5, opcode: 0x55 });
    assert_eq!(read(&[9, 0, 0]), Malformed::Length { operation: 0, word: 4, opcode: Opcode::LoadPmStart });
    assert_eq!(read(&[0, 0, 0, 0, 0, 28]), Malformed::Size { operation: 0, word: 4, opcode: Opcode::Write, bytes: 28 });
    assert_eq!(read(&[1, 0, 0, 12]), Malformed::Size { operation: 0, word: 4, opcode: Opcode::BlockWrite, bytes: 12 });
    assert_eq!(read(&[1, 0, 0, 20]), Malformed::Truncated { operation: 0, word: 4, opcode: Opcode::BlockWrite });
    assert_eq!(
        read(&[1, 0, 0, u32::MAX - 3]),
        Malformed::Truncated { operation: 0, word: 4, opcode: Opcode::BlockWrite }
    );
    assert_eq!(read(&[0x84, 2]), Malformed::Size { operation: 0, word: 4, opcode: Opcode::MergeSync, bytes: 2 });
    assert_eq!(read(&[0x80, 16]), Malformed::Truncated { operation: 0, word: 4, opcode: Opcode::Wait });
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::StreamToMemory), Just(Direction::MemoryToStream)]
}

fn instruction() -> impl Strategy<Value = Instruction> {
    let wait = (any::<[u8; 5]>(), direction()).prop_map(|([column, row, columns, rows, channel], direction)| {
        Instruction::Wait(TokenWait { column, row, columns, rows, direction, channel })
    });
    prop_oneof![
        any::<(u32, u32)>().prop_map(|(address, value)| Instruction::Write { address, value }),
        (any::<u32>(), vec(any::<u32>(), 0..9)).prop_map(|(address, data)| Instruction::BlockWrite { address, data }),
        any::<[u32; 3]>().prop_map(|[address, value, mask]| Instruction::MaskWrite { address, value, mask }),
        any::<[u32; 3]>().prop_map(|[address, value, mask]| Instruction::MaskPoll { address, value, mask }),
        Just(Instruction::Noop),
        any::<u8>().prop_map(|level| Instruction::Preempt { level }),
        any::<(u16, u32, u64)>().prop_map(|(id, size, address)| Instruction::LoadPdi { id, size, address }),
        wait,
        any::<(u32, u8, u64)>().prop_map(|(register, argument, plus)| {
            Instruction::Patch { register, argument: argument.into(), plus }
        }),
        vec(any::<u32>(), 0..5).prop_map(|mut data| {
            data.insert(0, (data.len() as u32 + 2) * 4);
            Instruction::Other { opcode: Opcode::ReadRegisters, data }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn instructions_come_back(instructions in vec(instruction(), 0..20), short in any::<bool>(), residue in any::<u16>()) {
        let form = if short { Form::Optimised } else { Form::Classic };
        let mut stream = Stream::new(Generation::Npu2, form, instructions);
        stream.header.residue = residue;
        let words = assemble(&stream);
        prop_assert_eq!(disassemble(&words).unwrap(), stream);
    }

    /// Whatever is read at all is written as it was, with garbage in it.
    #[test]
    fn words_come_back(instructions in vec(instruction(), 1..20), short in any::<bool>(), flips in vec((any::<u16>(), 0..32_u32), 0..9)) {
        let form = if short { Form::Optimised } else { Form::Classic };
        let mut words = assemble(&Stream::new(Generation::Npu1, form, instructions));
        for (word, bit) in flips {
            let place = usize::from(word) % words.len();
            words[place] ^= 1 << bit;
        }
        if let Ok(stream) = disassemble(&words) {
            prop_assert_eq!(assemble(&stream), words);
            let _ = lint(&stream, &Expectations::default());
            let _ = amanuensis_npu::txn::listing(&stream).to_string();
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400), short in any::<bool>()) {
        let mut words = words_of(&bytes[..bytes.len() / 4 * 4]).unwrap();
        if let Some(first) = words.first_mut() {
            *first = if short { 0x0603_0001 } else { 0x0603_0100 };
        }
        // Operations that exist, so that reading goes on.
        words.iter_mut().skip(4).step_by(3).for_each(|word| *word = *word & !255 | [0, 1, 3, 5, 6, 0x80, 0x81, 0x84][*word as usize & 7]);
        if let Ok(stream) = disassemble(&words) {
            prop_assert_eq!(assemble(&stream), words);
            let _ = lint(&stream, &Expectations::default());
            let _ = amanuensis_npu::txn::listing(&stream).to_string();
        }
    }

    /// The words that a push moves are as many as it says, and lie where it says.
    #[test]
    fn patterns_stay_within_their_extent(words in any::<[u32; 8]>(), length in 1..5000_u32, wraps in any::<[u8; 2]>(), passes in 1..70_u16) {
        let mut descriptor = Descriptor::decode(&words);
        descriptor.length = length;
        descriptor.dimensions[0].wrap = u16::from(wraps[0]);
        descriptor.dimensions[1].wrap = u16::from(wraps[1]);
        let pattern = descriptor.pattern(1000, passes);
        let (first, last) = pattern.extent();
        let (mut nearest, mut farthest) = (u64::MAX, 0);
        for pass in 0..passes {
            let runs: Vec<_> = pattern.runs(pass).collect();
            prop_assert_eq!(runs.iter().map(|run| run.count).sum::<u32>(), length);
            nearest = runs.iter().map(|run| run.start).min().unwrap().min(nearest);
            let ends = runs.iter().map(|run| run.start + u64::from(run.count - 1) * u64::from(run.step) + 1);
            farthest = ends.max().unwrap().max(farthest);
        }
        prop_assert!(first <= nearest && farthest <= last);
        let whole = u32::from(wraps[0]) * u32::from(wraps[1]);
        if whole != 0 && length % whole == 0 {
            prop_assert_eq!((first, last), (nearest, farthest));
        }
    }

    #[test]
    fn descriptors_and_pushes_come_back(words in any::<[u32; 8]>(), push in any::<u32>()) {
        prop_assert_eq!(Descriptor::decode(&words).encode(), words);
        let (fields, reserved) = Push::decode(push);
        prop_assert_eq!(fields.encode() | reserved, push);
    }
}

/// Reading needs no more memory than a small multiple of the words.
#[test]
fn operations_are_small() {
    assert!(size_of::<Operation>() <= 64, "{}", size_of::<Operation>());
}
