//! A GPU as the backend sees it: memory, queues of operations, and what was seen to finish.
//!
//! [`Gpu`] has two implementations: the real one, over NVIDIA's libraries as they are found at run time, and one in memory
//! (feature `fake-driver`) that computes every operation's contract on the host. Which of them it was is in every [`Seen`].

mod error;
#[cfg(any(test, feature = "fake-driver"))]
pub mod fake;
pub mod libraries;
mod machine;
mod memory;
pub mod real;
mod staging;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use error::{GpuError, Version};
pub use machine::{Listed, Machine, Tool, examine, survey};
pub use memory::{Buffer, Number, View, download, download_rows, upload};

pub use staging::Staging;

use crate::kernels::Operation;

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name: `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// The compute capability: (9, 0).
    pub capability: (u32, u32),
    /// Bytes of its memory.
    pub memory: u64,
    /// How many multiprocessors it has.
    pub multiprocessors: u32,
    /// The version of CUDA that the driver speaks.
    pub driver: Version,
    /// The driver's own version, 560.35.03, where the system tells it.
    pub release: Option<String>,
    /// Who computes.
    pub origin: Origin,
}

impl Facts {
    /// The machine code it runs: `sm_90`.
    pub fn target(&self) -> String {
        format!("sm_{}{}", self.capability.0, self.capability.1)
    }

    /// The device as receipts name it.
    pub fn device(&self) -> String {
        match self.origin {
            Origin::Gpu => format!("cuda ({}, {})", self.name, self.target()),
            Origin::Emulated => "cuda-emulated".to_owned(),
        }
    }
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A GPU.
    Gpu,
    /// The host, in a GPU's place. It is never called by a GPU's name.
    Emulated,
}

/// Proof that a device finished what was asked of it. Only drivers make it, after the device said so; receipts are made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    device: String,
}

impl Seen {
    /// The device as receipts name it.
    pub fn device(&self) -> &str {
        &self.device
    }
}

/// A moment between two operations; events are numbered by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event(u64);

/// Memory of the host that is locked in its place, so that a device copies from and to it by itself. There is one owner, and it lives as
/// long as the device.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    number: u64,
}

impl Pinned {
    /// A number that no memory of any device has, so that nobody takes one device's for another's.
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Pinned { number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Operations that were recorded once, to be asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graph(u64);

/// A queue of a device. Operations and copies run one after the other, in the order in which they are asked for, while the host goes
/// on; only `reach` and `wait` wait. So nothing can be used before it is there, and an error of an operation is told by a later call.
pub trait Gpu: Send + Sync {
    /// What the device is.
    fn facts(&self) -> &Facts;
    /// Another queue of the same device and its memory. What is asked of it runs at the same time as what is asked of this one, and
    /// gives way to it where there is not room for both; so whoever uses in one of them what the other was asked for waits for that
    /// first.
    fn beside(&self) -> Result<Arc<dyn Gpu>, GpuError>;
    /// Bytes of its memory that are free now.
    fn free_memory(&self) -> Result<u64, GpuError>;
    /// Memory of so many bytes, whatever lies there, aligned to 256. `what` is what an error says it was for.
    fn allocate(&self, bytes: usize, what: &'static str) -> Result<u64, GpuError>;
    /// Gives memory back, once what uses it is done.
    fn free(&self, address: u64);
    /// The ring of buffers that everything passes between host and device: see [`upload`] and [`download`].
    fn staging(&self) -> &Staging;
    /// Locked memory of the host of so many bytes, whatever lies there.
    fn pin(&self, bytes: usize) -> Result<Pinned, GpuError>;
    /// Puts bytes into locked memory, from its beginning. No copy that was asked may still use it.
    fn put(&self, into: &mut Pinned, bytes: &[u8]) -> Result<(), GpuError>;
    /// Takes bytes out of locked memory, from its beginning. No copy that was asked may still change it.
    fn get(&self, from: &Pinned, bytes: &mut [u8]) -> Result<(), GpuError>;
    /// Asks for a copy of the first bytes of locked memory onto the device. They must stay what they are until it is done.
    fn send(&self, from: &Pinned, address: u64, bytes: usize) -> Result<(), GpuError>;
    /// Asks for a copy off the device into the first bytes of locked memory.
    fn fetch(&self, address: u64, into: &mut Pinned, bytes: usize) -> Result<(), GpuError>;
    /// Copies bytes from one place of the device to another.
    fn copy(&self, from: u64, into: u64, bytes: usize) -> Result<(), GpuError>;
    /// Asks for an operation.
    fn run(&self, operation: &Operation) -> Result<(), GpuError>;
    /// Waits for everything asked so far.
    fn wait(&self) -> Result<Seen, GpuError>;
    /// Notes the moment at which everything asked so far is done.
    fn mark(&self) -> Result<Event, GpuError>;
    /// Waits until a moment has passed.
    fn reach(&self, event: Event) -> Result<Seen, GpuError>;
    /// The time between two moments that have passed.
    fn between(&self, earlier: Event, later: Event) -> Result<Duration, GpuError>;
    /// Forgets moments.
    fn forget(&self, events: &[Event]);
    /// Records the operations that `ask` asks for instead of running them.
    fn record(&self, ask: &mut dyn FnMut(&dyn Gpu) -> Result<(), GpuError>) -> Result<Graph, GpuError>;
    /// Asks for everything that was recorded. The memory it uses must still be there.
    fn replay(&self, graph: Graph) -> Result<(), GpuError>;
    /// Forgets what was recorded.
    fn discard(&self, graph: Graph);
}
