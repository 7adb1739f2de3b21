//! The roofs of a GPU, measured on it: how fast it multiplies matrices and how fast it moves bytes, in the best case that is known of.

use std::sync::Arc;
use std::time::Duration;

use half::f16;

use super::Cuda;
use crate::driver::{Buffer, Event, Gpu, GpuError, Origin, View, upload};
use crate::kernels::{Output, Product};

/// Rows, columns and depth of the product: the size at which such rates are commonly given, 1.1 T operations.
const SIDE: usize = 8192;
/// Bytes that are copied: many times what any GPU keeps beside its memory.
const COPIED: usize = 1 << 30;
/// Times that do not count, in which clocks rise and the matrix library makes its choice, and times that do.
const WARMING: usize = 3;
const TIMES: usize = 10;
/// Numbers that are made; the matrices are filled with them again and again. Zeros would be multiplied faster than anything real.
const NUMBERS: usize = 1 << 20;

/// What a GPU reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofs {
    /// Multiplications and additions a second, in the product of two squares of f16, summed in f32.
    pub operations_per_second: f64,
    /// Rows and columns of the squares.
    pub side: usize,
    /// Bytes read and bytes written a second, together, in a copy from the GPU's memory to itself.
    pub bytes_per_second: f64,
    /// Bytes that were copied.
    pub copied: usize,
}

impl Cuda {
    /// Measures the roofs, by the device's own events: the median of ten times. It takes about 2.5 GB of the GPU's memory for a
    /// second, and refuses where there is no GPU or an emulated one.
    pub fn roofs(&self) -> Result<Roofs, GpuError> {
        measure(&self.machine.open(self.setup.device)?)
    }
}

fn measure(gpu: &Arc<dyn Gpu>) -> Result<Roofs, GpuError> {
    if gpu.facts().origin == Origin::Emulated {
        return Err(GpuError::NoSpeed);
    }
    let product = {
        let [input, weights, into] = ["a factor", "a factor", "a product"].map(|what| square(gpu, what));
        let [input, weights, into] = [input?, weights?, into?];
        for (factor, seed) in [(&input, 1), (&weights, 2)] {
            fill(&**gpu, factor.view(), seed)?;
        }
        let out = Output::Half { into: into.view(), bias: None };
        let (input, weights) = (input.view(), weights.view());
        let product = Product { input, weights, out, rows: SIDE, columns: SIDE, depth: SIDE, pitch: SIDE };
        let seconds = median(&**gpu, &mut || gpu.run(&product.into()))?;
        product.operations() as f64 / seconds
    };
    let halves = COPIED / size_of::<f16>();
    let [from, into] = ["what is copied", "a copy"].map(|what| Buffer::<f16>::new(gpu, halves, what));
    let (from, into) = (from?, into?);
    fill(&**gpu, from.view(), 3)?;
    let copy = || gpu.copy(from.view().address(), into.view().address(), COPIED);
    let seconds = median(&**gpu, &mut || copy())?;
    Ok(Roofs {
        operations_per_second: product,
        side: SIDE,
        bytes_per_second: 2.0 * COPIED as f64 / seconds,
        copied: COPIED,
    })
}

fn square(gpu: &Arc<dyn Gpu>, what: &'static str) -> Result<Buffer<f16>, GpuError> {
    Buffer::new(gpu, SIDE * SIDE, what)
}

/// Fills a place with numbers between -1 and 1.
fn fill(gpu: &dyn Gpu, place: View<f16>, seed: u32) -> Result<(), GpuError> {
    let mut state = seed;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f16::from_f32((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    };
    let numbers: Vec<f16> = (0..NUMBERS).map(|_| number()).collect();
    (0..place.len()).step_by(NUMBERS).try_for_each(|first| {
        let part = place.part(first..(first + NUMBERS).min(place.len()));
        upload(gpu, part, &numbers[..part.len()])
    })
}

/// Seconds that an operation takes, by the device's events.
fn median(gpu: &dyn Gpu, ask: &mut dyn FnMut() -> Result<(), GpuError>) -> Result<f64, GpuError> {
    (0..WARMING).try_for_each(|_| ask())?;
    let mut moments = vec![gpu.mark()?];
    let asked = (0..TIMES).try_for_each(|_| {
        ask()?;
        moments.push(gpu.mark()?);
        Ok(())
    });
    let times = asked.and_then(|()| gpu.wait()).and_then(|_| {
        let between = |pair: &[Event]| gpu.between(pair[0], pair[1]);
        moments.windows(2).map(between).collect::<Result<Vec<Duration>, _>>()
    });
    gpu.forget(&moments);
    let mut times = times?;
    times.sort();
    let middle = times[times.len() / 2];
    if middle.is_zero() {
        return Err(GpuError::Call { call: "cuEventElapsedTime", code: "no time has passed".to_owned() });
    }
    Ok(middle.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use amanuensis::backend::{Availability, Backend as _};

    use super::*;
    use crate::backend::Setup;
    use crate::driver::fake::FakeGpu;

    #[test]
    fn what_is_emulated_has_no_speed() {
        let gpu = FakeGpu::new(1 << 30);
        let emulated = Cuda::emulated(Setup::default(), &gpu);
        assert_eq!(emulated.roofs(), Err(GpuError::NoSpeed));
        assert_eq!(gpu.counts().operations, 0);
    }

    #[test]
    fn times_are_of_what_was_asked_for_and_a_failure_is_told() {
        let gpu = FakeGpu::new(1 << 20);
        let mut asked = 0;
        let seconds = median(&*gpu, &mut || {
            asked += 1;
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        assert!(asked == WARMING + TIMES && seconds.is_ok_and(|seconds| seconds >= 1e-3), "{asked}");
        assert_eq!(median(&*gpu, &mut || Err(GpuError::NoSpeed)), Err(GpuError::NoSpeed));
    }

    #[test]
    fn a_gpu_has_roofs_and_where_there_is_none_it_is_said() {
        let machine = Cuda::new(Setup::default());
        match (machine.probe(), machine.roofs()) {
            (Availability::Ready(name), Ok(roofs)) => {
                assert!(roofs.operations_per_second > 1e12 && roofs.bytes_per_second > 1e10, "{name}: {roofs:?}");
            }
            (Availability::Absent(_), Err(error)) => eprintln!("skipped: no GPU: {error}"),
            (probed, measured) => panic!("{probed:?}, and {measured:?}"),
        }
    }

    #[test]
    fn matrices_are_filled_to_the_end_with_numbers_of_all_sizes() {
        let gpu: Arc<dyn Gpu> = FakeGpu::new(1 << 30);
        let buffer = Buffer::<f16>::new(&gpu, NUMBERS + 10, "a test").expect("memory");
        fill(&*gpu, buffer.view(), 1).expect("filled");
        let mut numbers = vec![f16::NAN; NUMBERS + 10];
        crate::driver::download(&*gpu, buffer.view(), &mut numbers).expect("read");
        let numbers: Vec<f32> = numbers.into_iter().map(f16::to_f32).collect();
        assert!(numbers.iter().all(|number| (-1.0..=1.0).contains(number)));
        let below = numbers.iter().filter(|number| **number < -0.5).count();
        assert!((below as f64 / numbers.len() as f64 - 0.25).abs() < 0.01, "{below}");
        assert_eq!(numbers[NUMBERS..], numbers[..10]);
    }
}
