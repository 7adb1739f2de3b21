//! GELU.

use half::f16;

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// GELU in place.
#[derive(Debug, Clone, Copy)]
pub struct Activate {
    /// A multiple of 8.
    pub values: View<f16>,
}

impl Activate {
    pub(super) fn launch(&self) -> Launch {
        let eights = self.values.len() / 8;
        Launch {
            kernel: "activate",
            grid: [eights.div_ceil(256), 1, 1],
            block: 256,
            arguments: vec![self.values.into(), eights.into()],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let values: Vec<f16> =
            memory.get(self.values)?.iter().map(|value| f16::from_f32(super::gelu(value.to_f32()))).collect();
        memory.set(self.values, 0, &values)
    }
}
