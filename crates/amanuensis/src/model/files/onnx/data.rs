//! Where the numbers of tensors lie: in the file itself, or in another one of the model's folder.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::message::{Data, Tensor};
use super::protobuf::Fields;
use crate::model::bytes::Bytes;
use crate::model::files::folder::Folder;
use crate::model::{Dtype, ModelError};

/// A file of ONNX with those that its tensors lie in.
pub(super) struct Files<'a> {
    folder: &'a Path,
    name: &'a str,
    bytes: &'a [u8],
    /// Names in the folder, and contents.
    others: Vec<(String, Bytes)>,
}

/// The bytes of a tensor.
pub(super) struct Located {
    /// 0 for the file itself, or one more than the place among the others.
    pub(super) file: usize,
    pub(super) range: Range<usize>,
    pub(super) dtype: Dtype,
}

/// The most files that the tensors of one may be spread over.
const MOST_FILES: usize = 64;

impl<'a> Files<'a> {
    pub(super) fn new(folder: &'a Path, name: &'a str, bytes: &'a [u8]) -> Self {
        Self { folder, name, bytes, others: Vec::new() }
    }

    /// The other files that tensors were found in, by their names in the folder.
    pub(super) fn into_others(self) -> Vec<(String, Bytes)> {
        self.others
    }

    /// Finds the numbers of a tensor, `count` of them, or halves of bytes.
    pub(super) fn locate(&mut self, tensor: &Tensor<'_>, count: Option<usize>) -> Result<Located, String> {
        let dtype = kind_of(tensor.kind).ok_or_else(|| {
            format!("tensor {}: its numbers are of kind {}, which is not read", tensor.name, tensor.kind)
        })?;
        let size = count.and_then(|count| count.checked_mul(dtype.size()));
        let size =
            size.ok_or_else(|| format!("tensor {}: its shape {:?} is beyond bounds", tensor.name, tensor.shape))?;
        let (file, range) = match &tensor.data {
            Data::Raw(range) => (0, range.clone()),
            Data::None if size == 0 => (0, 0..0),
            Data::None => return Err(format!("tensor {}: it has no numbers", tensor.name)),
            Data::Varints(_) => {
                return Err(format!("tensor {}: its numbers are a list of varints; save it as raw data", tensor.name));
            }
            Data::External { location, offset, length } => {
                self.outside(tensor.name, location, *offset, *length, size)?
            }
        };
        if range.len() != size {
            let (shape, found) = (&tensor.shape, range.len());
            return Err(format!(
                "tensor {}: its shape {shape:?} of {dtype} does not fill its {found} bytes",
                tensor.name
            ));
        }
        Ok(Located { file, range, dtype })
    }

    fn outside(
        &mut self,
        tensor: &str,
        location: &str,
        offset: u64,
        length: Option<u64>,
        size: usize,
    ) -> Result<(usize, Range<usize>), String> {
        let file = self.open(tensor, location)?;
        let available = self.bytes_of(file).len() as u64;
        let end = length.unwrap_or(size as u64).checked_add(offset).filter(|end| *end <= available);
        let end = end.ok_or_else(|| {
            let length = length.unwrap_or(size as u64);
            format!("tensor {tensor}: {length} bytes at {offset} of {location}, which has {available}: it is truncated")
        })?;
        // Both fit in usize, being no more than the length of a map.
        Ok((file, offset as usize..end as usize))
    }

    fn open(&mut self, tensor: &str, location: &str) -> Result<usize, String> {
        if let Some(known) = self.others.iter().position(|(name, _)| name == location) {
            return Ok(known + 1);
        }
        if self.others.len() >= MOST_FILES {
            return Err(format!("its tensors lie in more than {MOST_FILES} files"));
        }
        let refused = |reason: &str| format!("tensor {tensor}: its numbers should be in {location:?}, but {reason}");
        check_place(self.folder, self.name, location).map_err(|reason| refused(&reason))?;
        let bytes =
            Folder::Disk(self.folder.to_owned()).weights(location).map_err(|error| refused(&error.to_string()))?;
        self.others.push((location.to_owned(), bytes));
        Ok(self.others.len())
    }

    fn bytes_of(&self, file: usize) -> &[u8] {
        match file.checked_sub(1) {
            None => self.bytes,
            Some(other) => self.others.get(other).map_or(&[], |(_, bytes)| bytes),
        }
    }

    /// All numbers of a tensor that has few, such as scales.
    pub(super) fn floats(&mut self, tensor: &Tensor<'_>) -> Result<Vec<f32>, String> {
        let Located { file, range, dtype } = self.locate(tensor, count(&tensor.shape))?;
        let bytes = self.bytes_of(file).get(range).unwrap_or_default();
        match dtype {
            Dtype::F32 => Ok(amanuensis_kernels::Stored::f32(bytes).to_vec()),
            Dtype::F16 => Ok(amanuensis_kernels::Stored::f16(bytes).to_vec()),
            Dtype::BF16 => Ok(amanuensis_kernels::Stored::bf16(bytes).to_vec()),
            other => Err(format!("tensor {}: scales in {other}, expected F32, F16 or BF16", tensor.name)),
        }
    }

    /// All bytes of a tensor that has few, such as zero points, as numbers.
    pub(super) fn bytes_as_numbers(&mut self, tensor: &Tensor<'_>) -> Result<Vec<i32>, String> {
        let count = count(&tensor.shape);
        let signed = tensor.kind == KIND_I8;
        if let Data::Varints(range) = &tensor.data {
            let mut packed = Fields::new(self.bytes, range.clone());
            let mut numbers = Vec::new();
            while let Some(number) = packed.next_packed()? {
                let number = i32::try_from(number.cast_signed()).ok().filter(|number| (-128..256).contains(number));
                numbers.push(number.ok_or_else(|| format!("tensor {}: a zero point is no byte", tensor.name))?);
            }
            if Some(numbers.len()) != count {
                return Err(format!("tensor {}: its shape does not fit its {} numbers", tensor.name, numbers.len()));
            }
            return Ok(numbers);
        }
        let Located { file, range, dtype } = self.locate(tensor, count)?;
        let bytes = self.bytes_of(file).get(range).unwrap_or_default();
        match dtype {
            Dtype::I8 | Dtype::U8 => {
                let number = |byte: &u8| if signed { i32::from(byte.cast_signed()) } else { i32::from(*byte) };
                Ok(bytes.iter().map(number).collect())
            }
            other => Err(format!("tensor {}: zero points in {other}, expected I8 or U8", tensor.name)),
        }
    }
}

/// How many numbers a shape holds.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, axis| count.checked_mul(*axis))
}

/// A file may lie in the model's folder, or beside the place where the model's own file really is: in the store of
/// Hugging Face's tools both are links to files of one other folder.
fn check_place(folder: &Path, own: &str, location: &str) -> Result<(), String> {
    let plain = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if location.is_empty() || !plain || location.contains(['\\', '\0']) {
        return Err("that is no place in the model's folder".to_owned());
    }
    let real = |path: PathBuf| path.canonicalize().map_err(|error| format!("it cannot be read: {error}"));
    let (root, found) = (real(folder.to_owned())?, real(folder.join(location))?);
    let beside = real(folder.join(own))?;
    if found.starts_with(root) || found.parent() == beside.parent() {
        return Ok(());
    }
    Err("that is a link to a place outside the model's folder".to_owned())
}

const KIND_I8: u64 = 3;

fn kind_of(kind: u64) -> Option<Dtype> {
    Some(match kind {
        1 => Dtype::F32,
        2 => Dtype::U8,
        KIND_I8 => Dtype::I8,
        4 => Dtype::U16,
        5 => Dtype::I16,
        6 => Dtype::I32,
        7 => Dtype::I64,
        9 => Dtype::Bool,
        10 => Dtype::F16,
        11 => Dtype::F64,
        12 => Dtype::U32,
        13 => Dtype::U64,
        16 => Dtype::BF16,
        _ => return None,
    })
}

/// An error about a file of ONNX.
pub(super) fn broken(file: &str, reason: String) -> ModelError {
    ModelError::Container { file: file.to_owned(), format: super::FORMAT, reason }
}
