//! Memory of a device: who owns it, and which numbers of it are meant.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::{Gpu, GpuError, Seen};

mod sealed {
    /// Only numbers of which every pattern of bits is one.
    pub trait Sealed {}
    impl Sealed for half::f16 {}
    impl Sealed for f32 {}
    impl Sealed for i32 {}
}

/// A kind of number that lies in a device's memory.
pub trait Number: Copy + Default + Send + Sync + sealed::Sealed + 'static {
    /// What it is called.
    const NAME: &'static str;
}

impl Number for f16 {
    const NAME: &'static str = "f16";
}

impl Number for f32 {
    const NAME: &'static str = "f32";
}

impl Number for i32 {
    const NAME: &'static str = "i32";
}

/// The bytes of numbers.
pub(super) fn bytes_of<T: Number>(numbers: &[T]) -> &[u8] {
    // SAFETY: the numbers have no padding, and bytes have no alignment; the length is that of the same memory.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The bytes of numbers, to be written.
pub(super) fn bytes_of_mut<T: Number>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes make numbers of these kinds, which is what the sealed trait is for.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

/// Some numbers in the memory of a device. It is a place and no promise: whoever uses it must keep the buffer.
#[derive(Debug)]
pub struct View<T> {
    address: u64,
    len: usize,
    kind: PhantomData<T>,
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<T> {}

impl<T: Number> View<T> {
    /// Where the first number lies.
    pub fn address(self) -> u64 {
        self.address
    }

    /// How many numbers there are.
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// How many bytes they take.
    pub fn bytes(self) -> usize {
        self.len * size_of::<T>()
    }

    /// Some of them.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn part(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} numbers", self.len);
        View { address: self.address + (range.start * size_of::<T>()) as u64, len: range.len(), kind: PhantomData }
    }

    /// The first of them.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn first(self, len: usize) -> Self {
        self.part(0..len)
    }
}

/// Memory of a device; dropping gives it back.
pub struct Buffer<T> {
    gpu: Arc<dyn Gpu>,
    view: View<T>,
}

impl<T: Number> Buffer<T> {
    /// Memory for so many numbers, whatever lies there. `what` is what an error says it was for.
    pub fn new(gpu: &Arc<dyn Gpu>, len: usize, what: &'static str) -> Result<Self, GpuError> {
        let address = gpu.allocate(len * size_of::<T>(), what)?;
        Ok(Buffer { gpu: gpu.clone(), view: View { address, len, kind: PhantomData } })
    }

    /// All of it.
    pub fn view(&self) -> View<T> {
        self.view
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.gpu.free(self.view.address);
    }
}

/// Copies numbers onto the device, in the order of everything else that is asked of it. They may be changed afterwards.
pub fn upload<T: Number>(gpu: &dyn Gpu, into: View<T>, numbers: &[T]) -> Result<(), GpuError> {
    fits("an upload", into, numbers.len())?;
    gpu.staging().write(gpu, into.address, bytes_of(numbers))
}

/// Copies numbers off the device, once everything that was asked of it before is done.
pub fn download<T: Number>(gpu: &dyn Gpu, from: View<T>, numbers: &mut [T]) -> Result<Seen, GpuError> {
    fits("a download", from, numbers.len())?;
    gpu.staging().read(gpu, from.address, bytes_of_mut(numbers))
}

/// The same, of rows that lie `pitch` numbers apart on the device, of which the first `width` are meant; behind one another on the
/// host.
pub fn download_rows<T: Number>(
    gpu: &dyn Gpu,
    from: View<T>,
    pitch: usize,
    numbers: &mut [T],
    width: usize,
) -> Result<Seen, GpuError> {
    if pitch == width {
        return download(gpu, from, numbers);
    }
    let rows = numbers.len() / width.max(1);
    fits("a download of rows", from, rows * pitch)?;
    let mut all = vec![T::default(); from.len()];
    let seen = download(gpu, from, &mut all)?;
    for (row, numbers) in all.chunks_exact(pitch).zip(numbers.chunks_exact_mut(width)) {
        numbers.copy_from_slice(&row[..width]);
    }
    Ok(seen)
}

fn fits<T: Number>(what: &'static str, view: View<T>, len: usize) -> Result<(), GpuError> {
    if len == view.len {
        return Ok(());
    }
    let (wanted, there) = (format!("{len} {}", T::NAME), format!("room for {}", view.len));
    Err(GpuError::Misuse { what, wanted, there })
}
