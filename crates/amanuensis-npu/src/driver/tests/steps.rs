//! The sequence in bare calls, with each step left out once: what the driver says then, or what the canary does.

use std::mem::offset_of;

use super::super::device::call;
use super::super::kernel::{Attached, Errno, Kernel, Placement};
use super::super::packet;
use super::*;
use crate::trust::Finding;
use crate::uapi::{self, *};

/// What can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    Heap,
    MappingHeap,
    Context,
    Image,
    FlushImage,
    Configure,
    FlushStream,
    Packet,
    FlushInput,
    FlushPoison,
    Pinning,
    Execute,
    Wait,
    Discard,
}

/// Where a bare sequence stops: the call and its error.
#[derive(Debug, PartialEq)]
struct Stopped(&'static str, Errno);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0, self.1)
    }
}

/// A program in bare calls. What is left out leaves its handles zero.
struct Bare<'a> {
    kernel: &'a FakeDriver,
    without: Step,
}

impl Bare<'_> {
    fn does(&self, step: Step) -> bool {
        self.without != step
    }

    fn ask<Argument: Layout>(
        &self,
        request: Request,
        mut argument: Argument,
        at: usize,
        bytes: &mut [u8],
    ) -> Result<Argument, Stopped> {
        let attached = &mut [Attached { at, bytes }];
        let attached = if attached[0].bytes.is_empty() { &mut [] } else { &mut attached[..] };
        call(self.kernel, request, &mut argument, attached).map_err(|errno| Stopped(request.name, errno))?;
        Ok(argument)
    }

    fn buffer(&self, kind: u32, size: usize) -> Result<(u32, BufferInfo), Stopped> {
        let made = CreateBuffer { size: size as u64, kind, ..Default::default() };
        let handle = self.ask(CREATE_BUFFER, made, 0, &mut [])?.handle;
        let info = BufferInfo { handle, ..Default::default() };
        Ok((handle, self.ask(BUFFER_INFO, info, 0, &mut [])?))
    }

    fn map(
        &self,
        info: &BufferInfo,
        size: usize,
        placement: Placement,
    ) -> Result<super::super::memory::Memory, Stopped> {
        self.kernel.map(info.map_offset, size, placement).map_err(|errno| Stopped("mmap", errno))
    }

    fn sync(&self, handle: u32, direction: u32, size: usize) -> Result<(), Stopped> {
        let sync = SyncBuffer { handle, direction, offset: 0, size: size as u64 };
        self.ask(SYNC_BUFFER, sync, 0, &mut []).map(|_| ())
    }

    /// The eleven steps. The receipt that canaries want comes from elsewhere: bare calls have none.
    fn run(&self, problem: &Problem, result: &mut [f32]) -> Result<(), Stopped> {
        // 2, the heap.
        let mut heap = None;
        if self.does(Step::Heap) {
            let (_, info) = self.buffer(BUFFER_HEAP, HEAP_UNIT)?;
            if self.does(Step::MappingHeap) {
                heap = Some(self.map(&info, HEAP_UNIT, Placement::Aligned(HEAP_UNIT))?);
            }
        }
        // 4, the context.
        let mut context = 0;
        if self.does(Step::Context) {
            let made = CreateContext { operations_per_cycle: 2048, tiles: 16, ..Default::default() };
            let at = offset_of!(CreateContext, quality);
            context = self.ask(CREATE_CONTEXT, made, at, &mut Quality::default().to_bytes())?.handle;
        }
        // 5, the overlay.
        let place = |info: &BufferInfo| (info.device_address - HEAP_DEVICE_BASE) as usize;
        let mut image = 0;
        if self.does(Step::Image) {
            let (handle, info) = self.buffer(BUFFER_DEVICE, IMAGE.len())?;
            heap.as_ref().expect("a context needs one").write(place(&info), &IMAGE);
            if self.does(Step::FlushImage) {
                self.sync(handle, SYNC_TO_DEVICE, IMAGE.len())?;
            }
            image = handle;
        }
        // 6, the units.
        if self.does(Step::Configure) {
            let mut list = UnitsHeader { count: 1, ..Default::default() }.to_bytes();
            list.extend(uapi::Unit { image, ..Default::default() }.to_bytes());
            let size = list.len() as u32;
            let configured = ConfigureContext { handle: context, value_size: size, ..Default::default() };
            self.ask(CONFIGURE_CONTEXT, configured, offset_of!(ConfigureContext, value), &mut list)?;
        }
        // 7, stream and data.
        let (stream, stream_info) = self.buffer(BUFFER_DEVICE, 16)?;
        let code: Vec<u8> = program(problem.shape).iter().flat_map(|word| word.to_le_bytes()).collect();
        heap.as_ref().expect("a context needs one").write(place(&stream_info), &code);
        if self.does(Step::FlushStream) {
            self.sync(stream, SYNC_TO_DEVICE, 16)?;
        }
        let mut pinned = vec![stream];
        let (mut addresses, mut output) = (Vec::new(), None);
        for (index, numbers) in [&problem.a[..], &problem.b, result].into_iter().enumerate() {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let (handle, info) = self.buffer(BUFFER_SHARE, bytes.len())?;
            let memory = self.map(&info, bytes.len(), Placement::Anywhere)?;
            memory.write(0, &bytes);
            let flushed = if index < 2 { Step::FlushInput } else { Step::FlushPoison };
            if self.does(flushed) {
                self.sync(handle, SYNC_TO_DEVICE, bytes.len())?;
            }
            let own = info.device_address;
            addresses.push(if own == NO_ADDRESS { memory.address() } else { own });
            pinned.push(handle);
            output = Some((handle, memory, bytes.len()));
        }
        // 8, the packet.
        let (command, info) = self.buffer(BUFFER_COMMAND, COMMAND_SIZE)?;
        let packet_memory = self.map(&info, COMMAND_SIZE, Placement::Anywhere)?;
        if self.does(Step::Packet) {
            let packet = packet::start_unit(0, stream_info.device_address, 4, &addresses).expect("it fits");
            packet_memory.write(0, &packet.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>());
        }
        // 9, submitting.
        if !self.does(Step::Pinning) {
            pinned.truncate(1);
        }
        let mut sequence = 0;
        if self.does(Step::Execute) {
            let mut handles: Vec<u8> = pinned.iter().flat_map(|handle| handle.to_ne_bytes()).collect();
            let submitted = ExecuteCommand {
                context,
                commands: command.into(),
                command_count: 1,
                argument_count: pinned.len() as u32,
                ..Default::default()
            };
            let at = offset_of!(ExecuteCommand, arguments);
            sequence = self.ask(EXECUTE_COMMAND, submitted, at, &mut handles)?.sequence;
        }
        // 10, waiting.
        if self.does(Step::Wait) {
            self.ask(WAIT_COMMAND, WaitCommand { context, timeout: 200, sequence }, 0, &mut [])?;
            match packet_memory.word(0) & 0xF {
                4 => {}
                8 => return Err(Stopped("TIMEOUT", Errno::ETIME)),
                other => panic!("state {other}"),
            }
        }
        // 11, the answer.
        let (handle, memory, size) = output.expect("three buffers");
        if self.does(Step::Discard) {
            self.sync(handle, SYNC_FROM_DEVICE, size)?;
        }
        for (index, number) in result.iter_mut().enumerate() {
            *number = f32::from_bits(memory.word(index * 4));
        }
        Ok(())
    }
}

/// Runs a canary by bare calls without a step, on both kinds of addresses.
fn fly(addressing: Addressing, without: Step) -> (Result<(), Finding>, Option<String>, Option<String>) {
    let receipt = {
        let bench = Bench::new(Settings::default());
        bench.context.submit(&bench.command()).and_then(|mut fence| fence.wait(LONG)).expect("it runs")
    };
    let settings = Settings { addressing, timelines: false, ..Settings::default() };
    // A driver of its own for each run: what one run flushed, the next would find.
    let mut drivers = Vec::new();
    let outcome = CANARY.fly(|problem, result| {
        let driver = FakeDriver::new(settings.clone(), Multiplier);
        if without == Step::Wait {
            driver.hold(true);
        }
        let ran = Bare { kernel: &driver, without }.run(problem, result);
        drivers.push(driver);
        ran.map(|()| receipt)
    });
    let last = drivers.last().expect("it ran");
    (outcome.map(|_| ()), last.last_refusal(), last.last_fault().map(|fault| fault.reason))
}

#[test]
fn check_8_every_step_left_out_is_refused_or_found_out() {
    use Step::*;
    // What the call says, what the kernel's log would say; or what the device did not find; or what the canary found.
    let refused = [
        (Heap, "CREATE_HWCTX: refused by the driver (EINVAL)", "client dev heap object not exist"),
        (MappingHeap, "CREATE_HWCTX: refused by the driver (EINVAL)", "client dev heap object not exist"),
        (Context, "CONFIG_HWCTX: refused by the driver (EINVAL)", "no such context"),
        (Image, "CONFIG_HWCTX: refused by the driver (EINVAL)", "an overlay that is not in the dev heap"),
        (Configure, "EXEC_CMD: refused by the driver (EINVAL)", "a context without compute units"),
        (Packet, "EXEC_CMD: refused by the driver (EINVAL)", "state 0 where 1 (new) is needed"),
    ];
    let hung = [
        (FlushImage, "the device sees no overlay, only zeros"),
        (FlushStream, "no program: [0, 0, 0, 0]"),
        (Pinning, "nothing is at"),
    ];
    for addressing in [Addressing::Process, Addressing::Own] {
        assert_eq!(fly(addressing, Nothing), (Ok(()), None, None));
        for (step, says, log) in refused {
            let (outcome, refusal, _) = fly(addressing, step);
            assert_eq!(outcome, Err(Finding::Failed { why: says.to_owned() }), "{step:?}");
            assert_eq!(refusal.as_deref(), Some(log), "{step:?}");
        }
        for (step, reason) in hung {
            let (outcome, _, fault) = fly(addressing, step);
            let why = "TIMEOUT: the deadline passed (ETIME)".to_owned();
            assert_eq!(outcome, Err(Finding::Failed { why }), "{step:?}");
            assert!(fault.as_deref().is_some_and(|fault| fault.starts_with(reason)), "{step:?}: {fault:?}");
        }
        // Nothing was submitted, so nothing is waited for.
        let why = "WAIT_CMD: the deadline passed (ETIME)".to_owned();
        assert_eq!(fly(addressing, Execute).0, Err(Finding::Failed { why }));
        // These complete, or are not waited for, and are wrong.
        let count = SHAPE.results();
        assert_eq!(fly(addressing, FlushInput).0, Err(Finding::AllEqual { found: 0.0 }));
        for step in [Wait, Discard] {
            assert_eq!(fly(addressing, step).0, Err(Finding::Untouched { untouched: count, count }), "{step:?}");
        }
        // Poison that does not arrive hides nothing where everything is written.
        assert_eq!(fly(addressing, FlushPoison).0, Ok(()));
    }
}
