//! The driver in memory: it keeps the rules of the real one, and breaks when told to. What it runs is not an NPU, and every
//! receipt of it says so.
//!
//! Caches are modelled as the worst case. The device has its own copy of every buffer; SYNC_BO is the only thing that copies
//! between it and the host's. Whoever forgets one gets old bytes.

mod calls;
mod execute;
mod machine;
mod state;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use machine::{Fault, Machine};
use state::State;

use super::device::Generation;
use super::error::CommandState;
use super::kernel::{Attached, Errno, Kernel, Placement};
use super::memory::Memory;
use crate::uapi::{self, Request};

/// How devices name the pages of shared buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// By the process's own addresses (SVA).
    Process,
    /// By addresses of their own (IOVA).
    Own,
}

/// What kind of driver and device this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The device's family.
    pub generation: Generation,
    /// How it names shared pages.
    pub addressing: Addressing,
    /// Whether contexts have timelines. Without, commands are waited for by number.
    pub timelines: bool,
    /// Bytes that may be locked.
    pub lock_limit: u64,
    /// Commands that firmware takes in a chain.
    pub chain_limit: usize,
    /// To what pieces of the heap are aligned. The real driver's value is 32 KiB.
    pub heap_alignment: usize,
    /// How the driver calls itself.
    pub name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            generation: Generation::Xdna1,
            addressing: Addressing::Process,
            timelines: true,
            lock_limit: u64::MAX,
            chain_limit: 60,
            heap_alignment: uapi::IMAGE_ALIGNMENT as usize,
            name: uapi::DRIVER_NAME.to_owned(),
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// A command ends in this state, and firmware says which operation it executed last.
    End(CommandState, Option<u32>),
    /// The device goes away while the command runs.
    Lost,
    /// The command completes, and nothing was done.
    Untouched,
    /// The command completes, and what it should have written is zero.
    Zeros,
    /// The command completes, and what it should have written are no numbers.
    NotNumbers,
    /// The command completes, and one word of what it wrote is another each time.
    Unsteady,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Commands that ended, whatever became of them.
    pub commands: u64,
    /// Most commands that were in one context's queue at a time.
    pub deepest: usize,
    /// Times and bytes that caches were written back.
    pub flushes: u64,
    /// Bytes of them.
    pub flushed: u64,
    /// Buffers that exist.
    pub buffers: usize,
    /// Contexts that exist.
    pub contexts: usize,
}

/// The driver in memory. Clones are the same driver.
#[derive(Clone)]
pub struct FakeDriver {
    shared: Arc<Shared>,
    _open: Arc<Open>,
}

struct Shared {
    state: Mutex<State>,
    /// Something happened that somebody may wait for.
    changed: Condvar,
    started: Instant,
}

/// Ends the thread that runs commands with the last clone.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().stop = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeDriver {
    /// A driver with a device behind it that runs streams by a machine.
    pub fn new(settings: Settings, machine: impl Machine + 'static) -> Self {
        let state = Mutex::new(State::new(settings));
        let shared = Arc::new(Shared { state, changed: Condvar::new(), started: Instant::now() });
        let worker = shared.clone();
        std::thread::spawn(move || execute::run(&worker, Box::new(machine)));
        Self { _open: Arc::new(Open(shared.clone())), shared }
    }

    /// The next command goes wrong.
    pub fn break_next(&self, injection: Injection) {
        self.shared.state().next.push_back(injection);
    }

    /// Every command goes wrong, until this is called with nothing.
    pub fn break_all(&self, injection: Option<Injection>) {
        self.shared.state().every = injection;
    }

    /// The device takes no command from its queues, until it is told to.
    pub fn hold(&self, held: bool) {
        self.shared.state().held = held;
        self.shared.changed.notify_all();
    }

    /// Why a call was refused last, in words that the real driver writes into the kernel's log.
    pub fn last_refusal(&self) -> Option<String> {
        self.shared.state().refusal.clone()
    }

    /// Why a stream did not come to its end last.
    pub fn last_fault(&self) -> Option<Fault> {
        self.shared.state().fault.clone()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        let state = self.shared.state();
        Counts { buffers: state.objects.len(), contexts: state.contexts.len(), ..state.counts }
    }
}

impl Kernel for FakeDriver {
    fn call(&self, request: Request, argument: &mut [u8], attached: &mut [Attached<'_>]) -> Result<(), Errno> {
        calls::call(&self.shared, request, argument, attached)
    }

    fn map(&self, offset: u64, length: usize, placement: Placement) -> Result<Memory, Errno> {
        self.shared.state().map(offset, length, placement)
    }

    fn monotonic(&self) -> i64 {
        i64::try_from(self.shared.started.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }
}
