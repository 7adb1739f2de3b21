//! What goes well.

use sha2::{Digest, Sha256};

use super::super::fake::Injection;
use super::super::{Argument, Once, Origin, run_once};
use super::*;
use crate::packs::{SelfTest, SelfTestError, verify};

#[test]
fn check_8_all_eleven_steps_pass_on_every_kind_of_driver() {
    let problem = Problem::new(3, SHAPE);
    let right: Vec<f32> = problem.solve().0.iter().map(|number| *number as f32).collect();
    for settings in kinds() {
        let driver = FakeDriver::new(settings.clone(), Multiplier);
        let device = Device::fake(&driver).expect("a device");
        let once = Once {
            partition: PARTITION,
            overlay: Overlay { image: &IMAGE, function: 0 },
            stream: &program(SHAPE),
            work: Work { operations: SHAPE.operations() },
            patience: LONG,
        };
        let mut arguments =
            [words(&problem.a), words(&problem.b), vec![0; SHAPE.results()]].map(|words| Argument { words });
        let receipt = run_once(&device, once, &mut arguments).unwrap_or_else(|error| panic!("{settings:?}: {error}"));
        assert_eq!(arguments[2].words, words(&right), "{settings:?}");
        assert_eq!((receipt.origin(), receipt.commands(), receipt.generation()), (Origin::Emulated, 1, 1));
        assert_eq!((receipt.operations(), receipt.emulated_operations()), (SHAPE.operations(), SHAPE.operations()));
        assert_eq!(receipt.hardware_operations(), 0, "a driver in memory is no hardware");
        let counts = driver.counts();
        assert_eq!((counts.buffers, counts.contexts), (0, 0), "everything was given back");
    }
}

#[test]
fn devices_say_what_they_are() {
    let bench = Bench::new(Settings::default());
    let facts = bench.device.facts();
    assert_eq!((facts.array.columns, facts.array.rows, facts.array.core.rows), (5, 6, 4));
    assert_eq!(facts.generation, crate::driver::Generation::Xdna1);
    assert_eq!(facts.firmware.map(|firmware| firmware.build), Some(391));
    assert_eq!(facts.resources.map(|resources| resources.contexts), Some(0));
    assert_eq!(bench.device.resources().map(|resources| resources.contexts), Ok(1), "asked again");
    assert_eq!(bench.device.driver().name, crate::uapi::DRIVER_NAME);
    let other = FakeDriver::new(Settings { name: "amdgpu".to_owned(), ..Settings::default() }, Multiplier);
    assert!(
        matches!(Device::fake(&other).map(|_| ()), Err(DriverError::OtherDriver { found, .. }) if found == "amdgpu")
    );
}

#[test]
fn canaries_live_and_only_what_was_written_is_flushed() {
    for settings in kinds() {
        let bench = Bench::new(settings);
        let passed = CANARY.fly(|problem, result| bench.multiply(problem, result)).expect("it lives");
        assert!(passed.worst <= Canary::BOUND_F32);
        let before = bench.driver.counts();
        bench.buffers[0].write_words(8, &[1, 2, 3]).expect("inside");
        assert_eq!(bench.buffers[0].dirty(), 12);
        let receipt = bench.context.submit(&bench.command()).and_then(|mut fence| fence.wait(LONG)).expect("it runs");
        let after = bench.driver.counts();
        assert_eq!((after.flushes - before.flushes, after.flushed - before.flushed), (1, 12));
        assert!(receipt.sequence() > 1);
    }
}

#[test]
fn streams_share_the_heap_and_give_it_back() {
    let bench = Bench::new(Settings::default());
    let free = bench.heap.free();
    let streams: Vec<Buffer> = (0..30).map(|_| bench.context.stream(&[7; 5000]).expect("room")).collect();
    let mut places: Vec<u64> = streams.iter().map(Buffer::device_address).collect();
    places.sort_unstable();
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 20_000), "streams never overlap");
    assert!(bench.heap.free() < free);
    drop(streams);
    assert_eq!(bench.heap.free(), free);
    let long = vec![1; bench.heap.size() / 4];
    let full = bench.context.stream(&long).map(|_| ()).expect_err("the overlay lies there, too");
    assert!(matches!(full, DriverError::HeapFull { .. }), "{full}");
    assert!(CANARY.fly(|problem, result| bench.multiply(problem, result)).is_ok(), "and nothing was spoilt");
}

#[test]
fn chains_find_how_long_they_may_be() {
    let bench = Bench::new(Settings { chain_limit: 36, ..Settings::default() });
    let problem = Problem::new(5, SHAPE);
    let mut result = vec![0.0; SHAPE.results()];
    let first = bench.multiply(&problem, &mut result).expect("it runs");
    assert_eq!((first.sequence(), first.commands()), (0, 1));
    let commands: Vec<Command> = (0..130).map(|_| bench.command()).collect();
    let receipts = bench.context.run_chained(&commands.iter().collect::<Vec<_>>(), LONG).expect("they run");
    // 60 is refused, 30 is taken from then on.
    let lengths: Vec<u32> = receipts.iter().map(Receipt::commands).collect();
    assert_eq!(lengths, [30, 30, 30, 30, 10]);
    let operations: u64 = receipts.iter().map(Receipt::operations).sum();
    assert_eq!(operations, 130 * SHAPE.operations());
    assert_eq!(bench.driver.counts().commands, 131);
}

#[test]
fn packs_are_tested_by_digest_and_by_bound() {
    let bench = Bench::new(Settings::default());
    let seed = 21;
    // Numbers are multiples of 1/64 and few, so every sum is exact whatever its order.
    let right: Vec<u8> =
        Problem::new(seed, SHAPE).solve().0.iter().flat_map(|sum| (*sum as f32).to_le_bytes()).collect();
    let sha256: String = Sha256::digest(right).iter().map(|byte| format!("{byte:02x}")).collect();
    let test = SelfTest { seed, shape: SHAPE, sha256: Some(sha256), bound: None };
    let mut run = |problem: &Problem, result: &mut [f32]| bench.multiply(problem, result);
    assert!(verify(&test, &mut run).is_ok());
    assert!(verify(&SelfTest { sha256: None, bound: Some(1e-6), ..test.clone() }, &mut run).is_ok());
    let other = SelfTest { sha256: Some("0".repeat(64)), ..test.clone() };
    assert!(matches!(verify(&other, &mut run), Err(SelfTestError::Digest { seed: 21, .. })));
    bench.driver.break_all(Some(Injection::Zeros));
    let dead = verify(&test, &mut run).expect_err("zeros");
    assert_eq!(dead.to_string(), "self-test 21: every result is 0");
}
