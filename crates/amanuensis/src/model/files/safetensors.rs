//! safetensors: eight bytes with the header's length, the header in JSON, the numbers.
//!
//! ```text
//! u64 length | {"name": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}, ...} | numbers
//! ```
//!
//! The format promises that the tensors cover the numbers without hole or overlap and that no name stands twice.
//! A file that breaks a promise was damaged or made to deceive, so each is checked before any number is read.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::model::weights::Entry;
use crate::model::{Dtype, ModelError};

/// What errors call it.
pub(in crate::model) const FORMAT: &str = "safetensors file";
/// The format's own limit on the header.
const LONGEST_HEADER: u64 = 100_000_000;
/// No tensor of any model has this many axes.
const MOST_AXES: usize = 8;

/// What a header says.
pub(in crate::model) struct Table {
    /// The tensors, by the names they have in the file, with the places of their numbers in it.
    pub(in crate::model) tensors: Vec<(String, Entry)>,
    /// Which numbers belong to no tensor, if any do. The file is to be refused for it, but a
    /// reader that knows which tensors are needed may first say which one is not there.
    pub(in crate::model) gap: Option<ModelError>,
}

/// Reads the header of a file. Every place in the table lies inside `bytes`.
pub(in crate::model) fn read(name: &str, bytes: &[u8]) -> Result<Table, ModelError> {
    let broken = |reason| ModelError::Container { file: name.to_owned(), format: FORMAT, reason };
    let (tensors, start) = read_tensors(bytes).map_err(broken)?;
    let gap = check_coverage(&tensors, start, bytes.len()).map_err(broken)?.map(broken);
    Ok(Table { tensors, gap })
}

/// The tensors, and where the numbers begin.
fn read_tensors(bytes: &[u8]) -> Result<(Vec<(String, Entry)>, usize), String> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(format!("it has {} bytes, too few for a header", bytes.len()));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER {
        return Err(format!("its header claims {length} bytes, more than the format's limit of {LONGEST_HEADER}"));
    }
    let Some((header, numbers)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else {
        return Err(format!("its header claims {length} bytes, but only {} follow: it is truncated", rest.len()));
    };
    if header.first() != Some(&b'{') {
        return Err("its header does not begin with {".to_owned());
    }
    let header: Header = serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;

    let start = bytes.len() - numbers.len();
    let mut tensors = Vec::with_capacity(header.0.len());
    for (name, found) in header.0 {
        let entry = check(&found, numbers.len(), start).map_err(|reason| format!("tensor {name}: {reason}"))?;
        tensors.push((name, entry));
    }
    Ok((tensors, start))
}

/// Checks one tensor by itself: kind, shape, and that its bytes lie inside the numbers.
fn check(found: &Found, available: usize, start: usize) -> Result<Entry, String> {
    let dtype = Dtype::named(&found.dtype).ok_or_else(|| format!("unknown kind of numbers {:?}", found.dtype))?;
    if found.shape.len() > MOST_AXES {
        return Err(format!("{} axes, more than the limit of {MOST_AXES}", found.shape.len()));
    }
    let [begin, end] = found.data_offsets;
    if begin > end {
        return Err(format!("it ends at {end}, before its beginning at {begin}"));
    }
    let size = found.shape.iter().try_fold(dtype.size(), |size, &axis| size.checked_mul(axis));
    if size.map(|size| size as u64) != Some(end - begin) {
        return Err(format!("its shape {:?} of {dtype} does not fill its {} bytes", found.shape, end - begin));
    }
    if end > available as u64 {
        return Err(format!("it ends at byte {end} of the numbers, but the file has {available}: it is truncated"));
    }
    // Both fit in usize, being no more than `available`.
    let range = start + begin as usize..start + end as usize;
    Ok(Entry { file: 0, encoding: dtype.into(), shape: found.shape.clone(), range })
}

/// Checks the tensors against each other: none overlaps another. The result is the first gap between them, or after
/// the last.
fn check_coverage(tensors: &[(String, Entry)], start: usize, end: usize) -> Result<Option<String>, String> {
    let mut in_order: Vec<_> = tensors.iter().collect();
    in_order.sort_by_key(|(_, entry)| (entry.range.start, entry.range.end));
    let mut covered = start;
    let mut gap = None;
    for (name, entry) in in_order {
        let begin = entry.range.start;
        if begin < covered {
            return Err(format!("tensor {name}: it overlaps the one before it by {} bytes", covered - begin));
        }
        if begin > covered {
            let reason = || format!("tensor {name}: {} bytes before it belong to no tensor", begin - covered);
            gap.get_or_insert_with(reason);
        }
        covered = entry.range.end;
    }
    if covered != end {
        gap.get_or_insert_with(|| format!("{} bytes at its end belong to no tensor", end - covered));
    }
    Ok(gap)
}

#[derive(Deserialize)]
struct Found {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// The header as a list: a map would hide names that stand twice.
struct Header(Vec<(String, Found)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map from names to tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut seen = HashSet::new();
                let mut tensors = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("the name {name} stands twice")));
                    }
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        tensors.push((name, map.next_value()?));
                    }
                }
                Ok(Header(tensors))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(header: &str, numbers: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; numbers]].concat()
    }

    /// The tensors of a file that has no fault at all.
    fn whole(name: &str, bytes: &[u8]) -> Result<Vec<(String, Entry)>, ModelError> {
        let Table { tensors, gap } = read(name, bytes)?;
        gap.map_or(Ok(tensors), Err)
    }

    fn reason(bytes: &[u8]) -> String {
        let error = whole("m.safetensors", bytes).unwrap_err().to_string();
        assert!(error.starts_with("m.safetensors: not a valid safetensors file: "), "{error}");
        error
    }

    const GOOD: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"c":{"dtype":"F32","shape":[0,7],"data_offsets":[16,16]}}  "#;

    #[test]
    fn reads_kinds_shapes_and_places() {
        let bytes = file(GOOD, 16);
        let tensors = whole("m", &bytes).unwrap();
        let start = bytes.len() - 16;
        let expected = [
            ("a", Dtype::F16, vec![2, 3], start + 4..start + 16),
            ("b", Dtype::F32, vec![], start..start + 4),
            ("c", Dtype::F32, vec![0, 7], start + 16..start + 16),
        ]
        .map(|(name, dtype, shape, range)| (name.to_owned(), Entry { file: 0, encoding: dtype.into(), shape, range }));
        assert_eq!(tensors, expected);
        assert!(whole("m", &file("{}", 0)).unwrap().is_empty());
    }

    #[test]
    fn broken_promises_are_named() {
        let one = |tensor: &str, numbers| reason(&file(&format!(r#"{{"a":{tensor}}}"#), numbers));
        let two = |first: &str, second: &str, numbers| {
            let tensor = |offsets: &str| format!(r#"{{"dtype":"U8","shape":[4],"data_offsets":{offsets}}}"#);
            reason(&file(&format!(r#"{{"a":{},"b":{}}}"#, tensor(first), tensor(second)), numbers))
        };
        let cases = [
            (reason(&[]), "it has 0 bytes, too few for a header"),
            (reason(&[1, 0, 0]), "it has 3 bytes"),
            (
                reason(&u64::MAX.to_le_bytes()),
                "its header claims 18446744073709551615 bytes, more than the format's limit",
            ),
            (reason(&file("{}", 0)[..9]), "its header claims 2 bytes, but only 1 follow: it is truncated"),
            (reason(&file("", 4)), "does not begin with {"),
            (reason(&file(" {}", 0)), "does not begin with {"),
            (reason(&file("{nonsense", 0)), "its header: key must be a string at line 1 column 2"),
            (reason(&file("{}", 3)), "3 bytes at its end belong to no tensor"),
            (
                reason(&file(GOOD, 15)),
                "tensor a: it ends at byte 16 of the numbers, but the file has 15: it is truncated",
            ),
            (one(r#"{"dtype":"F4","shape":[2],"data_offsets":[0,1]}"#, 1), "tensor a: unknown kind of numbers \"F4\""),
            (
                one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,4]}"#, 4),
                "its shape [2] of F32 does not fill its 4 bytes",
            ),
            (one(r#"{"dtype":"F32","shape":[2],"data_offsets":[4,0]}"#, 4), "it ends at 0, before its beginning at 4"),
            (one(r#"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}"#, 0), "does not fill"),
            (
                one(r#"{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}"#, 1),
                "9 axes, more than the limit",
            ),
            (one(r#"{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}"#, 1), "its header: invalid value"),
            (one(r#"{"dtype":"U8"}"#, 1), "missing field `shape`"),
            (two("[0,4]", "[2,6]", 6), "tensor b: it overlaps the one before it by 2 bytes"),
            (two("[0,4]", "[0,4]", 4), "tensor b: it overlaps the one before it by 4 bytes"),
            (two("[0,4]", "[6,10]", 10), "tensor b: 2 bytes before it belong to no tensor"),
            (
                reason(&file(r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}"#, 0)),
                "the name a stands twice",
            ),
        ];
        for (message, expected) in cases {
            assert!(message.contains(expected), "{message:?} should say {expected:?}");
        }
    }

    proptest! {
        #[test]
        fn damage_is_refused_or_harmless(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = file(GOOD, 16);
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(bytes.len() - cut.index(12) / 4);
            if let Ok(tensors) = whole("m", &bytes) {
                for (_, entry) in tensors {
                    prop_assert!(bytes.get(entry.range.clone()).is_some());
                    prop_assert_eq!(entry.range.len(), entry.encoding.bytes(entry.shape.iter().product()).unwrap());
                }
            }
        }
    }
}
