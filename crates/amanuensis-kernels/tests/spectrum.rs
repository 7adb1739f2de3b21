//! The power of frames beside its definition, on every instruction set.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis_kernels::{Band, Spectrum, reference};
use common::{every_kernels, numbers, same_bytes};

/// Bands of one, two and three frequencies in turns, that overlap by one.
fn bands(frequencies: usize) -> Vec<Band> {
    (0..frequencies - 3).map(|first| Band { first, weights: numbers(first as u64 + 1, first % 3 + 1) }).collect()
}

#[test]
fn every_frame_has_the_power_of_the_definition() {
    for size in [2, 4, 10, 20, 80, 400, 1000] {
        let window: Vec<f32> = numbers(3, size).iter().map(|x| x.abs() + 0.1).collect();
        // Loud and quiet frames side by side, one of zeros among them, and more than are transformed at once.
        let frames: Vec<Vec<f32>> = (0..19_u16)
            .map(|t| numbers(u64::from(t) + 9, size).iter().map(|x| x * f32::from(t).powi(2)).collect())
            .collect();
        let frames: Vec<&[f32]> = frames.iter().map(Vec::as_slice).collect();
        let bands = if size < 10 { vec![Band { first: 0, weights: vec![1.0, 0.5] }] } else { bands(size / 2 + 1) };
        for kernels in every_kernels() {
            let spectrum = Spectrum::new(kernels, window.clone(), bands.clone());
            let mut out = vec![f32::NAN; frames.len() * bands.len()];
            spectrum.power(&frames, &mut out);
            for (frame, out) in frames.iter().zip(out.chunks(bands.len())) {
                let frame: Vec<f32> = frame.iter().zip(&window).map(|(x, y)| x * y).collect();
                let energy: f64 = frame.iter().map(|x| f64::from(x * x)).sum::<f64>() * size as f64;
                let power = reference::power(&frame);
                for (band, out) in bands.iter().zip(out) {
                    let sum: f64 = power[band.first..].iter().zip(&band.weights).map(|(x, y)| x * f64::from(*y)).sum();
                    let apart = (f64::from(*out) - sum).abs();
                    assert!(apart <= 1e-6 * energy, "{}, {size}: {out} is not {sum}", kernels.isa());
                }
            }
        }
    }
}

#[test]
fn a_frame_is_the_same_alone() {
    let frames: Vec<Vec<f32>> = (1..=9).map(|seed| numbers(seed, 400)).collect();
    let frames: Vec<&[f32]> = frames.iter().map(Vec::as_slice).collect();
    for kernels in every_kernels() {
        let bands = bands(201);
        let spectrum = Spectrum::new(kernels, vec![1.0; 400], bands.clone());
        let mut together = vec![0.0; 9 * bands.len()];
        spectrum.power(&frames, &mut together);
        for (frame, together) in frames.iter().zip(together.chunks(bands.len())) {
            let mut alone = vec![0.0; bands.len()];
            spectrum.power(&[frame], &mut alone);
            assert!(same_bytes(&alone, together), "{}", kernels.isa());
        }
    }
}
