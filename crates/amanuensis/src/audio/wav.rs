//! Uncompressed wave files: RIFF, RIFX, RF64 and BW64, also those whose length was never filled in.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::error::AudioError;
use super::input::Media;
use super::intake::Intake;
use super::options::{Encoding, RawFormat};
use super::pcm;
use super::recording::Source;

/// Chunks that are walked over before the sound must have begun.
const MAX_CHUNKS: usize = 10_000;

/// What the header says of the sound.
struct Sound {
    encoding: Option<Encoding>,
    channels: u16,
    rate: u32,
    mask: u64,
}

/// Whether the file begins as a wave file.
pub(super) fn is_wave(head: &[u8]) -> bool {
    head.len() >= 12 && matches!(&head[..4], b"RIFF" | b"RIFX" | b"RF64" | b"BW64") && &head[8..12] == b"WAVE"
}

/// Decodes a wave file of uncompressed samples; none when its samples are compressed.
pub(super) fn decode(media: &Media, name: &str, intake: &mut Intake<'_>) -> Result<Option<Source>, AudioError> {
    let io = |source| AudioError::Io { name: name.to_owned(), action: "reading", reason: source };
    let big = media.peek(0, 4).map_err(io)? == b"RIFX";
    let mut place = 12;
    let mut long_size = None;
    let mut sound: Option<Sound> = None;
    for _ in 0..MAX_CHUNKS {
        let header = media.peek(place, 8).map_err(io)?;
        if header.len() < 8 {
            break;
        }
        let size = u64::from(Bytes { bytes: &header, big }.u32(4));
        let body = place + 8;
        match &header[..4] {
            b"ds64" => {
                let bytes = media.peek(body, 16).map_err(io)?;
                if bytes.len() == 16 {
                    long_size = Some(u64::from_le_bytes(std::array::from_fn(|index| bytes[8 + index])));
                }
            }
            b"fmt " => {
                let bytes = media.peek(body, size.min(64) as usize).map_err(io)?;
                if bytes.len() < 16 {
                    return Err(intake.damaged("wav", format!("the format chunk at byte {place} has {size} bytes")));
                }
                sound = Some(format(Bytes { bytes: &bytes, big }));
            }
            b"data" => {
                let Some(sound) = sound else {
                    return Err(
                        intake.damaged("wav", format!("sound at byte {place} without a format chunk before it"))
                    );
                };
                let Some(encoding) = sound.encoding else { return Ok(None) };
                let rest = media.len().saturating_sub(body);
                let size = match long_size {
                    Some(long) if size == 0xffff_ffff => long,
                    _ => size,
                };
                return samples(media, name, &sound, encoding, body, size, rest, intake).map(Some);
            }
            _ => {}
        }
        // Chunks begin at even places.
        place = body + size + size % 2;
    }
    match sound {
        Some(Sound { encoding: None, .. }) => Ok(None),
        Some(_) => Err(intake.damaged("wav", "it ends before its sound begins".into())),
        None => Err(intake.damaged("wav", "it has no format chunk".into())),
    }
}

#[allow(clippy::too_many_arguments, reason = "one call, and every value is of the header")]
fn samples(
    media: &Media,
    name: &str,
    sound: &Sound,
    encoding: Encoding,
    body: u64,
    size: u64,
    rest: u64,
    intake: &mut Intake<'_>,
) -> Result<Source, AudioError> {
    let io = |source| AudioError::Io { name: name.to_owned(), action: "reading", reason: source };
    let channels = usize::from(sound.channels);
    intake.check_shape(sound.rate, channels)?;
    let frame = (encoding.bytes() * channels) as u64;
    // A program that writes to a pipe cannot come back to fill in the length; it leaves zero or the largest number.
    let unknown = size >= 0xffff_0000 && size > rest || size == 0 && !only_chunks(media, body).map_err(io)?;
    let bytes = if unknown { rest } else { size.min(rest) };
    if !unknown && size >= frame && rest < frame {
        return Err(intake.damaged("wav", "it promises sound and ends before it".into()));
    }
    if !unknown && size > rest {
        intake.warn(format!(
            "the file is cut off: it promises {:.3} s and has {:.3} s",
            (size / frame) as f64 / f64::from(sound.rate),
            (rest / frame) as f64 / f64::from(sound.rate)
        ));
    }
    intake.shape(sound.rate, channels, sound.mask, pcm::is_integer(encoding))?;
    intake.expect(Some((bytes / frame) as f64 / f64::from(sound.rate)));
    let mut reader = BufReader::with_capacity(64 << 10, media.rewound());
    reader.seek(SeekFrom::Start(body)).map_err(io)?;
    pcm::decode(&mut reader.take(bytes), encoding, channels, bytes, intake).map_err(|error| error.named(name))?;
    let codec = format!("pcm_{}", encoding.name());
    Ok(Source {
        name: name.to_owned(),
        container: "wav".into(),
        codec,
        sample_rate: sound.rate,
        channels: u32::from(sound.channels),
        ..Source::default()
    })
}

/// Reads the header of a wave file that comes through a pipe, up to its samples: how many channels, and their mask. None
/// when it ends before.
pub(super) fn streamed_channels(reader: &mut impl Read) -> std::io::Result<Option<(usize, u64)>> {
    Ok(streamed(reader)?.map(|sound| (usize::from(sound.channels), sound.mask)))
}

/// The shape of the samples of a wave file that comes through a pipe, up to which it is read. None when it ends before, or
/// they are compressed.
pub(super) fn streamed_format(reader: &mut impl Read) -> std::io::Result<Option<RawFormat>> {
    let format = |sound: Sound| {
        let (sample_rate, channels) = (sound.rate, u32::from(sound.channels));
        sound.encoding.map(|encoding| RawFormat { encoding, sample_rate, channels })
    };
    Ok(streamed(reader)?.and_then(format))
}

fn streamed(reader: &mut impl Read) -> std::io::Result<Option<Sound>> {
    let mut sound = None;
    let mut head = Vec::new();
    reader.by_ref().take(12).read_to_end(&mut head)?;
    for _ in 0..MAX_CHUNKS {
        let mut header = Vec::new();
        reader.by_ref().take(8).read_to_end(&mut header)?;
        if header.len() < 8 {
            break;
        }
        let size = u64::from(Bytes { bytes: &header, big: false }.u32(4));
        match &header[..4] {
            b"data" => return Ok(sound),
            b"fmt " if (16..=64).contains(&size) => {
                let mut bytes = Vec::new();
                reader.by_ref().take(size).read_to_end(&mut bytes)?;
                if bytes.len() as u64 == size {
                    sound = Some(format(Bytes { bytes: &bytes, big: false }));
                }
            }
            _ => drop(std::io::copy(&mut reader.by_ref().take(size + size % 2), &mut std::io::sink())?),
        }
    }
    Ok(None)
}

/// Whether nothing but well-formed chunks follows `place`: then a length of zero means no sound.
fn only_chunks(media: &Media, mut place: u64) -> std::io::Result<bool> {
    for _ in 0..MAX_CHUNKS {
        if place == media.len() {
            return Ok(true);
        }
        let header = media.peek(place, 8)?;
        if header.len() < 8 || !header[..4].iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Ok(false);
        }
        let size = u64::from(Bytes { bytes: &header, big: false }.u32(4));
        place += 8 + size + size % 2;
        if place > media.len() {
            return Ok(false);
        }
    }
    Ok(false)
}

/// The format chunk, of at least 16 bytes.
fn format(bytes: Bytes<'_>) -> Sound {
    const EXTENSIBLE: u16 = 0xfffe;
    let stated = bytes.u16(0);
    let channels = bytes.u16(2);
    let (block, bits) = (bytes.u16(12), bytes.u16(14));
    let (tag, mask) = match stated {
        // The first two bytes of the sub-format are the tag of old.
        EXTENSIBLE if bytes.bytes.len() >= 26 => (bytes.u16(24), u64::from(bytes.u32(20))),
        tag => (tag, 0),
    };
    // The block holds the true width: 20 bits lie in three bytes, 24 sometimes in four.
    let width = match channels {
        0 => 0,
        _ if block != 0 && block % channels == 0 => block / channels,
        _ => bits.div_ceil(8),
    };
    let encoding = match (tag, width, bytes.big) {
        (1, 1, _) => Some(Encoding::U8),
        (1, 2, false) => Some(Encoding::S16Le),
        (1, 2, true) => Some(Encoding::S16Be),
        (1, 3, false) => Some(Encoding::S24Le),
        (1, 3, true) => Some(Encoding::S24Be),
        (1, 4, false) => Some(Encoding::S32Le),
        (1, 4, true) => Some(Encoding::S32Be),
        (3, 4, false) => Some(Encoding::F32Le),
        (3, 4, true) => Some(Encoding::F32Be),
        (3, 8, false) => Some(Encoding::F64Le),
        (3, 8, true) => Some(Encoding::F64Be),
        (6, 1, _) => Some(Encoding::ALaw),
        (7, 1, _) => Some(Encoding::MuLaw),
        _ => None,
    };
    Sound { encoding, channels, rate: bytes.u32(4), mask }
}

/// Numbers at places of a chunk that is known to be long enough.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Bytes<'_> {
    fn u16(self, place: usize) -> u16 {
        let pair = [self.bytes[place], self.bytes[place + 1]];
        if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }

    fn u32(self, place: usize) -> u32 {
        let four = std::array::from_fn(|index| self.bytes[place + index]);
        if self.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }
}
