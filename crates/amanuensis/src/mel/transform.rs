//! The short-time Fourier transform, as power in mel bands.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::filters::{Band, bands};
use super::{FRAME, HOP};
use crate::audio::SAMPLE_RATE;

/// Sums side by side, so that a processor can add several at once; they divide a frame.
const LANES: usize = 8;
/// More than what is lost in rounding the sums of a frame.
const ROUNDING: f32 = 1.001;

/// Turns samples into power per frame and mel band; keeps its plan and scratch space.
pub(super) struct Transform {
    bands: Vec<Band>,
    /// The largest weight of a frequency in a band.
    largest_weight: f32,
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
        let bands = bands(bins, spectrum.len(), SAMPLE_RATE);
        Transform {
            largest_weight: bands.iter().flat_map(|band| &band.weights).copied().fold(0.0, f32::max),
            bands,
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
            self.frame_power(&samples[t * HOP..], bins);
        }
    }

    /// The most power that any band of any frame in `samples` holds, if that is more than `loudest`.
    ///
    /// Few frames are transformed for it: those whose samples alone do not tell that all of their bands hold less.
    pub(super) fn loudest(&mut self, samples: &[f32], mut loudest: f32) -> f32 {
        let most: Vec<f32> = samples.windows(FRAME).step_by(HOP).map(|frame| self.most(frame)).collect();
        let promising = (0..most.len()).max_by(|&a, &b| most[a].total_cmp(&most[b]));
        let mut bins = vec![0.0; self.bands.len()];
        for t in promising.into_iter().chain(0..most.len()) {
            if most[t] > loudest || most[t].is_nan() {
                self.frame_power(&samples[t * HOP..], &mut bins);
                loudest = bins.iter().copied().fold(loudest, f32::max);
            }
        }
        loudest
    }

    /// No band of the frame holds more power than this: all of its energy at the frequency with the largest weight.
    fn most(&self, frame: &[f32]) -> f32 {
        let mut lanes = [0.0; LANES];
        for (samples, window) in frame.as_chunks::<LANES>().0.iter().zip(self.window.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                lanes[lane] += (samples[lane] * window[lane]).powi(2);
            }
        }
        // Parseval: frequencies that come in pairs, as all that lie in a band do, share the energy times half the length.
        lanes.iter().sum::<f32>() * (FRAME as f32 / 2.0) * self.largest_weight * ROUNDING
    }

    /// Power of the frame at the beginning of `samples` in every band.
    fn frame_power(&mut self, samples: &[f32], bins: &mut [f32]) {
        for ((to, from), weight) in self.frame.iter_mut().zip(samples).zip(&self.window) {
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
