//! A GPU in memory. It computes every operation naively on the host, poisons new memory, refuses whatever lies outside of an
//! allocation or was given back, and fails where it is told to. It is never called by a GPU's name.

mod faults;
mod machine;
mod memory;
mod pinned;
#[cfg(all(test, target_endian = "little", unix))]
pub(crate) mod threads;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use faults::Fault;
pub use machine::{FakeMachine, described};
pub use memory::Memory;

use super::{Event, Facts, Gpu, GpuError, Graph, Origin, Pinned, Seen, Staging};
use crate::kernels::Operation;
use faults::Faults;
use memory::Use;
use pinned::Locked;

/// Computes operations in memory.
pub trait Executor: Send + Sync {
    /// Computes one.
    fn execute(&self, operation: &Operation, memory: &mut Memory) -> Result<(), GpuError>;
}

/// The naive truth.
pub struct Reference;

impl Executor for Reference {
    fn execute(&self, operation: &Operation, memory: &mut Memory) -> Result<(), GpuError> {
        operation.reference(memory)
    }
}

/// What has been asked of a device so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations that ran, those of graphs among them.
    pub operations: u64,
    /// Graphs that were recorded.
    pub recorded: u64,
    /// Graphs that were asked for.
    pub replayed: u64,
    /// Waits for what was not known to be done.
    pub waits: u64,
    /// Bytes copied off the device.
    pub read: u64,
    /// Bytes copied onto it.
    pub sent: u64,
}

/// A queue of a GPU in memory.
pub struct FakeGpu {
    device: Arc<Device>,
    /// Its number among the device's.
    queue: usize,
    staging: Staging,
    recording: Mutex<Option<Vec<Operation>>>,
}

/// What the queues of a device share.
struct Device {
    facts: Facts,
    executor: Box<dyn Executor>,
    state: Mutex<State>,
}

struct State {
    memory: Memory,
    locked: Locked,
    faults: Faults,
    graphs: BTreeMap<u64, Vec<Operation>>,
    events: BTreeMap<u64, Moment>,
    next: u64,
    queues: usize,
    counts: Counts,
}

/// A moment of a queue.
#[derive(Clone, Copy)]
struct Moment {
    queue: usize,
    at: Instant,
    /// Whether somebody waited for it, or for something later.
    passed: bool,
}

impl FakeGpu {
    /// A device with so many bytes of memory.
    pub fn new(memory: u64) -> Arc<Self> {
        Self::with(memory, Reference)
    }

    /// A device that computes in another way than naively.
    pub fn with(memory: u64, executor: impl Executor + 'static) -> Arc<Self> {
        Self::made(described(memory), Box::new(executor))
    }

    /// A device as it is described, whatever it computes with.
    pub fn of(facts: Facts) -> Arc<Self> {
        Self::made(facts, Box::new(Reference))
    }

    fn made(facts: Facts, executor: Box<dyn Executor>) -> Arc<Self> {
        // Whatever else it is to be, it is none of a machine's.
        let facts = Facts { origin: Origin::Emulated, ..facts };
        let state = State {
            memory: Memory::new(facts.memory),
            locked: Locked::default(),
            faults: Faults::default(),
            graphs: BTreeMap::new(),
            events: BTreeMap::new(),
            next: 1,
            queues: 1,
            counts: Counts::default(),
        };
        Arc::new(Self::queue(Arc::new(Device { facts, executor, state: Mutex::new(state) }), 0))
    }

    fn queue(device: Arc<Device>, queue: usize) -> Self {
        FakeGpu { device, queue, staging: Staging::default(), recording: Mutex::default() }
    }

    /// Makes it fail.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// What it was asked so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Bytes that are allocated now.
    pub fn allocated(&self) -> u64 {
        self.state().memory.used()
    }

    /// Bytes of the host's memory that are locked.
    pub fn pinned(&self) -> usize {
        self.state().locked.len()
    }

    /// Whether nothing was written beside any allocation.
    pub fn guarded(&self) -> bool {
        self.state().memory.guarded()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.device.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recording(&self) -> MutexGuard<'_, Option<Vec<Operation>>> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what cannot be done while operations are recorded.
    fn direct(&self, what: &'static str) -> Result<MutexGuard<'_, State>, GpuError> {
        if self.recording().is_none() {
            return Ok(self.state());
        }
        let there = "a recording of operations only".to_owned();
        Err(GpuError::Misuse { what, wanted: "now".to_owned(), there })
    }

    fn seen(&self) -> Seen {
        Seen { device: self.device.facts.device() }
    }

    fn execute(&self, state: &mut State, operation: &Operation) -> Result<(), GpuError> {
        state.faults.launch()?;
        state.counts.operations += 1;
        state.begin(self.queue);
        self.device.executor.execute(operation, &mut state.memory)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Something that a queue is asked, which uses memory.
    fn begin(&mut self, queue: usize) -> Use {
        let user = Use { queue, number: self.number() };
        self.memory.used_by(user);
        user
    }

    /// Everything of a queue up to a number is done, for somebody waited for it.
    fn waited(&mut self, queue: usize, number: u64) {
        self.locked.done(queue, number);
        self.memory.done(queue, number);
        let of_queue = self.events.range_mut(..=number).filter(|(_, moment)| moment.queue == queue);
        of_queue.for_each(|(_, moment)| moment.passed = true);
        self.counts.waits += 1;
    }
}

/// A recording, which ends whatever becomes of whoever asks.
struct Recording<'a>(&'a FakeGpu);

impl Recording<'_> {
    fn end(&self) -> Vec<Operation> {
        self.0.recording().take().unwrap_or_default()
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

fn unknown(what: &'static str, number: u64) -> GpuError {
    GpuError::Misuse { what, wanted: format!("number {number}"), there: "none of that number".to_owned() }
}

impl Gpu for FakeGpu {
    fn facts(&self) -> &Facts {
        &self.device.facts
    }

    fn beside(&self) -> Result<Arc<dyn Gpu>, GpuError> {
        let mut state = self.direct("another queue")?;
        state.faults.alive("beside")?;
        let queue = state.queues;
        state.queues += 1;
        Ok(Arc::new(Self::queue(self.device.clone(), queue)))
    }

    fn free_memory(&self) -> Result<u64, GpuError> {
        let state = self.state();
        state.faults.alive("free_memory")?;
        Ok(state.memory.free_bytes())
    }

    fn allocate(&self, bytes: usize, what: &'static str) -> Result<u64, GpuError> {
        let mut state = self.direct("an allocation")?;
        state.faults.alive("allocate")?;
        if state.faults.allocation() {
            let (free, total) = (0, self.facts().memory);
            return Err(GpuError::OutOfMemory { bytes: bytes as u64, what, free, total });
        }
        state.memory.allocate(bytes, what)
    }

    fn free(&self, address: u64) {
        let whole = self.state().memory.free(address);
        assert!(whole || std::thread::panicking(), "memory at {address:#x} was given back twice, or written outside");
    }

    fn staging(&self) -> &Staging {
        &self.staging
    }

    fn pin(&self, bytes: usize) -> Result<Pinned, GpuError> {
        let mut state = self.direct("an allocation")?;
        state.faults.alive("pin")?;
        let pinned = Pinned::next();
        state.locked.add(&pinned, bytes);
        Ok(pinned)
    }

    fn put(&self, into: &mut Pinned, bytes: &[u8]) -> Result<(), GpuError> {
        self.state().locked.put(into, bytes)
    }

    fn get(&self, from: &Pinned, bytes: &mut [u8]) -> Result<(), GpuError> {
        self.state().locked.get(from, bytes)
    }

    fn send(&self, from: &Pinned, address: u64, bytes: usize) -> Result<(), GpuError> {
        let state = &mut *self.direct("an upload")?;
        state.faults.alive("send")?;
        let user = state.begin(self.queue);
        state.counts.sent += bytes as u64;
        state.locked.send(from, bytes, user, &mut state.memory, address)
    }

    fn fetch(&self, address: u64, into: &mut Pinned, bytes: usize) -> Result<(), GpuError> {
        let state = &mut *self.direct("a download")?;
        state.faults.alive("fetch")?;
        let user = state.begin(self.queue);
        state.counts.read += bytes as u64;
        state.locked.fetch(into, bytes, user, &mut state.memory, address)
    }

    fn copy(&self, from: u64, into: u64, bytes: usize) -> Result<(), GpuError> {
        let mut state = self.direct("a copy")?;
        state.faults.alive("copy")?;
        state.begin(self.queue);
        let mut moved = vec![0; bytes];
        state.memory.read(from, &mut moved)?;
        state.memory.write(into, &moved)
    }

    fn run(&self, operation: &Operation) -> Result<(), GpuError> {
        if let Some(recording) = &mut *self.recording() {
            recording.push(*operation);
            return Ok(());
        }
        self.execute(&mut self.state(), operation)
    }

    fn wait(&self) -> Result<Seen, GpuError> {
        let mut state = self.direct("a wait")?;
        state.faults.wait("wait")?;
        let now = state.next;
        state.waited(self.queue, now);
        Ok(self.seen())
    }

    fn mark(&self) -> Result<Event, GpuError> {
        let mut state = self.direct("an event")?;
        state.faults.alive("mark")?;
        let number = state.number();
        state.events.insert(number, Moment { queue: self.queue, at: Instant::now(), passed: false });
        Ok(Event(number))
    }

    fn reach(&self, event: Event) -> Result<Seen, GpuError> {
        let mut state = self.direct("a wait")?;
        let Moment { queue, passed, .. } =
            state.events.get(&event.0).copied().ok_or_else(|| unknown("an event", event.0))?;
        state.faults.wait("reach")?;
        if !passed {
            state.waited(queue, event.0);
        }
        Ok(self.seen())
    }

    fn between(&self, earlier: Event, later: Event) -> Result<Duration, GpuError> {
        let state = self.state();
        state.faults.alive("between")?;
        let time = |event: Event| state.events.get(&event.0).ok_or_else(|| unknown("an event", event.0));
        Ok(time(later)?.at - time(earlier)?.at)
    }

    fn forget(&self, events: &[Event]) {
        let mut state = self.state();
        events.iter().for_each(|event| {
            state.events.remove(&event.0);
        });
    }

    fn record(&self, ask: &mut dyn FnMut(&dyn Gpu) -> Result<(), GpuError>) -> Result<Graph, GpuError> {
        self.direct("a recording")?.faults.alive("record")?;
        *self.recording() = Some(Vec::new());
        let recording = Recording(self);
        ask(self)?;
        let operations = recording.end();
        let mut state = self.state();
        state.counts.recorded += 1;
        let number = state.number();
        state.graphs.insert(number, operations);
        Ok(Graph(number))
    }

    fn replay(&self, graph: Graph) -> Result<(), GpuError> {
        let mut state = self.direct("a replay")?;
        let operations = state.graphs.get(&graph.0).cloned().ok_or_else(|| unknown("a graph", graph.0))?;
        state.counts.replayed += 1;
        operations.iter().try_for_each(|operation| self.execute(&mut state, operation))
    }

    fn discard(&self, graph: Graph) {
        self.state().graphs.remove(&graph.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_ends_with_whoever_asks_for_it() {
        let gpu = FakeGpu::new(1 << 20);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            gpu.record(&mut |_| panic!("while it records, as this test wants it to"))
        }));
        assert!(panicked.is_err());
        let failed = gpu.record(&mut |gpu| gpu.wait().map(drop));
        assert!(matches!(failed, Err(GpuError::Misuse { what: "a wait", .. })));
        // It runs what it is asked again, and records.
        assert!(gpu.allocate(64, "a test").is_ok() && gpu.wait().is_ok());
        let graph = gpu.record(&mut |_| Ok(())).expect("recorded");
        gpu.replay(graph).expect("replayed");
    }

    #[test]
    fn what_two_queues_do_to_the_same_memory_without_waiting_is_found() {
        let found = |outcome: Result<(), GpuError>, what: &str| match outcome {
            Err(GpuError::Misuse { what: "memory", there, .. }) => assert_eq!(there, what),
            other => panic!("{other:?}"),
        };
        let one = FakeGpu::new(1 << 20);
        let other = one.beside().expect("another");
        let place = one.allocate(64, "a test").expect("memory");
        let elsewhere = one.allocate(64, "a test").expect("memory");
        one.copy(elsewhere, place, 64).expect("asked");
        found(other.copy(place, elsewhere, 64), "what another queue writes");
        // Its own end does not tell of the other's.
        other.wait().expect("done");
        found(other.copy(place, elsewhere, 64), "what another queue writes");
        one.wait().expect("done");
        other.copy(place, elsewhere, 64).expect("it is there");
        one.copy(place, place, 8).expect_err("it is read by the other queue");
        // A recording of one is none of the other's.
        let recorded = one.record(&mut |_| {
            let moment = other.mark()?;
            other.reach(moment).map(drop)
        });
        one.discard(recorded.expect("recorded"));
        one.copy(elsewhere, place, 64).expect("the other is done");
    }
}
