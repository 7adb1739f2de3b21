//! The emulator as what stands behind the driver in memory.

use super::{Array, Wrong};
use crate::driver::fake::{Fault, Machine};

impl Machine for Array {
    fn execute(&mut self, stream: &[u32], arguments: &mut [&mut [u32]]) -> Result<(), Fault> {
        self.dispatch(stream, arguments).map(|_| ()).map_err(|fault| Fault {
            operation: fault.operation.and_then(|operation| u32::try_from(operation).ok()),
            hung: matches!(fault.wrong, Wrong::Deadlock { .. } | Wrong::NoToken(_)),
            reason: fault.to_string(),
        })
    }

    fn set_up(&mut self) {
        self.reset();
    }
}
