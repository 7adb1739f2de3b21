//! What is heard in one frame: the level of each band, how periodic it is, and how like it is to the frames before.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::BANDS;
use crate::audio::{AudioError, SAMPLE_RATE, Sound};
use crate::speech::FRAME_SAMPLES;

/// Samples that are transformed: 64 ms with the frame in the middle, two periods of a low voice in the window's bell.
const WINDOW: usize = 2 * FRAME_SAMPLES;
/// Frames that are read at a time: two seconds.
const READ: usize = 64;
/// Frames between two spectra that have no sample in common.
pub(super) const LAG: usize = 2;

/// Edges of the bands in Hz: the critical bands of hearing.
const EDGES: [u32; BANDS + 1] = [
    100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7600,
];
/// Power of a band that counts as nothing, of a sine's at full scale: below it lies the noise of 16-bit sound.
const NOTHING: f32 = 6.3e-9;

/// Bins in which voice is looked for, 90 to 3500 Hz.
const VOICE: std::ops::Range<usize> = bin(90)..bin(3500);
/// Lags of the pitches of voices, 400 down to 75 Hz.
const PITCHES: std::ops::Range<usize> = SAMPLE_RATE as usize / 400..SAMPLE_RATE as usize / 75;
/// Bins whose fine structure is compared, 90 to 4000 Hz.
const FINE: std::ops::Range<usize> = bin(90)..bin(4000);
/// Bins on either side over which the coarse structure is taken: 234 Hz, wider than a voice's harmonics are apart.
const COARSE: usize = 7;

/// The first bin at or above a frequency.
const fn bin(hertz: u32) -> usize {
    (hertz as usize * WINDOW).div_ceil(SAMPLE_RATE as usize)
}

/// What is kept of a frame.
#[derive(Debug, Clone)]
pub(super) struct Features {
    /// Levels of the bands in dB below a sine at full scale.
    pub(super) levels: [f32; BANDS],
    /// Height of the highest peak of the spectrum's transform at the pitch of a voice; 1 for a tone, 0.1 for noise.
    pub(super) voicing: f32,
    /// Correlation of the fine log spectrum with that of [`LAG`] frames before; 1 for a tone, 0 for noise.
    pub(super) likeness: f32,
}

/// Transforms frames one after the other.
#[derive(Clone)]
pub(super) struct Listener {
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    log: Vec<f32>,
    /// The fine log spectra of the last frames, the newest last, with the sum of their squares.
    fine: [(Vec<f32>, f32); LAG + 1],
}

impl Listener {
    pub(super) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, backward) = (planner.plan_fft_forward(WINDOW), planner.plan_fft_inverse(WINDOW));
        let scratch = forward.get_scratch_len().max(backward.get_scratch_len());
        Listener {
            window: (0..WINDOW).map(|n| (0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos()) as f32).collect(),
            frame: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            scratch: vec![Complex::default(); scratch],
            power: vec![0.0; WINDOW / 2 + 1],
            log: vec![0.0; FINE.len()],
            fine: std::array::from_fn(|_| (vec![0.0; FINE.len()], 0.0)),
            forward,
            backward,
        }
    }

    /// Reads the sound under `count` frames: half a frame before the first and half a frame behind the last included.
    fn read(&self, sound: &dyn Sound, first: u64, count: usize, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let half = FRAME_SAMPLES / 2;
        out.clear();
        out.resize((count + 1) * FRAME_SAMPLES, 0.0);
        match (first * FRAME_SAMPLES as u64).checked_sub(half as u64) {
            Some(start) => sound.read(start, out),
            None => sound.read(0, &mut out[half..]),
        }
    }

    /// What is heard in `count` frames from `first` on, by a listener that has heard nothing yet: the frames that they are
    /// compared with are heard before.
    pub(super) fn stretch(&mut self, sound: &dyn Sound, first: u64, count: usize) -> Result<Vec<Features>, AudioError> {
        let before = first.min(LAG as u64) as usize;
        let (mut next, end) = (first - before as u64, first + count as u64);
        let mut heard = Vec::with_capacity(before + count);
        let mut samples = Vec::new();
        while next < end {
            let frames = (end - next).min(READ as u64);
            self.read(sound, next, frames as usize, &mut samples)?;
            let halves = samples.chunks_exact(FRAME_SAMPLES).zip(samples[FRAME_SAMPLES..].chunks_exact(FRAME_SAMPLES));
            heard.extend(halves.map(|(early, late)| self.hear(early, late)));
            next += frames;
        }
        heard.drain(..before);
        Ok(heard)
    }

    /// What is heard in the frame whose window is these two halves.
    pub(super) fn hear(&mut self, early: &[f32], late: &[f32]) -> Features {
        let (first, second) = self.window.split_at(FRAME_SAMPLES);
        let weighted = early.iter().zip(first).chain(late.iter().zip(second));
        for (to, (sample, weight)) in self.frame.iter_mut().zip(weighted) {
            *to = sample * weight;
        }
        self.forward
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by the plan");
        // The power of all bins of a sine at full scale sums to one half.
        const SCALE: f32 = 16.0 / 3.0 / (WINDOW * WINDOW) as f32;
        for (power, value) in self.power.iter_mut().zip(&self.spectrum) {
            *power = value.norm_sqr() * SCALE;
        }
        let levels = std::array::from_fn(|band| {
            let power: f32 = self.power[bin(EDGES[band])..bin(EDGES[band + 1])].iter().sum();
            10.0 * (power + NOTHING).log10()
        });
        Features { levels, voicing: self.voicing(), likeness: self.likeness() }
    }

    /// The transform of the magnitudes, which are between power, where the loudest formant is all, and the logarithm,
    /// where noise between the harmonics is.
    fn voicing(&mut self) -> f32 {
        self.spectrum.fill(Complex::default());
        for (value, power) in self.spectrum[VOICE].iter_mut().zip(&self.power[VOICE]) {
            value.re = power.sqrt();
        }
        self.backward
            .process_with_scratch(&mut self.spectrum, &mut self.frame, &mut self.scratch)
            .expect("the buffers were made by the plan");
        let highest = self.frame[PITCHES].iter().copied().fold(0.0, f32::max);
        highest / (self.frame[0] + 1e-9)
    }

    fn likeness(&mut self) -> f32 {
        for (log, power) in self.log.iter_mut().zip(&self.power[FINE]) {
            *log = (power + 1e-10).ln();
        }
        self.fine.rotate_left(1);
        let [(before, before_norm), .., (fine, norm)] = &mut self.fine;
        // The sum over the bins around, which wander along.
        let log = &self.log;
        let (mut sum, mut count) = (log[..COARSE].iter().sum::<f32>(), COARSE);
        for (place, fine) in fine.iter_mut().enumerate() {
            if let Some(next) = log.get(place + COARSE) {
                (sum, count) = (sum + next, count + 1);
            }
            if let Some(last) = place.checked_sub(COARSE + 1) {
                (sum, count) = (sum - log[last], count - 1);
            }
            *fine = log[place] - sum / count as f32;
        }
        *norm = fine.iter().map(|value| value * value).sum();
        let product: f32 = fine.iter().zip(before).map(|(one, other)| *one * *other).sum();
        product / (*norm * *before_norm + 1e-9).sqrt()
    }
}
