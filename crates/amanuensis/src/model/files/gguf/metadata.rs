//! Keys and values.

use std::collections::BTreeMap;

use super::super::cursor::Cursor;

/// Numbers of the kinds of values.
pub(in crate::model) mod kinds {
    pub(in crate::model) const U8: u32 = 0;
    pub(in crate::model) const I8: u32 = 1;
    pub(in crate::model) const U16: u32 = 2;
    pub(in crate::model) const I16: u32 = 3;
    pub(in crate::model) const U32: u32 = 4;
    pub(in crate::model) const I32: u32 = 5;
    pub(in crate::model) const F32: u32 = 6;
    pub(in crate::model) const BOOL: u32 = 7;
    pub(in crate::model) const TEXT: u32 = 8;
    pub(in crate::model) const LIST: u32 = 9;
    pub(in crate::model) const U64: u32 = 10;
    pub(in crate::model) const I64: u32 = 11;
    pub(in crate::model) const F64: u32 = 12;
}

/// A value, as far as it may matter here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Whole(i64),
    Truth(bool),
    Text(&'a str),
    Texts(Vec<&'a str>),
    Wholes(Vec<i64>),
    /// Numbers with a point, lists of them, lists of lists.
    Other,
}

/// Settings by key.
pub(super) type Metadata<'a> = BTreeMap<&'a str, Value<'a>>;

/// The longest key that the format allows.
const LONGEST_KEY: usize = 65_535;
/// Bytes that a key, the kind of its value and the value take at least.
const SMALLEST_SETTING: usize = 8 + 4 + 1;
/// Lists in lists in lists are of no use to anybody.
const DEEPEST: usize = 4;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<Metadata<'a>, String> {
    if count > (cursor.left() / SMALLEST_SETTING) as u64 {
        return Err(format!("it claims {count} settings, but only {} bytes follow", cursor.left()));
    }
    let mut metadata = Metadata::new();
    for index in 0..count {
        let key = text(cursor).map_err(|reason| format!("the key of setting {index}: {reason}"))?;
        if key.len() > LONGEST_KEY {
            return Err(format!("the key of setting {index} has {} bytes, more than {LONGEST_KEY}", key.len()));
        }
        let kind = cursor.u32().ok_or_else(|| truncated(key))?;
        let value = value(cursor, kind, 0).map_err(|reason| format!("setting {key}: {reason}"))?;
        if metadata.insert(key, value).is_some() {
            return Err(format!("setting {key} stands in it twice"));
        }
    }
    Ok(metadata)
}

fn truncated(what: &str) -> String {
    format!("it ends within {what}: it is truncated")
}

/// A length of 64 bits and so many bytes of text.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, String> {
    let length = cursor.array().map(u64::from_le_bytes).ok_or_else(|| truncated("a text"))?;
    let left = cursor.left();
    let bytes = usize::try_from(length).ok().and_then(|length| cursor.take(length));
    let bytes = bytes.ok_or_else(|| format!("a text claims {length} bytes, but only {left} follow"))?;
    std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8".to_owned())
}

/// Bytes that a value of this kind takes, at least; None for a kind that there is not.
fn smallest(kind: u32) -> Option<usize> {
    Some(match kind {
        kinds::U8 | kinds::I8 | kinds::BOOL => 1,
        kinds::U16 | kinds::I16 => 2,
        kinds::U32 | kinds::I32 | kinds::F32 => 4,
        kinds::TEXT | kinds::U64 | kinds::I64 | kinds::F64 => 8,
        kinds::LIST => 12,
        _ => return None,
    })
}

fn value<'a>(cursor: &mut Cursor<'a>, kind: u32, depth: usize) -> Result<Value<'a>, String> {
    match kind {
        kinds::TEXT => text(cursor).map(Value::Text),
        kinds::LIST => list(cursor, depth),
        kinds::BOOL => {
            let [byte] = cursor.array().ok_or_else(|| truncated("its value"))?;
            if byte > 1 { Err(format!("{byte} is neither true nor false")) } else { Ok(Value::Truth(byte == 1)) }
        }
        kinds::F32 | kinds::F64 => {
            let size = smallest(kind).unwrap_or_default();
            cursor.take(size).map(|_| Value::Other).ok_or_else(|| truncated("its value"))
        }
        _ if smallest(kind).is_none() => Err(format!("its value is of the unknown kind {kind}")),
        _ => match whole(cursor, kind).ok_or_else(|| truncated("its value"))? {
            Some(number) => Ok(Value::Whole(number)),
            // Larger than any setting is.
            None => Ok(Value::Other),
        },
    }
}

/// A whole number; None inside where it does not fit.
fn whole(cursor: &mut Cursor<'_>, kind: u32) -> Option<Option<i64>> {
    Some(match kind {
        kinds::U8 => Some(i64::from(u8::from_le_bytes(cursor.array()?))),
        kinds::I8 => Some(i64::from(i8::from_le_bytes(cursor.array()?))),
        kinds::U16 => Some(i64::from(u16::from_le_bytes(cursor.array()?))),
        kinds::I16 => Some(i64::from(i16::from_le_bytes(cursor.array()?))),
        kinds::U32 => Some(i64::from(u32::from_le_bytes(cursor.array()?))),
        kinds::I32 => Some(i64::from(i32::from_le_bytes(cursor.array()?))),
        kinds::U64 => i64::try_from(u64::from_le_bytes(cursor.array()?)).ok(),
        _ => Some(i64::from_le_bytes(cursor.array()?)),
    })
}

fn list<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Value<'a>, String> {
    if depth == DEEPEST {
        return Err(format!("its lists lie more than {DEEPEST} deep in each other"));
    }
    let kind = cursor.u32().ok_or_else(|| truncated("its value"))?;
    let count = cursor.array().map(u64::from_le_bytes).ok_or_else(|| truncated("its value"))?;
    let size = smallest(kind).ok_or_else(|| format!("its list is of the unknown kind {kind}"))?;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= cursor.left() / size)
        .ok_or_else(|| format!("its list claims {count} values, but only {} bytes follow", cursor.left()))?;
    match kind {
        kinds::TEXT => {
            let mut texts = Vec::with_capacity(count);
            for _ in 0..count {
                texts.push(text(cursor)?);
            }
            Ok(Value::Texts(texts))
        }
        // Ids, counts and kinds; nothing that matters is a list of bytes.
        kinds::U32 | kinds::I32 | kinds::U64 | kinds::I64 => {
            let mut numbers = Vec::with_capacity(count);
            for _ in 0..count {
                let number = whole(cursor, kind).ok_or_else(|| truncated("its value"))?;
                numbers.push(number.ok_or_else(|| "a number of its list is too large".to_owned())?);
            }
            Ok(Value::Wholes(numbers))
        }
        kinds::LIST => {
            for _ in 0..count {
                list(cursor, depth + 1)?;
            }
            Ok(Value::Other)
        }
        _ => cursor.take(count * size).map(|_| Value::Other).ok_or_else(|| truncated("its value")),
    }
}
