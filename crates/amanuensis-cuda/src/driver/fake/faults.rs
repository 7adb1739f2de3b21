//! What a device in memory is told to fail at.

use crate::driver::GpuError;

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// After so many allocations more, one finds no memory.
    Allocation(u64),
    /// After so many operations more, one is refused, and the next may be asked for again.
    Launch(u64),
    /// After so many operations more, one does something forbidden. That is told by whatever waits next, and nothing works from
    /// then on.
    Operation(u64),
    /// Nothing works from now on.
    Gone,
}

/// Failures that have not happened yet, and what became of the device.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pending: Vec<Fault>,
    broken: Option<&'static str>,
    /// Whether somebody was told.
    told: bool,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        match fault {
            Fault::Gone => (self.broken, self.told) = (Some("CUDA_ERROR_ECC_UNCORRECTABLE"), true),
            other => self.pending.push(other),
        }
    }

    /// Counts an event down; whether one of the failures is due.
    fn due(&mut self, of: fn(&mut Fault) -> Option<&mut u64>) -> bool {
        let mut due = false;
        self.pending.retain_mut(|fault| match of(fault) {
            Some(0) => {
                due = true;
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        });
        due
    }

    pub(super) fn allocation(&mut self) -> bool {
        self.due(|fault| if let Fault::Allocation(left) = fault { Some(left) } else { None })
    }

    /// Before an operation.
    pub(super) fn launch(&mut self) -> Result<(), GpuError> {
        self.alive("launch")?;
        if self.due(|fault| if let Fault::Launch(left) = fault { Some(left) } else { None }) {
            return Err(GpuError::Call { call: "launch", code: "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES".to_owned() });
        }
        if self.due(|fault| if let Fault::Operation(left) = fault { Some(left) } else { None }) {
            self.broken = Some("CUDA_ERROR_ILLEGAL_ADDRESS");
        }
        Ok(())
    }

    /// Before something that does not wait: it learns of a failure only after somebody who waited did.
    pub(super) fn alive(&self, call: &'static str) -> Result<(), GpuError> {
        match self.broken {
            Some(code) if self.told => Err(GpuError::Lost { call, code: code.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Before something that waits.
    pub(super) fn wait(&mut self, call: &'static str) -> Result<(), GpuError> {
        self.told |= self.broken.is_some();
        self.alive(call)
    }
}
