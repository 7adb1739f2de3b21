//! The thread that stands for the device: it takes commands from the queues and runs them on what the device sees of memory.

use super::machine::{Fault, Machine};
use super::state::{Job, State};
use super::{Injection, Shared};
use crate::driver::error::{CommandState, Health};
use crate::driver::packet::Packet;
use crate::uapi::HEAP_DEVICE_BASE;

/// A NaN in both halves of a word, and as a whole.
const NOT_NUMBERS: u32 = 0x7FC1_7FC1;
/// What a program counter might look like.
const PROGRAM_COUNTER: u32 = 0x28B0_60AD;

/// Runs commands until the driver is closed.
pub(super) fn run(shared: &Shared, mut machine: Box<dyn Machine>) {
    let mut state = shared.state();
    let mut context = None;
    while !state.stop {
        if state.held || state.lost || state.queue.is_empty() {
            state = match shared.changed.wait(state) {
                Ok(state) => state,
                Err(_) => return,
            };
            continue;
        }
        if let Some(job) = state.queue.pop_front() {
            if context.replace(job.context) != Some(job.context) {
                machine.set_up();
            }
            state.run(&job, machine.as_mut());
            shared.changed.notify_all();
        }
    }
}

impl State {
    fn run(&mut self, job: &Job, machine: &mut dyn Machine) {
        let mut ended = (CommandState::Completed, None, 0);
        for (member, (handle, packet)) in job.commands.iter().enumerate() {
            let (state, health) = self.run_one(job, packet, machine);
            if self.lost {
                return;
            }
            self.end_command(*handle, state, health);
            self.counts.commands += 1;
            if state != CommandState::Completed {
                ended = (state, health, member);
                break;
            }
        }
        let (state, _, member) = ended;
        if job.commands.first().is_none_or(|(handle, _)| *handle != job.carrier) {
            self.end_command(job.carrier, state, None);
            if state != CommandState::Completed {
                self.end_chain(job.carrier, member);
            }
        }
        if let Some(context) = self.contexts.get_mut(&job.context) {
            context.done += 1;
        }
    }

    fn run_one(&mut self, job: &Job, packet: &Packet, machine: &mut dyn Machine) -> (CommandState, Option<Health>) {
        let injected = self.next.pop_front().or(self.every);
        match injected {
            Some(Injection::End(state, operation)) => return (state, Some(health(operation))),
            Some(Injection::Lost) => {
                self.lost = true;
                return (CommandState::Abort, None);
            }
            Some(Injection::Untouched) => return (CommandState::Completed, None),
            _ => {}
        }
        match self.execute(job, packet, machine, injected) {
            Ok(()) => (CommandState::Completed, None),
            Err(fault) => {
                let state = if fault.hung { CommandState::Timeout } else { CommandState::Error };
                let report = health(fault.operation);
                self.fault = Some(fault);
                (state, Some(report))
            }
        }
    }

    fn execute(
        &mut self,
        job: &Job,
        packet: &Packet,
        machine: &mut dyn Machine,
        injected: Option<Injection>,
    ) -> Result<(), Fault> {
        let Packet::Start { units, stream, words, arguments } = packet else { return Err(hung("a chain in a chain")) };
        self.check_overlay(job, units.trailing_zeros() as usize)?;
        let stream = self.stream(*stream, *words as usize)?.to_vec();
        let mut places = Vec::with_capacity(arguments.len());
        for address in arguments {
            let place = self.find(*address, &job.pinned);
            places.push(place.ok_or_else(|| hung(format!("nothing is at {address:#x} for the device")))?);
        }
        // The buffers are taken out for the machine, each once, and put back.
        let mut taken: Vec<Vec<u32>> = Vec::with_capacity(places.len());
        for (handle, _) in &places {
            let device = self.objects.get_mut(handle).map(|object| std::mem::take(&mut object.device));
            taken.push(device.unwrap_or_default());
        }
        let twice = taken.iter().any(Vec::is_empty);
        let before: Vec<Vec<u32>> = if injected.is_some() { taken.clone() } else { Vec::new() };
        let result = if twice {
            Err(hung("this machine takes each buffer once"))
        } else {
            let mut views: Vec<&mut [u32]> =
                taken.iter_mut().zip(&places).map(|(words, (_, start))| &mut words[*start..]).collect();
            machine.execute(&stream, &mut views)
        };
        if result.is_ok() {
            spoil(injected, &before, &mut taken, self.counts.commands as u32);
        }
        // From the last to the first, so that of a buffer given twice the one with the words comes back.
        for ((handle, _), words) in places.iter().zip(taken).rev() {
            if let Some(object) = self.objects.get_mut(handle) {
                object.device = words;
            }
        }
        result
    }

    /// An overlay that never left the caches leaves the array as it was: nothing runs.
    fn check_overlay(&self, job: &Job, unit: usize) -> Result<(), Fault> {
        let image = self.contexts.get(&job.context).and_then(|context| context.units.get(unit));
        let Some(image) = image.and_then(|image| self.objects.get(image)) else { return Err(hung("no overlay")) };
        let start = (image.device_address - HEAP_DEVICE_BASE) as usize / 4;
        match self.heap_words().get(start..start + image.size / 4) {
            Some(words) if words.iter().any(|word| *word != 0) => Ok(()),
            _ => Err(hung("the device sees no overlay, only zeros")),
        }
    }

    fn stream(&self, address: u64, words: usize) -> Result<&[u32], Fault> {
        let start = address.checked_sub(HEAP_DEVICE_BASE).and_then(|start| usize::try_from(start / 4).ok());
        let found = start.and_then(|start| self.heap_words().get(start..start.checked_add(words)?));
        found.ok_or_else(|| hung(format!("an instruction stream at {address:#x}, outside of the heap")))
    }
}

fn hung(reason: impl Into<String>) -> Fault {
    Fault { operation: None, hung: true, reason: reason.into() }
}

fn health(last_operation: Option<u32>) -> Health {
    Health { last_operation, program_counter: PROGRAM_COUNTER, fatal: 0, exception: 0, exception_counter: 0, module: 0 }
}

/// Changes what was written, as a broken device would.
fn spoil(injected: Option<Injection>, before: &[Vec<u32>], after: &mut [Vec<u32>], run: u32) {
    let word = match injected {
        Some(Injection::Zeros) => Some(0),
        Some(Injection::NotNumbers) => Some(NOT_NUMBERS),
        _ => None,
    };
    let written = before.iter().zip(after).flat_map(|(before, after)| before.iter().zip(after));
    let mut written = written.filter(|(before, after)| before != after).map(|(_, after)| after);
    match (word, injected) {
        (Some(word), _) => written.for_each(|place| *place = word),
        (None, Some(Injection::Unsteady)) => {
            if let Some(place) = written.next() {
                *place ^= run & 1;
            }
        }
        _ => {}
    }
}
