//! What runs instruction streams behind the driver in memory.

/// Something that runs instruction streams over buffers as an array with an overlay would: an emulator.
pub trait Machine: Send {
    /// Runs a stream. The buffers are what the device sees of them, from each one's address on, in the order of the packet.
    fn execute(&mut self, stream: &[u32], arguments: &mut [&mut [u32]]) -> Result<(), Fault>;

    /// Another context comes to the array: its overlay is loaded anew. A machine that keeps nothing need not know.
    fn set_up(&mut self) {}
}

/// Why a stream did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The operation that was executed last, where that is known.
    pub operation: Option<u32>,
    /// Whether nothing moves any more, which a driver sees as time running out. Otherwise the stream was refused.
    pub hung: bool,
    /// Why, for whoever reads the test that fails. A real device does not say.
    pub reason: String,
}
