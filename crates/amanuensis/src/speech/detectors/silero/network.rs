//! Silero's network, many frames at a time but for the LSTM, whose steps follow from each other.

use amanuensis_kernels::{Epilogue, Kernels, PackedMatrix, Region, StoredMatrix};

use super::file::Weights;
use crate::speech::FRAME_SAMPLES;

/// Samples before a frame that it is heard with.
pub(super) const CONTEXT: usize = 64;
/// Samples that are appended by mirroring the last ones.
const MIRRORED: usize = 64;
/// Samples under one spectrum.
const WINDOW: usize = 256;
/// Samples from one spectrum to the next.
const HOP: usize = 128;
/// Spectra of a frame.
const SPECTRA: usize = (CONTEXT + FRAME_SAMPLES + MIRRORED - WINDOW) / HOP + 1;
/// Magnitudes in a spectrum.
const BINS: usize = WINDOW / 2 + 1;
/// Numbers that the LSTM remembers.
const HIDDEN: usize = 128;
/// Taps of a convolution; the middle one is at the place itself, and there are zeros on either side of a frame.
const TAPS: usize = 3;

/// The network, ready to run.
#[derive(Debug)]
pub(super) struct Network {
    /// Windowed cosines, then sines, `[2 * BINS, WINDOW]`.
    basis: PackedMatrix,
    convolutions: [Convolution; 4],
    /// From the frame to the gates: input, forget, candidate, output.
    input: PackedMatrix,
    /// From what was given out before to the gates.
    recurrent: PackedMatrix,
    last: Vec<f32>,
    last_bias: f32,
}

/// A convolution over the places of a frame, then ReLU.
#[derive(Debug)]
struct Convolution {
    /// `[outputs, TAPS * inputs]`, a weight at `tap * inputs + input`.
    weights: PackedMatrix,
    stride: usize,
}

/// What the LSTM remembers from frame to frame.
pub(super) struct State {
    output: [f32; HIDDEN],
    cell: [f32; HIDDEN],
}

impl Default for State {
    fn default() -> Self {
        State { output: [0.0; HIDDEN], cell: [0.0; HIDDEN] }
    }
}

impl Network {
    /// The network of these weights, all of which are there in their shapes.
    pub(super) fn new(kernels: &'static Kernels, weights: &Weights) -> Self {
        let convolution = |number: usize, inputs: usize, outputs: usize, stride: usize| {
            let of = |part: &str| &weights[format!("conv{number}.{part}").as_str()];
            let stored = StoredMatrix::from(of("weight")).with_taps(TAPS);
            let bias = Some(of("bias").as_slice());
            Convolution { weights: PackedMatrix::pack(kernels, stored, outputs, TAPS * inputs, bias), stride }
        };
        let gates = |part: &str, bias| {
            PackedMatrix::pack(kernels, &weights[format!("lstm_cell.{part}").as_str()], 4 * HIDDEN, HIDDEN, bias)
        };
        let biases = weights["lstm_cell.bias_ih"].iter().zip(&weights["lstm_cell.bias_hh"]);
        let bias: Vec<f32> = biases.map(|(one, other)| one + other).collect();
        Network {
            basis: PackedMatrix::pack(kernels, &weights["stft_conv.weight"], 2 * BINS, WINDOW, None),
            convolutions: [
                convolution(1, BINS, 128, 1),
                convolution(2, 128, 64, 2),
                convolution(3, 64, 64, 2),
                convolution(4, 64, HIDDEN, 1),
            ],
            input: gates("weight_ih", Some(&bias)),
            recurrent: gates("weight_hh", None),
            last: weights["final_conv.weight"].clone(),
            last_bias: weights["final_conv.bias"][0],
        }
    }

    /// Adds the probabilities of the frames in `heard`, which begins with the [`CONTEXT`] of the first.
    pub(super) fn run(&self, region: &mut Region<'_>, heard: &[f32], state: &mut State, out: &mut Vec<f32>) {
        let frames = (heard.len() - CONTEXT) / FRAME_SAMPLES;
        let mut values = self.magnitudes(region, heard, frames);
        let mut places = SPECTRA;
        for convolution in &self.convolutions {
            (values, places) = convolution.run(region, &values, frames, places);
        }
        let mut gates = vec![0.0; frames * 4 * HIDDEN];
        region.linear(&values, None, &self.input, Epilogue::Store, &mut gates);
        for gates in gates.chunks_exact_mut(4 * HIDDEN) {
            region.linear(&state.output, None, &self.recurrent, Epilogue::Add, gates);
            let sum = state.step(gates).iter().zip(&self.last).map(|(value, weight)| value.max(0.0) * weight);
            out.push(sigmoid(sum.sum::<f32>() + self.last_bias));
        }
    }

    /// Magnitudes of the spectra, `[frames][SPECTRA][BINS]`.
    fn magnitudes(&self, region: &mut Region<'_>, heard: &[f32], frames: usize) -> Vec<f32> {
        let mut windows = Vec::with_capacity(frames * SPECTRA * WINDOW);
        let mut padded = [0.0; CONTEXT + FRAME_SAMPLES + MIRRORED];
        for frame in 0..frames {
            let (sound, mirrored) = padded.split_at_mut(CONTEXT + FRAME_SAMPLES);
            sound.copy_from_slice(&heard[frame * FRAME_SAMPLES..][..CONTEXT + FRAME_SAMPLES]);
            // The last sample is the mirror.
            for (to, from) in mirrored.iter_mut().zip(sound.iter().rev().skip(1)) {
                *to = *from;
            }
            (0..SPECTRA).for_each(|spectrum| windows.extend_from_slice(&padded[spectrum * HOP..][..WINDOW]));
        }
        let mut parts = vec![0.0; frames * SPECTRA * 2 * BINS];
        region.linear(&windows, None, &self.basis, Epilogue::Store, &mut parts);
        let spectra = parts.chunks_exact(2 * BINS).flat_map(|parts| {
            let (cosines, sines) = parts.split_at(BINS);
            cosines.iter().zip(sines).map(|(cosine, sine)| (cosine * cosine + sine * sine).sqrt())
        });
        spectra.collect()
    }
}

impl Convolution {
    /// From `[frames][places][inputs]` to `[frames][places left][outputs]`, and how many places are left.
    fn run(&self, region: &mut Region<'_>, values: &[f32], frames: usize, places: usize) -> (Vec<f32>, usize) {
        let inputs = self.weights.inputs() / TAPS;
        let left = (places - 1) / self.stride + 1;
        let mut windows = vec![0.0; frames * left * TAPS * inputs];
        let frame_windows = windows.chunks_exact_mut(left * TAPS * inputs);
        for (windows, values) in frame_windows.zip(values.chunks_exact(places * inputs)) {
            for (place, window) in windows.chunks_exact_mut(TAPS * inputs).enumerate() {
                // The first tap is at the place before; outside the frame there are zeros.
                let first = (place * self.stride).saturating_sub(1);
                let behind = (place * self.stride + 2).min(places);
                let skipped = usize::from(place == 0);
                window[skipped * inputs..][..(behind - first) * inputs]
                    .copy_from_slice(&values[first * inputs..behind * inputs]);
            }
        }
        let mut out = vec![0.0; frames * left * self.weights.outputs()];
        region.linear(&windows, None, &self.weights, Epilogue::Store, &mut out);
        out.iter_mut().for_each(|value| *value = value.max(0.0));
        (out, left)
    }
}

impl State {
    /// Takes a step with what goes into the gates, and gives what comes out.
    fn step(&mut self, gates: &[f32]) -> &[f32; HIDDEN] {
        let (input, rest) = gates.split_at(HIDDEN);
        let (forget, rest) = rest.split_at(HIDDEN);
        let (candidate, output) = rest.split_at(HIDDEN);
        for unit in 0..HIDDEN {
            let kept = sigmoid(forget[unit]) * self.cell[unit];
            self.cell[unit] = kept + sigmoid(input[unit]) * candidate[unit].tanh();
            self.output[unit] = sigmoid(output[unit]) * self.cell[unit].tanh();
        }
        &self.output
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}
