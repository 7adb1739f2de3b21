//! The table of tensors.

use super::super::cursor::Cursor;
use super::super::ggml::is_convolution_bias;
use super::super::openai;
use super::metadata::text;
use crate::model::numbers::kind_of;
use crate::model::weights::Entry;

/// More axes than any tensor of ggml has.
const MOST_AXES: u32 = 4;
/// ggml itself allows 64.
const LONGEST_NAME: usize = 256;
/// No Whisper model has a tenth of it.
const MOST_TENSORS: u64 = 1 << 16;
/// Bytes that an entry of the table takes at least.
const SMALLEST_ENTRY: usize = 8 + 4 + 8 + 4 + 8;

/// A tensor as the table says it, its place counted from the beginning of the numbers.
pub(super) struct Listed<'a> {
    name: &'a str,
    entry: Entry,
    offset: u64,
}

pub(super) fn read_table<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<Vec<Listed<'a>>, String> {
    if count > (cursor.left() / SMALLEST_ENTRY) as u64 || count > MOST_TENSORS {
        return Err(format!("it claims {count} tensors, but only {} bytes follow", cursor.left()));
    }
    let mut listed = Vec::with_capacity(count as usize);
    for index in 0..count {
        listed.push(read_one(cursor).map_err(|reason| format!("tensor {index}: {reason}"))?);
    }
    Ok(listed)
}

fn read_one<'a>(cursor: &mut Cursor<'a>) -> Result<Listed<'a>, String> {
    let within = || "it ends within the table of tensors: it is truncated".to_owned();
    let name = text(cursor)?;
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(format!("its name has {} bytes, expected 1 to {LONGEST_NAME}", name.len()));
    }
    let axes = cursor.u32().ok_or_else(within)?;
    if axes == 0 || axes > MOST_AXES {
        return Err(format!("{name} claims {axes} axes, expected 1 to {MOST_AXES}"));
    }
    let mut shape = Vec::with_capacity(axes as usize);
    for _ in 0..axes {
        let axis = cursor.array().map(u64::from_le_bytes).ok_or_else(within)?;
        shape.push(usize::try_from(axis).map_err(|_| format!("{name} has an axis of {axis}"))?);
    }
    shape.reverse();
    let kind = cursor.u32().ok_or_else(within)?;
    let offset = cursor.array().map(u64::from_le_bytes).ok_or_else(within)?;
    let encoding =
        kind_of(kind).ok_or_else(|| format!("{name}: its numbers are of the kind {kind}, which is not read"))?;
    let count = shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis)).filter(|count| *count > 0);
    let row = shape.last().copied().unwrap_or_default();
    let size = count.and_then(|count| encoding.bytes(row).and_then(|_| encoding.bytes(count)));
    let size = size.ok_or_else(|| format!("{name}: {encoding} cannot have the shape {shape:?}"))?;
    if is_convolution_bias(name.trim_start_matches("model.")) && shape.len() == 2 {
        shape.retain(|axis| *axis != 1);
    }
    Ok(Listed { name, entry: Entry { file: 0, encoding, shape, range: 0..size }, offset })
}

/// Finds the tensors in the file, whose numbers begin at byte `start`, and names them as we do. Every range lies inside
/// `length` bytes, and none overlaps another.
pub(super) fn place(
    listed: Vec<Listed<'_>>,
    start: usize,
    alignment: u64,
    length: usize,
) -> Result<Vec<(String, Entry)>, String> {
    let mut placed: Vec<(&str, Entry)> = Vec::with_capacity(listed.len());
    for Listed { name, mut entry, offset } in listed {
        if !offset.is_multiple_of(alignment) {
            return Err(format!("tensor {name}: it begins at {offset}, which is no multiple of {alignment}"));
        }
        let begin = usize::try_from(offset).ok().and_then(|offset| start.checked_add(offset));
        let range = begin.and_then(|begin| Some(begin..begin.checked_add(entry.range.len())?));
        entry.range = range.filter(|range| range.end <= length).ok_or_else(|| {
            let available = length.saturating_sub(start);
            let size = entry.range.len();
            format!("tensor {name}: {size} bytes from {offset} on end beyond the {available} of all numbers: it is truncated")
        })?;
        placed.push((name, entry));
    }
    placed.sort_by_key(|(_, entry)| entry.range.start);
    for pair in placed.windows(2) {
        if let [(first, before), (second, after)] = pair
            && after.range.start < before.range.end
        {
            return Err(format!("tensor {second}: it overlaps {first}"));
        }
    }
    Ok(placed.into_iter().map(|(name, entry)| (canonical(name), entry)).collect())
}

/// Our name of a tensor that is called as OpenAI or Hugging Face do.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("whisper.").unwrap_or(name);
    openai::canonical(name.strip_prefix("model.").unwrap_or(name))
}
