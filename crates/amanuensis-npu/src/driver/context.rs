//! A context: columns of the array with overlays in them, and a queue of commands.

use std::collections::VecDeque;
use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::buffer::Buffer;
use super::command::{self, Command, Work, write_packet};
use super::device::Link;
use super::error::DriverError;
use super::fence::Fence;
use super::heap::Heap;
use super::kernel::{Attached, Errno};
use super::life::Life;
use super::object::Object;
use super::packet;
use super::receipt::Receipt;
use crate::uapi::{self, BUFFER_COMMAND, BUFFER_SHARE, COMMAND_SIZE, Layout, QUEUE_DEPTH, UNITS_LIMIT};

/// Core rows of every column of both families.
const CORE_ROWS: u32 = 4;

/// Which part of the array a context wants, as an xclbin's AIE_PARTITION states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Columns.
    pub columns: u16,
    /// Operations in a cycle.
    pub operations_per_cycle: u32,
}

/// What a compute unit of a context is to be: an overlay and one of its functions.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'a> {
    /// The PDI.
    pub image: &'a [u8],
    /// The function, from the IP_LAYOUT.
    pub function: u8,
}

/// A compute unit of a configured context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    pub(super) index: u32,
}

/// A context. When it is dropped it is destroyed, and what was made in it cannot be used any more.
pub struct Context {
    pub(super) core: Arc<Core>,
    heap: Heap,
    /// Overlays, kept for as long as firmware may load them.
    images: Vec<Object>,
}

/// What a context and its fences share.
pub(super) struct Core {
    pub(super) link: Arc<Link>,
    pub(super) handle: u32,
    /// Where its commands complete; 0 where the driver has no timelines.
    pub(super) timeline: u32,
    pub(super) life: Life,
    pub(super) under_way: AtomicUsize,
    /// Commands that a chain may have, as far as this driver is known.
    chain: AtomicUsize,
    /// Commands that nobody waited for. The device may write what they use until the context is destroyed, so until then none
    /// of it is given back.
    abandoned: Mutex<Vec<Arc<command::Shared>>>,
}

impl Context {
    /// Makes a context on the device of a heap (step 4 of [`run_once`](super::run_once)).
    pub fn create(heap: &Heap, partition: Partition) -> Result<Self, DriverError> {
        let link = heap.link();
        let (priority, first_column) = (uapi::PRIORITY_NORMAL, uapi::ANY_COLUMN);
        let mut bytes = uapi::Quality { priority, first_column, ..Default::default() }.to_bytes();
        let mut made = uapi::CreateContext {
            operations_per_cycle: partition.operations_per_cycle,
            tiles: u32::from(partition.columns) * CORE_ROWS,
            ..Default::default()
        };
        let at = offset_of!(uapi::CreateContext, quality);
        link.call(uapi::CREATE_CONTEXT, &mut made, &mut [Attached { at, bytes: &mut bytes }]).map_err(|errno| {
            let hint = "; the device has as many contexts as it can (6 on XDNA1, 16 on XDNA2), or too few columns for this one";
            DriverError::hinted("CREATE_HWCTX", errno, "making a context", hint)
        })?;
        let life = Life::begin(link.generations.fetch_add(1, Ordering::Relaxed) + 1);
        let core = Core {
            link,
            handle: made.handle,
            timeline: made.timeline,
            life,
            under_way: AtomicUsize::new(0),
            chain: AtomicUsize::new(packet::CHAIN_LIMIT),
            abandoned: Mutex::default(),
        };
        Ok(Self { core: Arc::new(core), heap: heap.clone(), images: Vec::new() })
    }

    /// Gives it its compute units, all at once: a context is configured a single time (steps 5 and 6). Several overlays in one
    /// context save the 2.7 ms that switching contexts costs.
    pub fn configure(&mut self, overlays: &[Overlay<'_>]) -> Result<Vec<Unit>, DriverError> {
        self.core.life.check()?;
        if !self.images.is_empty() {
            return Err(DriverError::Units { what: "this context has its compute units already".to_owned() });
        }
        if !(1..=UNITS_LIMIT).contains(&overlays.len()) {
            let what = format!("{} overlays, where a context takes 1 to {UNITS_LIMIT}", overlays.len());
            return Err(DriverError::Units { what });
        }
        let images: Vec<Object> =
            overlays.iter().map(|overlay| self.heap.image(overlay.image)).collect::<Result<_, _>>()?;
        let mut bytes = uapi::UnitsHeader { count: overlays.len() as u16, ..Default::default() }.to_bytes();
        for (image, overlay) in images.iter().zip(overlays) {
            bytes.extend(uapi::Unit { image: image.handle, function: overlay.function, pad: [0; 3] }.to_bytes());
        }
        let mut argument = uapi::ConfigureContext {
            handle: self.core.handle,
            parameter: uapi::CONFIGURE_UNITS,
            value_size: bytes.len() as u32,
            ..Default::default()
        };
        let at = offset_of!(uapi::ConfigureContext, value);
        self.core
            .link
            .call(uapi::CONFIGURE_CONTEXT, &mut argument, &mut [Attached { at, bytes: &mut bytes }])
            .map_err(|errno| self.core.failed("CONFIG_HWCTX", errno, "configuring compute units"))?;
        self.images = images;
        Ok((0..overlays.len() as u32).map(|index| Unit { index }).collect())
    }

    /// Which context of the device's this is, counted from 1.
    pub fn generation(&self) -> u64 {
        self.core.life.generation()
    }

    /// Fails where it has been lost, and says why.
    pub fn check(&self) -> Result<(), DriverError> {
        self.core.life.check()
    }

    /// Pages that the host and the device share: weights, activations (step 7).
    pub fn share(&self, bytes: usize) -> Result<Buffer, DriverError> {
        self.core.life.check()?;
        let size = bytes.max(1).next_multiple_of(4);
        let object = Object::own(&self.core.link, BUFFER_SHARE, size).map_err(|error| self.core.note(error))?;
        Ok(Buffer::whole(object, self.core.life.clone()))
    }

    /// An instruction stream in the heap (step 7).
    pub fn stream(&self, words: &[u32]) -> Result<Buffer, DriverError> {
        self.core.life.check()?;
        if words.is_empty() {
            return Err(packet::PacketError::Stream { words: 0 }.into());
        }
        let slot = self.heap.take(words.len() * 4).map_err(|error| self.core.note(error))?;
        let buffer = Buffer::slot(slot, words.len() * 4, self.core.life.clone());
        buffer.write_words(0, words)?;
        Ok(buffer)
    }

    /// A command that has a unit run a stream over buffers (step 8). The order of the buffers is the stream's.
    pub fn command(
        &self,
        unit: Unit,
        stream: &Buffer,
        arguments: &[&Buffer],
        work: Work,
    ) -> Result<Command, DriverError> {
        self.core.life.same(&stream.part.life)?;
        if unit.index as usize >= self.images.len() {
            let what = format!("compute unit {} of a context with {}", unit.index, self.images.len());
            return Err(DriverError::Units { what });
        }
        let object =
            Object::own(&self.core.link, BUFFER_COMMAND, COMMAND_SIZE).map_err(|error| self.core.note(error))?;
        Command::new(object, unit, stream, stream.len() / 4, arguments, work)
    }

    /// Submits a command (step 9): what it uses is flushed first.
    pub fn submit(&self, command: &Command) -> Result<Fence, DriverError> {
        self.core.life.same(&command.shared.life)?;
        self.core.enter()?;
        let members = vec![command.shared.clone()];
        let sequence = begin(&members).and_then(|()| {
            let sent = self.core.execute(command.shared.object.handle, &mut command.shared.handles());
            sent.map_err(|errno| {
                command.shared.end();
                self.core.failed("EXEC_CMD", errno, "submitting a command")
            })
        });
        let sequence = sequence.inspect_err(|_| self.core.leave())?;
        Ok(Fence::new(self.core.clone(), sequence, members, None, Instant::now()))
    }

    /// Runs commands as chains, each as long as the driver takes: what was found too long is not tried again. At most four
    /// chains are under way, and each is waited for so long. Gives their receipts in order, or the first error once nothing is
    /// under way any more.
    pub fn run_chained(&self, commands: &[&Command], patience: Duration) -> Result<Vec<Receipt>, DriverError> {
        let (mut fences, mut receipts) = (VecDeque::new(), Vec::new());
        let mut rest = commands;
        let mut outcome = Ok(());
        while outcome.is_ok() && !rest.is_empty() {
            if self.core.under_way.load(Ordering::Acquire) >= QUEUE_DEPTH {
                let Some(mut first): Option<Fence> = fences.pop_front() else {
                    outcome = Err(DriverError::QueueFull { limit: QUEUE_DEPTH });
                    break;
                };
                outcome = first.wait(patience).map(|receipt| receipts.push(receipt));
                continue;
            }
            let count = rest.len().min(self.core.chain.load(Ordering::Relaxed));
            let (now, later) = rest.split_at(count);
            match self.submit_chain(now) {
                Ok(Some(fence)) => {
                    fences.push_back(fence);
                    rest = later;
                }
                Ok(None) => self.core.chain.store(count.div_ceil(2), Ordering::Relaxed),
                Err(error) => outcome = Err(error),
            }
        }
        for mut fence in fences {
            let ended = fence.wait(patience).map(|receipt| receipts.push(receipt));
            outcome = outcome.and(ended);
        }
        outcome.map(|()| receipts)
    }

    /// Submits one chain; nothing where the driver finds it too long.
    fn submit_chain(&self, commands: &[&Command]) -> Result<Option<Fence>, DriverError> {
        commands.iter().try_for_each(|command| self.core.life.same(&command.shared.life))?;
        let handles: Vec<u32> = commands.iter().map(|command| command.shared.object.handle).collect();
        let packet = packet::chain(&handles)?;
        let carrier =
            Object::own(&self.core.link, BUFFER_COMMAND, COMMAND_SIZE).map_err(|error| self.core.note(error))?;
        write_packet(&carrier, &packet)?;
        let members: Vec<Arc<command::Shared>> = commands.iter().map(|command| command.shared.clone()).collect();
        let mut used: Vec<u32> = members.iter().flat_map(|member| member.handles()).collect();
        used.sort_unstable();
        used.dedup();
        self.core.enter()?;
        let started = Instant::now();
        begin(&members).inspect_err(|_| self.core.leave())?;
        match self.core.execute(carrier.handle, &mut used) {
            Ok(sequence) => Ok(Some(Fence::new(self.core.clone(), sequence, members, Some(carrier), started))),
            Err(errno) => {
                members.iter().for_each(|member| member.end());
                self.core.leave();
                if errno == Errno::EINVAL && commands.len() > 1 {
                    return Ok(None);
                }
                Err(self.core.failed("EXEC_CMD", errno, "submitting a chain"))
            }
        }
    }
}

/// Marks all members as used, or none.
fn begin(members: &[Arc<command::Shared>]) -> Result<(), DriverError> {
    for (place, member) in members.iter().enumerate() {
        if let Err(error) = member.begin() {
            members[..place].iter().for_each(|member| member.end());
            return Err(error);
        }
    }
    Ok(())
}

impl Core {
    /// Submits a command buffer with the handles of all that it uses.
    fn execute(&self, handle: u32, used: &mut [u32]) -> Result<u64, Errno> {
        let mut bytes: Vec<u8> = used.iter().flat_map(|handle| handle.to_ne_bytes()).collect();
        let mut argument = uapi::ExecuteCommand {
            context: self.handle,
            commands: u64::from(handle),
            command_count: 1,
            argument_count: used.len() as u32,
            ..Default::default()
        };
        let at = offset_of!(uapi::ExecuteCommand, arguments);
        self.link.call(uapi::EXECUTE_COMMAND, &mut argument, &mut [Attached { at, bytes: &mut bytes }])?;
        Ok(argument.sequence)
    }

    fn enter(&self) -> Result<(), DriverError> {
        let more = |count: usize| (count < QUEUE_DEPTH).then_some(count + 1);
        match self.under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(DriverError::QueueFull { limit: QUEUE_DEPTH }),
        }
    }

    /// Keeps what commands use for as long as the context.
    pub(super) fn abandon(&self, commands: &[Arc<command::Shared>]) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(commands);
    }

    pub(super) fn leave(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
    }

    /// The error of a call; the context ends where the device is gone.
    pub(super) fn failed(&self, call: &'static str, errno: Errno, doing: &'static str) -> DriverError {
        self.note(DriverError::call(call, errno, doing))
    }

    /// Ends the context where an error says that it is over.
    pub(super) fn note(&self, error: DriverError) -> DriverError {
        if error.ends_context() {
            self.life.end(error.to_string());
        }
        error
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.core.life.end("it was destroyed");
        let mut argument = uapi::DestroyContext { handle: self.core.handle, pad: 0 };
        // Nobody is left to be told that this failed; the driver ends contexts with the node.
        let _ = self.core.link.call(uapi::DESTROY_CONTEXT, &mut argument, &mut []);
    }
}
