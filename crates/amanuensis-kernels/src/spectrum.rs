//! The power of short frames of sound in bands of frequencies.

pub use crate::generic::spectrum::Band;
use crate::generic::spectrum::{Frames, work};
use crate::kernels::Kernels;

/// Transforms frames. It can be shared between threads.
///
/// ```
/// use amanuensis_kernels::{Band, Kernels, Spectrum};
///
/// // A tone of five periods in a frame of twenty samples, and a band for each of the first seven frequencies.
/// let bands = (0..7).map(|first| Band { first, weights: vec![1.0] }).collect();
/// let spectrum = Spectrum::new(Kernels::detect()?, vec![1.0; 20], bands);
/// let frame: Vec<f32> = (0..20).map(|n| [1.0, 0.0, -1.0, 0.0][n % 4]).collect();
/// let mut power = [0.0; 7];
/// spectrum.power(&[&frame], &mut power);
/// assert!(power[5] > 99.9 && power.iter().sum::<f32>() < 100.1);
/// # Ok::<(), amanuensis_kernels::UnsupportedIsa>(())
/// ```
pub struct Spectrum {
    kernels: &'static Kernels,
    window: Vec<f32>,
    /// Roots of one, real and imaginary parts.
    roots: Vec<f32>,
    bands: Vec<Band>,
}

impl Spectrum {
    /// Of frames of as many samples as there are in `window`, which they are multiplied with.
    ///
    /// # Panics
    /// When the number of samples is odd or its half has other prime factors than 2 and 5, or a band reaches beyond the
    /// frequencies, of which there are half as many as samples, and one.
    pub fn new(kernels: &'static Kernels, window: Vec<f32>, bands: Vec<Band>) -> Spectrum {
        let size = window.len();
        let mut rest = size / 2;
        for factor in [5, 2] {
            while rest > 0 && rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        assert!(rest == 1 && size.is_multiple_of(2), "frames of {size} samples");
        let within = |band: &Band| band.first + band.weights.len() <= size / 2 + 1;
        assert!(bands.iter().all(within), "a band beyond the {} frequencies", size / 2 + 1);
        let root = |index: usize| {
            let angle = -std::f64::consts::TAU * index as f64 / size as f64;
            [angle.cos() as f32, angle.sin() as f32]
        };
        Spectrum { kernels, roots: (0..size).flat_map(root).collect(), window, bands }
    }

    /// Frames that are transformed together, in the time of one.
    pub fn together(&self) -> usize {
        self.kernels.panel / 2
    }

    /// The bands.
    pub fn bands(&self) -> &[Band] {
        &self.bands
    }

    /// The power of every frame in every band, `[frames][bands]`. A frame's power does not depend on those beside it. For 400
    /// samples 64 KB are asked for and given back each time, which a hundred frames at once make nothing of.
    ///
    /// # Panics
    /// When a frame is too short, or `out` has another length.
    pub fn power(&self, frames: &[&[f32]], out: &mut [f32]) {
        let (size, bands) = (self.window.len(), self.bands.len());
        assert_eq!(out.len(), frames.len() * bands, "{} frames of {bands} bands into {}", frames.len(), out.len());
        assert!(frames.iter().all(|frame| frame.len() >= size), "a frame of fewer than {size} samples");
        let mut work = vec![0.0; work(size)];
        for (number, frames) in frames.chunks(self.together()).enumerate() {
            let job = Frames {
                frames,
                size,
                window: self.window.as_ptr(),
                roots: self.roots.as_ptr(),
                bands: &self.bands,
                work: work.as_mut_ptr(),
                out: out[number * self.together() * bands..].as_mut_ptr(),
            };
            // SAFETY: lengths and bands were checked, and the working memory is as large as it is to be. The kernels run
            // here because they exist.
            unsafe { (self.kernels.power)(&job) }
        }
    }
}
