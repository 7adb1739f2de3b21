//! Samples that come piece by piece, made into 16 kHz mono as they come.

use std::io::Read;

use super::error::AudioError;
use super::options::RawFormat;
use super::pcm;
use super::recording::SAMPLE_RATE;
use super::resample::Resampler;
use super::wav;

/// Rates at which sound without an end is taken: from a telephone's to a studio's.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// Most channels of it.
const MOST_CHANNELS: u32 = 8;

/// Takes the bytes of a sound as they come, cut anywhere, and gives its samples: 16 kHz mono, from -1 to 1.
pub struct Stream {
    format: RawFormat,
    /// Bytes of a frame that has not come as a whole.
    rest: Vec<u8>,
    resampler: Option<Resampler<f32>>,
    floats: Vec<f32>,
}

impl Stream {
    /// A stream of samples of this shape.
    ///
    /// # Errors
    /// A rate outside 8 to 48 kHz, or more than 8 channels.
    pub fn new(format: RawFormat) -> Result<Self, AudioError> {
        let refused = |what, value: String, limit: &str| {
            Err(AudioError::LimitExceeded { name: "the stream".into(), what, value, limit: limit.into() })
        };
        if !RATES.contains(&format.sample_rate) {
            return refused("the sample rate", format!("{} Hz", format.sample_rate), "8000 to 48000 Hz");
        }
        if !(1..=MOST_CHANNELS).contains(&format.channels) {
            return refused("the number of channels", format.channels.to_string(), "1 to 8");
        }
        let resampler = Resampler::new(format.sample_rate);
        Ok(Stream { format, rest: Vec::new(), resampler, floats: Vec::new() })
    }

    /// A stream of the samples of a wave file, whose header is read from `reader`: they are what comes behind it.
    ///
    /// # Errors
    /// The header cannot be read, or says of its samples what no stream has.
    pub fn of_wave(reader: &mut impl Read) -> Result<Self, AudioError> {
        let name = || "the stream".to_owned();
        let format = wav::streamed_format(reader);
        let format = format.map_err(|reason| AudioError::Io { name: name(), action: "reading", reason })?;
        let damaged =
            |reason: &str| AudioError::Damaged { name: name(), container: "wav".into(), reason: reason.into() };
        Self::new(format.ok_or_else(|| damaged("its header has no shape of uncompressed samples"))?)
    }

    /// The samples that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<f32> {
        let channels = self.format.channels as usize;
        let frame = self.format.encoding.bytes() * channels;
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / frame * frame;
        self.floats.clear();
        pcm::samples(self.format.encoding, &self.rest[..whole], &mut self.floats);
        self.rest.drain(..whole);
        if channels > 1 {
            let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
            self.floats = self.floats.chunks_exact(channels).map(mean).collect();
        }
        match &mut self.resampler {
            None => std::mem::take(&mut self.floats),
            Some(resampler) => {
                let mut out = Vec::with_capacity(self.floats.len() * SAMPLE_RATE as usize / 8_000);
                resampler.push(&self.floats, &mut out);
                out
            }
        }
    }

    /// The samples that were still held back at the end of the sound.
    pub fn finish(&mut self) -> Vec<f32> {
        let mut out = Vec::new();
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::Encoding;

    fn heard(format: RawFormat, bytes: &[u8], piece: usize) -> Vec<f32> {
        let mut stream = Stream::new(format).unwrap();
        let mut out: Vec<f32> = bytes.chunks(piece).flat_map(|piece| stream.push(piece)).collect();
        out.extend(stream.finish());
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn pieces_do_not_show(
            rate in prop_oneof![Just(8_000_u32), Just(16_000), Just(24_000), Just(44_100), Just(48_000)],
            encoding in prop_oneof![Just(Encoding::S16Le), Just(Encoding::F32Le), Just(Encoding::MuLaw), Just(Encoding::ALaw)],
            channels in 1_u32..4,
            piece in 1_usize..3000,
        ) {
            let format = RawFormat { encoding, sample_rate: rate, channels };
            let bytes: Vec<u8> = (0..4800 * encoding.bytes() * channels as usize).map(|n| (n * 31 % 120) as u8).collect();
            let whole = heard(format, &bytes, bytes.len());
            prop_assert_eq!(&whole, &heard(format, &bytes, piece));
            let expected = 4800 * 16_000 / rate as usize;
            prop_assert!(whole.len().abs_diff(expected) <= 1, "{} of {}", whole.len(), expected);
            prop_assert!(whole.iter().all(|sample| sample.is_finite()));
        }
    }

    #[test]
    fn samples_that_need_nothing_stay_as_they_are_and_what_is_no_number_is_silence() {
        let format = RawFormat { encoding: Encoding::S16Le, sample_rate: 16_000, channels: 1 };
        assert_eq!(heard(format, &[0, 0x40, 0, 0xc0, 7], 1), [0.5, -0.5]);
        let format = RawFormat { encoding: Encoding::F32Le, ..format };
        assert_eq!(heard(format, &f32::NAN.to_le_bytes(), 3), [0.0]);
    }

    #[test]
    fn a_wave_file_says_what_its_samples_are() {
        let mut header = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        header.extend(16_000_u32.to_le_bytes());
        header.extend(32_000_u32.to_le_bytes());
        header.extend(b"\x02\0\x10\0LIST\x02\0\0\0abdata\xff\xff\xff\xff");
        let mut reader = &[&header[..], &[0, 0x40]].concat()[..];
        let mut stream = Stream::of_wave(&mut reader).unwrap();
        assert_eq!(stream.push(reader), [0.5]);
        assert!(Stream::of_wave(&mut &header[..20]).is_err());
    }

    #[test]
    fn other_rates_are_refused() {
        for (sample_rate, channels) in [(7_999, 1), (48_001, 1), (0, 1), (16_000, 0), (16_000, 9)] {
            assert!(Stream::new(RawFormat { encoding: Encoding::U8, sample_rate, channels }).is_err());
        }
    }
}
