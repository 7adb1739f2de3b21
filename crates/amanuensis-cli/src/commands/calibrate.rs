//! What the encoder's normalisations give while the model hears recordings: the f32 backend, window by window.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use amanuensis::audio::OpenOptions;
use amanuensis::backend::{Backend, ComputeType, Stage, Work, cpu::Cpu};
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::ModelFile;
use amanuensis::model::quantize::Activations;
use amanuensis::{Crew, Error};
use anyhow::Context;

use super::sound;
use crate::args::ProgressStyle;
use crate::progress::{Progress, Stage as Shown};

/// Hears every recording from end to end, 30 s at a time.
pub(super) fn activations(model: &ModelFile, files: &[PathBuf], cancel: &AtomicBool) -> anyhow::Result<Activations> {
    let mut activations = Activations::new(model)?;
    let backend = Cpu::new(None, ComputeType::F32);
    let loaded = backend.load(model)?;
    let mut progress = Progress::new(ProgressStyle::Auto);
    for file in files {
        let name = sound::name(file);
        let recording = sound::open(file, &OpenOptions::default(), &mut progress)?;
        progress.begin(&name, Shown::Transcribe);
        let mut watch = |stage: Stage, rows: &[f32]| match stage {
            Stage::Stem => activations.see_attention(0, rows),
            Stage::EncoderAttention(layer) => activations.see_feed_forward(layer, rows),
            Stage::EncoderFeedForward(layer) => activations.see_attention(layer + 1, rows),
            _ => {}
        };
        let mut work = Work::new(cancel);
        work.watch = Some(&mut watch);
        let bins = loaded.dims().mel_bins;
        let crew = Crew::new(None);
        let spectrogram = Spectrogram::new(&recording, bins, Convention::default(), crew, &mut || Ok::<(), Error>(()))
            .with_context(|| name.clone())?;
        for seek in (0..spectrogram.content_frames()).step_by(WINDOW_FRAMES) {
            let mel = spectrogram.window(seek, WINDOW_FRAMES, WINDOW_FRAMES).with_context(|| name.clone())?;
            loaded.encode(&[mel], &mut work).with_context(|| name.clone())?;
            let frames = seek + WINDOW_FRAMES as u64;
            progress.update(frames.min(spectrogram.content_frames()) as f64 / 100.0, Some(recording.duration()));
        }
        progress.end();
    }
    Ok(activations)
}
