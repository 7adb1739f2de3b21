//! Writes safetensors, a piece of a tensor at a time.
//!
//! ```text
//! u64 length | {"__metadata__": {"format": "pt"}, "name": {"dtype", "shape", "data_offsets"}, ...}, spaces | numbers
//! ```
//!
//! The numbers begin at a multiple of eight. Tensors stand in the order of their numbers' size, the widest first, and then
//! in the order given, so that every number is aligned to its size and no gap is left.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::WriteError;
use crate::model::Dtype;

/// What the beginning of the numbers is a multiple of.
const ALIGNMENT: usize = 8;

/// A tensor that will be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

/// A file whose header is written, and whose tensors are being filled.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    path: PathBuf,
    /// What is left to be written of each tensor.
    left: HashMap<String, Range<u64>>,
}

impl Writer {
    /// A file with room for these tensors. Their sizes fit in memory, being those of a model that was read.
    pub(super) fn create(path: &Path, mut tensors: Vec<Planned>) -> Result<Self, WriteError> {
        tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype.size()));
        let (header, places) = lay_out(&tensors);
        let mut file = File::create_new(path).map_err(WriteError::of(path))?;
        let start = 8 + header.len() as u64;
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(WriteError::of(path))?;
        file.write_all(&header).map_err(WriteError::of(path))?;
        let left = tensors.into_iter().zip(places);
        let left = left.map(|(tensor, place)| (tensor.name, start + place.start..start + place.end)).collect();
        Ok(Self { file, path: path.to_owned(), left })
    }

    /// Writes the next bytes of a tensor.
    ///
    /// # Panics
    /// When the tensor was not planned, or not so large.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(left) = self.left.get_mut(name) else { panic!("tensor {name} was not planned") };
        assert!(left.end - left.start >= bytes.len() as u64, "tensor {name} is larger than planned");
        let refused = WriteError::of(&self.path);
        self.file.seek(SeekFrom::Start(left.start)).map_err(&refused)?;
        self.file.write_all(bytes).map_err(&refused)?;
        left.start += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Panics
    /// When a tensor is not complete.
    pub(super) fn finish(self) -> Result<(), WriteError> {
        let unfinished = self.left.iter().find(|(_, left)| !left.is_empty());
        assert!(unfinished.is_none(), "a tensor is not complete: {unfinished:?}");
        self.file.sync_all().map_err(WriteError::of(&self.path))
    }
}

/// The header, and where each tensor lies in the numbers.
fn lay_out(tensors: &[Planned]) -> (Vec<u8>, Vec<Range<u64>>) {
    let mut header = Vec::from(&br#"{"__metadata__":{"format":"pt"}"#[..]);
    let mut places = Vec::with_capacity(tensors.len());
    let mut end = 0;
    for Planned { name, dtype, shape } in tensors {
        let begin = end;
        end += shape.iter().product::<usize>() as u64 * dtype.size() as u64;
        places.push(begin..end);
        let entry = json!({"dtype": dtype.name(), "shape": shape, "data_offsets": [begin, end]});
        let entry = Value::Object(Map::from_iter([(name.clone(), entry)])).to_string();
        // The entry of a map of one, without the map's braces.
        header.push(b',');
        header.extend_from_slice(entry.trim_start_matches('{').as_bytes());
        header.pop();
    }
    header.push(b'}');
    header.resize((8 + header.len()).next_multiple_of(ALIGNMENT) - 8, b' ');
    (header, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::files::safetensors::{Table, read};

    fn planned(name: &str, dtype: Dtype, shape: &[usize]) -> Planned {
        Planned { name: name.to_owned(), dtype, shape: shape.to_vec() }
    }

    #[test]
    fn what_is_written_in_pieces_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let tensors = vec![
            planned("odd \"name\"\n", Dtype::I8, &[3]),
            planned("b", Dtype::F32, &[2, 1]),
            planned("none", Dtype::F32, &[0, 4]),
            planned("h", Dtype::F16, &[1]),
        ];
        let mut writer = Writer::create(&path, tensors).unwrap();
        writer.put("h", &[7, 8]).unwrap();
        writer.put("b", &[1, 0, 0, 0]).unwrap();
        writer.put("odd \"name\"\n", &[9, 9]).unwrap();
        writer.put("b", &[2, 0, 0, 0]).unwrap();
        writer.put("odd \"name\"\n", &[5]).unwrap();
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let Table { tensors, gap } = read("m", &bytes).unwrap();
        assert!(gap.is_none(), "{gap:?}");
        let found: Vec<_> = tensors.iter().map(|(name, entry)| (name.as_str(), &bytes[entry.range.clone()])).collect();
        let expected: [(&str, &[u8]); 4] =
            [("b", &[1, 0, 0, 0, 2, 0, 0, 0]), ("none", &[]), ("h", &[7, 8]), ("odd \"name\"\n", &[9, 9, 5])];
        assert_eq!(found, expected);
        assert!(tensors.iter().all(|(_, entry)| entry.range.start % 2 == 0 && tensors[0].1.range.start % 8 == 0));
        // A file that is there is never written over.
        assert!(Writer::create(&path, Vec::new()).is_err());
    }
}
