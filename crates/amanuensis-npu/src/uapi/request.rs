//! Request numbers: direction, size of the argument, the DRM letter, and the call's number.

use super::layout::Plain;
use super::structs::*;

/// The letter of DRM drivers.
const LETTER: u32 = 0x64;
/// Where a DRM driver's own calls begin.
const OWN: u32 = 0x40;

/// One call of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What the kernel's header calls it.
    pub name: &'static str,
    /// Its request number.
    pub number: u32,
}

impl Request {
    /// A call whose argument is read and written.
    const fn both<Argument: Plain>(name: &'static str, call: u32) -> Self {
        Self::new(name, 3, Argument::WIDTH, call)
    }

    /// A call whose argument is only read by the kernel.
    const fn told<Argument: Plain>(name: &'static str, call: u32) -> Self {
        Self::new(name, 1, Argument::WIDTH, call)
    }

    const fn new(name: &'static str, direction: u32, size: usize, call: u32) -> Self {
        Self { name, number: direction << 30 | (size as u32) << 16 | LETTER << 8 | call }
    }

    /// Bytes of the argument.
    pub const fn size(&self) -> usize {
        (self.number >> 16 & 0x3FFF) as usize
    }
}

/// Makes a context.
pub const CREATE_CONTEXT: Request = Request::both::<CreateContext>("CREATE_HWCTX", OWN);
/// Ends one.
pub const DESTROY_CONTEXT: Request = Request::both::<DestroyContext>("DESTROY_HWCTX", OWN + 1);
/// Gives a context its compute units.
pub const CONFIGURE_CONTEXT: Request = Request::both::<ConfigureContext>("CONFIG_HWCTX", OWN + 2);
/// Makes a buffer.
pub const CREATE_BUFFER: Request = Request::both::<CreateBuffer>("CREATE_BO", OWN + 3);
/// Says where a buffer is.
pub const BUFFER_INFO: Request = Request::both::<BufferInfo>("GET_BO_INFO", OWN + 4);
/// Writes back or discards caches.
pub const SYNC_BUFFER: Request = Request::both::<SyncBuffer>("SYNC_BO", OWN + 5);
/// Submits a command.
pub const EXECUTE_COMMAND: Request = Request::both::<ExecuteCommand>("EXEC_CMD", OWN + 6);
/// Asks about the device.
pub const GET_INFO: Request = Request::both::<GetInfo>("GET_INFO", OWN + 7);
/// Waits for a command.
pub const WAIT_COMMAND: Request = Request::told::<WaitCommand>("WAIT_CMD", OWN + 9);
/// Asks for lists.
pub const GET_ARRAY: Request = Request::both::<GetArray>("GET_ARRAY", OWN + 10);
/// Waits for points on timelines.
pub const TIMELINE_WAIT: Request = Request::both::<TimelineWait>("SYNCOBJ_TIMELINE_WAIT", 0xCA);
/// Gives a buffer back.
pub const CLOSE_BUFFER: Request = Request::told::<CloseBuffer>("GEM_CLOSE", 0x09);
/// Asks which driver this is.
pub const DRIVER_VERSION: Request = Request::both::<DriverVersion>("VERSION", 0x00);
