//! What an algorithm may ask of a vector of f32.

/// Numbers of the widest register of any type.
pub(crate) const WIDEST: usize = 16;

/// A vector register of [`WIDTH`](Vector::WIDTH) f32.
///
/// # Safety
/// Every method may use instructions that only some processors have. A method may be called only inside a function
/// that enables the features of the implementing type, on a processor that has them; then pointers must be valid for
/// the numbers read or written, of any alignment.
pub(crate) unsafe trait Vector: Copy {
    /// Numbers in a register.
    const WIDTH: usize;
    /// Registers there are: 32 or 16.
    const REGISTERS: usize;
    /// Rows of the largest product tile: as many as leave registers for two vectors of weights and one of input.
    const TILE: usize;

    /// Ask for the cache line of `address`, which need not exist, to come nearer.
    #[inline(always)]
    unsafe fn prefetch(address: *const f32) {
        let _ = address;
    }
    /// The same for a line that is used once and later: to the second cache, which by Intel's manuals has several times as many places
    /// for lines on their way to it as the first. Steps of four to six windows take 13 to 17 % less time with it, of eight 10 %, of one as long
    /// as before (Intel family 6 model 167, two threads, in turns, beside neighbours).
    #[inline(always)]
    unsafe fn prefetch_far(address: *const f32) {
        let _ = address;
    }
    /// All numbers the same.
    unsafe fn splat(number: f32) -> Self;
    /// Read WIDTH numbers.
    unsafe fn load(from: *const f32) -> Self;
    /// Read WIDTH numbers that are stored as f16.
    unsafe fn load_halves(from: *const u16) -> Self;
    /// Write WIDTH numbers.
    unsafe fn store(self, to: *mut f32);
    /// Read the first `count` (at most WIDTH) numbers, the rest being zero; nothing behind them is touched.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;
    /// Write the first `count` (at most WIDTH) numbers; nothing behind them is touched.
    unsafe fn store_first(self, to: *mut f32, count: usize);
    /// Sum.
    unsafe fn plus(self, other: Self) -> Self;
    /// Difference.
    unsafe fn minus(self, other: Self) -> Self;
    /// Product.
    unsafe fn times(self, other: Self) -> Self;
    /// Quotient, correctly rounded.
    unsafe fn over(self, other: Self) -> Self;
    /// `self * factor + addend`, in one rounding where the processor can.
    unsafe fn times_plus(self, factor: Self, addend: Self) -> Self;
    /// `addend - self * factor`, in one rounding where the processor can.
    unsafe fn minus_times(self, factor: Self, addend: Self) -> Self;
    /// The larger of each pair.
    unsafe fn larger(self, other: Self) -> Self;
    /// The smaller of each pair.
    unsafe fn smaller(self, other: Self) -> Self;
    /// Absolute values.
    unsafe fn magnitude(self) -> Self;
    /// Nearest integers, still as f32.
    unsafe fn nearest(self) -> Self;
    /// `self * 2^power` for whole powers between -126 and 127.
    unsafe fn times_power_of_two(self, power: Self) -> Self;
    /// 2^self within 8e-5 of its value, zero (or as good as zero) far below.
    #[inline(always)]
    unsafe fn rough_power_of_two(self) -> Self {
        // SAFETY: the caller has the features of this type.
        unsafe { super::pointwise::rough_power_of_two(self) }
    }
    /// `self` where `key >= bound`, zero elsewhere.
    unsafe fn where_at_least(self, key: Self, bound: Self) -> Self;
    /// The first `count` numbers of self, those of `other` behind them.
    unsafe fn first_or(self, count: usize, other: Self) -> Self;
    /// The sum of the numbers, in an order that is fixed for the type.
    unsafe fn sum(self) -> f32;
    /// The largest of the numbers.
    unsafe fn largest(self) -> f32;
    /// The sum of every one of WIDTH registers that lie one behind the other, side by side.
    #[inline(always)]
    unsafe fn sum_of_each(registers: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [0.0; WIDEST];
            for (index, sum) in sums[..Self::WIDTH].iter_mut().enumerate() {
                *sum = Self::load(registers.add(index * Self::WIDTH)).sum();
            }
            Self::load(sums.as_ptr())
        }
    }
    /// The same of the largest numbers.
    #[inline(always)]
    unsafe fn largest_of_each(registers: *const f32) -> Self {
        // SAFETY: as above.
        unsafe {
            let mut largest = [0.0; WIDEST];
            for (index, largest) in largest[..Self::WIDTH].iter_mut().enumerate() {
                *largest = Self::load(registers.add(index * Self::WIDTH)).largest();
            }
            Self::load(largest.as_ptr())
        }
    }
}
