//! The whole way from a device node to an answer, once, in the order in which the kernel wants it.

use std::time::Duration;

use super::command::Work;
use super::context::{Context, Overlay, Partition};
use super::device::Device;
use super::error::DriverError;
use super::heap::Heap;
use super::receipt::Receipt;

/// A program that is run once.
#[derive(Debug, Clone, Copy)]
pub struct Once<'a> {
    /// The part of the array, from the xclbin's AIE_PARTITION.
    pub partition: Partition,
    /// The overlay.
    pub overlay: Overlay<'a>,
    /// The instruction stream.
    pub stream: &'a [u32],
    /// What it consists of.
    pub work: Work,
    /// How long to wait. The driver gives up after two seconds itself.
    pub patience: Duration,
}

/// A buffer of a program that is run once: what is in it before, and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its words.
    pub words: Vec<u32>,
}

/// Runs one program, from nothing. The eleven steps, in the only order that works:
///
/// 1. The device node is opened, the driver's name compared, array and clocks asked for: [`Device::open`].
/// 2. The device heap: 64 MiB, mapped and locked at a multiple of 64 MiB. It must exist before the context.
/// 3. The xclbin says columns, operations in a cycle, PDI and kernels ([`crate::containers`]); it is read before this is called.
/// 4. The context, for so many columns.
/// 5. The PDI goes into the heap, at a multiple of 32 KiB, and is flushed.
/// 6. The context's compute units are configured. This happens once in its life.
/// 7. The instruction stream goes into the heap; data go into shared buffers, which the device finds at their own addresses
///    or, where it has none of its own, at the process's.
/// 8. A command buffer gets a packet: the unit, the stream's address and words, the buffers' addresses.
/// 9. What was written is flushed, and the command submitted with the handles of all that it uses.
/// 10. It is waited for, by timeline or by number; the packet's header then says how it ended.
/// 11. What the caches hold of the answer is discarded, and the answer read.
pub fn run_once(device: &Device, once: Once<'_>, arguments: &mut [Argument]) -> Result<Receipt, DriverError> {
    let heap = Heap::create(device)?;
    let mut context = Context::create(&heap, once.partition)?;
    let units = context.configure(&[once.overlay])?;
    let unit = units.first().copied().ok_or_else(|| DriverError::Units { what: "no compute unit".to_owned() })?;
    let stream = context.stream(once.stream)?;
    let mut buffers = Vec::with_capacity(arguments.len());
    for argument in arguments.iter() {
        let buffer = context.share(argument.words.len() * 4)?;
        buffer.write_words(0, &argument.words)?;
        buffers.push(buffer);
    }
    let command = context.command(unit, &stream, &buffers.iter().collect::<Vec<_>>(), once.work)?;
    let mut fence = context.submit(&command)?;
    let receipt = fence.wait(once.patience)?;
    for (argument, buffer) in arguments.iter_mut().zip(&buffers) {
        argument.words = buffer.read_words(0, argument.words.len())?;
    }
    Ok(receipt)
}
