//! Instructions to words.

use super::{Direction, Form, Instruction, Opcode, Stream, TokenWait};

/// The words of a stream, exactly as they were read where it was read.
pub fn assemble(stream: &Stream) -> Vec<u32> {
    let form = stream.header.form;
    let mut words = stream.header.encode().to_vec();
    for operation in &stream.operations {
        let start = words.len();
        instruction(&operation.instruction, form, &mut words);
        for &(place, bits) in operation.residue.as_deref().unwrap_or_default() {
            if let Some(word) = words.get_mut(start + place as usize) {
                *word ^= bits;
            }
        }
    }
    words
}

/// Appends an instruction with everything zero that means nothing.
pub(super) fn instruction(instruction: &Instruction, form: Form, words: &mut Vec<u32>) {
    let code = u32::from(instruction.opcode().code());
    let classic = form == Form::Classic;
    match instruction {
        Instruction::Write { address, value } if classic => words.extend([code, 0, *address, 0, *value, 24]),
        Instruction::Write { address, value } => words.extend([code, *address, *value]),
        Instruction::MaskWrite { address, value, mask } if classic => {
            words.extend([code, 0, *address, 0, *value, *mask, 28]);
        }
        Instruction::MaskPoll { address, value, mask } if classic => {
            words.extend([code, 0, *address, 0, *value, *mask, 32, 0]);
        }
        Instruction::MaskWrite { address, value, mask } | Instruction::MaskPoll { address, value, mask } => {
            words.extend([code, *address, *value, *mask]);
        }
        Instruction::BlockWrite { address, data } => {
            let bytes = instruction.words(form) as u32 * 4;
            if classic {
                words.extend([code, 0, *address, bytes]);
            } else {
                words.extend([code, *address, bytes]);
            }
            words.extend_from_slice(data);
        }
        Instruction::Noop => words.push(code),
        Instruction::Preempt { level } => words.push(code | u32::from(*level) << 8),
        Instruction::LoadPdi { id, size, address } => {
            let [low, high] = halves(*address);
            words.extend([code | u32::from(*id) << 16, *size, low, high]);
        }
        Instruction::Wait(wait) => {
            let [which, how_many] = token(wait);
            words.extend([code, 16, which, how_many]);
        }
        Instruction::Patch { register, argument, plus } => {
            let [low, high] = halves(*plus);
            if classic {
                words.extend([code, 48, 0, 0, 0, 0, *register, 0, *argument, 0, low, high]);
            } else {
                words.extend([code, 24, *register, *argument & 255, low, high]);
            }
        }
        Instruction::Other { opcode, data } => {
            words.push(u32::from(Opcode::code(*opcode)));
            words.extend_from_slice(data);
        }
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn token(wait: &TokenWait) -> [u32; 2] {
    let direction = u32::from(wait.direction == Direction::MemoryToStream);
    [
        direction | u32::from(wait.row) << 8 | u32::from(wait.column) << 16,
        u32::from(wait.rows) << 8 | u32::from(wait.columns) << 16 | u32::from(wait.channel) << 24,
    ]
}
