//! Opus: the packets of any container, decoded by one crate behind this one file.

use opus_decoder::{OpusDecoder, OpusMultistreamDecoder};

use super::downmix::{speaker::*, usual_speakers};

/// Opus is decoded at its own rate, whatever was recorded; positions in containers count at it too.
pub(super) const RATE: u32 = 48_000;

/// Longest packet: 120 ms.
const MAX_FRAMES: usize = 5760;

/// The identification header, `OpusHead`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) channels: usize,
    /// Frames to drop at the start.
    pub(super) pre_skip: u64,
    /// Gain to apply, as a factor.
    pub(super) gain: f32,
    streams: usize,
    coupled: usize,
    mapping: Vec<u8>,
    pub(super) mask: u64,
}

impl Head {
    /// Reads the header; the reason when it is not one.
    pub(super) fn parse(bytes: &[u8]) -> Result<Head, String> {
        if bytes.len() < 19 || &bytes[..8] != b"OpusHead" {
            return Err("the Opus header is missing or short".into());
        }
        if bytes[8] & 0xf0 != 0 {
            return Err(format!("Opus header version {}", bytes[8]));
        }
        let channels = usize::from(bytes[9]);
        let gain = i16::from_le_bytes([bytes[16], bytes[17]]);
        let (streams, coupled, mapping) = match bytes[18] {
            0 if matches!(channels, 1 | 2) => (1, channels - 1, (0..channels as u8).collect()),
            0 => return Err(format!("{channels} channels in an Opus header without a channel mapping")),
            _ => {
                let mapping = bytes.get(21..21 + channels).ok_or("the Opus channel mapping is cut off")?;
                (usize::from(bytes[19]), usize::from(bytes[20]), mapping.to_vec())
            }
        };
        let decoded = streams + coupled;
        let fits = mapping.iter().all(|&slot| slot == 255 || usize::from(slot) < decoded);
        if channels == 0 || streams == 0 || coupled > streams || decoded > 255 || !fits {
            return Err(format!("{channels} channels from {streams} Opus streams, {coupled} of them stereo"));
        }
        let mut head = Head {
            channels,
            pre_skip: u64::from(u16::from_le_bytes([bytes[10], bytes[11]])),
            gain: 10f32.powf(f32::from(gain) / (20.0 * 256.0)),
            streams,
            coupled,
            mapping,
            mask: usual_speakers(channels),
        };
        if bytes[18] == 1 {
            head.order_as_wave();
        }
        Ok(head)
    }

    /// Mapping family 1 has the order of Vorbis; the rest of the program has the order of the loudspeaker bits.
    fn order_as_wave(&mut self) {
        const L: u64 = FRONT_LEFT;
        const R: u64 = FRONT_RIGHT;
        const C: u64 = FRONT_CENTER;
        let order: &[u64] = match self.channels {
            3 => &[L, C, R],
            4 => &[L, R, BACK_LEFT, BACK_RIGHT],
            5 => &[L, C, R, BACK_LEFT, BACK_RIGHT],
            6 => &[L, C, R, BACK_LEFT, BACK_RIGHT, LOW_FREQUENCY],
            7 => &[L, C, R, SIDE_LEFT, SIDE_RIGHT, BACK_CENTER, LOW_FREQUENCY],
            8 => &[L, C, R, SIDE_LEFT, SIDE_RIGHT, BACK_LEFT, BACK_RIGHT, LOW_FREQUENCY],
            _ => return,
        };
        let mut pairs: Vec<(u64, u8)> = order.iter().copied().zip(self.mapping.iter().copied()).collect();
        pairs.sort_unstable();
        self.mask = order.iter().fold(0, |mask, speaker| mask | speaker);
        self.mapping = pairs.into_iter().map(|(_, slot)| slot).collect();
    }
}

enum Inner {
    One(OpusDecoder),
    Many(OpusMultistreamDecoder),
}

/// Decodes the packets of one Opus stream.
pub(super) struct Decoder {
    inner: Inner,
    channels: usize,
    gain: f32,
    pcm: Vec<f32>,
    single: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(head: &Head) -> Result<Decoder, String> {
        let inner = match (head.streams, head.channels) {
            (1, 1 | 2) if head.mapping.iter().enumerate().all(|(index, &slot)| usize::from(slot) == index) => {
                OpusDecoder::new(RATE, head.channels).map(Inner::One)
            }
            _ => OpusMultistreamDecoder::new(RATE, head.channels, head.streams, head.coupled, &head.mapping)
                .map(Inner::Many),
        };
        Ok(Decoder {
            inner: inner.map_err(|error| format!("Opus: {error}"))?,
            channels: head.channels,
            gain: head.gain,
            pcm: vec![0.0; MAX_FRAMES * head.channels],
            single: Vec::new(),
        })
    }

    /// Appends the interleaved frames of a packet to `out`.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
        let start = out.len();
        let result = match &mut self.inner {
            Inner::Many(decoder) => decoder
                .decode_float(packet, &mut self.pcm, false)
                .map(|frames| out.extend_from_slice(&self.pcm[..frames * self.channels]))
                .map_err(|error| error.to_string()),
            Inner::One(decoder) => split(packet).and_then(|frames| {
                let toc = packet[0] & !3;
                for frame in frames {
                    // One frame a packet: the decoder refuses packets over 1,500 bytes, which several frames can reach.
                    self.single.clear();
                    self.single.push(toc);
                    self.single.extend_from_slice(frame);
                    let count =
                        decoder.decode_float(&self.single, &mut self.pcm, false).map_err(|error| error.to_string())?;
                    out.extend_from_slice(&self.pcm[..count * self.channels]);
                }
                Ok(())
            }),
        };
        if self.gain != 1.0 {
            out[start..].iter_mut().for_each(|sample| *sample *= self.gain);
        }
        result
    }
}

/// Frames of 48 kHz in a packet; zero when it is not one.
pub(super) fn duration(packet: &[u8]) -> u64 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame = match toc >> 3 {
        config @ 0..12 => [480, 960, 1920, 2880][usize::from(config) % 4],
        config @ 12..16 => [480, 960][usize::from(config) % 2],
        config => [120, 240, 480, 960][usize::from(config) % 4],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |byte| u64::from(byte & 0x3f)),
    };
    (frame * count).min(MAX_FRAMES as u64)
}

/// The frames of a packet, by the four framings of RFC 6716 section 3.2.
fn split(packet: &[u8]) -> Result<Vec<&[u8]>, String> {
    let bad = || "the packet breaks the framing rules".to_owned();
    let (&toc, rest) = packet.split_first().ok_or_else(bad)?;
    match toc & 3 {
        0 => Ok(vec![rest]),
        1 if rest.len() % 2 == 0 => Ok(<[_; 2]>::from(rest.split_at(rest.len() / 2)).to_vec()),
        1 => Err(bad()),
        2 => {
            let (size, rest) = length(rest).ok_or_else(bad)?;
            let (first, second) = rest.split_at_checked(size).ok_or_else(bad)?;
            Ok(vec![first, second])
        }
        _ => {
            let (&flags, mut rest) = rest.split_first().ok_or_else(bad)?;
            let count = usize::from(flags & 0x3f);
            if count == 0 || duration(packet) as usize / count * count > MAX_FRAMES || count > 48 {
                return Err(bad());
            }
            if flags & 0x40 != 0 {
                let mut padding = 0;
                loop {
                    let (&byte, after) = rest.split_first().ok_or_else(bad)?;
                    rest = after;
                    padding += usize::from(byte) - usize::from(byte == 255);
                    if byte != 255 {
                        break;
                    }
                }
                rest = rest.len().checked_sub(padding).map(|end| &rest[..end]).ok_or_else(bad)?;
            }
            let mut frames = Vec::with_capacity(count);
            if flags & 0x80 != 0 {
                let mut sizes = Vec::with_capacity(count);
                for _ in 1..count {
                    let (size, after) = length(rest).ok_or_else(bad)?;
                    sizes.push(size);
                    rest = after;
                }
                for size in sizes {
                    let (frame, after) = rest.split_at_checked(size).ok_or_else(bad)?;
                    frames.push(frame);
                    rest = after;
                }
                frames.push(rest);
            } else if rest.len() % count == 0 {
                let size = rest.len() / count;
                frames.extend((0..count).map(|index| &rest[index * size..(index + 1) * size]));
            } else {
                return Err(bad());
            }
            Ok(frames)
        }
    }
}

/// A frame length of one or two bytes.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [first @ 0..252, rest @ ..] => Some((usize::from(*first), rest)),
        [first, second, rest @ ..] => Some((usize::from(*second) * 4 + usize::from(*first), rest)),
        _ => None,
    }
}
