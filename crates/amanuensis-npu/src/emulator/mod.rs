//! Streams executed without an NPU: descriptors are worked off over the host's buffers, cores are replaced by what they promise to
//! do. Routes within the array and the cores' programs are not looked at.
//!
//! The emulator is as late as a device may be. Nothing moves before a token is waited for, and then only what must. So a descriptor that is
//! written again too early, a queue that is filled too far and a result that nobody waited for are found, whatever the timing
//! of a real device would have hidden.

mod cores;
mod dispatch;
mod fault;
mod host;
mod input;
mod kernel;
#[cfg(any(test, feature = "fake-driver"))]
mod machine;
mod output;
mod report;
mod work;

pub use fault::{Fault, Wrong};
pub use host::{POISON, poison};
pub use kernel::{Kernel, kernel_of};
pub use report::{Mask, Report};

use crate::plan::{Overlay, OverlayError};
use crate::txn::disassemble;
use cores::Cores;
use dispatch::Dispatch;

/// An array with an overlay in it. What its cores keep stays from one stream to the next.
pub struct Array {
    overlay: Overlay,
    kernel: Box<dyn Kernel>,
    cores: Cores,
    lost: bool,
}

impl Array {
    /// An array whose cores keep what the overlay says.
    pub fn new(overlay: Overlay) -> Result<Self, OverlayError> {
        overlay.check()?;
        let kernel = kernel_of(&overlay);
        Self::with_kernel(overlay, kernel)
    }

    /// An array whose cores do something else with their tiles.
    pub fn with_kernel(overlay: Overlay, kernel: Box<dyn Kernel>) -> Result<Self, OverlayError> {
        overlay.check()?;
        let cores = Cores::new(&overlay);
        Ok(Self { overlay, kernel, cores, lost: false })
    }

    /// The overlay.
    pub const fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Puts the overlay into the array anew: what was lost is there again, and nobody was told anything.
    pub fn reset(&mut self) {
        self.cores = Cores::new(&self.overlay);
        self.lost = false;
    }

    /// Executes a stream over the arguments of its command. An array is lost when that fails: nobody knows what it would do next.
    pub fn dispatch(&mut self, stream: &[u32], arguments: &mut [&mut [u32]]) -> Result<Report, Fault> {
        if self.lost {
            return Err(Fault::of(None, Wrong::Lost));
        }
        let result =
            disassemble(stream).map_err(|malformed| Fault::of(None, Wrong::Malformed(malformed))).and_then(|stream| {
                let dispatch = Dispatch::new(&self.overlay, self.kernel.as_mut(), &mut self.cores, arguments);
                dispatch.run(&stream)
            });
        self.lost = result.is_err();
        result
    }
}

/// Executes one stream on an array that nothing ran on before.
pub fn execute(stream: &[u32], overlay: &Overlay, arguments: &mut [&mut [u32]]) -> Result<Report, Fault> {
    let array = Array::new(overlay.clone());
    array.map_err(|error| Fault::of(None, Wrong::Overlay(error)))?.dispatch(stream, arguments)
}
