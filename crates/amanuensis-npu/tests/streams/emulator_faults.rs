//! What the emulator finds: streams that would hang a device, read or write what they must not, or leave something out.

use amanuensis_npu::emulator::{Array, Report, Wrong, execute, poison};
use amanuensis_npu::plan::{
    Bounds, Drain, Gemm, Meaning, Overlay, Weights, pack_activations, pack_weights, plan, unpack_results,
};
use amanuensis_npu::txn::{
    Channel, Descriptor, Direction, Form, Generation, Instruction, Place, Push, Register, Stream, Tile, assemble,
};

use super::support::{Numbers, int8, product, small};

const SIDES: [usize; 3] = [90, 16, 60];

/// A stream whose instructions can be changed, and its buffers.
struct Case {
    overlay: Overlay,
    instructions: Vec<Instruction>,
    buffers: [Vec<u32>; 3],
    expected: Vec<i32>,
    geometry: amanuensis_npu::plan::Geometry,
}

impl Case {
    fn of(overlay: Overlay, [m, k, n]: [usize; 3]) -> Self {
        let mut numbers = Numbers::new(11);
        let (left, right) = (numbers.bytes(m * k), numbers.bytes(k * n));
        let plan = plan(&overlay, &Gemm::new(m, k, n), Drain::First).unwrap();
        let geometry = plan.geometry;
        let activations = pack_activations(&left, &overlay, &geometry).unwrap();
        let weights = pack_weights(Weights::ByInput(&right), &overlay, &geometry).unwrap();
        let buffers = [activations, weights, vec![0; geometry.result_words]];
        let instructions = plan.stream.instructions().cloned().collect();
        Self { overlay, instructions, buffers, expected: product(&left, &right, [m, k, n]), geometry }
    }

    fn new() -> Self {
        Self::of(small(), SIDES)
    }

    fn words(&self) -> Vec<u32> {
        assemble(&Stream::new(self.overlay.generation, Form::Classic, self.instructions.clone()))
    }

    fn dispatch(&mut self, array: &mut Array) -> Result<Report, Wrong> {
        poison(&mut self.buffers[2]);
        let words = self.words();
        let mut buffers: Vec<&mut [u32]> = self.buffers.iter_mut().map(Vec::as_mut_slice).collect();
        array.dispatch(&words, &mut buffers).map_err(|fault| fault.wrong)
    }

    fn fault(mut self) -> Wrong {
        let mut array = Array::new(self.overlay.clone()).unwrap();
        self.dispatch(&mut array).unwrap_err()
    }

    fn right(&self) -> bool {
        unpack_results::<i32>(&self.buffers[2], &self.overlay, &self.geometry).unwrap() == self.expected
    }

    /// Places of instructions of a kind.
    fn places(&self, wanted: impl Fn(&Instruction) -> bool) -> Vec<usize> {
        (0..self.instructions.len()).filter(|place| wanted(&self.instructions[*place])).collect()
    }

    fn pushes(&self, direction: Direction) -> Vec<usize> {
        self.places(|instruction| {
            matches!(instruction, Instruction::Write { address, .. } if Place::of(*address).is_some_and(|place|
                matches!(place.register, Register::Queue { direction: found, .. } if found == direction)))
        })
    }
}

fn is_wait(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Wait(_))
}

fn core() -> Tile {
    Tile { column: 0, row: 2 }
}

#[test]
fn a_report_says_what_was_done() {
    let mut case = Case::new();
    let words = case.words();
    let mut buffers: Vec<&mut [u32]> = case.buffers.iter_mut().map(Vec::as_mut_slice).collect();
    let report = execute(&words, &case.overlay, &mut buffers).unwrap();
    assert!(case.right());
    assert_eq!(report.operations, case.instructions.len());
    assert_eq!(report.multiply_adds, 96 * 16 * 64);
    // Three groups of two row blocks, four columns, in each two streams out of two in.
    assert_eq!((report.pushes, report.tokens), (3 * 4 * (1 + 2 * 2), 3 * 4));
    assert!(report.written[0].is_none() && report.written[1].is_none());
    assert!(report.written[2].as_ref().unwrap().complete());
    assert_eq!(report.moved.len(), 12);
    let results = report.moved.iter().filter(|(channel, _)| channel.direction == Direction::StreamToMemory);
    assert_eq!(results.map(|(_, words)| words).sum::<u64>(), 96 * 64);
}

#[test]
fn the_next_product_on_the_same_array() {
    let mut array = Array::new(small()).unwrap();
    for sides in [SIDES, [17, 40, 33], SIDES] {
        let mut case = Case::of(small(), sides);
        case.dispatch(&mut array).unwrap();
        assert!(case.right());
    }
}

/// A core that does not close its barrier runs on with the parameters of the product before.
#[test]
fn a_barrier_that_is_not_closed() {
    let mut overlay = small();
    let Bounds::Runtime { rearmed, .. } = &mut overlay.bounds else { panic!() };
    *rearmed = false;
    let mut case = Case::of(overlay.clone(), SIDES);
    let mut array = Array::new(overlay).unwrap();
    case.dispatch(&mut array).unwrap();
    assert!(case.right(), "the first product does not show it");
    assert_eq!(case.dispatch(&mut array), Err(Wrong::Stale(core())));
    assert_eq!(case.dispatch(&mut array), Err(Wrong::Lost), "nobody knows what it would do now");
}

#[test]
fn parameters_and_barriers() {
    let memory = |instruction: &Instruction| {
        matches!(instruction, Instruction::Write { address, .. }
        if matches!(Place::of(*address).map(|place| place.register), Some(Register::Memory { .. })))
    };
    let lock = |instruction: &Instruction| {
        matches!(instruction, Instruction::Write { address, .. }
        if matches!(Place::of(*address).map(|place| place.register), Some(Register::Lock { .. })))
    };
    let with = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::new();
        change(&mut case);
        case.fault()
    };
    // A parameter is left out.
    assert_eq!(with(&|case| drop(case.instructions.remove(case.places(memory)[0]))), Wrong::NoParameters(core()));
    // The barrier is opened before the parameters are there.
    let early = with(&|case| {
        let barrier = case.instructions.remove(case.places(lock)[0]);
        case.instructions.insert(0, barrier);
    });
    assert_eq!(early, Wrong::NoParameters(core()));
    // A parameter is written when the core may read it.
    let late = with(&|case| {
        let parameter = case.instructions[0].clone();
        case.instructions.insert(case.places(lock)[15] + 1, parameter);
    });
    assert_eq!(late, Wrong::ParameterRace(core()));
    // The barrier stays closed.
    let closed = with(&|case| drop(case.instructions.remove(case.places(lock)[0])));
    assert!(
        matches!(&closed, Wrong::Deadlock { channel, why, .. } if channel.tile.column == 0 && why.contains("barrier")),
        "{closed}"
    );
    // Too few and too many tiles, too deep, and cores that disagree.
    let set = |meaning: Meaning, value: u32, cores: usize| {
        with(&|case| {
            let Bounds::Runtime { parameters, .. } = &case.overlay.bounds else { panic!() };
            let places = case.places(memory);
            let own = parameters.iter().zip(places).filter(|(parameter, _)| parameter.meaning == meaning).take(cores);
            for (_, place) in own.collect::<Vec<_>>() {
                let Instruction::Write { value: word, .. } = &mut case.instructions[place] else { panic!() };
                *word = value;
            }
        })
    };
    assert!(matches!(set(Meaning::Tiles, 11, 16), Wrong::Deadlock { .. }));
    assert_eq!(set(Meaning::Tiles, 13, 16), Wrong::TilesLeft { core: core(), tiles: 1 });
    assert!(matches!(set(Meaning::Depth, 3, 16), Wrong::Deadlock { .. }));
    assert!(matches!(
        set(Meaning::Depth, 1, 16),
        Wrong::InFlight { .. } | Wrong::Unfinished { .. } | Wrong::QueueFull(_)
    ));
    assert_eq!(set(Meaning::Depth, 3, 1), Wrong::Disagree(0));
}

#[test]
fn waits_and_queues() {
    let with = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::new();
        change(&mut case);
        case.fault()
    };
    // Descriptors come round again before what they moved was waited for.
    let early = with(&|case| {
        for place in case.places(is_wait)[..4].iter().rev() {
            case.instructions.remove(*place);
        }
    });
    assert!(matches!(early, Wrong::InFlight { .. } | Wrong::QueueFull(_)), "{early}");
    // Nobody waits for the last results.
    let unheard = with(&|case| drop(case.instructions.pop()));
    assert!(matches!(unheard, Wrong::Unfinished { channel, .. } if channel.direction == Direction::StreamToMemory));
    // A token too many.
    let twice = with(&|case| case.instructions.push(case.instructions.last().unwrap().clone()));
    assert!(matches!(twice, Wrong::NoToken(_)));
    // A push is missing: the array waits for words that nobody sends.
    let missing = with(&|case| drop(case.instructions.remove(case.pushes(Direction::MemoryToStream)[0])));
    let Wrong::Deadlock { channel, words, why } = &missing else { panic!("{missing}") };
    assert_eq!((channel.tile.column, channel.direction), (0, Direction::StreamToMemory));
    assert!(*words > 0 && why.contains("Activations(0) has"), "{missing}");
    // A fifth push.
    let fifth = with(&|case| {
        let end = case
            .pushes(Direction::MemoryToStream)
            .into_iter()
            .filter(|place| *place < case.places(is_wait)[0])
            .max()
            .unwrap();
        let tile = Tile::shim(0);
        let channel = Channel { tile, direction: Direction::MemoryToStream, index: 0 };
        let extra = [
            Instruction::BlockWrite {
                address: tile.descriptor(15, 0),
                data: Descriptor::linear(8, 0).encode().to_vec(),
            },
            Instruction::Patch { register: tile.descriptor(15, 1), argument: 0, plus: 0 },
            Instruction::Write {
                address: channel.queue(),
                value: Push { descriptor: 15, passes: 1, token: false }.encode(),
            },
        ];
        case.instructions.splice(end + 1..end + 1, extra);
    });
    assert!(matches!(fifth, Wrong::QueueFull(channel) if channel.tile.column == 0), "{fifth}");
    // A token that nobody takes.
    let controls = |instruction: &Instruction| matches!(instruction, Instruction::MaskWrite { .. });
    let nobody = with(&|case| drop(case.instructions.remove(case.places(controls)[0])));
    assert!(matches!(nobody, Wrong::Controller(_)));
    // A stream that the overlay has not.
    let unmapped = with(&|case| {
        let place = case.pushes(Direction::StreamToMemory)[0];
        let Instruction::Write { address, .. } = &mut case.instructions[place] else { panic!() };
        *address += 8;
    });
    assert!(matches!(unmapped, Wrong::Unmapped(_)));
}

#[test]
fn buffers() {
    // What each patch and descriptor says is changed, then the stream is executed.
    let with = |results: bool, change: &dyn Fn(&mut u32, &mut u64, &mut Descriptor)| {
        let mut case = Case::new();
        let direction = if results { Direction::StreamToMemory } else { Direction::MemoryToStream };
        let push = case.pushes(direction)[0];
        let block =
            (0..push).rev().find(|place| matches!(case.instructions[*place], Instruction::BlockWrite { .. })).unwrap();
        let Instruction::BlockWrite { data, .. } = &case.instructions[block] else { panic!() };
        let mut descriptor = Descriptor::decode(data.as_slice().try_into().unwrap());
        let Instruction::Patch { argument, plus, .. } = &mut case.instructions[block + 1] else { panic!() };
        change(argument, plus, &mut descriptor);
        let Instruction::BlockWrite { data, .. } = &mut case.instructions[block] else { panic!() };
        *data = descriptor.encode().to_vec();
        case.fault()
    };
    assert_eq!(with(true, &|argument, _, _| *argument = 3), Wrong::Argument { argument: 3, arguments: 3 });
    assert_eq!(with(true, &|_, plus, _| *plus += 1 << 31), Wrong::Fold { argument: 2, offset: 1 << 31 });
    assert!(matches!(with(true, &|_, plus, _| *plus = 96 * 64 * 4), Wrong::Bounds { argument: 2, words: 6144, .. }));
    assert!(matches!(with(false, &|_, plus, _| *plus = 96 * 16), Wrong::Bounds { argument: 0, words: 384, .. }));
    assert!(matches!(with(true, &|_, plus, _| *plus += 32), Wrong::Twice { argument: 2, .. }));
    assert!(matches!(with(true, &|argument, _, _| *argument = 1), Wrong::Bounds { argument: 1, .. }));
    assert!(matches!(with(false, &|argument, _, _| *argument = 2), Wrong::Race { argument: 2, word: 0 }));
    let says = |change: &dyn Fn(&mut Descriptor)| match with(false, &|_, _, descriptor| change(descriptor)) {
        Wrong::Descriptor { says, .. } => says,
        other => panic!("{other}"),
    };
    assert!(says(&|descriptor| descriptor.valid = false).contains("may not be used"));
    assert!(says(&|descriptor| descriptor.length = 0).contains("nothing"));
    assert!(says(&|descriptor| descriptor.length -= 1).contains("whole number"));
    assert!(says(&|descriptor| descriptor.dimensions[0].wrap = 0).contains("no length"));
    assert!(says(&|descriptor| descriptor.next = Some(3)).contains("successors"));
    assert!(says(&|descriptor| descriptor.packet.enabled = true).contains("packets"));
}

/// A descriptor that reads the same words over and over is no reason to fill memory.
#[test]
fn a_descriptor_that_reads_for_ever() {
    let mut case = Case::new();
    let push = case.pushes(Direction::MemoryToStream)[0];
    let mut descriptor = Descriptor::linear(1023 * 1023 * 64, 0);
    descriptor.dimensions.iter_mut().for_each(|dimension| dimension.wrap = 1023);
    descriptor.dimensions.iter_mut().for_each(|dimension| dimension.stride = 1);
    case.buffers[0].resize(1 << 14, 0);
    let Instruction::BlockWrite { data, .. } = &mut case.instructions[push - 2] else { panic!() };
    *data = descriptor.encode().to_vec();
    assert_eq!(case.fault(), Wrong::Volume { argument: 0, words: 1023 * 1023 * 64 });
}

#[test]
fn streams_of_another_device() {
    let mut case = Case::new();
    let mut words = case.words();
    let mut run = |words: &[u32]| {
        let mut buffers: Vec<&mut [u32]> = case.buffers.iter_mut().map(Vec::as_mut_slice).collect();
        execute(words, &small(), &mut buffers).unwrap_err().to_string()
    };
    words[2] += 1;
    assert_eq!(run(&words), "the header: another number of operations");
    words[2] -= 1;
    words[0] = 0x0604_0100;
    assert_eq!(run(&words), "the header: another generation of devices");
    words[0] = 0x0603_0100;
    words[1] = 0x103;
    assert_eq!(run(&words), "the header: fewer columns than the overlay has");
    words[4] = 0x55;
    assert!(run(&words).contains("opcode 0x55"));
    // What cannot be executed is said, not passed over.
    let mut other = Case::of(int8(Generation::Npu1), [10, 10, 10]);
    other.instructions.push(Instruction::LoadPdi { id: 1, size: 4, address: 0 });
    assert!(matches!(other.fault(), Wrong::Operation(_)));
    let mut unknown = Case::new();
    unknown.instructions.push(Instruction::Write { address: 0x3F000, value: 1 });
    assert_eq!(unknown.fault(), Wrong::Register(0x3F000));
}
