//! Models that are a single file of ggml's kinds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::numbers::Unfinished;
use super::{Order, Type, WriteError, ggml, gguf};
use crate::mel;
use crate::model::{Block, Dtype, Encoding, ModelFile, Progress};

/// Bytes gathered before they are written.
const GATHERED: usize = 1 << 20;

/// whisper.cpp's file.
pub(super) fn write_ggml(
    model: &ModelFile,
    order: &Order,
    path: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    let filters = mel::filters(model.dims.mel_bins);
    write(path, |out| ggml::write(model, &encoding_of(order.kind), &filters, out, progress))
}

/// A GGUF file.
pub(super) fn write_gguf(
    model: &ModelFile,
    order: &Order,
    path: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    write(path, |out| gguf::write(model, &encoding_of(order.kind), out, progress))
}

fn write(path: &Path, contents: impl FnOnce(&mut dyn Write) -> Result<(), Unfinished>) -> Result<(), WriteError> {
    let refused = WriteError::of(path);
    // The name is taken by whoever lets the file appear; it is empty so far.
    let mut out = BufWriter::with_capacity(GATHERED, File::create(path).map_err(&refused)?);
    match contents(&mut out) {
        Ok(()) => out.flush().map_err(&refused),
        Err(Unfinished::Refused(reason)) => Err(refused(reason)),
        Err(Unfinished::Stopped(stopped)) => Err(stopped.into()),
    }
}

/// What the matrices become. These formats have no other types: see their entries in the table.
fn encoding_of(kind: Type) -> Encoding {
    match kind {
        Type::F16 => Encoding::Plain(Dtype::F16),
        Type::Q8_0 => Encoding::Blocks(Block::Q8_0),
        Type::Q5_1 => Encoding::Blocks(Block::Q5_1),
        Type::Q5_0 => Encoding::Blocks(Block::Q5_0),
        Type::Q4_1 => Encoding::Blocks(Block::Q4_1),
        Type::Q4_0 => Encoding::Blocks(Block::Q4_0),
        _ => Encoding::Plain(Dtype::F32),
    }
}
