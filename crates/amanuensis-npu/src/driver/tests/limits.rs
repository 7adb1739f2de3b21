//! The driver's limits, as they are met through the safe layer.

use super::super::Generation;
use super::super::device::call;
use super::super::kernel::Attached;
use super::*;
use crate::uapi::{EXECUTE_COMMAND, ExecuteCommand};

#[test]
fn contexts_end_where_the_family_has_no_more() {
    for (generation, limit) in [(Generation::Xdna1, 6), (Generation::Xdna2, 16)] {
        let driver = FakeDriver::new(Settings { generation, ..Settings::default() }, Multiplier);
        let device = Device::fake(&driver).expect("a device");
        let heap = Heap::create(&device).expect("a heap");
        let mut contexts: Vec<Context> =
            (0..limit).map(|_| Context::create(&heap, PARTITION).expect("below the limit")).collect();
        let refused = Context::create(&heap, PARTITION).map(|_| ()).expect_err("one too many");
        assert!(refused.to_string().contains("6 on XDNA1, 16 on XDNA2"), "{refused}");
        contexts.pop();
        let again = Context::create(&heap, PARTITION).expect("there is room again");
        assert_eq!(again.generation(), limit + 1, "contexts that were never made count for nothing");
    }
}

#[test]
fn too_little_lockable_memory_is_named() {
    let driver = FakeDriver::new(Settings { lock_limit: 8 << 20, ..Settings::default() }, Multiplier);
    let device = Device::fake(&driver).expect("a device");
    let refused = Heap::create(&device).map(|_| ()).expect_err("8 MiB");
    let said = refused.to_string();
    assert!(said.contains("EAGAIN") && said.contains("LimitMEMLOCK"), "{said}");
    assert_eq!(driver.counts().buffers, 0, "nothing is left behind");
}

#[test]
fn a_queue_takes_four() {
    let bench = Bench::new(Settings::default());
    bench.driver.hold(true);
    let commands: Vec<Command> = (0..5).map(|_| bench.command()).collect();
    let mut fences: Vec<_> =
        commands[..4].iter().map(|command| bench.context.submit(command).expect("below the limit")).collect();
    let full = bench.context.submit(&commands[4]).map(|_| ()).expect_err("the fifth");
    assert_eq!(full, DriverError::QueueFull { limit: 4 });
    bench.driver.hold(false);
    assert!(fences.iter_mut().all(|fence| fence.wait(LONG).is_ok()));
    assert!(bench.context.submit(&commands[4]).and_then(|mut fence| fence.wait(LONG)).is_ok());
    assert_eq!(bench.driver.counts().deepest, 4);
}

#[test]
fn overlays_are_configured_once_and_lie_where_firmware_finds_them() {
    let mut bench = Bench::new(Settings::default());
    let overlay = Overlay { image: &IMAGE, function: 0 };
    let again = bench.context.configure(&[overlay]).expect_err("a second time");
    assert!(matches!(again, DriverError::Units { .. }), "{again}");
    let mut context = Context::create(&bench.heap, PARTITION).expect("a context");
    assert!(matches!(context.configure(&[]), Err(DriverError::Units { .. })));
    assert!(matches!(context.configure(&[overlay; 33]), Err(DriverError::Units { .. })));
    let stream = context.stream(&program(SHAPE)).expect("room");
    let early = context.command(bench.unit, &stream, &[], Work::default()).map(|_| ()).expect_err("no units yet");
    assert!(matches!(early, DriverError::Units { .. }), "{early}");
    assert_eq!(context.configure(&[overlay; 32]).map(|units| units.len()), Ok(32));

    let driver = FakeDriver::new(Settings { heap_alignment: 64, ..Settings::default() }, Multiplier);
    let device = Device::fake(&driver).expect("a device");
    let heap = Heap::create(&device).expect("a heap");
    let mut context = Context::create(&heap, PARTITION).expect("a context");
    let misplaced = context.configure(&[overlay; 2]).expect_err("the second lies behind the first");
    assert!(matches!(misplaced, DriverError::Misplaced { address: 0x0400_0040, .. }), "{misplaced}");
}

#[test]
fn what_outlives_its_context_is_stale_and_what_is_anothers_is_foreign() {
    let bench = Bench::new(Settings::default());
    let mut other = Context::create(&bench.heap, PARTITION).expect("a context");
    let unit = other.configure(&[Overlay { image: &IMAGE, function: 0 }]).expect("a unit")[0];
    let theirs = other.share(64).expect("a buffer");
    let stream = other.stream(&program(SHAPE)).expect("room");
    let foreign = bench.context.command(bench.unit, &bench.stream, &[&theirs], Work::default()).map(|_| ());
    assert_eq!(foreign, Err(DriverError::Foreign { here: 1, there: 2 }));
    let command = other.command(unit, &stream, &[&theirs], Work::default()).expect("a command");
    assert!(matches!(bench.context.submit(&command), Err(DriverError::Foreign { here: 1, there: 2 })));
    drop(other);
    let stale = theirs.read(0, &mut [0; 4]).expect_err("its context is gone");
    assert_eq!(stale, DriverError::Stale { generation: 2, reason: "it was destroyed".to_owned() });
    assert!(bench.context.check().is_ok());
}

#[test]
fn ranges_outside_of_buffers_are_errors() {
    let bench = Bench::new(Settings::default());
    let buffer = &bench.buffers[0];
    let size = buffer.len();
    assert_eq!(buffer.write(size - 2, &[0; 3]), Err(DriverError::Outside { at: size - 2, length: 3, size }));
    assert!(matches!(buffer.read(usize::MAX, &mut [0; 2]), Err(DriverError::Outside { .. })));
    assert!(matches!(buffer.read_words(0, size), Err(DriverError::Outside { .. })));
    let many: Vec<&Buffer> = std::iter::repeat_n(buffer, 8).collect();
    let packet = bench.context.command(bench.unit, &bench.stream, &many, Work::default()).map(|_| ());
    assert!(matches!(packet, Err(DriverError::Packet(_))));
}

#[test]
fn the_driver_itself_lets_a_fifth_command_wait() {
    let bench = Bench::new(Settings::default());
    bench.driver.hold(true);
    let commands: Vec<Command> = (0..4).map(|_| bench.command()).collect();
    let mut fences: Vec<_> =
        commands.iter().map(|command| bench.context.submit(command).expect("below the limit")).collect();
    // A bare call, past the layer that counts.
    let fifth = bench.command();
    fifth.shared.begin().expect("nobody uses it");
    let mut handles: Vec<u8> = fifth.shared.handles().iter().flat_map(|handle| handle.to_ne_bytes()).collect();
    let mut argument = ExecuteCommand {
        context: bench.context.core.handle,
        commands: fifth.shared.object.handle.into(),
        command_count: 1,
        argument_count: handles.len() as u32 / 4,
        ..Default::default()
    };
    let (driver, at) = (bench.driver.clone(), std::mem::offset_of!(ExecuteCommand, arguments));
    let waiting = std::thread::spawn(move || {
        let attached = &mut [Attached { at, bytes: &mut handles }];
        call(&driver, EXECUTE_COMMAND, &mut argument, attached).map(|()| argument.sequence)
    });
    std::thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished(), "four are under way");
    bench.driver.hold(false);
    assert_eq!(waiting.join().expect("it ends"), Ok(4));
    assert!(fences.iter_mut().all(|fence| fence.wait(LONG).is_ok()));
    assert_eq!(bench.driver.counts().deepest, 4);
}
