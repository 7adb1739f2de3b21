//! The short-time Fourier transform, as power in mel bands.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::filters::{Band, bands};
use super::{FRAME, HOP};
use crate::audio::SAMPLE_RATE;

/// Turns samples into power per frame and mel band; keeps its plan and scratch space.
pub(super) struct Transform {
    bands: Vec<Band>,
    window: Vec<f32>,
    fourier: Arc<dyn RealToComplex<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
}

impl Transform {
    pub(super) fn new(bins: usize) -> Self {
        let fourier = RealFftPlanner::new().plan_fft_forward(FRAME);
        let spectrum = fourier.make_output_vec();
        Transform {
            bands: bands(bins, spectrum.len(), SAMPLE_RATE),
            // The periodic Hann window, whose first sample is 0 and whose last is not.
            window: (0..FRAME).map(|n| (0.5 - 0.5 * (TAU * n as f64 / FRAME as f64).cos()) as f32).collect(),
            frame: fourier.make_input_vec(),
            scratch: fourier.make_scratch_vec(),
            power: vec![0.0; spectrum.len()],
            spectrum,
            fourier,
        }
    }

    pub(super) fn bins(&self) -> usize {
        self.bands.len()
    }

    /// Power of every frame in `samples`, `[frames][bins]`; frame `t` looks at the samples from `t * HOP`.
    pub(super) fn power(&mut self, samples: &[f32], out: &mut [f32]) {
        for (t, bins) in out.chunks_exact_mut(self.bands.len()).enumerate() {
            let heard = &samples[t * HOP..t * HOP + FRAME];
            for ((to, from), weight) in self.frame.iter_mut().zip(heard).zip(&self.window) {
                *to = from * weight;
            }
            self.fourier
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
                .expect("the buffers were made by the plan");
            for (power, value) in self.power.iter_mut().zip(&self.spectrum) {
                *power = value.norm_sqr();
            }
            for (bin, band) in bins.iter_mut().zip(&self.bands) {
                let power = &self.power[band.first..band.first + band.weights.len()];
                *bin = power.iter().zip(&band.weights).map(|(power, weight)| power * weight).sum();
            }
        }
    }
}
