//! Many short byte strings in one allocation: a vocabulary has fifty thousand.

/// A list of byte strings, stored end to end.
#[derive(Debug, Clone, Default)]
pub(super) struct ByteStrings {
    bytes: Vec<u8>,
    /// Where each string ends; it begins where the one before it ends.
    ends: Vec<usize>,
}

impl ByteStrings {
    /// Appends a string that `write` puts at the end of the buffer.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.bytes.get(start..end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}
