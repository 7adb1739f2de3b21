//! The log-mel spectrogram: what the encoder hears.
//!
//! [`Spectrogram`] gives the window of 30 s that begins at any frame of a recording. The numbers are
//! those of openai/whisper: a short-time Fourier transform of 400 samples every 160, power, Slaney's
//! mel bands, log10 with a floor 8 decades below the loudest point, and `(x + 4) / 4`.

mod filters;
mod transform;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::audio::{AudioError, SAMPLE_RATE, Sound};
use crate::crew::Crew;
use transform::Transform;

/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Samples that one frame looks at: 25 ms.
pub const FRAME: usize = 400;
/// Frames of a full window: 30 s.
pub const WINDOW_FRAMES: usize = 3000;
/// Seconds of a full window.
pub const WINDOW_SECONDS: f64 = 30.0;
/// Frames in a second.
pub const FRAMES_PER_SECOND: usize = SAMPLE_RATE as usize / HOP;

/// The value below which no power counts, so that silence has a logarithm.
const SMALLEST_POWER: f32 = 1e-10;
/// Frames that are transformed at a time: their samples, 82 KB, are still in a core's own cache when they are read.
const BLOCK: usize = 128;
/// Frames among which the loudest point is looked for at a time: so few that a window of 30 s is shared.
const STRETCH: usize = 500;
/// Decades below the loudest point at which everything quieter is cut off.
const DYNAMIC_RANGE: f32 = 8.0;

/// The weights of the mel bands, `[bins][frequencies]`, over the 201 frequencies of a frame: for files that carry them.
pub fn filters(bins: usize) -> Vec<f32> {
    let frequencies = FRAME / 2 + 1;
    let mut table = vec![0.0; bins * frequencies];
    for (row, band) in table.chunks_exact_mut(frequencies).zip(filters::bands(bins, frequencies, SAMPLE_RATE)) {
        row[band.first..band.first + band.weights.len()].copy_from_slice(&band.weights);
    }
    table
}

/// One window of log-mel, as the encoder takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mel {
    /// Mel bands: 80, or 128 from large-v3 on.
    pub bins: usize,
    /// Frames of 10 ms: what the model's encoder was made for, 3000 in every Whisper.
    pub frames: usize,
    /// The values, `[frames][bins]`: a frame's bands lie together.
    pub values: Vec<f32>,
}

/// Which implementation's habits a window follows where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Convention {
    /// openai/whisper: the floor is 8 decades below the loudest point of the whole recording, and
    /// what lies behind the end of the sound is 0.
    #[default]
    OpenAi,
    /// transformers: each window stands alone: its floor is 8 decades below its own loudest point,
    /// its edges are mirrored, and what lies behind the end of the sound is silence.
    HuggingFace,
}

/// The log-mel spectrogram of a recording, computed a window at a time.
///
/// Its memory is that of one window, however long the recording is. Threads share it.
pub struct Spectrogram<'a> {
    sound: Box<dyn Sound + 'a>,
    transform: Transform,
    convention: Convention,
    /// log10 of the loudest point of the recording; only [`Convention::OpenAi`] needs it.
    loudest: f32,
}

impl<'a> Spectrogram<'a> {
    /// Prepares the spectrogram of `sound` with `bins` mel bands.
    ///
    /// With [`Convention::OpenAi`] the whole recording is heard once by the crew, to find its loudest point;
    /// `proceed` is asked now and then, at most some minutes of sound apart, and may end it by an error of its own.
    pub fn new<E: From<AudioError>>(
        sound: impl Sound + 'a,
        bins: usize,
        convention: Convention,
        crew: Crew,
        proceed: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut spectrogram = Spectrogram {
            sound: Box::new(sound),
            transform: Transform::new(bins),
            convention,
            loudest: SMALLEST_POWER.log10(),
        };
        if convention == Convention::OpenAi {
            spectrogram.loudest = spectrogram.find_loudest(crew, proceed)?;
        }
        Ok(spectrogram)
    }

    /// Whole frames of sound in the recording.
    pub fn content_frames(&self) -> u64 {
        self.sound.samples() / HOP as u64
    }

    /// The window that begins at frame `seek`, with at most `content` frames of sound in it.
    ///
    /// `frames` is the length of the window; what `content` or the recording leave open is filled
    /// as the convention says.
    pub fn window(&self, seek: u64, content: usize, frames: usize) -> Result<Mel, AudioError> {
        let bins = self.transform.bins();
        let available = self.content_frames().saturating_sub(seek).min(frames as u64) as usize;
        let content = content.min(available);
        let mut values = vec![0.0; frames * bins];
        match self.convention {
            Convention::OpenAi => {
                let heard = &mut values[..content * bins];
                let mut samples = Vec::with_capacity(padded_samples(BLOCK.min(content)));
                for (block, heard) in heard.chunks_mut(BLOCK * bins).enumerate() {
                    samples.resize(padded_samples(heard.len() / bins), 0.0);
                    read_centred(&*self.sound, (seek + (block * BLOCK) as u64) * HOP as u64, &mut samples)?;
                    self.transform.power(&samples, heard);
                }
                logarithm(heard);
                normalise(heard, self.loudest);
            }
            Convention::HuggingFace => {
                let (half, length) = (FRAME / 2, frames * HOP);
                let mut samples = vec![0.0; length + 2 * half];
                // A last frame that is not whole still sounds, unless a clip ends before it.
                let rest = (self.sound.samples() - (seek * HOP as u64).min(self.sound.samples())) as usize;
                let sound = if content < available { content * HOP } else { rest.min(length) };
                self.sound.read(seek * HOP as u64, &mut samples[half..half + sound])?;
                mirror_edges(&mut samples, half);
                self.transform.power(&samples, &mut values);
                logarithm(&mut values);
                let loudest = values.iter().copied().fold(f32::MIN, f32::max);
                normalise(&mut values, loudest);
            }
        }
        Ok(Mel { bins, frames, values })
    }

    /// log10 of the loudest point of the recording.
    fn find_loudest<E: From<AudioError>>(
        &self,
        crew: Crew,
        proceed: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<f32, E> {
        // Powers are not negative, so that they are ordered as their bits are: what one thread found need not be looked for by
        // another.
        let loudest = AtomicU32::new(SMALLEST_POWER.to_bits());
        // The frames whose centre lies behind the last whole frame reach back into the sound.
        let frames = self.content_frames() + (FRAME / 2).div_ceil(HOP) as u64 + 1;
        let listen = |stretch: usize| -> Result<(), AudioError> {
            let seek = (stretch * STRETCH) as u64;
            let mut samples = vec![0.0; padded_samples((frames - seek).min(STRETCH as u64) as usize)];
            read_centred(&*self.sound, seek * HOP as u64, &mut samples)?;
            let found = self.transform.loudest(&samples, f32::from_bits(loudest.load(Ordering::Relaxed)));
            loudest.fetch_max(found.to_bits(), Ordering::Relaxed);
            Ok(())
        };
        let heard = crew.map(frames.div_ceil(STRETCH as u64) as usize, listen, proceed)?;
        heard.into_iter().collect::<Result<(), _>>()?;
        Ok(f32::from_bits(loudest.into_inner()).log10())
    }
}

/// Samples under `frames` frames, half a frame before the first centre and behind the last included.
fn padded_samples(frames: usize) -> usize {
    if frames == 0 { 0 } else { (frames - 1) * HOP + FRAME }
}

/// Reads the samples under the frames whose first centre is sample `centre`: zeros behind the end of
/// the recording, its mirror image before the beginning.
fn read_centred(sound: &dyn Sound, centre: u64, samples: &mut [f32]) -> Result<(), AudioError> {
    let half = FRAME / 2;
    if samples.is_empty() {
        return Ok(());
    }
    if centre >= half as u64 {
        return sound.read(centre - half as u64, samples);
    }
    // Only the first frames of a recording come here: centres lie 160 apart and half a frame is 200.
    let missing = half - centre as usize;
    sound.read(0, &mut samples[missing..])?;
    let mut head = vec![0.0; missing + 1];
    sound.read(0, &mut head)?;
    for (distance, &sample) in head.iter().enumerate().skip(1) {
        samples[missing - distance] = sample;
    }
    Ok(())
}

/// Fills `half` samples at both ends with the mirror image of what lies beside them.
fn mirror_edges(samples: &mut [f32], half: usize) {
    let last = samples.len() - half - 1;
    for distance in 1..=half {
        samples[half - distance] = samples[half + distance];
        samples[last + distance] = samples[last - distance];
    }
}

/// log10 of every power.
fn logarithm(values: &mut [f32]) {
    for value in values {
        *value = log10(value.max(SMALLEST_POWER));
    }
}

/// log10 of a normal number, nearly always the nearest there is and of powers of ten the very one, in operations that the
/// compiler makes vectors of: the C library's took a sixth of a spectrogram.
#[inline]
fn log10(number: f32) -> f32 {
    const ROOT_OF_A_HALF: i32 = 0x3f35_04f3;
    // log10 of 2, in so few digits that its product with an exponent is exact, and what is left.
    const HIGH: f32 = 0.301_025_4;
    const LOW: f32 = 4.605_039e-6;
    // The number is 2^exponent times one between the roots of 1/2 and 2.
    let bits = number.to_bits() as i32;
    let exponent = (bits - ROOT_OF_A_HALF) >> 23;
    let rest = f32::from_bits((bits - (exponent << 23)) as u32);
    // ln r = 2 artanh((r - 1) / (r + 1)), whose argument is at most 0.172.
    let argument = (rest - 1.0) / (rest + 1.0);
    let square = argument * argument;
    let series = 1.0 + square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
    let exponent = exponent as f32;
    exponent * HIGH + (exponent * LOW + 2.0 * std::f32::consts::LOG10_E * argument * series)
}

/// Cuts everything 8 decades below `loudest` off and brings the rest to about -1 to 1.
fn normalise(values: &mut [f32], loudest: f32) {
    let floor = loudest - DYNAMIC_RANGE;
    for value in values {
        *value = (value.max(floor) + 4.0) / 4.0;
    }
}

#[cfg(test)]
mod tests;
