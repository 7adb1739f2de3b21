//! FLAC files without one frame, which the demuxer takes for cut off.

use super::input::Media;
use super::recording::Source;

/// Metadata blocks that are walked over before giving up.
const MAX_BLOCKS: usize = 10_000;

/// What the file says of its sound, when its metadata is whole and nothing at all follows it.
pub(super) fn without_frames(media: &Media, name: &str) -> Option<Source> {
    if media.peek(0, 4).ok()? != b"fLaC" {
        return None;
    }
    let info = media.peek(8, 18).ok()?;
    let mut place = 4;
    for _ in 0..MAX_BLOCKS {
        let header = media.peek(place, 4).ok()?;
        let &[kind, high, middle, low] = header.as_slice() else { return None };
        place += 4 + u64::from(u32::from_be_bytes([0, high, middle, low]));
        if kind & 0x80 != 0 {
            // The number of frames is 36 bits, and zero also means unknown.
            let frames = info.get(13..18)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)) & 0xf_ffff_ffff;
            let rate = u32::from_be_bytes([0, *info.get(10)?, info[11], info[12]]) >> 4;
            return (place == media.len() && frames == 0).then(|| Source {
                name: name.to_owned(),
                container: "flac".into(),
                codec: "flac".into(),
                sample_rate: rate,
                channels: u32::from(info[12] >> 1 & 7) + 1,
                ..Source::default()
            });
        }
    }
    None
}
