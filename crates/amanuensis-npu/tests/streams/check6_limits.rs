//! Check 6: whatever the product, no field of a descriptor or push is asked for more than it holds, no tile for more descriptors and no
//! queue for more pushes than there are. Products beyond that are cut, or refused with the limit.

use std::collections::BTreeMap;

use amanuensis_npu::emulator::{Array, Kernel};
use amanuensis_npu::plan::{
    Arguments, Drain, Fifo, Gemm, Limit, Operands, Overlay, OverlayError, Plan, Refusal, Slice, TileShape, WeightOrder,
    Weights, pack_activations, pack_weights, plan, reference, unpack_results,
};
use amanuensis_npu::txn::{
    ADDRESS_FOLD, Channel, Descriptor, Direction, Expectations, Generation, Instruction, Place, Push, Register,
    TRANSLATED_ARGUMENTS, lint,
};
use proptest::prelude::*;

use super::support::{Numbers, Projection, int8, product, small};

/// Overlays of all kinds: packed and not, narrow and wide, bytes and halves.
fn overlay(index: usize) -> Overlay {
    let wide = |operands, weights| Overlay {
        weights,
        ..reference(Generation::Npu2, operands, TileShape { m: 64, k: 64, n: 64 })
    };
    match index {
        0 => small(),
        1 => int8(Generation::Npu1),
        2 => Overlay { weights: WeightOrder::Matrix, ..small() },
        3 => wide(Operands::BF16, WeightOrder::MicroTiles),
        4 => wide(Operands::BF16_TO_F32, WeightOrder::Matrix),
        5 => wide(Operands::INT8, WeightOrder::Tiles),
        6 => shared(small(), 4, 2),
        _ => shared(small(), 1, 4),
    }
}

/// The same with fewer columns, and streams of the left factor that feed several rows.
fn shared(mut overlay: Overlay, columns: u8, rows_per_stream: u8) -> Overlay {
    (overlay.columns, overlay.rows_per_stream) = (columns, rows_per_stream);
    let fifos: Vec<Fifo> = overlay.fifos().collect();
    overlay.ports.retain(|port| fifos.contains(&port.fifo));
    let amanuensis_npu::plan::Bounds::Runtime { parameters, barriers, .. } = &mut overlay.bounds else { panic!() };
    parameters.retain(|parameter| parameter.core.column < columns);
    barriers.retain(|barrier| barrier.core.column < columns);
    overlay
}

/// Cores that only pass words on: descriptors, queues and waits are the same.
struct Idle(usize);

impl Kernel for Idle {
    fn begin(&mut self) {}

    fn accumulate(&mut self, _activations: &[u32], _weights: &[u32]) {}

    fn store(&mut self, results: &mut Vec<u32>) {
        results.resize(results.len() + self.0, 0);
    }
}

/// Executes a stream that does not move too much: the emulator counts descriptors and pushes that are under way.
fn execute(overlay: &Overlay, gemm: &Gemm, plan: &Plan) {
    if plan.traffic > 1 << 25 {
        return;
    }
    let (geometry, arguments) = (plan.geometry, gemm.arguments);
    let mut buffers = vec![Vec::new(); 7];
    for (slice, words) in [
        (arguments.activations, geometry.activation_words),
        (arguments.weights, geometry.weight_words),
        (arguments.results, geometry.result_words),
    ] {
        buffers[slice.argument as usize].resize((slice.offset / 4) as usize + words, 0);
    }
    let mut borrowed: Vec<&mut [u32]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
    let (tile, per_word) = (overlay.tile, overlay.operands.output.per_word() as usize);
    let idle = Idle(tile.m * usize::from(overlay.rows) * tile.n / per_word);
    let mut array = Array::with_kernel(overlay.clone(), Box::new(idle)).unwrap();
    let report = array.dispatch(&plan.words(), &mut borrowed).unwrap();
    let first = (arguments.results.offset / 4) as usize;
    assert_eq!(report.first_unwritten(arguments.results.argument as usize, first..first + geometry.result_words), None);
    assert_eq!(report.written[arguments.results.argument as usize].as_ref().unwrap().count(), geometry.result_words);
}

/// Follows a stream and checks what each field is asked for.
fn follow(overlay: &Overlay, gemm: &Gemm, plan: &Plan) {
    let channels: BTreeMap<Channel, Fifo> = overlay.ports.iter().map(|port| (port.at(), port.fifo)).collect();
    let mut descriptors = BTreeMap::new();
    let mut patches = BTreeMap::new();
    let (mut traffic, mut written) = (0, 0);
    let arguments = gemm.arguments;
    for instruction in plan.stream.instructions() {
        match instruction {
            Instruction::BlockWrite { address, data } => {
                let words: [u32; 8] = data.as_slice().try_into().unwrap();
                let descriptor = Descriptor::decode(&words);
                assert_eq!(descriptor.encode(), words);
                assert_eq!((descriptor.reserved, descriptor.valid), ([0; 6], true));
                assert!(descriptor.iteration.size <= 64 && descriptor.length > 0);
                let Some(Place { tile, register: Register::Descriptor { id, word: 0 }, .. }) = Place::of(*address)
                else {
                    panic!()
                };
                assert!(tile.row == 0 && id < 16);
                descriptors.insert((tile.column, id), descriptor);
            }
            Instruction::Patch { register, argument, plus } => {
                let Some(Place { tile, register: Register::Descriptor { id, word: 1 }, .. }) = Place::of(*register)
                else {
                    panic!()
                };
                let offset = if *argument >= TRANSLATED_ARGUMENTS { plus - ADDRESS_FOLD } else { *plus };
                assert!(*argument < 7 && offset % 4 == 0 && plus >> 48 == 0);
                patches.insert((tile.column, id), (*argument, offset));
            }
            Instruction::Write { address, value } => {
                let place = Place::of(*address).unwrap();
                let Register::Queue { direction, channel } = place.register else { continue };
                let channel = Channel { tile: place.tile, direction, index: channel };
                let (push, reserved) = Push::decode(*value);
                assert!(reserved == 0 && push.passes <= 256);
                let key = (place.tile.column, push.descriptor);
                let (descriptor, (argument, offset)) = (descriptors[&key], patches[&key]);
                assert!(descriptor.iteration.size == 1 || u16::from(descriptor.iteration.size) == push.passes);
                let words = u64::from(descriptor.length) * u64::from(push.passes);
                traffic += words * 4;
                let (slice, most) = match channels[&channel] {
                    Fifo::Activations(_) => (arguments.activations, plan.geometry.activation_words),
                    Fifo::Weights(_) => (arguments.weights, plan.geometry.weight_words),
                    Fifo::Results(_) => (arguments.results, plan.geometry.result_words),
                };
                written += if direction == Direction::StreamToMemory { words } else { 0 };
                assert_eq!(argument, slice.argument);
                let (first, last) = descriptor.pattern(offset / 4, push.passes).extent();
                assert!(
                    first >= slice.offset / 4 && last <= slice.offset / 4 + most as u64,
                    "{first}..{last} of {most}"
                );
            }
            _ => {}
        }
    }
    assert_eq!(traffic, plan.traffic);
    assert_eq!(written, plan.geometry.result_words as u64, "every word of the product is written once");
    assert_eq!(lint(&plan.stream, &Expectations::default()), []);
}

/// A side of up to so many bits, short ones as often as long ones.
fn side(bits: u32) -> impl Strategy<Value = usize> {
    (0..bits, any::<u32>()).prop_map(|(bits, random)| (1_usize << bits) + (random as usize & ((1 << bits) - 1)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn limits_hold_for_any_product(
        index in 0..8_usize, m in side(15), k in side(14), n in side(19), last in any::<bool>(), argument in 0..7_u32, offset in 0..1000_u64,
    ) {
        let overlay = overlay(index);
        let slice = |argument, offset| Slice { argument, offset };
        let arguments = Arguments {
            activations: slice(argument, offset * 4),
            weights: slice((argument + 1) % 7, 1 << 20),
            results: slice((argument + 2) % 7, 0),
        };
        let gemm = Gemm { arguments, ..Gemm::new(m, k, n) };
        let drain = if last { Drain::Last } else { Drain::First };
        match plan(&overlay, &gemm, drain) {
            Ok(plan) => {
                follow(&overlay, &gemm, &plan);
                execute(&overlay, &gemm, &plan);
            }
            Err(Refusal::Limit { limit: Limit::Stream, value, most, .. }) => prop_assert!(value > most && m * n > 1 << 20),
            Err(Refusal::Limit { limit: Limit::Stride, value, most, .. }) => prop_assert!(value > most && n > 1 << 14),
            Err(Refusal::Limit { limit: Limit::Offset, value, most, .. }) => {
                prop_assert!(value > most && (m + 256).max(k + 64) * (n + 512) * 4 > 1 << 31);
            }
            Err(other) => prop_assert!(false, "{m} x {k} x {n}: {other}"),
        }
    }

    /// Small products of all kinds are executed: the emulator counts descriptors and queues for itself.
    #[test]
    fn small_products_execute(kind in 0..5_usize, m in 1..200_usize, k in 1..80_usize, n in 1..200_usize, last in any::<bool>()) {
        let overlay = overlay([0, 1, 2, 6, 7][kind]);
        let drain = if last { Drain::Last } else { Drain::First };
        let mut numbers = Numbers::new((m * 1000 + n * 10 + k) as u64);
        let (left, right) = (numbers.bytes(m * k), numbers.bytes(k * n));
        let plan = plan(&overlay, &Gemm::new(m, k, n), drain).unwrap();
        let mut activations = pack_activations(&left, &overlay, &plan.geometry).unwrap();
        let turned: Vec<i8> = (0..n * k).map(|place| right[place % k * n + place / k]).collect();
        let mut weights = pack_weights(Weights::ByOutput(&turned), &overlay, &plan.geometry).unwrap();
        prop_assert_eq!(&weights, &pack_weights(Weights::ByInput(&right), &overlay, &plan.geometry).unwrap());
        let mut results = vec![0; plan.geometry.result_words];
        let mut array = Array::new(overlay.clone()).unwrap();
        array.dispatch(&plan.words(), &mut [&mut activations, &mut weights, &mut results]).unwrap();
        let results: Vec<i32> = unpack_results(&results, &overlay, &plan.geometry).unwrap();
        prop_assert_eq!(results, product(&left, &right, [m, k, n]));
    }
}

/// More blocks of columns than a push has passes or a descriptor iterations: the product is cut into panels.
#[test]
fn wide_products_are_cut_into_panels() {
    for (index, panels) in [(0, 2), (2, 5)] {
        let overlay = overlay(index);
        let (m, k, n) = (40, 16, 32 * 300);
        let mut numbers = Numbers::new(9);
        let (left, right) = (numbers.bytes(m * k), numbers.bytes(k * n));
        let plan = plan(&overlay, &Gemm::new(m, k, n), Drain::First).unwrap();
        assert_eq!(plan.panels, panels);
        let mut activations = pack_activations(&left, &overlay, &plan.geometry).unwrap();
        let mut weights = pack_weights(Weights::ByInput(&right), &overlay, &plan.geometry).unwrap();
        let mut results = vec![0; plan.geometry.result_words];
        let mut array = Array::new(overlay.clone()).unwrap();
        array.dispatch(&plan.words(), &mut [&mut activations, &mut weights, &mut results]).unwrap();
        let results: Vec<i32> = unpack_results(&results, &overlay, &plan.geometry).unwrap();
        assert!(results == product(&left, &right, [m, k, n]));
    }
}

/// Matrices anywhere in any of the seven arguments, also those whose address the stream itself moves.
#[test]
fn matrices_lie_anywhere() {
    let overlay = small();
    for (left, right, out) in [(0, 1, 2), (5, 6, 4), (6, 0, 5), (2, 2, 2)] {
        let (m, k, n) = (20, 16, 40);
        let mut numbers = Numbers::new(u64::from(left) + 1);
        let (a, b) = (numbers.bytes(m * k), numbers.bytes(k * n));
        let shape = plan(&overlay, &Gemm::new(m, k, n), Drain::First).unwrap().geometry;
        let activations = pack_activations(&a, &overlay, &shape).unwrap();
        let weights = pack_weights(Weights::ByInput(&b), &overlay, &shape).unwrap();
        let (first, second) = (3, 3 + activations.len() + 5);
        let third = second + weights.len() + 1;
        let mut buffers = vec![vec![0; third + shape.result_words + 9]; 7];
        buffers[left as usize][first..][..activations.len()].copy_from_slice(&activations);
        buffers[right as usize][second..][..weights.len()].copy_from_slice(&weights);
        let slice = |argument, word: usize| Slice { argument, offset: word as u64 * 4 };
        let arguments =
            Arguments { activations: slice(left, first), weights: slice(right, second), results: slice(out, third) };
        let plan = plan(&overlay, &Gemm { arguments, ..Gemm::new(m, k, n) }, Drain::First).unwrap();
        assert_eq!(lint(&plan.stream, &Expectations { arguments: Some(7) }), []);
        let mut borrowed: Vec<&mut [u32]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
        let report = Array::new(overlay.clone()).unwrap().dispatch(&plan.words(), &mut borrowed).unwrap();
        assert_eq!(report.first_unwritten(out as usize, third..third + shape.result_words), None);
        assert_eq!(report.first_unwritten(out as usize, third - 1..third), Some(third - 1));
        let results = &buffers[out as usize][third..][..shape.result_words];
        assert_eq!(unpack_results::<i32>(results, &overlay, &shape).unwrap(), product(&a, &b, [m, k, n]));
    }
}

#[test]
fn what_cannot_be_planned_is_refused_with_the_reason() {
    let refusal = |overlay: &Overlay, gemm: Gemm| plan(overlay, &gemm, Drain::First).unwrap_err();
    let overlay = small();
    assert_eq!(refusal(&overlay, Gemm::new(0, 8, 8)), Refusal::Empty { m: 0, k: 8, n: 8 });
    assert!(matches!(refusal(&overlay, Gemm::new(usize::MAX, 8, 8)), Refusal::Limit { limit: Limit::Offset, .. }));
    assert!(matches!(refusal(&overlay, Gemm::new(1 << 23, 8, 8)), Refusal::Limit { limit: Limit::Stream, .. }));
    assert!(matches!(refusal(&overlay, Gemm::new(1 << 14, 8, 1 << 16)), Refusal::Limit { limit: Limit::Offset, .. }));
    // Lines that are further apart than a descriptor steps.
    let far = Gemm::new(8, 8, 1 << 23);
    let Refusal::Limit { what, limit, value, most } = refusal(&overlay, far) else { panic!() };
    assert_eq!((what, limit, value, most), ("the product", Limit::Stride, 1 << 23, 1 << 20));
    let mut gemm = Gemm::new(8, 8, 8);
    gemm.arguments.weights.argument = 7;
    assert_eq!(refusal(&overlay, gemm), Refusal::Argument { argument: 7 });
    gemm.arguments.weights = Slice { argument: 1, offset: 2 };
    assert_eq!(refusal(&overlay, gemm), Refusal::Alignment { what: "the right factor", bytes: 2 });
    let fixed = super::support::public_256();
    assert_eq!(refusal(&fixed, Gemm::new(32, 512, 32)), Refusal::Depth { k: 512, needed: 16, depth: 8 });
    let text = refusal(&overlay, far).to_string();
    assert_eq!(text, "the product: the words of a descriptor's step would be 8388608, more than 1048576");
}

#[test]
fn overlays_that_cannot_exist_are_refused() {
    let error = |change: fn(&mut Overlay)| {
        let mut overlay = small();
        change(&mut overlay);
        overlay.check().unwrap_err()
    };
    assert!(matches!(error(|overlay| overlay.columns = 5), OverlayError::Array { columns: 5, most: 4, .. }));
    assert!(matches!(error(|overlay| overlay.rows_per_stream = 0), OverlayError::Array { .. }));
    assert!(matches!(
        error(|overlay| overlay.tile.k = 12),
        OverlayError::Tile { side: "k", size: 12, multiple: 8, .. }
    ));
    assert!(matches!(error(|overlay| overlay.tile.m = 512), OverlayError::Tile { side: "m", most: 255, .. }));
    assert!(matches!(error(|overlay| overlay.micro.t = 0), OverlayError::Tile { side: "n", .. }));
    assert!(matches!(
        error(|overlay| overlay.tile = TileShape { m: 128, k: 128, n: 128 }),
        OverlayError::Memory { .. }
    ));
    assert!(matches!(
        error(|overlay| overlay.operands.output = amanuensis_npu::plan::Element::Int8),
        OverlayError::Operands { .. }
    ));
    assert!(matches!(
        error(|overlay| overlay.ports.truncate(11)),
        OverlayError::Ports { fifo: Fifo::Results(3), ports: 0 }
    ));
    assert!(matches!(error(|overlay| overlay.ports[0].channel = 1), OverlayError::Port { .. }));
    assert!(matches!(error(|overlay| overlay.ports[0].column = 4), OverlayError::Port { column: 4, .. }));
    let bounds = |change: fn(&mut Vec<amanuensis_npu::plan::Parameter>, &mut Vec<amanuensis_npu::plan::Barrier>)| {
        let mut overlay = small();
        let amanuensis_npu::plan::Bounds::Runtime { parameters, barriers, .. } = &mut overlay.bounds else { panic!() };
        change(parameters, barriers);
        overlay.check().unwrap_err()
    };
    assert!(matches!(bounds(|parameters, _| parameters.truncate(31)), OverlayError::Parameters { found: 0, .. }));
    assert!(matches!(
        bounds(|parameters, _| parameters[1].offset = parameters[0].offset),
        OverlayError::ParameterPlace { .. }
    ));
    assert!(matches!(bounds(|parameters, _| parameters[1].offset = 0x1_0000), OverlayError::ParameterPlace { .. }));
    assert!(matches!(bounds(|_, barriers| barriers[0].open = 0), OverlayError::Barrier { found: 0, .. }));
    assert!(matches!(bounds(|_, barriers| barriers.push(barriers[0])), OverlayError::Barrier { found: 2, .. }));
}

/// The cores that tests put in place of the real ones are not the same as those.
#[test]
fn projections_see_what_products_see() {
    let overlay = small();
    let plan = plan(&overlay, &Gemm::new(32, 16, 64), Drain::First).unwrap();
    let run = |words: &[u32]| {
        let mut numbers = Numbers::new(3);
        let kernel = Projection::new(&overlay, &mut numbers);
        let (left, right) = (numbers.bytes(32 * 16), numbers.bytes(16 * 64));
        let mut activations = pack_activations(&left, &overlay, &plan.geometry).unwrap();
        let mut weights = pack_weights(Weights::ByInput(&right), &overlay, &plan.geometry).unwrap();
        let mut results = vec![0; plan.geometry.result_words];
        let mut array = Array::with_kernel(overlay.clone(), Box::new(kernel)).unwrap();
        array.dispatch(words, &mut [&mut activations, &mut weights, &mut results]).map(|_| results)
    };
    let words = plan.words();
    let right = run(&words).unwrap();
    // Each patch says a few words further on.
    let patches: Vec<usize> = (0..words.len() - 12).filter(|place| words[*place..place + 2] == [0x81, 48]).collect();
    for patch in patches {
        let mut wrong = words.clone();
        wrong[patch + 10] ^= 16;
        assert_ne!(run(&wrong).ok().as_ref(), Some(&right));
    }
}
