//! A decoded sound: 16 kHz mono, 16 bits a sample, readable at any place, in bounded memory.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use super::error::AudioError;

/// Samples a second of every recording.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples kept in memory before a recording moves to a temporary file: 16 MiB, nearly nine minutes. The recordings of
/// one input share it.
const MEMORY_SAMPLES: usize = 8 << 20;

/// Samples converted at a time between memory and file.
const BLOCK_SAMPLES: usize = 32 << 10;

/// Where a recording came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The input as a person would name it.
    pub name: String,
    /// The container, for example `wav`, `ogg`, `mp4`.
    pub container: String,
    /// The codec, for example `pcm_s16le`, `opus`, `aac`.
    pub codec: String,
    /// Samples a second before resampling; 0 when ffmpeg decoded it.
    pub sample_rate: u32,
    /// Channels before mixing down; 0 when ffmpeg decoded it.
    pub channels: u32,
    /// What decoded it.
    pub decoder: Decoder,
}

/// What decoded a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// This program.
    #[default]
    Native,
    /// The ffmpeg program.
    Ffmpeg,
}

/// A decoded sound: 16 kHz mono.
///
/// Samples are kept as the 16-bit integers that ffmpeg gives openai/whisper, so a sample reads as `integer / 32768`.
/// Up to 16 MiB lie in memory; a longer sound lies in a temporary file that has no name, so memory does not grow
/// with length and nothing is left behind after a crash. Reading needs only `&self` and is safe from many threads; a clone
/// is the same sound, not a copy of it.
#[derive(Debug, Clone)]
pub struct Recording {
    store: Arc<Store>,
    len: u64,
    source: Source,
    warnings: Vec<String>,
}

/// Samples that can be read anywhere: a recording, or what is left of one.
pub trait Sound: Send + Sync {
    /// Samples in it, at [`SAMPLE_RATE`].
    fn samples(&self) -> u64;

    /// Fills `out` with the samples from `start` on; places outside the sound read as zero.
    fn read(&self, start: u64, out: &mut [f32]) -> Result<(), AudioError>;
}

impl<S: Sound + ?Sized> Sound for &S {
    fn samples(&self) -> u64 {
        (**self).samples()
    }

    fn read(&self, start: u64, out: &mut [f32]) -> Result<(), AudioError> {
        (**self).read(start, out)
    }
}

impl Sound for Recording {
    fn samples(&self) -> u64 {
        self.len
    }

    fn read(&self, start: u64, out: &mut [f32]) -> Result<(), AudioError> {
        Recording::read(self, start, out)
    }
}

#[derive(Debug)]
enum Store {
    Memory(Vec<i16>),
    /// Little-endian samples, from the start of the file.
    File(File),
}

impl Recording {
    /// A recording of 16 kHz mono samples in [-1, 1); they are rounded to 16 bits.
    pub fn from_samples(samples: &[f32]) -> Recording {
        Self::from_integers(samples.iter().map(|&sample| round_sample(sample)).collect())
    }

    /// A recording of 16 kHz mono 16-bit samples.
    pub fn from_integers(samples: Vec<i16>) -> Recording {
        let source = Source {
            name: "samples".into(),
            container: "memory".into(),
            codec: "pcm_s16".into(),
            sample_rate: SAMPLE_RATE,
            channels: 1,
            decoder: Decoder::Native,
        };
        Recording { len: samples.len() as u64, store: Arc::new(Store::Memory(samples)), source, warnings: Vec::new() }
    }

    /// Samples in the recording.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is not one sample.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Length in seconds.
    pub fn duration(&self) -> f64 {
        self.len as f64 / f64::from(SAMPLE_RATE)
    }

    /// Where the sound came from and what decoded it.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What a person should know about the sound: damage that was passed over, tracks that were not read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Fills `out` with the samples from `start` on; places outside the recording read as zero.
    pub fn read(&self, start: u64, out: &mut [f32]) -> Result<(), AudioError> {
        let inside = self.len.saturating_sub(start).min(out.len() as u64) as usize;
        let (sound, beyond) = out.split_at_mut(inside);
        beyond.fill(0.0);
        // What lies wholly outside has no place in the store, and `start` may be any number.
        if sound.is_empty() {
            return Ok(());
        }
        match &*self.store {
            Store::Memory(samples) => {
                for (out, &sample) in sound.iter_mut().zip(&samples[start as usize..]) {
                    *out = f32::from(sample) / 32768.0;
                }
            }
            Store::File(file) => {
                let mut bytes = vec![0u8; 2 * sound.len().min(BLOCK_SAMPLES)];
                let mut place = start * 2;
                for block in sound.chunks_mut(BLOCK_SAMPLES) {
                    let bytes = &mut bytes[..2 * block.len()];
                    read_exact_at(file, bytes, place).map_err(|source| self.io("reading decoded sound", source))?;
                    for (out, pair) in block.iter_mut().zip(bytes.chunks_exact(2)) {
                        *out = f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0;
                    }
                    place += bytes.len() as u64;
                }
            }
        }
        Ok(())
    }

    fn io(&self, action: &'static str, source: io::Error) -> AudioError {
        AudioError::Io { name: self.source.name.clone(), action, reason: source }
    }
}

/// The nearest 16-bit integer, ties to even and clipped as ffmpeg does; what is not a number is silence.
pub(super) fn round_sample(sample: f32) -> i16 {
    // Beside this much a float has no room for a fraction. Adding it rounds as the processor does, without calling the C library
    // for every sample where it has no instruction for that.
    const WHOLE: f32 = (3 << 22) as f32;
    // Infinities are not sound either.
    let sound = if sample.is_finite() { sample } else { 0.0 };
    let clipped = (sound * 32768.0).clamp(-32768.0, 32767.0);
    ((clipped + WHOLE) - WHOLE) as i16
}

/// Collects samples into a recording, in memory first and in a temporary file once they are many.
pub(super) struct Writer {
    name: String,
    memory: Vec<i16>,
    /// Samples that may lie in memory.
    most: usize,
    file: Option<File>,
    /// Samples already in the file.
    spooled: u64,
}

impl Writer {
    /// A writer that takes one of so many equal shares of the memory.
    pub(super) fn new(name: &str, shares: usize) -> Writer {
        Writer {
            name: name.to_owned(),
            memory: Vec::new(),
            most: MEMORY_SAMPLES / shares.max(1),
            file: None,
            spooled: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.spooled + self.memory.len() as u64
    }

    pub(super) fn push(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        self.memory.extend_from_slice(samples);
        let bound = if self.file.is_some() { BLOCK_SAMPLES } else { self.most };
        if self.memory.len() >= bound { self.spool() } else { Ok(()) }
    }

    fn spool(&mut self) -> Result<(), AudioError> {
        let io = |source| AudioError::Io {
            name: self.name.clone(),
            action: "writing decoded sound to a temporary file",
            reason: source,
        };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile().map_err(io)?,
        };
        let mut bytes = Vec::with_capacity(2 * BLOCK_SAMPLES);
        for block in self.memory.chunks(BLOCK_SAMPLES) {
            bytes.clear();
            bytes.extend(block.iter().flat_map(|sample| sample.to_le_bytes()));
            file.write_all(&bytes).map_err(io)?;
        }
        self.spooled += self.memory.len() as u64;
        self.memory.clear();
        self.memory.shrink_to(BLOCK_SAMPLES);
        self.file = Some(file);
        Ok(())
    }

    pub(super) fn finish(mut self, source: Source, warnings: Vec<String>) -> Result<Recording, AudioError> {
        if self.file.is_some() {
            self.spool()?;
        }
        let len = self.len();
        let store = match self.file {
            Some(file) => Store::File(file),
            None => Store::Memory(self.memory),
        };
        Ok(Recording { store: Arc::new(store), len, source, warnings })
    }
}

/// Fills `out` from `place` of the file, without moving a cursor that others share.
pub(super) fn read_exact_at(file: &File, mut out: &mut [u8], mut place: u64) -> io::Result<()> {
    while !out.is_empty() {
        match read_at(file, out, place)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                out = &mut out[count..];
                place += count as u64;
            }
        }
    }
    Ok(())
}

/// Reads some bytes from `place` of the file.
#[cfg(unix)]
pub(super) fn read_at(file: &File, out: &mut [u8], place: u64) -> io::Result<usize> {
    loop {
        match std::os::unix::fs::FileExt::read_at(file, out, place) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads some bytes from `place` of the file.
#[cfg(windows)]
pub(super) fn read_at(file: &File, out: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_nearest_even_and_clips() {
        let cases = [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (40000.0, 32767), (-40000.0, -32768)];
        for (value, expected) in cases {
            assert_eq!(round_sample(value / 32768.0), expected, "{value}");
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(round_sample(value), 0);
        }
    }

    #[test]
    fn places_outside_read_as_zero() {
        let recording = Recording::from_integers(vec![16384, -16384]);
        let mut out = [9.0; 4];
        recording.read(1, &mut out).unwrap();
        assert_eq!(out, [-0.5, 0.0, 0.0, 0.0]);
        recording.read(u64::MAX, &mut out).unwrap();
        assert_eq!(out, [0.0; 4]);
    }

    #[test]
    fn a_long_recording_moves_to_a_file_and_reads_the_same() {
        let sample = |index: u64| (index.wrapping_mul(40503) >> 3) as i16;
        let mut writer = Writer::new("test", 1);
        let total = MEMORY_SAMPLES as u64 + 3 * BLOCK_SAMPLES as u64 + 17;
        let mut next = 0;
        while next < total {
            let block: Vec<i16> = (next..total.min(next + 50_000)).map(sample).collect();
            writer.push(&block).unwrap();
            next += block.len() as u64;
        }
        let recording = writer.finish(Source::default(), Vec::new()).unwrap();
        assert!(matches!(*recording.store, Store::File(_)));
        assert_eq!(recording.len(), total);
        let mut out = vec![0.0; 100_000];
        for start in [0, 1, MEMORY_SAMPLES as u64 - 50_000, total - 99_999] {
            recording.read(start, &mut out).unwrap();
            for (offset, &value) in out.iter().enumerate() {
                let place = start + offset as u64;
                let expected = if place < total { f32::from(sample(place)) / 32768.0 } else { 0.0 };
                assert_eq!(value, expected, "place {place}");
            }
        }
        for start in [total, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            out.fill(9.0);
            recording.read(start, &mut out).unwrap();
            assert!(out.iter().all(|&value| value == 0.0), "start {start}");
        }
    }
}
