//! Opus: the packets of any container, decoded by one crate behind this one file.
//!
//! The crate was chosen by measurement: opus-pure agrees with libopus to the rounding of its 16-bit output (-92 dB of full
//! scale) in speech, hybrid and music at frames of 2.5 to 120 ms (`tests/audio_agreement.rs`), and decodes ten minutes of 96 kbit/s stereo in 3 s where
//! opus-decoder 0.1.1 needs 522 s.

use opus_pure::OpusDecoder;

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

/// Decodes the packets of one Opus stream, which is several elementary streams side by side for more than two channels.
pub(super) struct Decoder {
    /// First the stereo streams, then the mono ones.
    streams: Vec<Stream>,
    /// For every output channel, its stream and its channel there; none is silence.
    channels: Vec<Option<(usize, usize)>>,
    gain: f32,
}

struct Stream {
    decoder: OpusDecoder,
    channels: usize,
    /// Interleaved frames of the packet at hand.
    pcm: Vec<f32>,
    frames: usize,
    single: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(head: &Head) -> Result<Decoder, String> {
        let width = |stream| if stream < head.coupled { 2 } else { 1 };
        let streams: Result<Vec<Stream>, String> = (0..head.streams).map(|stream| Stream::new(width(stream))).collect();
        let places: Vec<(usize, usize)> =
            (0..head.streams).flat_map(|stream| (0..width(stream)).map(move |channel| (stream, channel))).collect();
        Ok(Decoder {
            streams: streams?,
            channels: head.mapping.iter().map(|&slot| places.get(usize::from(slot)).copied()).collect(),
            gain: head.gain,
        })
    }

    /// Appends the interleaved frames of a packet to `out`.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
        let mut rest = packet;
        let last = self.streams.len() - 1;
        for (index, stream) in self.streams.iter_mut().enumerate() {
            let (toc, frames, after) = split(rest, index < last)?;
            rest = after;
            stream.decode(toc, &frames)?;
        }
        let frames = self.streams.iter().map(|stream| stream.frames).min().unwrap_or(0);
        let (start, wide) = (out.len(), self.channels.len());
        out.resize(start + frames * wide, 0.0);
        for (slot, place) in self.channels.iter().enumerate() {
            // A channel that is nowhere stays silent.
            let Some((stream, channel)) = *place else { continue };
            let stream = &self.streams[stream];
            let from = stream.pcm.chunks_exact(stream.channels).map(|frame| frame[channel]);
            for (frame, sample) in out[start..].chunks_exact_mut(wide).zip(from) {
                frame[slot] = sample * self.gain;
            }
        }
        Ok(())
    }
}

impl Stream {
    fn new(channels: usize) -> Result<Stream, String> {
        let decoder = OpusDecoder::new(RATE as i32, channels).map_err(|error| error.to_string())?;
        Ok(Stream { decoder, channels, pcm: vec![0.0; MAX_FRAMES * channels], frames: 0, single: Vec::new() })
    }

    /// Decodes the frames one by one, each as a packet of its own.
    fn decode(&mut self, toc: u8, frames: &[&[u8]]) -> Result<(), String> {
        self.frames = 0;
        for frame in frames {
            self.single.clear();
            self.single.push(toc & !3);
            self.single.extend_from_slice(frame);
            let size = frame_duration(toc) as usize;
            let room = &mut self.pcm[self.frames * self.channels..];
            self.frames += self.decoder.decode(&self.single, size, room).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Frames of 48 kHz in a packet; zero when it is not one.
pub(super) fn duration(packet: &[u8]) -> u64 {
    let Some(&toc) = packet.first() else { return 0 };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |byte| u64::from(byte & 0x3f)),
    };
    (frame_duration(toc) * count).min(MAX_FRAMES as u64)
}

/// Frames of 48 kHz in one frame of the codec.
fn frame_duration(toc: u8) -> u64 {
    match toc >> 3 {
        config @ 0..12 => [480, 960, 1920, 2880][usize::from(config) % 4],
        config @ 12..16 => [480, 960][usize::from(config) % 2],
        config => [120, 240, 480, 960][usize::from(config) % 4],
    }
}

/// The first byte of a packet, its frames, and what follows it.
type Split<'a> = (u8, Vec<&'a [u8]>, &'a [u8]);

/// Takes a packet apart by the four framings of RFC 6716 section 3.2.
///
/// In a packet of several streams all but the last are `delimited`: they carry the length of their last frame too.
fn split(packet: &[u8], delimited: bool) -> Result<Split<'_>, String> {
    parse(packet, delimited).ok_or_else(|| "the packet breaks the framing rules".to_owned())
}

fn parse(packet: &[u8], delimited: bool) -> Option<Split<'_>> {
    let (&toc, mut rest) = packet.split_first()?;
    let (mut count, mut varied, mut padding) = (1, false, 0);
    match toc & 3 {
        0 => {}
        1 => count = 2,
        2 => (count, varied) = (2, true),
        _ => {
            let (&flags, after) = rest.split_first()?;
            rest = after;
            count = usize::from(flags & 0x3f);
            varied = flags & 0x80 != 0;
            let mut more = flags & 0x40 != 0;
            while more {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                more = byte == 255;
                padding += usize::from(byte) - usize::from(more);
            }
        }
    }
    if count == 0 || count as u64 * frame_duration(toc) > MAX_FRAMES as u64 {
        return None;
    }
    let mut sizes = Vec::with_capacity(count);
    if varied {
        for _ in 1..count {
            let (size, after) = length(rest)?;
            sizes.push(size);
            rest = after;
        }
    }
    if delimited {
        let (size, after) = length(rest)?;
        sizes.resize(count, size);
        rest = after;
    } else {
        let known: usize = sizes.iter().sum();
        let left = rest.len().checked_sub(padding)?.checked_sub(known)?;
        let unknown = count - sizes.len();
        if left % unknown != 0 {
            return None;
        }
        sizes.resize(count, left / unknown);
    }
    let mut frames = Vec::with_capacity(count);
    for size in sizes {
        let (frame, after) = rest.split_at_checked(size)?;
        frames.push(frame);
        rest = after;
    }
    Some((toc, frames, rest.get(padding..)?))
}

/// A frame length of one or two bytes.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [first @ 0..252, rest @ ..] => Some((usize::from(*first), rest)),
        [first, second, rest @ ..] => Some((usize::from(*second) * 4 + usize::from(*first), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_framings_are_taken_apart() {
        let frames =
            |packet: &[u8]| split(packet, false).unwrap().1.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>();
        // 20 ms of wideband speech: configuration 9.
        let toc = 9 << 3;
        assert_eq!(frames(&[toc, 1, 2, 3]), [vec![1, 2, 3]]);
        assert_eq!(frames(&[toc | 1, 1, 2, 3, 4]), [vec![1, 2], vec![3, 4]]);
        assert_eq!(frames(&[toc | 1]), [vec![], Vec::<u8>::new()]);
        assert_eq!(frames(&[toc | 2, 1, 9, 8, 7]), [vec![9], vec![8, 7]]);
        assert_eq!(frames(&[toc | 3, 3, 1, 2, 3]), [vec![1], vec![2], vec![3]]);
        // Padding of two bytes, and frames of their own lengths.
        assert_eq!(frames(&[toc | 3, 0x42, 2, 1, 2, 0, 0]), [vec![1], vec![2]]);
        assert_eq!(frames(&[toc | 3, 0x82, 1, 1, 2, 2]), [vec![1], vec![2, 2]]);
        assert!(split(&[], false).is_err());
        assert!(split(&[toc | 1, 1, 2, 3], false).is_err());
        assert!(split(&[toc | 3, 0], false).is_err());
        assert!(split(&[toc | 3, 7, 1], false).is_err(), "140 ms is too long");
        let packet = [toc, 2, 5, 6, 7];
        let (_, inner, rest) = split(&packet, true).unwrap();
        assert_eq!((inner, rest), (vec![&[5u8, 6][..]], &[7u8][..]));
        assert_eq!((duration(&[toc | 1]), duration(&[toc | 3, 3]), duration(&[])), (1920, 2880, 0));
    }

    #[test]
    fn headers_are_checked_before_they_are_believed() {
        let head = |channels: u8, family: u8, rest: &[u8]| {
            let mut bytes = b"OpusHead\x01".to_vec();
            bytes.extend([channels, 0x38, 0x01, 0x80, 0xbb, 0, 0, 0, 0, family]);
            bytes.extend(rest);
            Head::parse(&bytes)
        };
        let stereo = head(2, 0, &[]).unwrap();
        assert_eq!((stereo.channels, stereo.pre_skip, stereo.gain), (2, 312, 1.0));
        assert!(Decoder::new(&stereo).is_ok());
        assert!(head(0, 0, &[]).is_err() && head(3, 0, &[]).is_err());
        assert!(head(6, 1, &[4, 2, 0, 4, 1, 2, 3]).is_err(), "the mapping is short");
        assert!(head(6, 1, &[4, 5, 0, 4, 1, 2, 3, 5]).is_err(), "more stereo streams than streams");
        assert!(head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 9]).is_err(), "a channel of no stream");
        let surround = head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 5]).unwrap();
        // Vorbis order left, centre, right, back pair, low becomes left, right, centre, low, back pair.
        assert_eq!(surround.mapping, [0, 1, 4, 5, 2, 3]);
        assert_eq!(surround.mask, usual_speakers(6));
    }
}
