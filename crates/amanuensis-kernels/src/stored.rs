//! Numbers as files hold them, and the matrices that are made of them.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::memory::MappedFile;

/// Numbers that are not yet f32 in memory of their own. A file's are little-endian and of any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    numbers: Numbers<'a>,
    file: Option<&'a MappedFile>,
}

#[derive(Clone, Copy, Debug)]
enum Numbers<'a> {
    Native(&'a [f32]),
    F32(&'a [[u8; 4]]),
    F16(&'a [[u8; 2]]),
    Bf16(&'a [[u8; 2]]),
}

/// Numbers converted at a time: the copy that aligns them stays in the first cache.
const BLOCK: usize = 1024;

impl<'a> Stored<'a> {
    fn new(numbers: Numbers<'a>) -> Stored<'a> {
        Stored { numbers, file: None }
    }

    /// Numbers of 32 bits. Bytes behind the last whole number are no part of them; so with the others.
    pub fn f32(bytes: &'a [u8]) -> Stored<'a> {
        Stored::new(Numbers::F32(bytes.as_chunks().0))
    }

    /// Numbers of 16 bits, five of them exponent.
    pub fn f16(bytes: &'a [u8]) -> Stored<'a> {
        Stored::new(Numbers::F16(bytes.as_chunks().0))
    }

    /// Numbers of 16 bits: the upper halves of f32.
    pub fn bf16(bytes: &'a [u8]) -> Stored<'a> {
        Stored::new(Numbers::Bf16(bytes.as_chunks().0))
    }

    /// The same numbers, said to lie in `file`: what was read of them for the last time need not stay in memory.
    #[must_use]
    pub fn in_file(self, file: &'a MappedFile) -> Stored<'a> {
        Stored { file: Some(file), ..self }
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        match self.numbers {
            Numbers::Native(numbers) => numbers.len(),
            Numbers::F32(numbers) => numbers.len(),
            Numbers::F16(numbers) | Numbers::Bf16(numbers) => numbers.len(),
        }
    }

    /// Read `into.len()` numbers, the first of them number `start`.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn read(&self, start: usize, into: &mut [f32]) {
        let range = start..start + into.len();
        match self.numbers {
            Numbers::Native(numbers) => into.copy_from_slice(&numbers[range]),
            Numbers::F32(numbers) => {
                for (to, from) in into.iter_mut().zip(&numbers[range]) {
                    *to = f32::from_le_bytes(*from);
                }
            }
            Numbers::F16(numbers) => {
                let mut block = [f16::ZERO; BLOCK];
                for (into, numbers) in into.chunks_mut(BLOCK).zip(numbers[range].chunks(BLOCK)) {
                    let block = &mut block[..numbers.len()];
                    for (to, from) in block.iter_mut().zip(numbers) {
                        *to = f16::from_le_bytes(*from);
                    }
                    block.convert_to_f32_slice(into);
                }
            }
            Numbers::Bf16(numbers) => {
                for (to, from) in into.iter_mut().zip(&numbers[range]) {
                    *to = f32::from_bits(u32::from(u16::from_le_bytes(*from)) << 16);
                }
            }
        }
    }

    /// All numbers as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.count()];
        self.read(0, &mut numbers);
        numbers
    }

    /// Let go of the memory that holds `count` numbers from number `start` on, if they lie in a file.
    fn release(&self, start: usize, count: usize) {
        let Some(file) = self.file else { return };
        let range = start..start + count;
        file.release(match self.numbers {
            Numbers::Native(_) => return,
            Numbers::F32(numbers) => numbers[range].as_flattened(),
            Numbers::F16(numbers) | Numbers::Bf16(numbers) => numbers[range].as_flattened(),
        });
    }
}

impl<'a> From<&'a [f32]> for Stored<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Stored::new(Numbers::Native(numbers))
    }
}

/// The weights of a matrix before they are packed: `[outputs, inputs]`, row by row, in one or several parts of whole
/// rows, one below the other.
#[derive(Clone, Debug)]
pub struct StoredMatrix<'a> {
    parts: Vec<Stored<'a>>,
    taps: usize,
}

impl<'a> StoredMatrix<'a> {
    /// The rows of all parts, those of the first on top.
    pub fn of(parts: Vec<Stored<'a>>) -> StoredMatrix<'a> {
        StoredMatrix { parts, taps: 1 }
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

    /// Whether the parts are whole rows of `inputs` numbers, `outputs` together.
    pub(crate) fn check(&self, outputs: usize, inputs: usize) {
        let all: usize = self.parts.iter().map(Stored::count).sum();
        assert_eq!(all, outputs * inputs, "{all} weights are not a matrix of {outputs} x {inputs}");
        let whole = self.parts.iter().all(|part| part.count().is_multiple_of(inputs.max(1)));
        assert!(whole, "a part of the matrix ends within a row of {inputs}");
        assert!(inputs.is_multiple_of(self.taps), "{inputs} inputs are not {} taps", self.taps);
    }

    /// The part that holds a row, and the number of the row's first number in it.
    fn find(&self, row: usize, inputs: usize) -> (&Stored<'a>, usize) {
        let mut start = row * inputs;
        for part in &self.parts {
            if start < part.count() {
                return (part, start);
            }
            start -= part.count();
        }
        panic!("row {row} is behind the matrix");
    }

    /// Read one row; `before` has room for one too.
    pub(crate) fn read(&self, row: usize, into: &mut [f32], before: &mut [f32]) {
        let (part, start) = self.find(row, into.len());
        if self.taps == 1 {
            return part.read(start, into);
        }
        part.read(start, before);
        let channels = into.len() / self.taps;
        for (tap, into) in into.chunks_exact_mut(channels.max(1)).enumerate() {
            for (to, from) in into.iter_mut().zip(before[tap..].iter().step_by(self.taps)) {
                *to = *from;
            }
        }
    }

    /// Let go of the memory of some rows that lie in a file.
    pub(crate) fn release(&self, rows: std::ops::Range<usize>, inputs: usize) {
        let (mut from, mut to) = (rows.start * inputs, rows.end * inputs);
        for part in &self.parts {
            let count = part.count();
            let (first, last) = (from.min(count), to.min(count));
            if first < last {
                part.release(first, last - first);
            }
            from -= first;
            to -= last;
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
        let (top, below) = ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]);
        let matrix = StoredMatrix::of(vec![top[..].into(), (&below[..]).into()]);
        matrix.check(3, 6);
        let (mut row, mut room) = ([0.0; 6], [0.0; 6]);
        matrix.read(1, &mut row, &mut room);
        assert_eq!(row, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        matrix.clone().with_taps(3).read(2, &mut row, &mut room);
        assert_eq!(row, [12.0, 15.0, 13.0, 16.0, 14.0, 17.0]);
        // Nothing lies in a file, so nothing happens, wherever the parts end.
        matrix.release(0..3, 6);
        matrix.release(1..2, 6);
    }

    #[test]
    fn numbers_of_a_file_are_there_after_they_were_released() {
        let file = MappedFile::open(&std::env::current_exe().unwrap()).unwrap();
        let stored = Stored::f32(&file[5..5 + 4 * 50_000]).in_file(&file);
        let bits = || stored.to_vec().iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        let before = bits();
        let matrix = StoredMatrix::of(vec![stored]);
        matrix.release(0..50, 1000);
        assert_eq!(bits(), before);
        matrix.release(7..13, 1000);
        assert_eq!(bits(), before);
    }
}
