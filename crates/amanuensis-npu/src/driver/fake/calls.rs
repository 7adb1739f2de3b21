//! The calls, with the checks that the real driver makes.

use std::time::{Duration, Instant};

use super::Shared;
use super::state::{Context, Job, State};
use crate::driver::kernel::{Attached, Errno};
use crate::driver::packet::Packet;
use crate::uapi::{self, *};

/// Core rows of a column.
const CORE_ROWS: u32 = 4;

/// Makes a call: reads the argument, does it, writes the argument back.
pub(super) fn call(
    shared: &Shared,
    request: Request,
    argument: &mut [u8],
    attached: &mut [Attached<'_>],
) -> Result<(), Errno> {
    if argument.len() != request.size() {
        return Err(Errno::EFAULT);
    }
    // A device that is gone answers nothing, except that buffers can still be given back.
    if shared.state().lost && request != CLOSE_BUFFER && request != DESTROY_CONTEXT {
        return Err(Errno::ENODEV);
    }
    let mut state = shared.state();
    match request {
        DRIVER_VERSION => with(argument, |version| state.version(version, attached)),
        GET_INFO => with(argument, |query| state.info(query, attached)),
        CREATE_BUFFER => with(argument, |made| state.create_buffer(made)),
        BUFFER_INFO => with(argument, |info| state.buffer_info(info)),
        SYNC_BUFFER => {
            with(argument, |sync: &mut SyncBuffer| state.sync(sync.handle, sync.direction, sync.offset, sync.size))
        }
        CLOSE_BUFFER => with(argument, |close: &mut CloseBuffer| state.close(close.handle)),
        CREATE_CONTEXT => with(argument, |made| state.create_context(made, attached)),
        DESTROY_CONTEXT => with(argument, |gone: &mut DestroyContext| {
            let answer = state.destroy_context(gone.handle);
            shared.changed.notify_all();
            answer
        }),
        CONFIGURE_CONTEXT => with(argument, |configured| state.configure(configured, attached)),
        EXECUTE_COMMAND => {
            drop(state);
            with(argument, |command| execute(shared, command, attached))
        }
        WAIT_COMMAND => {
            drop(state);
            with(argument, |wait: &mut WaitCommand| {
                let timeout = Duration::from_millis(wait.timeout.into());
                let until = (wait.timeout > 0).then(|| Instant::now() + timeout);
                wait_for(
                    shared,
                    |state| state.contexts.get(&wait.context).map(|context| context.done),
                    wait.sequence,
                    until,
                )
            })
        }
        TIMELINE_WAIT => {
            drop(state);
            with(argument, |wait| timeline_wait(shared, wait, attached))
        }
        other => state.refuse(Errno::EOPNOTSUPP, other.name),
    }
}

fn with<Argument: Layout>(
    bytes: &mut [u8],
    call: impl FnOnce(&mut Argument) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut argument = Argument::from_bytes(bytes).ok_or(Errno::EFAULT)?;
    call(&mut argument)?;
    argument.put(bytes);
    Ok(())
}

/// The bytes behind a field with an address.
fn behind<'a>(attached: &'a mut [Attached<'_>], at: usize) -> Result<&'a mut [u8], Errno> {
    attached.iter_mut().find(|attached| attached.at == at).map(|attached| &mut *attached.bytes).ok_or(Errno::EFAULT)
}

impl State {
    fn version(&mut self, version: &mut DriverVersion, attached: &mut [Attached<'_>]) -> Result<(), Errno> {
        let name = self.settings.name.as_bytes();
        let room = behind(attached, std::mem::offset_of!(DriverVersion, name))?;
        let length = room.len().min(name.len());
        room[..length].copy_from_slice(&name[..length]);
        (version.major, version.minor, version.name_size) = (0, 8, name.len() as u64);
        Ok(())
    }

    fn info(&mut self, query: &mut GetInfo, attached: &mut [Attached<'_>]) -> Result<(), Errno> {
        let generation = self.settings.generation;
        // XDNA1 counts a fifth column, which has no shim DMA.
        let (columns, clock, task) = match generation {
            crate::driver::Generation::Xdna1 => (5, 1600, 6),
            crate::driver::Generation::Xdna2 => (8, 1800, 16),
        };
        let tile =
            |rows, first_row, channels, locks| TileMetadata { rows, first_row, channels, locks, ..Default::default() };
        let clock_named = |name: &[u8], megahertz| {
            let mut clock = Clock { megahertz, ..Default::default() };
            clock.name[..name.len()].copy_from_slice(name);
            clock
        };
        let answer = match query.parameter {
            QUERY_ARRAY => ArrayMetadata {
                column_size: 1 << 25,
                columns,
                rows: 6,
                version: ArrayVersion { major: 2, minor: 0 },
                core: tile(4, 2, 2, 16),
                memory: tile(1, 1, 6, 64),
                shim: tile(1, 0, 2, 16),
            }
            .to_bytes(),
            QUERY_VERSION => ArrayVersion { major: 2, minor: 0 }.to_bytes(),
            QUERY_CLOCKS => {
                Clocks { controller: clock_named(b"MP-NPU Clock", 847), array: clock_named(b"H Clock", clock) }
                    .to_bytes()
            }
            QUERY_FIRMWARE => FirmwareVersion { major: 1, minor: 5, patch: 5, build: 391 }.to_bytes(),
            QUERY_POWER => PowerMode::default().to_bytes(),
            QUERY_RESOURCES => ResourceInfo {
                clock_limit: clock.into(),
                tops_limit: 10,
                context_limit: task,
                tops: 0,
                contexts: self.contexts.len() as u64,
            }
            .to_bytes(),
            other => return self.refuse(Errno::EOPNOTSUPP, format!("query {other}")),
        };
        let room = behind(attached, std::mem::offset_of!(GetInfo, buffer))?;
        if room.len() != query.size as usize || room.len() < answer.len() {
            return self.refuse(Errno::EINVAL, "room for a query");
        }
        room[..answer.len()].copy_from_slice(&answer);
        query.size = answer.len() as u32;
        Ok(())
    }

    fn create_buffer(&mut self, made: &mut CreateBuffer) -> Result<(), Errno> {
        if (made.flags, made.address) != (0, 0) {
            return self.refuse(Errno::EINVAL, "flags of a buffer");
        }
        made.handle = self.create(made.kind, made.size)?;
        Ok(())
    }

    fn buffer_info(&mut self, info: &mut BufferInfo) -> Result<(), Errno> {
        let Some(object) = self.objects.get(&info.handle) else { return self.refuse(Errno::ENOENT, "no such buffer") };
        (info.map_offset, info.device_address) = (object.map_offset, object.device_address);
        Ok(())
    }

    fn create_context(&mut self, made: &mut CreateContext, attached: &mut [Attached<'_>]) -> Result<(), Errno> {
        /// Bytes of the quality struct that the kernel reads; the long form is longer.
        const QUALITY: usize = 24;
        if behind(attached, std::mem::offset_of!(CreateContext, quality))?.len() < QUALITY {
            return Err(Errno::EFAULT);
        }
        if (made.extension, made.extension_flags, made.queue_buffer, made.log_buffer) != (0, 0, NO_BUFFER, NO_BUFFER) {
            return self.refuse(Errno::EINVAL, "fields that must be zero");
        }
        if !self.heap_ready() {
            return self.refuse(Errno::EINVAL, "client dev heap object not exist");
        }
        let columns = made.tiles / CORE_ROWS;
        if !made.tiles.is_multiple_of(CORE_ROWS) || columns == 0 || columns > self.settings.generation.columns().into()
        {
            return self.refuse(Errno::EINVAL, format!("{} tiles", made.tiles));
        }
        if self.contexts.len() as u64 >= self.settings.generation.context_limit() {
            return self.refuse(Errno::EINVAL, "no more contexts");
        }
        let (handle, timeline) = (self.handle(), self.handle());
        made.handle = handle;
        made.timeline = if self.settings.timelines { timeline } else { 0 };
        let context = Context { units: Vec::new(), timeline: made.timeline, submitted: 0, done: 0 };
        self.contexts.insert(handle, context);
        Ok(())
    }

    fn destroy_context(&mut self, handle: u32) -> Result<(), Errno> {
        if self.contexts.remove(&handle).is_none() {
            return self.refuse(Errno::EINVAL, "no such context");
        }
        self.queue.retain(|job| job.context != handle);
        Ok(())
    }

    fn configure(&mut self, configured: &mut ConfigureContext, attached: &mut [Attached<'_>]) -> Result<(), Errno> {
        let bytes = behind(attached, std::mem::offset_of!(ConfigureContext, value))?;
        let header = UnitsHeader::from_bytes(bytes).ok_or(Errno::EFAULT)?;
        let units: Vec<uapi::Unit> =
            bytes[UnitsHeader::WIDTH..].chunks_exact(uapi::Unit::WIDTH).filter_map(uapi::Unit::from_bytes).collect();
        let sizes = (configured.value_size as usize, units.len());
        let Some(context) = self.contexts.get(&configured.handle) else {
            return self.refuse(Errno::EINVAL, "no such context");
        };
        if configured.parameter != CONFIGURE_UNITS {
            return self.refuse(Errno::EINVAL, "what is configured");
        }
        if !context.units.is_empty() {
            return self.refuse(Errno::EINVAL, "Not support re-config CU");
        }
        if sizes != (bytes.len(), header.count.into()) || units.is_empty() || units.len() > UNITS_LIMIT {
            return self.refuse(Errno::EINVAL, "a number of compute units");
        }
        for unit in &units {
            let image = self.objects.get(&unit.image).filter(|object| object.kind == BUFFER_DEVICE);
            let Some(image) = image else {
                return self.refuse(Errno::EINVAL, "an overlay that is not in the dev heap");
            };
            if image.device_address % IMAGE_ALIGNMENT != 0 {
                return self.refuse(Errno::EINVAL, "an overlay that is not at a multiple of 32 KiB");
            }
        }
        if let Some(context) = self.contexts.get_mut(&configured.handle) {
            context.units = units.iter().map(|unit| unit.image).collect();
        }
        Ok(())
    }

    /// Checks a command buffer and all that it names.
    fn job(&mut self, command: &ExecuteCommand, pinned: Vec<u32>) -> Result<Job, Errno> {
        if (command.extension, command.extension_flags, command.kind, command.command_count) != (0, 0, 0, 1) {
            return self.refuse(Errno::EINVAL, "fields of a submission");
        }
        if pinned.len() != command.argument_count as usize {
            return self.refuse(Errno::EINVAL, "a number of buffers");
        }
        if !pinned.iter().all(|handle| self.objects.contains_key(handle)) {
            return self.refuse(Errno::ENOENT, "a buffer that is not there");
        }
        let Some(context) = self.contexts.get(&command.context) else {
            return self.refuse(Errno::EINVAL, "no such context");
        };
        let units = context.units.len();
        if units == 0 {
            return self.refuse(Errno::EINVAL, "a context without compute units");
        }
        let carrier = u32::try_from(command.commands).map_err(|_| Errno::EINVAL)?;
        let handles = match self.packet(carrier)? {
            Packet::Start { .. } => vec![carrier],
            Packet::Chain { handles } if handles.len() > self.settings.chain_limit => {
                return self.refuse(Errno::EINVAL, format!("a chain of {} commands", handles.len()));
            }
            Packet::Chain { handles } => handles,
        };
        let mut commands = Vec::with_capacity(handles.len());
        for handle in handles {
            let packet = self.packet(handle)?;
            match &packet {
                Packet::Start { units: wanted, .. } if wanted.trailing_zeros() as usize >= units => {
                    return self.refuse(Errno::EINVAL, format!("unit mask {wanted:#x} of {units} units"));
                }
                Packet::Start { .. } => commands.push((handle, packet)),
                Packet::Chain { .. } => return self.refuse(Errno::EINVAL, "a chain in a chain"),
            }
        }
        Ok(Job { context: command.context, carrier, commands, pinned })
    }

    fn packet(&mut self, handle: u32) -> Result<Packet, Errno> {
        let Some(words) = self.command_words(handle) else {
            return self.refuse(Errno::EINVAL, "a command that is no mapped command buffer");
        };
        match Packet::read(&words) {
            Ok(packet) => Ok(packet),
            Err(why) => self.refuse(Errno::EINVAL, why),
        }
    }
}

/// Puts a command into its context's queue, once there is room.
fn execute(shared: &Shared, command: &mut ExecuteCommand, attached: &mut [Attached<'_>]) -> Result<(), Errno> {
    let bytes = behind(attached, std::mem::offset_of!(ExecuteCommand, arguments))?;
    let pinned = bytes.chunks_exact(4).map(u32::get).collect();
    let mut state = shared.state();
    let job = state.job(command, pinned)?;
    loop {
        let Some(context) = state.contexts.get_mut(&command.context) else { return Err(Errno::EINVAL) };
        let waiting = (context.submitted - context.done) as usize;
        if waiting < QUEUE_DEPTH {
            command.sequence = context.submitted;
            context.submitted += 1;
            state.counts.deepest = state.counts.deepest.max(waiting + 1);
            state.queue.push_back(job);
            shared.changed.notify_all();
            return Ok(());
        }
        state = shared.changed.wait(state).map_err(|_| Errno::EIO)?;
        if state.lost {
            return Err(Errno::ENODEV);
        }
    }
}

fn timeline_wait(shared: &Shared, wait: &mut TimelineWait, attached: &mut [Attached<'_>]) -> Result<(), Errno> {
    let timeline =
        u32::get(behind(attached, std::mem::offset_of!(TimelineWait, handles))?.get(..4).ok_or(Errno::EFAULT)?);
    let point = u64::get(behind(attached, std::mem::offset_of!(TimelineWait, points))?.get(..8).ok_or(Errno::EFAULT)?);
    if wait.count != 1 || timeline == 0 {
        return shared.state().refuse(Errno::EINVAL, "timelines to wait for");
    }
    let after = Duration::from_nanos(u64::try_from(wait.timeout).unwrap_or(0));
    let until = shared.started.checked_add(after);
    let done = |state: &State| {
        state.contexts.values().find(|context| context.timeline == timeline).map(|context| context.done)
    };
    wait_for(shared, done, point, until)
}

/// Waits until a context has done a command.
fn wait_for(
    shared: &Shared,
    done: impl Fn(&State) -> Option<u64>,
    sequence: u64,
    until: Option<Instant>,
) -> Result<(), Errno> {
    let mut state = shared.state();
    loop {
        if state.lost {
            return Err(Errno::ENODEV);
        }
        match done(&state) {
            None => return state.refuse(Errno::ENOENT, "no such context"),
            Some(done) if done > sequence => return Ok(()),
            Some(_) => {}
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Errno::ETIME);
        }
        let waited = shared.changed.wait_timeout(state, left.unwrap_or(Duration::from_secs(1)));
        state = waited.map_err(|_| Errno::EIO)?.0;
    }
}
