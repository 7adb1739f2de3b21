//! A client of the amdxdna kernel driver: devices, memory, contexts, commands and what became of them.
//!
//! Everything above the border of `kernel.rs` is the same for the driver in the kernel and for the one in memory
//! (feature `fake-driver`); which of them it was is in every [`Receipt`].

mod arena;
mod buffer;
mod command;
mod context;
mod device;
mod error;
#[cfg(any(test, feature = "fake-driver"))]
pub mod fake;
mod fence;
mod heap;
mod kernel;
mod life;
mod memory;
mod object;
pub mod packet;
#[cfg(target_os = "linux")]
mod real;
mod receipt;
mod sequence;

#[cfg(test)]
mod tests;

pub use buffer::Buffer;
pub use command::{Command, Work};
pub use context::{Context, Overlay, Partition, Unit};
pub use device::{Device, Driver, Facts, Generation};
pub use error::{CommandState, DriverError, Failure, Health};
pub use fence::Fence;
pub use heap::Heap;
pub use kernel::Errno;
pub use receipt::{Origin, Receipt};
pub use sequence::{Argument, Once, run_once};
