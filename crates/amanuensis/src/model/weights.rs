//! A model's tensors by name, wherever they are stored.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bytes::Bytes;
use super::fingerprint::{Fingerprint, Place};
use super::{Encoding, ModelError, Tensor};

/// Named tensors over the bytes of one or several files.
///
/// The names are those of Hugging Face's files without the leading `model.`; a reader of another format gives its
/// tensors these names.
#[derive(Debug)]
pub struct Weights {
    /// What errors about absent tensors name: the file, or the index of several.
    origin: String,
    format: &'static str,
    files: Vec<File>,
    entries: BTreeMap<String, Entry>,
    fingerprint: Fingerprint,
}

#[derive(Debug)]
struct File {
    name: String,
    bytes: Bytes,
    /// Whether the bytes are those of the file, and not made of them.
    whole: bool,
}

/// Where a tensor lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) file: usize,
    pub(super) encoding: Encoding,
    pub(super) shape: Vec<usize>,
    /// Bytes of the file: as many as the encoding takes for so many numbers.
    pub(super) range: Range<usize>,
}

impl Weights {
    /// Nothing yet, of files of this format (`safetensors file`).
    pub(super) fn new(origin: String, format: &'static str) -> Self {
        Self { origin, format, files: Vec::new(), entries: BTreeMap::new(), fingerprint: Fingerprint::default() }
    }

    /// Adds a file and the tensors in it. Every range must lie inside `bytes`.
    pub(super) fn add_file(
        &mut self,
        name: &str,
        place: Place,
        bytes: Bytes,
        tensors: impl IntoIterator<Item = (String, Entry)>,
    ) -> Result<(), ModelError> {
        self.add(name, bytes, true, tensors)?;
        self.fingerprint.add(place);
        Ok(())
    }

    /// Adds tensors that were unpacked from a file that is there already. Every range must lie inside `bytes`.
    pub(super) fn add_unpacked(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        tensors: impl IntoIterator<Item = (String, Entry)>,
    ) -> Result<(), ModelError> {
        self.add(name, Bytes::Unpacked(bytes), false, tensors)
    }

    fn add(
        &mut self,
        name: &str,
        bytes: Bytes,
        whole: bool,
        tensors: impl IntoIterator<Item = (String, Entry)>,
    ) -> Result<(), ModelError> {
        let file = self.files.len();
        for (tensor, entry) in tensors {
            if let Some(other) = self.entries.get(&tensor) {
                let reason = match self.files.get(other.file) {
                    Some(first) => format!("tensor {tensor} is in {} too", first.name),
                    None => format!("tensor {tensor} stands in it twice, with and without \"model.\""),
                };
                return Err(ModelError::Container { file: name.to_owned(), format: self.format, reason });
            }
            self.entries.insert(tensor, Entry { file, ..entry });
        }
        self.files.push(File { name: name.to_owned(), bytes, whole });
        Ok(())
    }

    /// The tensor of this name, if it is there.
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        let (name, Entry { file, encoding, shape, range }) = self.entries.get_key_value(name)?;
        let file = &self.files.get(*file)?.bytes;
        Some(Tensor { name, encoding, shape, bytes: file.get(range.clone())?, file: file.file() })
    }

    /// The weights of this name, which must have this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, ModelError> {
        let Some(tensor) = self.get(name) else {
            return Err(ModelError::MissingTensor {
                file: self.origin.clone(),
                tensor: name.to_owned(),
                shape: shape.to_vec(),
            });
        };
        if tensor.shape != shape {
            return Err(ModelError::Shape {
                file: self.file_of(name).to_owned(),
                tensor: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape.to_vec(),
            });
        }
        if !tensor.encoding.is_weight() {
            return Err(ModelError::NumberKind {
                file: self.file_of(name).to_owned(),
                tensor: name.to_owned(),
                found: tensor.encoding.to_string(),
            });
        }
        Ok(tensor)
    }

    /// The names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// All tensors, in alphabetical order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.names().filter_map(|name| self.get(name))
    }

    /// What tells these weights from others.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Bytes of all files together.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().filter(|file| file.whole).map(|file| file.bytes.len() as u64).sum()
    }

    /// Lets go of the memory that holds what was read of the files. It can be read again.
    pub fn release(&self) {
        for file in self.files.iter().filter_map(|file| file.bytes.file()) {
            file.release();
        }
    }

    /// Says how a tensor's bytes are written, and its shape if that is another one too. The bytes must be as many as
    /// the encoding takes.
    pub(super) fn recode(&mut self, name: &str, encoding: Encoding, shape: Option<Vec<usize>>) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.encoding = encoding;
            entry.shape = shape.unwrap_or_else(|| std::mem::take(&mut entry.shape));
        }
    }

    /// Forgets a tensor, because it is part of another.
    pub(super) fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    /// The file that a tensor is in.
    pub(crate) fn file_of(&self, name: &str) -> &str {
        let file = self.entries.get(name).and_then(|entry| self.files.get(entry.file));
        file.map_or(&self.origin, |file| &file.name)
    }
}
