//! The arguments of the calls. "Out" says what the kernel writes; everything else it reads. Fields that must be zero are there
//! because they have a place.

use super::layout::layouts;

layouts! {
    /// CREATE_HWCTX: a context, that is columns of the array for as long as it lives.
    CreateContext[56] {
        /// Must be zero.
        extension: u64,
        /// Must be zero.
        extension_flags: u64,
        /// Address of a [`Quality`].
        quality: u64,
        /// Buffer of a user-mode queue; none on these devices.
        queue_buffer: u32,
        /// Buffer for firmware logs, or none.
        log_buffer: u32,
        /// Operations per cycle that the partition states.
        operations_per_cycle: u32,
        /// Core tiles wanted: columns times core rows.
        tiles: u32,
        /// Tile memory wanted; zero leaves it to the driver.
        memory: u32,
        /// Out: doorbell of a user-mode queue.
        doorbell: u32,
        /// Out: the context.
        handle: u32,
        /// Out: its timeline, on which commands complete; 0 where the driver has none.
        timeline: u32,
    }

    /// What CREATE_HWCTX may know about the load. The long form of AMD's own tree: a kernel that knows the short one reads its
    /// first 24 bytes.
    Quality[32] {
        /// Thousand million operations per second.
        gops: u32,
        /// Frames per second.
        frames_per_second: u32,
        /// Bandwidth.
        bandwidth: u32,
        /// Latency.
        latency: u32,
        /// Time of one frame.
        frame_time: u32,
        /// One of the priorities in the constants.
        priority: u32,
        /// First column wanted, 0xFF for any.
        first_column: u32,
        /// Must be zero.
        reserved: u32,
    }

    /// DESTROY_HWCTX.
    DestroyContext[8] {
        /// The context.
        handle: u32,
        /// Must be zero.
        pad: u32,
    }

    /// CONFIG_HWCTX.
    ConfigureContext[24] {
        /// The context.
        handle: u32,
        /// What is configured: 0, the compute units.
        parameter: u32,
        /// Address of a [`UnitsHeader`] with its [`Unit`]s behind it.
        value: u64,
        /// Bytes at that address.
        value_size: u32,
        /// Must be zero.
        pad: u32,
    }

    /// The head of a list of compute units.
    UnitsHeader[8] {
        /// How many follow.
        count: u16,
        /// Must be zero.
        pad: [u16; 3],
    }

    /// One compute unit: an overlay and which of its functions.
    Unit[8] {
        /// Device buffer that holds the PDI.
        image: u32,
        /// The function.
        function: u8,
        /// Must be zero.
        pad: [u8; 3],
    }

    /// CREATE_BO.
    CreateBuffer[32] {
        /// Must be zero.
        flags: u64,
        /// Address of a table of user pages, or 0.
        address: u64,
        /// Bytes.
        size: u64,
        /// One of the kinds in the constants.
        kind: u32,
        /// Out: the buffer.
        handle: u32,
    }

    /// GET_BO_INFO.
    BufferInfo[48] {
        /// Must be zero.
        extension: u64,
        /// Must be zero.
        extension_flags: u64,
        /// The buffer.
        handle: u32,
        /// Must be zero.
        pad: u32,
        /// Out: offset in the device node at which it can be mapped.
        map_offset: u64,
        /// Out: where it is mapped already, or 0.
        address: u64,
        /// Out: what the device calls it; all ones where the device shares the process's addresses.
        device_address: u64,
    }

    /// SYNC_BO: writes back or discards what the caches hold of a buffer.
    SyncBuffer[24] {
        /// The buffer.
        handle: u32,
        /// 0 to the device, 1 from it.
        direction: u32,
        /// First byte.
        offset: u64,
        /// Bytes.
        size: u64,
    }

    /// EXEC_CMD.
    ExecuteCommand[56] {
        /// Must be zero.
        extension: u64,
        /// Must be zero.
        extension_flags: u64,
        /// The context.
        context: u32,
        /// 0: a command buffer.
        kind: u32,
        /// The command buffer itself, where there is one.
        commands: u64,
        /// Address of the handles of every buffer that the command uses.
        arguments: u64,
        /// Commands: 1.
        command_count: u32,
        /// Handles at that address.
        argument_count: u32,
        /// Out: the command's point on the timeline.
        sequence: u64,
    }

    /// GET_INFO.
    GetInfo[16] {
        /// Which of the queries in the constants.
        parameter: u32,
        /// Bytes at the address; out: bytes written.
        size: u32,
        /// Address of the query's struct.
        buffer: u64,
    }

    /// WAIT_CMD, where there is no timeline.
    WaitCommand[16] {
        /// The context.
        context: u32,
        /// Milliseconds; 0 waits for ever.
        timeout: u32,
        /// The command.
        sequence: u64,
    }

    /// GET_ARRAY.
    GetArray[24] {
        /// Which array.
        parameter: u32,
        /// Bytes of an element; out: as the kernel knows it.
        element_size: u32,
        /// Elements there is room for; out: elements there are.
        elements: u32,
        /// Must be zero.
        pad: u32,
        /// Address of the elements.
        buffer: u64,
    }

    /// SYNCOBJ_TIMELINE_WAIT, of every DRM driver: the form without a deadline.
    TimelineWait[40] {
        /// Address of the timelines' handles, u32 each.
        handles: u64,
        /// Address of the points, u64 each.
        points: u64,
        /// When to give up, on the monotonic clock.
        timeout: i64,
        /// Handles and points.
        count: u32,
        /// Flags of the constants.
        flags: u32,
        /// Out: which of them came first.
        first: u32,
        /// Must be zero.
        pad: u32,
    }

    /// GEM_CLOSE, of every DRM driver.
    CloseBuffer[8] {
        /// The buffer.
        handle: u32,
        /// Must be zero.
        pad: u32,
    }

    /// VERSION, of every DRM driver.
    DriverVersion[64] {
        /// Out: the driver's interface, major.
        major: i32,
        /// Out: minor.
        minor: i32,
        /// Out: patch level.
        patch: i32,
        /// Nothing.
        pad: u32,
        /// Bytes there is room for; out: bytes of the name.
        name_size: u64,
        /// Address for the name.
        name: u64,
        /// The same of the date.
        date_size: u64,
        /// Address for the date.
        date: u64,
        /// The same of the description.
        description_size: u64,
        /// Address for the description.
        description: u64,
    }
}
