//! How the sums of a product are made, for each kind of number it multiplies.

use std::marker::PhantomData;

use super::{Integers, Vector};

/// One kind of product. A cell, 32 bits, holds one f32, two f16 or four bytes; the inner loop goes from cell to cell of
/// the left side and is the same for all.
///
/// # Safety
/// As for [`Vector`]: methods may be called only where the features of the vector type are enabled and present, with
/// pointers valid for what is read.
pub(crate) unsafe trait Arithmetic {
    /// The vector of results.
    type Floats: Vector;
    /// Cells that one inner index of a panel takes.
    const PANEL: usize = super::product::panel::<Self::Floats>();
    /// A running sum in every lane.
    type Sum: Copy;
    /// A cell of the left side in all lanes.
    type Left: Copy;
    /// A cell of weights in every lane.
    type Weights: Copy;
    /// From this many rows on the weights are fetched ahead by hand. With fewer, a step takes so few cycles that the
    /// processor's own prefetching runs far enough ahead.
    const FETCHING_ROWS: usize;

    /// What a sum starts from: `starts`, one for every lane, or zero if that is null.
    unsafe fn start(starts: *const i32) -> Self::Sum;
    /// Read a cell of the left side.
    unsafe fn left(cell: *const u32) -> Self::Left;
    /// Read a cell of weights for every lane.
    unsafe fn weights(cells: *const u32) -> Self::Weights;
    /// The sum and the product of two cells.
    unsafe fn add(sum: Self::Sum, left: Self::Left, weights: Self::Weights) -> Self::Sum;
    /// The sum as f32.
    unsafe fn number(sum: Self::Sum) -> Self::Floats;
    /// Write the sum as it is.
    unsafe fn keep(sum: Self::Sum, to: *mut i32);
}

/// f32 times f32, one in a cell.
pub(crate) struct Singles<V, const HALVES: bool = false>(PhantomData<V>);

// SAFETY: passes the contract on to V.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Arithmetic is that of V")]
unsafe impl<V: Vector, const HALVES: bool> Arithmetic for Singles<V, HALVES> {
    type Floats = V;
    type Sum = V;
    type Left = V;
    type Weights = V;
    const PANEL: usize = super::product::panel::<V>() / if HALVES { 2 } else { 1 };
    const FETCHING_ROWS: usize = 9;

    #[inline(always)]
    unsafe fn start(_starts: *const i32) -> V {
        unsafe { V::splat(0.0) }
    }
    #[inline(always)]
    unsafe fn left(cell: *const u32) -> V {
        unsafe { V::splat(*cell.cast::<f32>()) }
    }
    #[inline(always)]
    unsafe fn weights(cells: *const u32) -> V {
        unsafe { if HALVES { V::load_halves(cells.cast()) } else { V::load(cells.cast()) } }
    }
    #[inline(always)]
    unsafe fn add(sum: V, left: V, weights: V) -> V {
        unsafe { left.times_plus(weights, sum) }
    }
    #[inline(always)]
    unsafe fn number(sum: V) -> V {
        sum
    }
    #[inline(always)]
    unsafe fn keep(sum: V, to: *mut i32) {
        unsafe { sum.store(to.cast()) }
    }
}

/// f32 times f16, two outputs in a cell of weights: the same sums, of weights that were read in half the time.
pub(crate) type Halves<V> = Singles<V, true>;

/// Bytes times bytes, four in a cell, summed exactly.
pub(crate) struct Bytes<I>(PhantomData<I>);

// SAFETY: passes the contract on to I.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Arithmetic is that of I")]
unsafe impl<I: Integers> Arithmetic for Bytes<I> {
    type Floats = I::Floats;
    type Sum = I;
    type Left = I::Left;
    type Weights = I;
    const FETCHING_ROWS: usize = 7;

    #[inline(always)]
    unsafe fn start(starts: *const i32) -> I {
        unsafe { if starts.is_null() { I::splat(0) } else { I::load(starts) } }
    }
    #[inline(always)]
    unsafe fn left(cell: *const u32) -> I::Left {
        unsafe { I::left(cell.cast()) }
    }
    #[inline(always)]
    unsafe fn weights(cells: *const u32) -> I {
        unsafe { I::load(cells.cast()) }
    }
    #[inline(always)]
    unsafe fn add(sum: I, left: I::Left, weights: I) -> I {
        unsafe { sum.plus_products(left, weights) }
    }
    #[inline(always)]
    unsafe fn number(sum: I) -> I::Floats {
        unsafe { sum.numbers() }
    }
    #[inline(always)]
    unsafe fn keep(sum: I, to: *mut i32) {
        unsafe { sum.store(to) }
    }
}
