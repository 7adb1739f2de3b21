//! The backend on an emulated device: the driver in memory with the emulator behind it, and a pack that only they can use.

use std::path::Path;

use super::{Npu, Setup};
use crate::driver::fake::{FakeDriver, Settings};
use crate::emulator::{Array, kernel_of};
use crate::packs::synthetic;
use crate::plan::{Operands, Overlay, Rounding, TileShape, reference};
use crate::txn::Generation;

/// The tile that Whisper's widths are multiples of.
pub(super) const TILE: TileShape = TileShape { m: 64, k: 64, n: 32 };

impl Npu {
    /// A backend on an emulated XDNA1, whose pack is made in `folder` and not needed behind that. Cores that round to one side
    /// were promised to round to even, as on a device whose overlay forgot to say so.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn in_memory(setup: Setup, folder: &Path, rounding: Rounding) -> Result<Npu, String> {
        let overlay = reference(Generation::Npu1, Operands::BF16, TILE);
        let pack = synthetic::install(folder, &overlay).map_err(|error| error.to_string())?;
        let kernel = kernel_of(&Overlay { rounding, ..overlay.clone() });
        let array = Array::with_kernel(overlay, kernel).map_err(|error| error.to_string())?;
        Ok(Npu::emulated(setup, &FakeDriver::new(Settings::default(), array), pack))
    }
}
