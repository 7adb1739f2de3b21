//! Waiting for commands, and finding out what became of them.

use std::mem::offset_of;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command;
use super::context::Core;
use super::error::{CommandState, DriverError, Failure, Health};
use super::kernel::{Attached, Errno};
use super::object::Object;
use super::receipt::{Receipt, Seen};
use crate::uapi;

/// Which word of a chain's packet names the command that failed.
const ERROR_INDEX: usize = 3;

/// A command or a chain under way. Dropped before it is done, it keeps its place in the queue and its buffers in use until the
/// context is destroyed: the device may still be writing.
#[must_use = "what a command used is in use until its fence was waited for"]
pub struct Fence {
    core: Arc<Core>,
    sequence: u64,
    members: Vec<Arc<command::Shared>>,
    /// The buffer of the chain's packet, where it is a chain.
    carrier: Option<Object>,
    started: Instant,
    outcome: Option<Result<Receipt, DriverError>>,
}

impl Fence {
    pub(super) fn new(
        core: Arc<Core>,
        sequence: u64,
        members: Vec<Arc<command::Shared>>,
        carrier: Option<Object>,
        started: Instant,
    ) -> Self {
        Self { core, sequence, members, carrier, started, outcome: None }
    }

    /// The driver's number for it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Waits until it is done (steps 10 and 11), at most for so long: with [`DriverError::Deadline`] it can be waited for
    /// again. Every other answer is final. If it did not complete, the context is over.
    pub fn wait(&mut self, patience: Duration) -> Result<Receipt, DriverError> {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        let outcome = match self.block(patience) {
            Err(Errno::ETIME) => return Err(DriverError::Deadline { sequence: self.sequence, waited: patience }),
            Err(errno) => {
                self.core.abandon(&self.members);
                Err(DriverError::call(self.call(), errno, "waiting for a command"))
            }
            Ok(()) => self.judge(),
        };
        // Whatever went wrong, it is not known what the device still does in this context.
        if let Err(error) = &outcome {
            self.core.life.end(error.to_string());
        }
        self.members.iter().for_each(|member| member.end());
        self.core.leave();
        self.outcome = Some(outcome.clone());
        outcome
    }

    fn call(&self) -> &'static str {
        if self.core.timeline == 0 { uapi::WAIT_COMMAND.name } else { uapi::TIMELINE_WAIT.name }
    }

    /// Waits by timeline, or by command where the driver has none.
    fn block(&self, patience: Duration) -> Result<(), Errno> {
        let link = &self.core.link;
        if self.core.timeline == 0 {
            // 0 would be for ever.
            let timeout = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX).max(1);
            let mut argument = uapi::WaitCommand { context: self.core.handle, timeout, sequence: self.sequence };
            return link.call(uapi::WAIT_COMMAND, &mut argument, &mut []);
        }
        let patience = i64::try_from(patience.as_nanos()).unwrap_or(i64::MAX);
        let mut argument = uapi::TimelineWait {
            timeout: link.kernel.monotonic().saturating_add(patience),
            count: 1,
            flags: uapi::WAIT_FOR_SUBMIT,
            ..Default::default()
        };
        let mut handles = self.core.timeline.to_ne_bytes();
        let mut points = self.sequence.to_ne_bytes();
        let handles = Attached { at: offset_of!(uapi::TimelineWait, handles), bytes: &mut handles };
        let points = Attached { at: offset_of!(uapi::TimelineWait, points), bytes: &mut points };
        link.call(uapi::TIMELINE_WAIT, &mut argument, &mut [handles, points])
    }

    /// Reads in the packet how it ended.
    fn judge(&self) -> Result<Receipt, DriverError> {
        let carrier = self.carrier.as_ref().or_else(|| self.members.first().map(|member| &member.object));
        let Some(carrier) = carrier else { return Err(DriverError::Units { what: "a chain of nothing".to_owned() }) };
        let packet = carrier.words(0, 1 + Health::WORDS)?;
        let state = CommandState::of_header(packet[0]);
        if state == CommandState::Completed {
            return Ok(Receipt::issue(Seen {
                origin: self.core.link.origin,
                generation: self.core.life.generation(),
                sequence: self.sequence,
                commands: self.members.len() as u32,
                operations: self.members.iter().map(|member| member.work.operations).sum(),
                bytes: self.members.iter().map(|member| member.bytes()).sum(),
                wall: self.started.elapsed(),
            }));
        }
        let member = self.carrier.is_some().then_some(packet[ERROR_INDEX] as usize);
        // The report lies in the packet itself, of a chain in that of the command that failed, or in the first.
        let reports = match member {
            None => vec![packet],
            Some(index) => [self.members.get(index), self.members.first()]
                .into_iter()
                .flatten()
                .map(|member| member.object.words(0, 1 + Health::WORDS))
                .collect::<Result<_, _>>()?,
        };
        let health = reports.iter().find_map(|report| Health::read(&report[1..]));
        Err(Failure { sequence: self.sequence, state, member, health }.into())
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        if self.outcome.is_none() {
            self.core.abandon(&self.members);
        }
    }
}
