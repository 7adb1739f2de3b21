//! Numbers as files hold them, and the matrices that are made of them.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::memory::MappedFile;

/// Numbers that are not yet f32 in memory of their own. A file's are little-endian and of any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    numbers: Numbers<'a>,
    file: Option<&'a MappedFile>,
}

#[derive(Clone, Copy)]
enum Numbers<'a> {
    Native(&'a [f32]),
    Bytes(Kind, &'a [u8]),
    Coded { code: &'a dyn Code, count: usize, bytes: &'a [u8] },
}

impl std::fmt::Debug for Numbers<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Numbers::Native(numbers) => write!(formatter, "{} f32", numbers.len()),
            Numbers::Bytes(kind, bytes) => write!(formatter, "{} {kind:?}", bytes.len() / kind.size()),
            Numbers::Coded { count, .. } => write!(formatter, "{count} coded numbers"),
        }
    }
}

/// A way to write numbers that is more than one number behind the other: bytes with scales, blocks, another order.
pub trait Code: Sync {
    /// Which of the bytes are needed for numbers of `range`; None where they lie all over them.
    fn span(&self, range: Range<usize>) -> Option<Range<usize>>;

    /// Make `into.len()` numbers, the first of them number `start`, of `bytes`: the span of these numbers, or everything
    /// where there is no span.
    fn decode(&self, bytes: &[u8], start: usize, into: &mut [f32]);
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    F32,
    F16,
    Bf16,
}

impl Kind {
    /// Bytes of a number.
    fn size(self) -> usize {
        match self {
            Kind::F32 => 4,
            Kind::F16 | Kind::Bf16 => 2,
        }
    }

    fn convert(self, bytes: &[u8], into: &mut [f32]) {
        match self {
            Kind::F32 => {
                for (to, from) in into.iter_mut().zip(bytes.as_chunks().0) {
                    *to = f32::from_le_bytes(*from);
                }
            }
            Kind::F16 => {
                let mut aligned = [f16::ZERO; ALIGNED];
                for (into, bytes) in into.chunks_mut(ALIGNED).zip(bytes.chunks(2 * ALIGNED)) {
                    let aligned = &mut aligned[..into.len()];
                    for (to, from) in aligned.iter_mut().zip(bytes.as_chunks().0) {
                        *to = f16::from_le_bytes(*from);
                    }
                    aligned.convert_to_f32_slice(into);
                }
            }
            Kind::Bf16 => {
                for (to, from) in into.iter_mut().zip(bytes.as_chunks().0) {
                    *to = f32::from_bits(u32::from(u16::from_le_bytes(*from)) << 16);
                }
            }
        }
    }
}

/// Numbers of 16 bits converted at a time: the copy that aligns them stays in the first cache.
const ALIGNED: usize = 1024;
/// Bytes read from a file at a time: they stay in the first cache too, and a system call costs little beside them.
const READ: usize = 16 << 10;

impl<'a> Stored<'a> {
    fn of_bytes(kind: Kind, bytes: &'a [u8]) -> Stored<'a> {
        let whole = bytes.len() / kind.size() * kind.size();
        Stored { numbers: Numbers::Bytes(kind, &bytes[..whole]), file: None }
    }

    /// Numbers of 32 bits. Bytes behind the last whole number are no part of them; so with the others.
    pub fn f32(bytes: &'a [u8]) -> Stored<'a> {
        Stored::of_bytes(Kind::F32, bytes)
    }

    /// Numbers of 16 bits, five of them exponent.
    pub fn f16(bytes: &'a [u8]) -> Stored<'a> {
        Stored::of_bytes(Kind::F16, bytes)
    }

    /// Numbers of 16 bits: the upper halves of f32.
    pub fn bf16(bytes: &'a [u8]) -> Stored<'a> {
        Stored::of_bytes(Kind::Bf16, bytes)
    }

    /// `count` numbers that `code` makes of `bytes`.
    pub fn coded(code: &'a dyn Code, count: usize, bytes: &'a [u8]) -> Stored<'a> {
        Stored { numbers: Numbers::Coded { code, count, bytes }, file: None }
    }

    /// The same numbers, said to lie in `file`: they are read from there, without making its pages part of the memory of
    /// this process.
    #[must_use]
    pub fn in_file(self, file: &'a MappedFile) -> Stored<'a> {
        Stored { file: Some(file), ..self }
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        match self.numbers {
            Numbers::Native(numbers) => numbers.len(),
            Numbers::Bytes(kind, bytes) => bytes.len() / kind.size(),
            Numbers::Coded { count, .. } => count,
        }
    }

    pub(crate) fn is_f16(&self) -> bool {
        matches!(self.numbers, Numbers::Bytes(Kind::F16, _))
    }

    /// Read `into.len()` numbers, the first of them number `start`.
    ///
    /// # Panics
    /// When there are not so many, or they do not lie in the file they are said to lie in.
    pub fn read(&self, start: usize, into: &mut [f32]) {
        let range = start..start + into.len();
        let (kind, bytes) = match self.numbers {
            Numbers::Native(numbers) => return into.copy_from_slice(&numbers[range]),
            Numbers::Coded { code, count, bytes } => {
                assert!(range.end <= count, "numbers {range:?} of {count}");
                return self.decode(code, bytes, start, into);
            }
            Numbers::Bytes(kind, bytes) => (kind, &bytes[range.start * kind.size()..range.end * kind.size()]),
        };
        let Some(file) = self.file else { return kind.convert(bytes, into) };
        let mut block = [0; READ];
        for (into, bytes) in into.chunks_mut(READ / kind.size()).zip(bytes.chunks(READ)) {
            let block = &mut block[..bytes.len()];
            file.copy(bytes, block);
            kind.convert(block, into);
        }
    }

    /// Decode some numbers at a time, so that the bytes they are made of stay in the first cache.
    fn decode(&self, code: &dyn Code, bytes: &[u8], start: usize, into: &mut [f32]) {
        let mut copy = Vec::new();
        for (number, into) in into.chunks_mut(READ).enumerate() {
            let start = start + number * READ;
            let Some(span) = code.span(start..start + into.len()) else {
                code.decode(bytes, start, into);
                continue;
            };
            let bytes = &bytes[span];
            let Some(file) = self.file else {
                code.decode(bytes, start, into);
                continue;
            };
            copy.resize(bytes.len(), 0);
            file.copy(bytes, &mut copy);
            code.decode(&copy, start, into);
        }
    }

    /// All numbers as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.count()];
        self.read(0, &mut numbers);
        numbers
    }
}

impl<'a> From<&'a [f32]> for Stored<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Stored { numbers: Numbers::Native(numbers), file: None }
    }
}

/// The weights of a matrix before they are packed: `[outputs, inputs]`, row by row, in one or several parts of whole
/// rows, one below the other.
#[derive(Clone, Debug)]
pub struct StoredMatrix<'a> {
    parts: Vec<Stored<'a>>,
    taps: usize,
    /// How many numbers a row is stored with, and the first of them, where it is not all of them.
    slice: Option<(usize, usize)>,
}

impl<'a> StoredMatrix<'a> {
    /// The rows of all parts, those of the first on top.
    pub fn of(parts: Vec<Stored<'a>>) -> StoredMatrix<'a> {
        StoredMatrix { parts, taps: 1, slice: None }
    }

    /// The same numbers as those of a convolution: a row holds its weights channel by channel, `[channels, taps]`, and
    /// is packed tap by tap, `[taps, channels]`, as [`Region::convolution`](crate::Region::convolution) reads them.
    ///
    /// # Panics
    /// When `taps` is zero.
    #[must_use]
    pub fn with_taps(self, taps: usize) -> StoredMatrix<'a> {
        assert!(taps > 0, "a convolution without taps");
        StoredMatrix { taps, ..self }
    }

    /// From number `first` on of each of the same rows, which are stored with `stored` numbers.
    #[must_use]
    pub(crate) fn slice_of_rows(&self, first: usize, stored: usize) -> StoredMatrix<'a> {
        assert!(self.taps == 1 && first < stored, "a slice from input {first} of {stored} on");
        StoredMatrix { slice: Some((stored, first)), ..self.clone() }
    }

    pub(crate) fn parts(&self) -> &[Stored<'a>] {
        &self.parts
    }

    /// Whether the parts are whole rows of `inputs` numbers, `outputs` together.
    pub(crate) fn check(&self, outputs: usize, inputs: usize) {
        let all: usize = self.parts.iter().map(Stored::count).sum();
        let (stored, first) = self.slice.unwrap_or((inputs, 0));
        assert!(first + inputs <= stored, "{inputs} inputs from {first} on of {stored}");
        assert_eq!(all, outputs * stored, "{all} weights are not a matrix of {outputs} x {stored}");
        let whole = self.parts.iter().all(|part| part.count().is_multiple_of(stored.max(1)));
        assert!(whole, "a part of the matrix ends within a row of {stored}");
        assert!(inputs.is_multiple_of(self.taps), "{inputs} inputs are not {} taps", self.taps);
    }

    /// Read as many rows as `into` has room for, the first of them row `first`; `before` has room for one.
    pub(crate) fn read(&self, first: usize, into: &mut [f32], before: &mut [f32]) {
        match self.slice {
            None => self.read_numbers(first * before.len(), into),
            Some((stored, input)) => {
                for (row, into) in into.chunks_exact_mut(before.len().max(1)).enumerate() {
                    self.read_numbers((first + row) * stored + input, into);
                }
            }
        }
        if self.taps > 1 {
            into.chunks_exact_mut(before.len().max(1)).for_each(|row| self.order(row, before));
        }
    }

    /// Reads as many numbers as `into` has room for, from number `start` of all parts on.
    fn read_numbers(&self, mut start: usize, into: &mut [f32]) {
        let mut rest = into;
        for part in &self.parts {
            let here = part.count().saturating_sub(start).min(rest.len());
            let (now, later) = rest.split_at_mut(here);
            if here > 0 {
                part.read(start, now);
            }
            rest = later;
            start = start.saturating_sub(part.count());
        }
    }

    /// From `[channels, taps]` to `[taps, channels]`.
    fn order(&self, row: &mut [f32], before: &mut [f32]) {
        before.copy_from_slice(row);
        let channels = row.len() / self.taps;
        for (tap, row) in row.chunks_exact_mut(channels.max(1)).enumerate() {
            for (to, from) in row.iter_mut().zip(before[tap..].iter().step_by(self.taps)) {
                *to = *from;
            }
        }
    }
}

impl<'a> From<&'a [f32]> for StoredMatrix<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        StoredMatrix::of(vec![numbers.into()])
    }
}

impl<'a> From<&'a Vec<f32>> for StoredMatrix<'a> {
    fn from(numbers: &'a Vec<f32>) -> Self {
        StoredMatrix::from(numbers.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_becomes_f32_whatever_its_alignment() {
        let values: Vec<f32> = (0..2500).map(|number| (number as f32 - 1250.0) / 8.0).collect();
        let behind_one = |bytes: Vec<u8>| [vec![0], bytes].concat();
        let f32s = behind_one(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        let f16s = behind_one(values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect());
        let upper = |value: &f32| half::bf16::from_f32(*value);
        let bf16s = behind_one(values.iter().flat_map(|value| upper(value).to_le_bytes()).collect());
        assert_eq!(Stored::f32(&f32s[1..]).to_vec(), values);
        assert_eq!(Stored::f16(&f16s[1..]).to_vec(), values);
        let rounded: Vec<f32> = values.iter().map(|value| upper(value).to_f32()).collect();
        assert_eq!(Stored::bf16(&bf16s[1..]).to_vec(), rounded);
        let mut some = [0.0; 3];
        Stored::f16(&f16s[1..]).read(1100, &mut some);
        assert_eq!(some, values[1100..1103]);
        assert!(Stored::f16(&[]).to_vec().is_empty());
    }

    #[test]
    fn rows_go_on_from_part_to_part_and_taps_come_together() {
        let (top, below) =
            ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]);
        let matrix = StoredMatrix::of(vec![top[..].into(), (&below[..]).into()]);
        matrix.check(3, 6);
        let (mut rows, mut room) = ([0.0; 12], [0.0; 6]);
        matrix.read(0, &mut rows, &mut room);
        assert_eq!(rows, std::array::from_fn(|number| number as f32));
        let slice = matrix.slice_of_rows(4, 6);
        slice.check(3, 2);
        slice.read(1, &mut rows[..4], &mut room[..2]);
        assert_eq!(rows[..4], [10.0, 11.0, 16.0, 17.0]);
        matrix.with_taps(3).read(2, &mut rows[..6], &mut room);
        assert_eq!(rows[..6], [12.0, 15.0, 13.0, 16.0, 14.0, 17.0]);
    }

    #[test]
    fn numbers_of_a_file_are_those_of_its_map() {
        let file = MappedFile::open(&std::env::current_exe().unwrap()).unwrap();
        let bits = |stored: Stored<'_>| stored.to_vec().iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        for kind in [Stored::f32, Stored::f16, Stored::bf16] {
            let stored = kind(&file[5..200_003]);
            let before = bits(stored);
            assert_eq!(bits(stored.in_file(&file)), before);
            file.release();
            assert_eq!(bits(stored), before);
        }
    }
}
