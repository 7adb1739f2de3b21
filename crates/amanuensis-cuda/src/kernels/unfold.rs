//! Neighbouring rows side by side, for convolutions.

use half::f16;

use super::{Launch, Windows};
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Row `r` of the output is rows `stride * r - 1 ..= stride * r + 1` of its window's input, and zeros where there are none.
#[derive(Debug, Clone, Copy)]
pub struct Unfold {
    /// `[rows in][channels]`.
    pub input: View<f16>,
    /// `[rows out][3][channels]`.
    pub out: View<f16>,
    /// Which rows belong together.
    pub windows: Windows,
    /// Numbers of a row, a multiple of 8.
    pub channels: usize,
    /// Rows of input for each of output.
    pub stride: usize,
}

impl Unfold {
    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "unfold",
            grid: [self.windows.longest, self.windows.count(), 1],
            block: 128,
            arguments: vec![
                self.input.into(),
                self.out.into(),
                self.windows.table.into(),
                self.channels.into(),
                self.stride.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (input, channels) = (memory.get(self.input)?, self.channels);
        for window in self.windows.read(memory)? {
            for row in 0..window.rows_out {
                let mut unfolded = vec![f16::ZERO; 3 * channels];
                for (tap, out) in unfolded.chunks_exact_mut(channels).enumerate() {
                    let from = (row * self.stride + tap).checked_sub(1).filter(|from| *from < window.rows_in);
                    if let Some(from) = from {
                        out.copy_from_slice(&input[(window.first_in + from) * channels..][..channels]);
                    }
                }
                memory.set(self.out, (window.first_out + row) * 3 * channels, &unfolded)?;
            }
        }
        Ok(())
    }
}
