//! Uncompressed samples: one function from bytes to numbers, and sound that comes without a header.

use std::io::{self, Read};

use super::error::AudioError;
use super::intake::Intake;
use super::options::{Encoding, RawFormat};
use super::recording::Source;

/// Bytes that are converted at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// Whether ffmpeg mixes and resamples this encoding in 16-bit integers.
pub(super) fn is_integer(encoding: Encoding) -> bool {
    encoding.bytes() <= 2
}

/// Reads interleaved samples to the end, or up to `bytes`. Returns how many bytes there were.
pub(super) fn decode(
    reader: &mut impl Read,
    encoding: Encoding,
    channels: usize,
    bytes: u64,
    intake: &mut Intake<'_>,
) -> Result<u64, ReadError> {
    let frame = encoding.bytes() * channels;
    let block = (BLOCK_BYTES / frame).max(1) * frame;
    let mut buffer = vec![0u8; block];
    let mut integers = Vec::new();
    let mut floats = Vec::new();
    let (mut filled, mut total) = (0, 0u64);
    loop {
        let wanted = ((block - filled) as u64).min(bytes - total) as usize;
        let count = match reader.read(&mut buffer[filled..filled + wanted]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ReadError::Io(error)),
        };
        filled += count;
        total += count as u64;
        let ended = count == 0;
        if filled < block && !ended {
            continue;
        }
        // A frame that was cut off at the end is not sound.
        let whole = filled / frame * frame;
        if is_integer(encoding) {
            integers.clear();
            integers_of(encoding, &buffer[..whole], &mut integers);
            intake.integers(&integers)?;
        } else {
            floats.clear();
            floats_of(encoding, &buffer[..whole], &mut floats);
            intake.floats(&floats)?;
        }
        filled = 0;
        if ended {
            return Ok(total);
        }
    }
}

/// Why reading uncompressed samples ended early.
pub(super) enum ReadError {
    Io(io::Error),
    Audio(AudioError),
}

impl From<AudioError> for ReadError {
    fn from(error: AudioError) -> Self {
        ReadError::Audio(error)
    }
}

impl ReadError {
    pub(super) fn named(self, name: &str) -> AudioError {
        match self {
            ReadError::Io(source) => AudioError::Io { name: name.to_owned(), action: "reading", reason: source },
            ReadError::Audio(error) => error,
        }
    }
}

/// Sound without a header.
pub(super) fn decode_raw(
    mut reader: impl Read,
    name: &str,
    format: RawFormat,
    intake: &mut Intake<'_>,
) -> Result<Source, AudioError> {
    let channels = format.channels as usize;
    intake.shape(format.sample_rate, channels, 0, is_integer(format.encoding))?;
    let total = decode(&mut reader, format.encoding, channels, u64::MAX, intake).map_err(|error| error.named(name))?;
    if total == 0 {
        return Err(AudioError::Empty { name: name.to_owned() });
    }
    let rest = total % (format.encoding.bytes() * channels) as u64;
    if rest != 0 {
        intake.warn(format!("the last {rest} bytes are not a whole frame and were left out"));
    }
    Ok(Source {
        name: name.to_owned(),
        container: "raw".into(),
        codec: format!("pcm_{}", format.encoding.name()),
        sample_rate: format.sample_rate,
        channels: format.channels,
        ..Source::default()
    })
}

/// Samples of any encoding, from -1 to 1; what is not a number is silence.
pub(super) fn samples(encoding: Encoding, bytes: &[u8], out: &mut Vec<f32>) {
    if is_integer(encoding) {
        let mut integers = Vec::with_capacity(bytes.len());
        integers_of(encoding, bytes, &mut integers);
        out.extend(integers.into_iter().map(|sample| f32::from(sample) / 32_768.0));
    } else {
        floats_of(encoding, bytes, out);
        out.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
    }
}

/// Samples of at most 16 bits.
fn integers_of(encoding: Encoding, bytes: &[u8], out: &mut Vec<i16>) {
    let pairs = || bytes.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
    match encoding {
        Encoding::U8 => out.extend(bytes.iter().map(|&byte| i16::from(byte.wrapping_sub(0x80) as i8) << 8)),
        Encoding::S8 => out.extend(bytes.iter().map(|&byte| i16::from(byte as i8) << 8)),
        Encoding::MuLaw => out.extend(bytes.iter().map(|&byte| mu_law(byte))),
        Encoding::ALaw => out.extend(bytes.iter().map(|&byte| a_law(byte))),
        Encoding::S16Be => out.extend(pairs().map(i16::from_be_bytes)),
        _ => out.extend(pairs().map(i16::from_le_bytes)),
    }
}

/// Samples of more than 16 bits, in [-1, 1).
fn floats_of(encoding: Encoding, bytes: &[u8], out: &mut Vec<f32>) {
    const FULL: f32 = 1.0 / 2_147_483_648.0;
    let triples = || bytes.chunks_exact(3);
    let fours = || bytes.as_chunks::<4>().0.iter();
    let eights = || bytes.as_chunks::<8>().0.iter();
    match encoding {
        Encoding::S24Le => out.extend(triples().map(|b| i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 * FULL)),
        Encoding::S24Be => out.extend(triples().map(|b| i32::from_be_bytes([b[0], b[1], b[2], 0]) as f32 * FULL)),
        Encoding::S32Le => out.extend(fours().map(|&b| i32::from_le_bytes(b) as f32 * FULL)),
        Encoding::S32Be => out.extend(fours().map(|&b| i32::from_be_bytes(b) as f32 * FULL)),
        Encoding::F32Le => out.extend(fours().map(|&b| f32::from_le_bytes(b))),
        Encoding::F32Be => out.extend(fours().map(|&b| f32::from_be_bytes(b))),
        Encoding::F64Le => out.extend(eights().map(|&b| f64::from_le_bytes(b) as f32)),
        _ => out.extend(eights().map(|&b| f64::from_be_bytes(b) as f32)),
    }
}

/// G.711 mu-law: sign, three bits of exponent, four of mantissa, all inverted, with a bias of 33 (in 14 bits).
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i16::from(byte & 0x0f) << 3) + 0x84) << ((byte >> 4) & 7);
    if byte & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

/// G.711 A-law: sign, three bits of exponent, four of mantissa, with every other bit inverted.
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = ((byte >> 4) & 7, i16::from(byte & 0x0f));
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    if byte & 0x80 != 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_codes_have_the_published_ends() {
        assert_eq!([mu_law(0x00), mu_law(0x80), mu_law(0xff), mu_law(0x7f)], [-32124, 32124, 0, 0]);
        assert_eq!([a_law(0xd5), a_law(0x55), a_law(0xaa), a_law(0x2a)], [8, -8, 32256, -32256]);
    }

    #[test]
    fn wide_samples_keep_their_sign_and_scale() {
        let mut out = Vec::new();
        floats_of(Encoding::S24Le, &[0, 0, 0x80, 0, 0, 0x40], &mut out);
        floats_of(Encoding::S24Be, &[0xc0, 0, 0], &mut out);
        floats_of(Encoding::S32Be, &[0x20, 0, 0, 0], &mut out);
        assert_eq!(out, [-1.0, 0.5, -0.5, 0.25]);
        let mut out = Vec::new();
        integers_of(Encoding::U8, &[0, 128, 255], &mut out);
        integers_of(Encoding::S8, &[0x80, 0x7f], &mut out);
        assert_eq!(out, [-32768, 0, 32512, -32768, 32512]);
    }
}
