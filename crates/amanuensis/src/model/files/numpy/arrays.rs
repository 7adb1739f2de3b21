//! Arrays become tensors: with their scales, if they have any.

use std::collections::HashMap;
use std::ops::Range;

use super::names::{Named, Names};
use super::npy;
use crate::model::files::laid::{Laid, Tensors};
use crate::model::{Dtype, Encoding, Scaled, Whole};

/// The scales of tensors by the tensors' names.
#[derive(Default)]
pub(super) struct Scales(HashMap<String, Vec<f32>>);

/// An array in a file of one or many.
pub(super) struct Placed<'a> {
    pub(super) named: Named,
    /// All bytes of the file, and which of them are the array.
    pub(super) file: &'a [u8],
    pub(super) range: Range<usize>,
}

impl<'a> Placed<'a> {
    pub(super) fn new(names: &Names, name: &str, file: &'a [u8], range: Range<usize>) -> Self {
        Self { named: names.find(name), file, range }
    }

    fn bytes(&self) -> &'a [u8] {
        self.file.get(self.range.clone()).unwrap_or_default()
    }
}

impl Scales {
    /// Keeps the scales that an array holds; one that holds none is left alone.
    pub(super) fn add(&mut self, placed: &Placed<'_>) -> Result<(), String> {
        if !placed.named.scale {
            return Ok(());
        }
        let tensor = &placed.named.tensor;
        let within = |reason: String| format!("the scale of {tensor}: {reason}");
        let bytes = placed.bytes();
        let array = npy::read(bytes).map_err(within)?;
        if array.dtype != Dtype::F32 {
            return Err(within(format!("it holds {}, expected F32", array.dtype)));
        }
        let numbers = bytes.get(array.start..).unwrap_or_default().as_chunks::<4>().0;
        let scales: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        if let Some(scale) = scales.iter().find(|scale| !scale.is_finite()) {
            return Err(within(format!("one is {scale}")));
        }
        if self.0.insert(tensor.clone(), scales).is_some() {
            return Err(within("it stands twice".to_owned()));
        }
        Ok(())
    }

    /// Adds the tensor that an array is; one that holds scales is left alone.
    pub(super) fn give(&mut self, placed: &Placed<'_>, tensors: &mut Tensors) -> Result<(), String> {
        if placed.named.scale {
            return Ok(());
        }
        let name = &placed.named.tensor;
        let within = |reason: String| format!("array {name}: {reason}");
        let array = npy::read(placed.bytes()).map_err(within)?;
        let count: usize = array.shape.iter().product();
        let encoding = match (array.dtype, self.0.remove(name)) {
            (Dtype::I8, None) if placed.named.known => {
                return Err(within("it holds I8, but no scale of it is there".to_owned()));
            }
            (dtype, None) => Encoding::Plain(dtype),
            (Dtype::I8, Some(scales)) => {
                let rows = array.shape.first().copied().unwrap_or(1);
                // NumPy can make no array without numbers that has scales to count them in.
                let run = count.checked_div(scales.len()).filter(|run| *run > 0);
                match (scales.len(), run) {
                    (found, Some(run)) if found == 1 || found == rows => {
                        Encoding::Scaled(Scaled { whole: Whole::I8, run, scales, zeros: Vec::new() })
                    }
                    (found, _) => {
                        return Err(within(format!(
                            "{found} scales for the shape {:?}, expected 1 or {rows}",
                            array.shape
                        )));
                    }
                }
            }
            (dtype, Some(_)) => return Err(within(format!("it holds {dtype} but has scales, which only I8 has"))),
        };
        let start = placed.range.start + array.start;
        tensors.add(
            name.clone(),
            placed.file,
            Laid {
                encoding,
                size: array.dtype.size(),
                strides: strides(&array),
                shape: array.shape,
                offset: 0,
                storage: start..placed.range.end,
            },
        )
    }

    /// A scale of which no array was.
    pub(super) fn unused(&self) -> Option<&str> {
        self.0.keys().min().map(String::as_str)
    }
}

/// The strides that follow from the shape and the order.
fn strides(array: &npy::Array) -> Vec<usize> {
    let mut strides = vec![1; array.shape.len()];
    let mut step = 1_usize;
    let mut take = |axis: usize| {
        strides[axis] = step;
        step = step.saturating_mul(array.shape[axis]);
    };
    if array.fortran {
        (0..array.shape.len()).for_each(&mut take);
    } else {
        (0..array.shape.len()).rev().for_each(&mut take);
    }
    strides
}
