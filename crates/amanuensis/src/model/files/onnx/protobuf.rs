//! Protocol Buffers' wire format: a message is a row of fields, each a number, a kind and a value.
//!
//! ```text
//! varint (number << 3 | kind) | 0: varint | 1: 8 bytes | 2: varint length, bytes | 5: 4 bytes
//! ```
//!
//! Nothing is copied: a field of bytes, which may be a message in turn, is a range of the file.

use std::ops::Range;

/// The fields of the message in a range of a file.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Four([u8; 4]),
    /// Doubles, none of which matters.
    Eight,
    Bytes(Range<usize>),
}

/// No varint is longer: ten times seven bits are 64 and more.
const LONGEST_VARINT: usize = 10;

impl<'a> Fields<'a> {
    /// Of the message in `range`, which is cut to the file.
    pub(super) fn new(bytes: &'a [u8], range: Range<usize>) -> Self {
        let end = range.end.min(bytes.len());
        Self { bytes, at: range.start.min(end), end }
    }

    /// The next field, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value)>, String> {
        if self.at >= self.end {
            return Ok(None);
        }
        let start = self.at;
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Eight
            }
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| self.truncated(length))?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let range = self.take(4)?;
                let mut four = [0; 4];
                four.copy_from_slice(&self.bytes[range]);
                Value::Four(four)
            }
            other => return Err(format!("the field at byte {start} is of kind {other}, which there is none of")),
        };
        Ok(Some((key >> 3, value)))
    }

    /// The next number of a list that holds nothing else.
    pub(super) fn next_packed(&mut self) -> Result<Option<u64>, String> {
        if self.at >= self.end { Ok(None) } else { self.varint().map(Some) }
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0_u64;
        for (place, byte) in self.bytes[self.at..self.end].iter().take(LONGEST_VARINT).enumerate() {
            // Bits beyond the 64th are dropped, as every reader does.
            number |= u64::from(byte & 0x7f).checked_shl(7 * place as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                self.at += place + 1;
                return Ok(number);
            }
        }
        if self.end - self.at < LONGEST_VARINT {
            return Err(self.truncated(1));
        }
        Err(format!("the number at byte {} has no end", self.at))
    }

    fn take(&mut self, count: usize) -> Result<Range<usize>, String> {
        let start = self.at;
        let end =
            start.checked_add(count).filter(|end| *end <= self.end).ok_or_else(|| self.truncated(count as u64))?;
        self.at = end;
        Ok(start..end)
    }

    fn truncated(&self, wanted: u64) -> String {
        format!(
            "{wanted} bytes are wanted at {}, but what they are part of ends at {}: it is truncated",
            self.at, self.end
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u64, Value)>, String> {
        let mut fields = Fields::new(bytes, 0..bytes.len());
        std::iter::from_fn(|| fields.next().transpose()).collect()
    }

    #[test]
    fn every_kind_of_field_is_read() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, 7, 8, 0x1d, 1, 2, 3, 4, 0x21, 0, 0, 0, 0, 0, 0, 0, 0];
        let expected =
            [(1, Value::Number(150)), (2, Value::Bytes(5..7)), (3, Value::Four([1, 2, 3, 4])), (4, Value::Eight)];
        assert_eq!(all(&bytes).unwrap(), expected);
        let largest = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
        assert_eq!(all(&largest).unwrap(), [(1, Value::Number(u64::MAX))]);
        assert!(all(&[]).unwrap().is_empty());
        let mut packed = Fields::new(&[1, 0x80, 1], 0..3);
        assert_eq!(
            (packed.next_packed(), packed.next_packed(), packed.next_packed()),
            (Ok(Some(1)), Ok(Some(128)), Ok(None))
        );
    }

    #[test]
    fn broken_fields_are_refused() {
        for (bytes, reason) in [
            (&[0x08][..], "it is truncated"),
            (&[0x80], "it is truncated"),
            (&[0x12, 3, 1, 2], "3 bytes are wanted at 2, but what they are part of ends at 4"),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "it is truncated"),
            (&[0x1d, 1, 2, 3], "it is truncated"),
            (&[0x21, 1], "it is truncated"),
            (&[0x0b], "the field at byte 0 is of kind 3"),
            (&[0x0f], "kind 7"),
            (&[0xff; 12], "the number at byte 0 has no end"),
        ] {
            let error = all(bytes).unwrap_err();
            assert!(error.contains(reason), "{bytes:?}: {error:?} should say {reason:?}");
        }
        // A message never reads beyond itself.
        assert!(Fields::new(&[0x08, 0x80, 1], 0..2).next().is_err());
    }
}
