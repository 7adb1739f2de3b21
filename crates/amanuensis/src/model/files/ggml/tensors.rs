//! The tensors, each behind a header of its own.

use std::collections::BTreeMap;

use super::super::cursor::Cursor;
use super::super::{BLOCK_VERSION, openai};
use crate::model::Encoding;
use crate::model::numbers::kind_of;
use crate::model::weights::Entry;

/// More axes than any tensor of ggml has.
const MOST_AXES: usize = 4;
/// The longest name of Whisper's has 50 bytes.
const LONGEST_NAME: usize = 256;
/// No Whisper model has a tenth of it. A file of nothing but headers must not fill the memory.
const MOST_TENSORS: usize = 1 << 16;
/// Finds the tensors from byte `start` on, by our names. Every range lies inside `bytes`.
pub(super) fn read(bytes: &[u8], start: usize, block_version: u32) -> Result<BTreeMap<String, Entry>, String> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(start).ok_or("it ends before its tensors")?;
    let mut tensors = BTreeMap::new();
    while cursor.left() > 0 {
        if tensors.len() == MOST_TENSORS {
            return Err(format!("it has more than {MOST_TENSORS} tensors"));
        }
        let (name, entry) = read_one(&mut cursor, tensors.len(), block_version)?;
        let canonical = openai::canonical(&name);
        if tensors.insert(canonical, entry).is_some() {
            return Err(format!("tensor {name} stands in it twice"));
        }
    }
    Ok(tensors)
}

fn read_one(cursor: &mut Cursor<'_>, index: usize, block_version: u32) -> Result<(String, Entry), String> {
    let within = || format!("it ends within the header of tensor {index}: it is truncated");
    let axes = cursor.u32().ok_or_else(within)?;
    let length = cursor.u32().ok_or_else(within)?;
    let kind = cursor.u32().ok_or_else(within)?;
    // A file that is damaged somewhere before shows it here first.
    if axes == 0 || axes as usize > MOST_AXES {
        return Err(format!("tensor {index} claims {} axes, expected 1 to {MOST_AXES}", axes as i32));
    }
    if length == 0 || length as usize > LONGEST_NAME {
        return Err(format!("tensor {index} claims a name of {} bytes, expected 1 to {LONGEST_NAME}", length as i32));
    }
    let mut shape = Vec::with_capacity(axes as usize);
    for _ in 0..axes {
        shape.push(cursor.u32().ok_or_else(within)? as usize);
    }
    shape.reverse();
    let name = cursor.take(length as usize).ok_or_else(within)?;
    let name = std::str::from_utf8(name).map_err(|_| format!("the name of tensor {index} is not UTF-8"))?;

    let wrong = |reason: String| format!("tensor {name}: {reason}");
    let encoding =
        kind_of(kind).ok_or_else(|| wrong(format!("its numbers are of the kind {kind}, which is not read")))?;
    if matches!(encoding, Encoding::Blocks(_)) && block_version != BLOCK_VERSION {
        return Err(wrong(format!(
            "its {encoding} blocks are of version {block_version}, and version {BLOCK_VERSION} is read; \
             quantize the model again with a whisper.cpp of after May 2023"
        )));
    }
    let count = shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis));
    let row = shape.last().copied().unwrap_or_default();
    let size = count.filter(|count| *count > 0).and_then(|count| Some((encoding.bytes(row)?, encoding.bytes(count)?)));
    let (_, size) = size.ok_or_else(|| wrong(format!("{encoding} cannot have the shape {shape:?}")))?;
    let (start, left) = (cursor.at(), cursor.left());
    cursor
        .take(size)
        .ok_or_else(|| wrong(format!("it takes {size} bytes, but only {left} follow: it is truncated")))?;
    if is_convolution_bias(name) && shape.len() == 2 {
        shape.retain(|axis| *axis != 1);
    }
    Ok((name.to_owned(), Entry { file: 0, encoding, shape, range: start..start + size }))
}

/// Stored with a second axis of length 1, so that whisper.cpp can add them to what it convolved.
pub(in crate::model) fn is_convolution_bias(name: &str) -> bool {
    matches!(name, "encoder.conv1.bias" | "encoder.conv2.bias")
}
