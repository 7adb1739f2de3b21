//! What is moved, in elements, and the descriptor that moves it.

use super::geometry::MOST_BYTES;
use super::{Element, Limit, Refusal};
use crate::txn::{Descriptor, Dimension, Iteration, MOST_PASSES};

/// Elements that are moved in one push: four dimensions, the outermost first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    /// Which matrix, for messages.
    pub what: &'static str,
    pub element: Element,
    /// Bytes behind the argument's beginning where the matrix begins.
    pub base: u64,
    /// Elements behind the matrix's beginning.
    pub start: u64,
    pub sizes: [u64; 4],
    /// A stride of 0 in the outermost dimension moves the same elements again.
    pub strides: [u64; 4],
}

/// A push without its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lowered {
    pub descriptor: Descriptor,
    pub offset: u64,
    pub passes: u16,
}

impl Transfer {
    /// Elements in a row.
    pub(super) const fn row(what: &'static str, element: Element, base: u64, start: u64, count: u64) -> Self {
        Self { what, element, base, start, sizes: [1, 1, 1, count], strides: [0, 0, 0, 1] }
    }

    /// The descriptor. Everything is counted in words from here on.
    pub(super) fn lower(&self) -> Result<Lowered, Refusal> {
        let offset = self.bytes(self.start)?.saturating_add(self.base);
        self.within(Limit::Offset, offset, MOST_BYTES)?;
        if !offset.is_multiple_of(4) {
            return Err(Refusal::Alignment { what: self.what, bytes: offset });
        }
        let [passes, planes, lines, _] = self.sizes;
        let inner = self.words(self.sizes[3])?;
        let length = inner.saturating_mul(lines).saturating_mul(planes);
        self.within(Limit::Length, length, u64::from(u32::MAX))?;
        self.within(Limit::Passes, passes, MOST_PASSES as u64)?;
        let linear = lines == 1 && planes == 1;
        let mut descriptor = Descriptor::linear(length as u32, offset);
        if !linear {
            self.within(Limit::Wrap, inner.max(lines), Descriptor::MOST_STEPS as u64)?;
            descriptor.dimensions = [
                Dimension { wrap: inner as u16, stride: 1 },
                Dimension { wrap: lines as u16, stride: self.stride(2)? },
            ];
            descriptor.outer_stride = self.stride(1)?;
        }
        if passes > 1 && self.strides[0] != 0 {
            self.within(Limit::Iterations, passes, Descriptor::MOST_ITERATIONS as u64)?;
            descriptor.iteration = Iteration { current: 0, size: passes as u8, stride: self.stride(0)? };
        }
        Ok(Lowered { descriptor, offset, passes: passes as u16 })
    }

    /// Words of a dimension's step; a dimension of one step takes none.
    fn stride(&self, dimension: usize) -> Result<u32, Refusal> {
        if self.sizes[dimension] <= 1 {
            return Ok(1);
        }
        let words = self.words(self.strides[dimension])?;
        self.within(Limit::Stride, words, Descriptor::LONGEST_STRIDE as u64)?;
        Ok((words as u32).max(1))
    }

    fn bytes(&self, elements: u64) -> Result<u64, Refusal> {
        let bytes = elements.saturating_mul(self.element.bytes());
        self.within(Limit::Offset, bytes, MOST_BYTES)?;
        Ok(bytes)
    }

    fn words(&self, elements: u64) -> Result<u64, Refusal> {
        let bytes = self.bytes(elements)?;
        if bytes.is_multiple_of(4) { Ok(bytes / 4) } else { Err(Refusal::Alignment { what: self.what, bytes }) }
    }

    fn within(&self, limit: Limit, value: u64, most: u64) -> Result<(), Refusal> {
        if value <= most { Ok(()) } else { Err(Refusal::Limit { what: self.what, limit, value, most }) }
    }
}
