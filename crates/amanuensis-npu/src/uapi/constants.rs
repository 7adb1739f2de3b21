//! The values of fields.

/// The name that the driver gives itself.
pub const DRIVER_NAME: &str = "amdxdna_accel_driver";

/// Kind of buffer: pages that the host and the device share.
pub const BUFFER_SHARE: u32 = 1;
/// Kind of buffer: the device heap.
pub const BUFFER_HEAP: u32 = 2;
/// Kind of buffer: a piece of the device heap.
pub const BUFFER_DEVICE: u32 = 3;
/// Kind of buffer: a command.
pub const BUFFER_COMMAND: u32 = 4;

/// No buffer.
pub const NO_BUFFER: u32 = 0;
/// No device address: the device uses the process's own.
pub const NO_ADDRESS: u64 = u64::MAX;

/// Caches are written back.
pub const SYNC_TO_DEVICE: u32 = 0;
/// Caches are discarded.
pub const SYNC_FROM_DEVICE: u32 = 1;

/// CONFIG_HWCTX configures the compute units.
pub const CONFIGURE_UNITS: u32 = 0;
/// Compute units that a context can have.
pub const UNITS_LIMIT: usize = 32;

/// The device heap's size is a multiple of this, and so is its address.
pub const HEAP_UNIT: usize = 64 << 20;
/// Where the device sees its heap begin.
pub const HEAP_DEVICE_BASE: u64 = 0x0400_0000;
/// Firmware gets a PDI's address shifted right by 15 bits.
pub const IMAGE_ALIGNMENT: u64 = 32 << 10;
/// Size of a command buffer.
pub const COMMAND_SIZE: usize = 4 << 10;
/// Commands that a context's queue takes.
pub const QUEUE_DEPTH: usize = 4;
/// Milliseconds after which the driver gives a command up.
pub const DRIVER_TIMEOUT: u64 = 2000;

/// A priority that nobody minds.
pub const PRIORITY_NORMAL: u32 = 0x200;
/// Any column may be the first.
pub const ANY_COLUMN: u32 = 0xFF;

/// Waits until the point was submitted, too.
pub const WAIT_FOR_SUBMIT: u32 = 2;

/// GET_INFO: [`ArrayMetadata`](super::ArrayMetadata).
pub const QUERY_ARRAY: u32 = 1;
/// GET_INFO: [`ArrayVersion`](super::ArrayVersion).
pub const QUERY_VERSION: u32 = 2;
/// GET_INFO: [`Clocks`](super::Clocks).
pub const QUERY_CLOCKS: u32 = 3;
/// GET_INFO: [`FirmwareVersion`](super::FirmwareVersion).
pub const QUERY_FIRMWARE: u32 = 8;
/// GET_INFO: [`PowerMode`](super::PowerMode).
pub const QUERY_POWER: u32 = 9;
/// GET_INFO: [`ResourceInfo`](super::ResourceInfo).
pub const QUERY_RESOURCES: u32 = 12;

/// Opcode of a packet: runs one compute unit.
pub const OPCODE_START_UNIT: u32 = 0;
/// Opcode of a packet: runs other packets.
pub const OPCODE_CHAIN: u32 = 19;
/// Type of every packet here.
pub const PACKET_TYPE: u32 = 3;
/// First payload value of a packet that runs an instruction stream.
pub const RUN_STREAM: u64 = 3;
/// Payload words that firmware copies of a packet.
pub const PAYLOAD_LIMIT: usize = 19;
/// Buffer arguments that a payload holds, behind opcode, address and length of the stream.
pub const ARGUMENT_LIMIT: usize = (PAYLOAD_LIMIT - 5) / 2;
/// Buffer arguments whose addresses firmware translates; streams fold the offset in for the others.
pub const TRANSLATED_ARGUMENTS: usize = 5;
