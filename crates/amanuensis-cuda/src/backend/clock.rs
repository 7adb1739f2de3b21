//! Times of stages on the device, by its own events.

use amanuensis::backend::{Receipt, Stage};

use crate::driver::{Event, Gpu, GpuError};

/// Moments between stages. They are read once the device has been waited for, and given back in any case.
pub(super) struct Clock<'a> {
    gpu: &'a dyn Gpu,
    /// The beginning, and the end of each stage.
    moments: Vec<(Option<Stage>, Event)>,
}

impl<'a> Clock<'a> {
    /// Begins now.
    pub(super) fn start(gpu: &'a dyn Gpu) -> Result<Self, GpuError> {
        let mut clock = Clock { gpu, moments: Vec::new() };
        clock.moments.push((None, gpu.mark()?));
        Ok(clock)
    }

    /// A stage ends here.
    pub(super) fn lap(&mut self, stage: Stage) -> Result<(), GpuError> {
        self.moments.push((Some(stage), self.gpu.mark()?));
        Ok(())
    }

    /// Writes the times into a receipt. Everything must have been waited for.
    pub(super) fn settle(self, receipt: &mut Receipt) -> Result<(), GpuError> {
        for pair in self.moments.windows(2) {
            if let ([(_, earlier), (Some(stage), later)], gpu) = (pair, self.gpu) {
                receipt.add(*stage, gpu.between(*earlier, *later)?);
            }
        }
        Ok(())
    }
}

impl Drop for Clock<'_> {
    fn drop(&mut self) {
        let events: Vec<Event> = self.moments.iter().map(|(_, event)| *event).collect();
        self.gpu.forget(&events);
    }
}
