//! The numbers of tensors in the kinds that ggml's formats have, a part at a time.

use std::io::{self, Write};

use half::f16;

use crate::model::{Block, Dtype, Encoding, Stopped, Tensor};

/// Numbers converted at a time: whole blocks of every kind.
const PART: usize = 1 << 18;

/// The kinds that whisper.cpp's matrices may have, by the numbers that the header of a file calls them.
const KINDS: [(Encoding, u32); 7] = [
    (Encoding::Plain(Dtype::F32), 0),
    (Encoding::Plain(Dtype::F16), 1),
    (Encoding::Blocks(Block::Q4_0), 2),
    (Encoding::Blocks(Block::Q4_1), 3),
    (Encoding::Blocks(Block::Q8_0), 7),
    (Encoding::Blocks(Block::Q5_0), 8),
    (Encoding::Blocks(Block::Q5_1), 9),
];

/// Why a file does not get its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::model) enum Unfinished {
    /// The system refused it, or the format has no place for something in the model.
    #[error(transparent)]
    Refused(#[from] io::Error),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

pub(super) fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// What the header of a file calls the kind of its matrices.
pub(super) fn file_kind(matrices: &Encoding) -> io::Result<u32> {
    let kind = KINDS.iter().find(|(known, _)| known == matrices).map(|(_, number)| *number);
    kind.ok_or_else(|| {
        let known = KINDS.map(|(encoding, _)| encoding.to_string()).join(", ");
        refused(format!("matrices cannot be written as {matrices}; there are {known}"))
    })
}

/// How a tensor is written where matrices are written so: convolutions in f16 or f32, what is only added or looked up
/// in f32.
pub(super) fn encoding_of(tensor: &Tensor<'_>, matrices: &Encoding) -> Encoding {
    let wide = Encoding::Plain(Dtype::F32);
    match tensor.shape.len() {
        2 if !tensor.name.ends_with("embed_positions.weight") => matrices.clone(),
        3 if *matrices != wide => Encoding::Plain(Dtype::F16),
        _ => wide,
    }
}

/// Checks that rows are whole blocks; the result is how many bytes the numbers take.
pub(super) fn size(tensor: &Tensor<'_>, encoding: &Encoding) -> io::Result<usize> {
    let row = tensor.shape.last().copied().unwrap_or_default();
    let size = encoding.bytes(row).and_then(|_| encoding.bytes(tensor.count()));
    size.ok_or_else(|| {
        refused(format!("tensor {}: rows of {row} numbers are no whole blocks of {encoding}", tensor.name))
    })
}

/// Writes the numbers. Those that are of the kind already go over unchanged.
pub(super) fn write(tensor: &Tensor<'_>, encoding: &Encoding, out: &mut dyn Write) -> io::Result<()> {
    if tensor.encoding == encoding {
        return out.write_all(tensor.bytes);
    }
    let stored = tensor.stored();
    let mut numbers = vec![0.0; PART.min(tensor.count())];
    let mut start = 0;
    while start < tensor.count() {
        let part = (tensor.count() - start).min(PART);
        let numbers = &mut numbers[..part];
        stored.read(start, numbers);
        out.write_all(&encode(tensor.name, numbers, encoding)?)?;
        start += part;
    }
    Ok(())
}

fn encode(name: &str, numbers: &[f32], encoding: &Encoding) -> io::Result<Vec<u8>> {
    let f32s = *encoding == Encoding::Plain(Dtype::F32);
    // Scales of blocks are f16 too.
    if let Some(number) = numbers.iter().find(|number| !f32s && !f16::from_f32(**number).is_finite()) {
        return Err(refused(format!("tensor {name} holds {number}, which {encoding} cannot hold; f32 can")));
    }
    let bytes = match encoding {
        Encoding::Plain(Dtype::F32) => Some(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        Encoding::Plain(Dtype::F16) => {
            Some(numbers.iter().flat_map(|number| f16::from_f32(*number).to_le_bytes()).collect())
        }
        Encoding::Blocks(block) => block.encode(numbers),
        _ => None,
    };
    bytes.ok_or_else(|| refused(format!("tensor {name} cannot be written as {encoding}")))
}
