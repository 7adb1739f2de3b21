//! Numbers of a graph that do not depend on what is heard: tensors, and what is made of them by turning and scaling.

use std::ops::Range;

use super::data::{Files, Located, count};
use super::message::{Node, Tensor};
use super::view::View;
use crate::model::{Dtype, Encoding, Rescaled, Scaled, Transposed, Whole};

/// A tensor as it is meant.
#[derive(Debug, Clone)]
pub(super) struct Constant<'a> {
    tensor: &'a Tensor<'a>,
    /// The shape in which it lies in its file.
    stored: Vec<usize>,
    /// Whether rows and columns change places.
    transposed: bool,
    scaling: Option<Scaling<'a>>,
}

/// How whole numbers become numbers.
#[derive(Debug, Clone)]
struct Scaling<'a> {
    scales: &'a Tensor<'a>,
    zeros: Zeros<'a>,
    along: Along,
    /// Whether two numbers share a byte.
    halves: bool,
}

/// The whole numbers that stand for nothing.
#[derive(Debug, Clone, Copy)]
enum Zeros<'a> {
    /// One for all.
    Same(i32),
    /// One for each scale, or for all.
    Listed(&'a Tensor<'a>),
    /// Two in a byte, for so many blocks of a row.
    Halves(&'a Tensor<'a>, usize),
}

/// Which numbers share a scale.
#[derive(Debug, Clone, Copy)]
enum Along {
    /// Those that have the same place on an axis as it is stored, or all.
    Axis(usize),
    /// So many in a row.
    Runs(usize),
}

/// Halves of bytes are 8 higher than what they stand for, bytes of a block 128.
const HALF_ZERO: i32 = 8;
const BYTE_ZERO: i32 = 128;

/// Longer rows of operations on a tensor are not made.
const MOST_STEPS: usize = 8;

impl<'a> Constant<'a> {
    /// The numbers that a value is, if they do not depend on what is heard.
    pub(super) fn of(view: &View<'a>, value: &str) -> Option<Self> {
        Self::resolve(view, value, MOST_STEPS)
    }

    fn resolve(view: &View<'a>, value: &str, steps: usize) -> Option<Self> {
        if let Some(tensor) = view.tensor(value) {
            return Some(Self { tensor, stored: tensor.shape.clone(), transposed: false, scaling: None });
        }
        let node = view.made_by(value)?;
        let inner = Self::resolve(view, node.input(0)?, steps.checked_sub(1)?)?;
        match node.operator {
            "Identity" | "Cast" => Some(inner),
            "Transpose" if inner.stored.len() == 2 => {
                let order = node.attribute("perm").map_or(&[1, 0][..], |order| &order.numbers);
                match order {
                    [1, 0] | [] => Some(inner.turned()),
                    [0, 1] => Some(inner),
                    _ => None,
                }
            }
            // A vector stays one, whatever it is brought into the form of.
            "Reshape" | "Unsqueeze" | "Squeeze" if inner.stored.len() == 1 => Some(inner),
            "DequantizeLinear" if inner.scaling.is_none() && node.number("block_size", 0) == 0 => {
                let axis = usize::try_from(node.number("axis", 1)).ok()?;
                let scales = view.tensor(node.input(1)?)?;
                if inner.transposed && count(&scales.shape) != Some(1) {
                    return None;
                }
                inner.scaled(view, scales, node.input(2), axis)
            }
            _ => None,
        }
    }

    /// The matrix with rows and columns changed.
    pub(super) fn turned(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// The same whole numbers, scaled along an axis as they are stored.
    pub(super) fn scaled(
        self,
        view: &View<'a>,
        scales: &'a Tensor<'a>,
        zeros: Option<&str>,
        axis: usize,
    ) -> Option<Self> {
        let zeros = match zeros {
            None => Zeros::Same(0),
            Some(zeros) => Zeros::Listed(view.tensor(zeros)?),
        };
        Some(Self { scaling: Some(Scaling { scales, zeros, along: Along::Axis(axis), halves: false }), ..self })
    }

    /// The matrix of a `MatMulNBits`: a row for every output, in blocks that share a scale.
    pub(super) fn of_blocks(view: &View<'a>, node: &Node<'a>) -> Option<Self> {
        let size = |name: &str| usize::try_from(node.number(name, 0)).ok().filter(|size| *size > 0);
        let (inputs, outputs, block) = (size("K")?, size("N")?, size("block_size")?);
        let halves = match node.number("bits", 4) {
            4 => true,
            8 => false,
            _ => return None,
        };
        // A block that is not full would be padded, and an order of inputs would have to be undone.
        if !inputs.is_multiple_of(block) || !block.is_multiple_of(2) || node.input(4).is_some() {
            return None;
        }
        let tensor = view.tensor(node.input(1)?)?;
        let zeros = match node.input(3) {
            None => Zeros::Same(if halves { 0 } else { BYTE_ZERO }),
            Some(zeros) if halves => Zeros::Halves(view.tensor(zeros)?, inputs / block),
            Some(zeros) => Zeros::Listed(view.tensor(zeros)?),
        };
        let scales = view.tensor(node.input(2)?)?;
        let scaling = Some(Scaling { scales, zeros, along: Along::Runs(block), halves });
        Some(Self { tensor, stored: vec![outputs, inputs], transposed: false, scaling })
    }

    /// Lengths of the axes as they are meant.
    pub(super) fn shape(&self) -> Vec<usize> {
        let mut shape = self.stored.clone();
        if self.transposed {
            shape.reverse();
        }
        shape
    }

    /// Whether it is whole numbers that have not been scaled.
    pub(super) fn is_unscaled(&self) -> bool {
        // Signed and unsigned bytes.
        self.scaling.is_none() && matches!(self.tensor.kind, 2 | 3)
    }

    /// Whether it is the same tensor.
    pub(super) fn is(&self, other: &Constant<'_>) -> bool {
        std::ptr::eq(self.tensor, other.tensor)
    }

    /// Where it lies and how it is written.
    pub(super) fn entry(&self, files: &mut Files<'_>) -> Result<(usize, Range<usize>, Encoding), String> {
        let name = self.tensor.name;
        let numbers = count(&self.stored);
        let halves = self.scaling.as_ref().is_some_and(|scaling| scaling.halves);
        let Located { file, range, dtype } =
            files.locate(self.tensor, if halves { numbers.map(|count| count / 2) } else { numbers })?;
        let numbers = numbers.unwrap_or_default();
        let Some(scaling) = &self.scaling else {
            return Ok((file, range, self.ordered(Encoding::Plain(dtype))));
        };
        let whole = match dtype {
            Dtype::U8 if halves => Whole::I4,
            Dtype::U8 => Whole::U8,
            Dtype::I8 if !halves => Whole::I8,
            other => return Err(format!("tensor {name}: {other} with scales, expected I8 or U8")),
        };
        let scales = files.floats(scaling.scales)?;
        let zeros = scaling.zeros(files, scales.len())?;
        let unfit = || format!("tensor {name}: {} scales do not fit its shape {:?}", scales.len(), self.stored);
        let axis_length = |axis: usize| self.stored.get(axis).copied().filter(|length| *length == scales.len());
        let encoding = match scaling.along {
            Along::Runs(run) => self.ordered(Encoding::Scaled(Scaled { whole, run, scales, zeros })),
            Along::Axis(_) if scales.len() == 1 => {
                self.ordered(Encoding::Scaled(Scaled { whole, run: numbers, scales, zeros }))
            }
            Along::Axis(0) => {
                let run = numbers / axis_length(0).filter(|length| *length > 0).ok_or_else(unfit)?;
                self.ordered(Encoding::Scaled(Scaled { whole, run, scales, zeros }))
            }
            // Scales of the columns that are stored are those of the rows that are meant.
            Along::Axis(1) if self.transposed && self.stored.len() == 2 => {
                axis_length(1).ok_or_else(unfit)?;
                let one = Scaled { whole, run: numbers, scales: vec![1.0], zeros: Vec::new() };
                let run = self.stored[0];
                let inner = Box::new(self.ordered(Encoding::Scaled(one)));
                Encoding::Rescaled(Rescaled { inner, run, scales, zeros })
            }
            Along::Axis(axis) => return Err(format!("tensor {name}: scales along its axis {axis} are not read")),
        };
        if encoding.bytes(numbers) != Some(range.len()) {
            return Err(format!("tensor {name}: its scales do not fit its shape {:?}", self.stored));
        }
        Ok((file, range, encoding))
    }

    fn ordered(&self, encoding: Encoding) -> Encoding {
        match self.stored[..] {
            [columns, rows] if self.transposed => {
                Encoding::Transposed(Transposed { inner: Box::new(encoding), rows, columns })
            }
            _ => encoding,
        }
    }
}

impl Scaling<'_> {
    /// A zero for each scale; none where all are 0.
    fn zeros(&self, files: &mut Files<'_>, scales: usize) -> Result<Vec<i32>, String> {
        let mut zeros = match self.zeros {
            Zeros::Same(zero) => vec![zero],
            Zeros::Listed(tensor) => files.bytes_as_numbers(tensor)?,
            Zeros::Halves(tensor, blocks) => {
                let bytes = files.bytes_as_numbers(tensor)?;
                // A row of blocks begins at a byte.
                let rows = bytes.chunks(blocks.div_ceil(2));
                rows.flat_map(|row| {
                    let halves = row.iter().flat_map(|byte| [byte & 15, byte >> 4 & 15]);
                    halves.take(blocks).map(|half| half - HALF_ZERO)
                })
                .collect()
            }
        };
        if zeros.len() == 1 {
            zeros.resize(scales, zeros[0]);
        }
        if zeros.iter().all(|zero| *zero == 0) {
            zeros.clear();
        }
        Ok(zeros)
    }
}
