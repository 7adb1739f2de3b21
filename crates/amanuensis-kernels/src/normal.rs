//! Layer norm and GELU over whole matrices.

use crate::team::Region;

/// Numbers per block of work: a few microseconds each.
const BLOCK: usize = 16 << 10;

impl Region<'_> {
    /// Layer norm of every row of `input`, rows of `gain.len()` numbers: (x - mean) / sqrt(variance + 1e-5) * gain +
    /// bias.
    ///
    /// # Panics
    /// When the lengths do not fit each other.
    pub fn layer_norm(&mut self, input: &[f32], gain: &[f32], bias: &[f32], out: &mut [f32]) {
        let width = gain.len();
        assert!(width > 0 && bias.len() == width, "layer norm: {width} gains and {} biases", bias.len());
        assert!(input.len().is_multiple_of(width), "layer norm: {} numbers are not rows of {width}", input.len());
        assert_eq!(input.len(), out.len(), "layer norm: {} numbers in, {} out", input.len(), out.len());
        let kernels = self.kernels();
        self.rows(out, width, (BLOCK / width).max(1), |first, out| {
            // SAFETY: a Kernels exists only where its instructions do.
            unsafe { (kernels.layer_norm)(&input[first * width..][..out.len()], gain, bias, out) }
        });
    }

    /// GELU of every number, in place.
    pub fn gelu(&mut self, numbers: &mut [f32]) {
        let kernels = self.kernels();
        self.rows(numbers, 1, BLOCK, |_, numbers| kernels.gelu(numbers));
    }
}
