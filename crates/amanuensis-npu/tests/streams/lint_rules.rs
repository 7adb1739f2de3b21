//! Every rule of the lint, broken once.

use amanuensis_npu::plan::{Drain, Gemm, plan};
use amanuensis_npu::txn::{
    CONTROLLER, CONTROLLER_MASK, Channel, Descriptor, Direction, Expectations, Instruction, Push, Rule, Severity,
    Stream, Tile, TokenWait, lint,
};

use super::support::small;

/// A transfer out of the array on column 0: descriptor, patch, controller, push, wait.
fn transfer() -> Vec<Instruction> {
    let tile = Tile::shim(0);
    let channel = channel(0);
    vec![
        Instruction::BlockWrite { address: tile.descriptor(3, 0), data: Descriptor::linear(8, 0).encode().to_vec() },
        Instruction::Patch { register: tile.descriptor(3, 1), argument: 0, plus: 0 },
        Instruction::MaskWrite { address: channel.control(), value: CONTROLLER, mask: CONTROLLER_MASK },
        Instruction::Write { address: channel.queue(), value: Push { descriptor: 3, passes: 1, token: true }.encode() },
        Instruction::Wait(wait()),
    ]
}

fn channel(index: u8) -> Channel {
    Channel { tile: Tile::shim(0), direction: Direction::StreamToMemory, index }
}

fn wait() -> TokenWait {
    TokenWait { column: 0, row: 0, columns: 1, rows: 1, direction: Direction::StreamToMemory, channel: 0 }
}

type Change = fn(&mut Stream);

fn descriptor(stream: &mut Stream, change: fn(&mut Descriptor)) {
    let Instruction::BlockWrite { data, .. } = &mut stream.operations[0].instruction else { panic!() };
    let mut fields = Descriptor::decode(data.as_slice().try_into().unwrap());
    change(&mut fields);
    *data = fields.encode().to_vec();
}

fn put(stream: &mut Stream, place: usize, instruction: Instruction) {
    stream.operations.insert(place, instruction.into());
    count(stream);
}

fn remove(stream: &mut Stream, place: usize) {
    stream.operations.remove(place);
    count(stream);
}

fn copy(stream: &mut Stream, from: usize, to: usize) {
    let instruction = stream.operations[from].instruction.clone();
    put(stream, to, instruction);
}

/// The header says again what is there.
fn count(stream: &mut Stream) {
    let words: usize = stream.instructions().map(|instruction| instruction.words(stream.header.form)).sum();
    (stream.header.operations, stream.header.bytes) = (stream.operations.len() as u32, (words as u32 + 4) * 4);
}

fn patch(stream: &mut Stream, register: u32, argument: u32, plus: u64) {
    stream.operations[1] = Instruction::Patch { register, argument, plus }.into();
}

fn push(stream: &mut Stream, value: u32) {
    stream.operations[3] = Instruction::Write { address: channel(0).queue(), value }.into();
}

const TOKEN: u32 = 1 << 31;

const BROKEN: &[(Rule, Change)] = &[
    (Rule::Rows, |stream| stream.header.rows = 5),
    (Rule::Generation, |stream| stream.header.generation = 9),
    (Rule::Columns, |stream| stream.header.columns = 5),
    (Rule::OperationCount, |stream| stream.header.operations = 4),
    (Rule::ByteCount, |stream| stream.header.bytes += 4),
    (Rule::Padding, |stream| stream.header.residue = 1),
    (Rule::Padding, |stream| stream.operations[4].residue = Some(Box::new([(0, 256)]))),
    (Rule::NotEmitted, |stream| put(stream, 0, Instruction::Noop)),
    (Rule::NoTile, |stream| put(stream, 0, Instruction::Write { address: 0x0801_D000, value: 0 })),
    (Rule::NoTile, |stream| put(stream, 0, Instruction::BlockWrite { address: 0x1D000, data: vec![] })),
    (Rule::UnknownRegister, |stream| put(stream, 0, Instruction::Write { address: 0x3F000, value: 0 })),
    (Rule::OtherTile, |stream| put(stream, 0, Instruction::Write { address: 0x001A_0634, value: 0 })),
    (Rule::PartialDescriptor, |stream| put(stream, 0, Instruction::Write { address: 0x1D000, value: 0 })),
    (Rule::PartialDescriptor, |stream| put(stream, 0, Instruction::BlockWrite { address: 0x1D000, data: vec![0; 7] })),
    (Rule::DescriptorBits, |stream| descriptor(stream, |fields| fields.reserved[3] = 1 << 20)),
    (Rule::DescriptorPolicy, |stream| descriptor(stream, |fields| fields.burst = 1)),
    (Rule::DescriptorPolicy, |stream| descriptor(stream, |fields| fields.locks = 1 << 12)),
    (Rule::DescriptorInvalid, |stream| descriptor(stream, |fields| fields.valid = false)),
    (Rule::DescriptorShape, |stream| descriptor(stream, |fields| fields.dimensions[0].wrap = 3)),
    (Rule::DescriptorShape, |stream| descriptor(stream, |fields| fields.length = 0)),
    (Rule::UnusedStep, |stream| descriptor(stream, |fields| fields.outer_stride = 2)),
    (Rule::UnusedStep, |stream| descriptor(stream, |fields| fields.iteration.stride = 2)),
    (Rule::DescriptorInFlight, |stream| copy(stream, 0, 4)),
    (Rule::DescriptorUnused, |stream| copy(stream, 0, 5)),
    (Rule::BaseWord, |stream| descriptor(stream, |fields| fields.base = 4)),
    (Rule::PatchTarget, |stream| patch(stream, Tile::shim(0).descriptor(3, 0), 0, 0)),
    (Rule::PatchTwice, |stream| copy(stream, 1, 1)),
    (Rule::PatchMissing, |stream| remove(stream, 1)),
    (Rule::PatchArgument, |stream| patch(stream, Tile::shim(0).descriptor(3, 1), 3, 0)),
    (Rule::PatchFold, |stream| patch(stream, Tile::shim(0).descriptor(3, 1), 0, 1 << 31)),
    (Rule::PatchAlignment, |stream| patch(stream, Tile::shim(0).descriptor(3, 1), 0, 2)),
    (Rule::PushBits, |stream| push(stream, TOKEN | 0x13)),
    (Rule::PushUnwritten, |stream| push(stream, TOKEN | 4)),
    (Rule::PushPasses, |stream| descriptor(stream, |fields| fields.iteration.size = 2)),
    (Rule::ControllerWord, |stream| {
        stream.operations[2] =
            Instruction::MaskWrite { address: channel(0).control(), value: 0xE00, mask: CONTROLLER_MASK }.into();
    }),
    (Rule::ControllerFollowed, |stream| push(stream, 3)),
    (Rule::ControllerFollowed, |stream| {
        stream.operations[2] =
            Instruction::MaskWrite { address: channel(1).control(), value: CONTROLLER, mask: CONTROLLER_MASK }.into();
    }),
    (Rule::ControllerMissing, |stream| remove(stream, 2)),
    (Rule::ControllerAnew, |stream| remove(stream, 2)),
    (Rule::WaitShape, |stream| stream.operations[4] = Instruction::Wait(TokenWait { columns: 5, ..wait() }).into()),
    (Rule::WaitForever, |stream| stream.operations[4] = Instruction::Wait(TokenWait { channel: 1, ..wait() }).into()),
    (Rule::WaitMissing, |stream| remove(stream, 4)),
    (Rule::QueueWait, |stream| push(stream, 3)),
];

#[test]
fn every_rule_is_broken_once() {
    let template = plan(&small(), &Gemm::new(1, 1, 1), Drain::First).unwrap().stream;
    let mut stream = Stream { operations: transfer().into_iter().map(Into::into).collect(), ..template };
    count(&mut stream);
    let expectations = Expectations { arguments: Some(3) };
    assert_eq!(lint(&stream, &expectations), []);
    for (rule, change) in BROKEN {
        let mut broken = stream.clone();
        change(&mut broken);
        let findings = lint(&broken, &expectations);
        let finding = findings.iter().find(|finding| finding.rule == *rule);
        let finding = finding.unwrap_or_else(|| panic!("{rule:?} is not among {findings:?}"));
        assert!(finding.to_string().contains(rule.says()));
        assert_eq!(finding.to_string().starts_with("error"), rule.severity() == Severity::Error);
    }
    for rule in Rule::ALL {
        assert!(BROKEN.iter().any(|(broken, _)| broken == rule), "{rule:?} is never broken");
    }
}

/// From the sixth argument on the stream adds what the firmware adds to the others.
#[test]
fn late_arguments_are_folded() {
    let template = plan(&small(), &Gemm::new(1, 1, 1), Drain::First).unwrap().stream;
    let with = |argument, plus| {
        let mut stream = Stream { operations: transfer().into_iter().map(Into::into).collect(), ..template.clone() };
        count(&mut stream);
        patch(&mut stream, Tile::shim(0).descriptor(3, 1), argument, plus);
        lint(&stream, &Expectations { arguments: None }).into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(with(5, 1 << 31), []);
    assert_eq!(with(6, (1 << 31) + 64), []);
    assert_eq!(with(5, 0), [Rule::PatchFold]);
    assert_eq!(with(7, 1 << 31), [Rule::PatchArgument]);
}
