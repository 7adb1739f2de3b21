//! The short-time Fourier transform, as power in mel bands.

use std::f64::consts::TAU;

use amanuensis_kernels::{Kernels, Spectrum};

use super::filters::bands;
use super::{FRAME, HOP};
use crate::audio::SAMPLE_RATE;

/// Sums side by side, so that a processor can add several at once; they divide a frame.
const LANES: usize = 8;
/// More than what is lost in rounding the sums of a frame.
const ROUNDING: f32 = 1.001;

/// Turns samples into power per frame and mel band. Threads share it.
pub(super) struct Transform {
    spectrum: Spectrum,
    /// The largest weight of a frequency in a band.
    largest_weight: f32,
    window: Vec<f32>,
}

impl Transform {
    pub(super) fn new(bins: usize) -> Self {
        let bands = bands(bins, FRAME / 2 + 1, SAMPLE_RATE);
        // The periodic Hann window, whose first sample is 0 and whose last is not.
        let window: Vec<f32> = (0..FRAME).map(|n| (0.5 - 0.5 * (TAU * n as f64 / FRAME as f64).cos()) as f32).collect();
        Transform {
            largest_weight: bands.iter().flat_map(|band| &band.weights).copied().fold(0.0, f32::max),
            spectrum: Spectrum::new(Kernels::beside(), window.clone(), bands),
            window,
        }
    }

    pub(super) fn bins(&self) -> usize {
        self.spectrum.bands().len()
    }

    /// Power of every frame in `samples`, `[frames][bins]`; frame `t` looks at the samples from `t * HOP`.
    pub(super) fn power(&self, samples: &[f32], out: &mut [f32]) {
        let frames = out.len() / self.bins();
        let frames: Vec<&[f32]> = samples.windows(FRAME).step_by(HOP).take(frames).collect();
        self.spectrum.power(&frames, out);
    }

    /// The most power that any band of any frame in `samples` holds, if that is more than `loudest`.
    ///
    /// Few frames are transformed for it: those whose samples alone do not tell that all of their bands hold less.
    pub(super) fn loudest(&self, samples: &[f32], mut loudest: f32) -> f32 {
        let most: Vec<f32> = samples.windows(FRAME).step_by(HOP).map(|frame| self.most(frame)).collect();
        let mut frames: Vec<usize> = (0..most.len()).filter(|&t| most[t] > loudest || most[t].is_nan()).collect();
        // The most promising first, so that the others need not be looked at.
        frames.sort_by(|&a, &b| most[b].total_cmp(&most[a]));
        for group in frames.chunks(self.spectrum.together()) {
            if most[group[0]] <= loudest {
                break;
            }
            let frames: Vec<&[f32]> = group.iter().map(|t| &samples[t * HOP..][..FRAME]).collect();
            let mut bins = vec![0.0; frames.len() * self.bins()];
            self.spectrum.power(&frames, &mut bins);
            loudest = bins.into_iter().fold(loudest, f32::max);
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
}
