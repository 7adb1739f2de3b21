//! The format of PyTorch before 1.6, which it still writes when asked to: pickles, and behind them the storages.
//!
//! ```text
//! pickle of a large number | pickle of 1001 | pickle of {"little_endian": True, ...} | the pickle
//! | pickle of ["0", "1", ...], the storages in their order | (u64 count | numbers)*
//! ```

use std::collections::HashMap;
use std::ops::Range;

use super::Fault;
use super::checkpoint::Saved;
use super::pickle::{self, Pickle, Value};
use crate::model::Dtype;

/// The number that such files begin with.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
/// What the number looks like in a pickle: its length before it.
const WRITTEN: [u8; 12] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i128 = 1001;

/// Whether a file that begins so is in this format. What stands before the number depends on the pickle's version.
pub(in crate::model) fn is_legacy(start: &[u8]) -> bool {
    let start = start.get(..32).unwrap_or(start);
    start.windows(WRITTEN.len()).any(|window| window == WRITTEN)
}

pub(super) fn read(bytes: &[u8]) -> Result<Saved<'_>, Fault> {
    let mut rest = bytes;
    let mut next = || -> Result<Pickle<'_>, Fault> {
        // A pickle's own limits end it early; the storages behind it do not count.
        let pickle = pickle::read(rest.get(..pickle::LONGEST).unwrap_or(rest))?;
        rest = &rest[pickle.length..];
        Ok(pickle)
    };
    if next()?.root != Value::Int(MAGIC) {
        return Err("it does not begin with PyTorch's number".into());
    }
    let version = next()?.root;
    if version != Value::Int(VERSION) {
        return Err(Fault::Unsupported(
            format!("its version is {version:?}, not {VERSION}"),
            "load and save it with a newer PyTorch",
        ));
    }
    let system = next()?;
    if system.item(system.root, "little_endian") != Some(Value::Bool(true)) {
        return Err(Fault::Unsupported(
            "its numbers are not said to be little-endian".to_owned(),
            "load and save it with PyTorch on a little-endian machine",
        ));
    }
    let pickle = next()?;
    let keys = next()?;
    let start = bytes.len() - rest.len();
    let places = places(bytes, start, &pickle, &keys)?;
    Ok(Saved { pickle, places })
}

/// Where each storage lies: one behind the other, each after its count of numbers.
fn places<'a>(
    bytes: &[u8],
    start: usize,
    pickle: &Pickle<'a>,
    keys: &Pickle<'_>,
) -> Result<HashMap<&'a str, Range<usize>>, Fault> {
    let mut known: HashMap<&str, (Dtype, usize)> = HashMap::new();
    for storage in pickle.storages() {
        let told = (storage.dtype, storage.count);
        if *known.entry(storage.key).or_insert(told) != told {
            return Err(format!("storage {} is said to be of two kinds", storage.key).into());
        }
    }
    let keys = keys.list(keys.root).ok_or("the list of its storages is no list")?;
    let mut at = start;
    let mut found = HashMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err("a storage in its list is no text".into()) };
        let Some((key, (dtype, count))) = known.get_key_value(*key) else {
            return Err(format!("storage {key} in its list belongs to no tensor").into());
        };
        let stored = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).copied().map(u64::from_le_bytes);
        let stored = stored.ok_or_else(|| format!("storage {key} is not there: the file is truncated"))?;
        if stored != *count as u64 {
            return Err(format!("storage {key} has {stored} numbers where {count} are wanted").into());
        }
        let numbers = at + 8;
        let end = count.checked_mul(dtype.size()).and_then(|length| numbers.checked_add(length));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(|| {
            let left = bytes.len() - numbers;
            format!("storage {key} has {count} numbers of {dtype}, but only {left} bytes follow: the file is truncated")
        })?;
        if found.insert(*key, numbers..end).is_some() {
            return Err(format!("storage {key} stands twice in its list").into());
        }
        at = end;
    }
    if let Some(key) = known.keys().find(|key| !found.contains_key(*key)) {
        return Err(format!("storage {key} is not in its list").into());
    }
    if at != bytes.len() {
        return Err(format!("{} bytes at its end belong to no storage", bytes.len() - at).into());
    }
    Ok(found)
}
