//! What an algorithm may ask of a vector of 32-bit integers, each of which may be four bytes side by side.

use super::Vector;

/// The largest byte: scales are symmetric, and -128 stays free.
pub(crate) const LARGEST: i32 = 127;

/// A vector register of as many i32 as the [`Vector`] beside it has f32.
///
/// A *cell* is four bytes: in a product, four neighbouring numbers of one row, or of one output's weights. Weights are
/// signed. The left side is signed too, but some processors multiply only unsigned bytes with signed ones: there every
/// byte of the left side is stored [`OFFSET`](Integers::OFFSET) higher, and what that adds to a sum, the offset times
/// the sum of the weights, is taken off by starting the sum lower.
///
/// # Safety
/// Every method may use instructions that only some processors have. A method may be called only inside a function
/// that enables the features of the implementing type, on a processor that has them; then pointers must be valid for
/// the numbers read or written, of any alignment.
pub(crate) unsafe trait Integers: Copy {
    /// The floats of the same width.
    type Floats: Vector;
    /// A cell of the left side, made ready to be multiplied with many weights.
    type Left: Copy;
    /// What is added to a byte of the left side when it is stored: 0 or 128.
    const OFFSET: i32;
    /// The largest magnitude that the first and second, or the third and fourth, byte of a cell of weights have together:
    /// 254, or less where their products are first added in a word.
    const LARGEST_PAIR: i32 = 2 * LARGEST;
    /// What the largest probability becomes as a byte of the left side: 255, or less where its products with any weights
    /// have to fit a word.
    const LARGEST_PROBABILITY: u8 = 255;

    /// All numbers the same.
    unsafe fn splat(number: i32) -> Self;
    /// Read a register of i32.
    unsafe fn load(from: *const i32) -> Self;
    /// Write a register of i32.
    unsafe fn store(self, to: *mut i32);
    /// A cell of the left side in all lanes.
    unsafe fn left(cell: *const i32) -> Self::Left;
    /// `self` plus, in every lane, the sum of the four products of the bytes of `left` and of `weights`. Exact for
    /// weights of -127 to 127, if their pairs are no larger than [`LARGEST_PAIR`](Integers::LARGEST_PAIR) or `left` is of
    /// probabilities.
    unsafe fn plus_products(self, left: Self::Left, weights: Self) -> Self;
    /// Sum, wrapping.
    unsafe fn plus(self, other: Self) -> Self;
    /// The nearest integers, ties to even; for numbers within the range of i32.
    unsafe fn nearest(numbers: Self::Floats) -> Self;
    /// The integers as f32.
    unsafe fn numbers(self) -> Self::Floats;
    /// The low byte of every lane, side by side: as many bytes as there are lanes.
    unsafe fn store_bytes(self, to: *mut u8);
    /// The bytes of four registers one behind the other, all of them such as the left side may store.
    #[inline(always)]
    unsafe fn store_left(of: [Self; 4], to: *mut u8) {
        for (index, integers) in of.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { integers.store_bytes(to.add(index * Self::Floats::WIDTH)) }
        }
    }
    /// The lower halves of all bytes, and the upper, each as signed bytes of -8 to 7: halves are stored 8 higher.
    unsafe fn halves(self) -> [Self; 2];
    /// As many rows of a register each, `stride` apart, as a register has numbers: their columns, each a register, `step` apart.
    #[inline(always)]
    unsafe fn transpose(rows: *const i32, stride: usize, columns: *mut i32, step: usize) {
        let width = Self::Floats::WIDTH;
        for row in 0..width {
            for column in 0..width {
                // SAFETY: the caller has both.
                unsafe { *columns.add(column * step + row) = *rows.add(row * stride + column) }
            }
        }
    }
    /// In every lane the low bytes of the four, those of the first in the lowest place.
    unsafe fn cells(bytes: [Self; 4]) -> Self;
}
