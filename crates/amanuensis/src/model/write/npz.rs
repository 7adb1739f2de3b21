//! A model's tensors as an archive of NumPy's arrays, which is a zip archive of files.
//!
//! ```text
//! (local header, filled up | array header | numbers)* | directory | end64 | locator64 | end
//! ```
//!
//! Nothing is packed and every array's numbers begin at a multiple of 64 bytes, so that they can be used where they are
//! mapped. All sizes are written in 64 bits, whether they need them or not. Numbers come in pieces and in whatever order;
//! the sums of the arrays, which stand before them, are filled in when all are there.
//!
//! bf16 is no kind of NumPy's. What has scales is two arrays, `NAME` of i8 and `NAME_scale` of f32, with one scale or as
//! many as there are rows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use super::safetensors::Planned;
use super::{Order, WriteError, beside, settings, vocabulary};
use crate::model::files::numpy::npy;
use crate::model::{ModelFile, Progress};

/// What the archive is called in a model's folder.
const FILE: &str = "weights.npz";

const ALIGNMENT: u64 = 64;
const LOCAL_LENGTH: u64 = 30;
/// Where a local header has the sum.
const SUM_AT: u64 = 14;
/// An extra field's id and length.
const FIELD: u64 = 4;
/// An extra field that only fills up; zip readers know it from Android's zipalign.
const FILLER: u16 = 0xD935;
/// The version of the format that knows 64 bits.
const VERSION: u16 = 45;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01, so that the same model gives the same bytes.
const DATE: u32 = 0x0021_0000;

/// Writes a model as a folder: the archive, settings and tokenizer as in one of Hugging Face's.
pub(super) fn write(
    model: &ModelFile,
    order: &Order,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    settings::write(model, order, folder)?;
    vocabulary::write(&model.tokenizer, folder)?;
    let path = folder.join(FILE);
    let refused = WriteError::of(&path);
    let file = File::create_new(&path).map_err(&refused)?;
    let mut writer = Writer::create(file, beside::plan(model, order, "")?).map_err(&refused)?;
    beside::fill(model, order, "", progress, &mut |name, bytes| writer.put(name, bytes).map_err(&refused))?;
    writer.finish().and_then(|file| file.sync_all()).map_err(&refused)
}

/// An archive whose headers are written, and whose arrays are being filled.
struct Writer<W> {
    out: W,
    arrays: Vec<Array>,
    /// Places in `arrays`.
    by_name: HashMap<String, usize>,
    /// Where the directory will be.
    end: u64,
}

struct Array {
    /// Name of the file in the archive.
    file: String,
    /// Where its local header begins.
    start: u64,
    size: u64,
    sum: crc32fast::Hasher,
    /// What is left to be written of the numbers.
    left: Range<u64>,
}

impl<W: Write + Seek> Writer<W> {
    /// An archive with room for these arrays.
    fn create(mut out: W, planned: Vec<Planned>) -> io::Result<Self> {
        let (mut arrays, mut by_name, mut at) = (Vec::new(), HashMap::new(), 0);
        for Planned { name, dtype, shape } in planned {
            let unwritable = |what: &str| io::Error::other(format!("array {name:?} cannot be written: {what}"));
            let descr = npy::descr(dtype).ok_or_else(|| unwritable(&format!("NumPy has no {dtype}")))?;
            let header = npy::header(descr, &shape);
            let numbers = shape.iter().product::<usize>() as u64 * dtype.size() as u64;
            let (file, size) = (format!("{name}.npy"), header.len() as u64 + numbers);
            let local = local_header(&file, at, size).ok_or_else(|| unwritable("its name is too long"))?;
            out.seek(SeekFrom::Start(at))?;
            out.write_all(&local)?;
            out.write_all(&header)?;
            let mut sum = crc32fast::Hasher::new();
            sum.update(&header);
            let first = at + (local.len() + header.len()) as u64;
            if by_name.insert(name.clone(), arrays.len()).is_some() {
                return Err(unwritable("there are two of this name"));
            }
            arrays.push(Array { file, start: at, size, sum, left: first..first + numbers });
            at = first + numbers;
        }
        Ok(Self { out, arrays, by_name, end: at })
    }

    /// Writes the next bytes of an array.
    ///
    /// # Panics
    /// When the array was not planned, or not so large.
    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let Some(array) = self.by_name.get(name).and_then(|place| self.arrays.get_mut(*place)) else {
            panic!("array {name} was not planned")
        };
        assert!(array.left.end - array.left.start >= bytes.len() as u64, "array {name} is larger than planned");
        self.out.seek(SeekFrom::Start(array.left.start))?;
        self.out.write_all(bytes)?;
        array.sum.update(bytes);
        array.left.start += bytes.len() as u64;
        Ok(())
    }

    /// Ends the archive, and gives back what it is written to.
    ///
    /// # Panics
    /// When an array is not complete.
    fn finish(self) -> io::Result<W> {
        let Self { mut out, arrays, end: start, .. } = self;
        let mut directory = Vec::new();
        let entries = arrays.len() as u64;
        for Array { file, start, size, sum, left } in arrays {
            assert!(left.is_empty(), "array {file} is not complete");
            let sum = sum.finalize();
            out.seek(SeekFrom::Start(start + SUM_AT))?;
            out.write_all(&sum.to_le_bytes())?;
            directory.extend(entry(&file, start, size, sum));
        }
        out.seek(SeekFrom::Start(start))?;
        out.write_all(&directory)?;
        out.write_all(&end_of_archive(entries, start, directory.len() as u64))?;
        out.flush()?;
        Ok(out)
    }
}

/// The header of a file that begins at `at`, filled up so that what follows begins at a multiple of 64. Its sum is not
/// known yet.
fn local_header(file: &str, at: u64, size: u64) -> Option<Vec<u8>> {
    let unfilled = at + LOCAL_LENGTH + file.len() as u64 + 2 * FIELD + 16;
    let filler = (unfilled.next_multiple_of(ALIGNMENT) - unfilled) as u16;
    let mut bytes = Vec::from(0x0403_4b50_u32.to_le_bytes());
    common(&mut bytes, 0);
    bytes.extend(u16::try_from(file.len()).ok()?.to_le_bytes());
    bytes.extend((2 * FIELD as u16 + 16 + filler).to_le_bytes());
    bytes.extend(file.as_bytes());
    wide(&mut bytes, &[size, size]);
    bytes.extend(FILLER.to_le_bytes());
    bytes.extend(filler.to_le_bytes());
    bytes.resize(bytes.len() + usize::from(filler), 0);
    Some(bytes)
}

/// The entry of a file in the directory.
fn entry(file: &str, start: u64, size: u64, sum: u32) -> Vec<u8> {
    let mut bytes = Vec::from(0x0201_4b50_u32.to_le_bytes());
    bytes.extend(VERSION.to_le_bytes());
    common(&mut bytes, sum);
    bytes.extend((file.len() as u16).to_le_bytes());
    bytes.extend((FIELD as u16 + 24).to_le_bytes());
    // No comment, the first disk, no attributes; the place is among the sizes of 64 bits.
    bytes.extend([0; 10]);
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(file.as_bytes());
    wide(&mut bytes, &[size, size, start]);
    bytes
}

/// What local headers and entries of the directory have in common: how it is stored, when it was made, its sum, and sizes
/// that are said elsewhere.
fn common(into: &mut Vec<u8>, sum: u32) {
    into.extend(VERSION.to_le_bytes());
    into.extend(FLAGS.to_le_bytes());
    into.extend(0_u16.to_le_bytes());
    into.extend(DATE.to_le_bytes());
    into.extend(sum.to_le_bytes());
    into.extend([0xFF; 8]);
}

/// The extra field of sizes in 64 bits.
fn wide(into: &mut Vec<u8>, sizes: &[u64]) {
    into.extend(1_u16.to_le_bytes());
    into.extend((8 * sizes.len() as u16).to_le_bytes());
    into.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
}

/// What follows the directory: its place in 64 bits, where that is said, and the end that refers to it.
fn end_of_archive(entries: u64, start: u64, length: u64) -> Vec<u8> {
    let mut bytes = Vec::from(0x0606_4b50_u32.to_le_bytes());
    // What is left of this record behind this number.
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([VERSION.to_le_bytes(), VERSION.to_le_bytes()].as_flattened());
    bytes.extend([0; 8]);
    bytes.extend([entries, entries, length, start].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(0x0706_4b50_u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend((start + length).to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0x0605_4b50_u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend([0xFF; 12]);
    bytes.extend([0; 2]);
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::model::Dtype;
    use crate::model::files::{numpy, zip};

    fn planned(name: &str, dtype: Dtype, shape: &[usize]) -> Planned {
        Planned { name: name.to_owned(), dtype, shape: shape.to_vec() }
    }

    #[test]
    fn what_is_written_in_pieces_is_read_whole_and_lies_where_it_can_be_mapped() {
        let arrays = vec![
            planned("a.weight", Dtype::I8, &[2, 3]),
            planned("a.weight_scale", Dtype::F32, &[2]),
            planned("none", Dtype::F32, &[0, 4]),
            planned("b", Dtype::F16, &[]),
        ];
        let mut writer = Writer::create(Cursor::new(Vec::new()), arrays.clone()).unwrap();
        writer.put("a.weight", &[1, 2]).unwrap();
        writer.put("b", &[7, 8]).unwrap();
        writer.put("a.weight_scale", &[9; 4]).unwrap();
        writer.put("a.weight", &[3, 4, 5, 6]).unwrap();
        writer.put("a.weight_scale", &[8; 4]).unwrap();
        let bytes = writer.finish().unwrap().into_inner();

        let members = zip::read(&bytes).unwrap();
        assert!(numpy::is_archive(&members));
        let mut found = Vec::new();
        for (member, array) in members.iter().zip(&arrays) {
            let contents = zip::small(&bytes, member).unwrap();
            let read = npy::read(contents).unwrap();
            assert_eq!(member.name, format!("{}.npy", array.name));
            assert_ne!(member.crc, 0);
            assert_eq!((read.dtype, &read.shape, read.fortran), (array.dtype, &array.shape, false));
            assert_eq!((member.range.start + read.start) % 64, 0);
            found.push(&contents[read.start..]);
        }
        let expected: [&[u8]; 4] = [&[1, 2, 3, 4, 5, 6], &[9, 9, 9, 9, 8, 8, 8, 8], &[], &[7, 8]];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let error = |arrays| Writer::create(Cursor::new(Vec::new()), arrays).err().unwrap().to_string();
        assert_eq!(error(vec![planned("a", Dtype::BF16, &[1])]), "array \"a\" cannot be written: NumPy has no BF16");
        let twice = vec![planned("a", Dtype::F32, &[1]); 2];
        assert_eq!(error(twice), "array \"a\" cannot be written: there are two of this name");
        assert!(error(vec![planned(&"a".repeat(1 << 16), Dtype::F32, &[1])]).ends_with("its name is too long"));
    }
}
