//! The padding that a Matroska file marks at its end, which the demuxer does not pass on.

use super::input::Media;

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const DISCARD_PADDING: u32 = 0x75a2;

/// Elements that are looked at before giving up: a day of packets of 20 ms in clusters of unknown length.
const MAX_ELEMENTS: u64 = 5_000_000;

/// The file with the length of its segment marked as unknown, when it claims more than there is: the demuxer refuses a
/// recording that broke off, although all but its end is good.
pub(super) fn unbounded(media: &Media) -> Option<Media> {
    if media.peek(0, 4).ok()? != [0x1a, 0x45, 0xdf, 0xa3] {
        return None;
    }
    let mut place = 0;
    for _ in 0..100 {
        let bytes = media.peek(place, 12).ok()?;
        let id_width = bytes.first()?.leading_zeros() as usize + 1;
        let id = bytes.get(..id_width)?.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        let (size, width) = variable(bytes.get(id_width..)?)?;
        let body = place + (id_width + width) as u64;
        if id == u64::from(SEGMENT) {
            let unknown = (1u64 << (7 * width)) - 1;
            let short = size != unknown && body.checked_add(size).is_none_or(|end| end > media.len());
            // The mark of the width, then ones only.
            let all = (unknown | 1 << (7 * width)).to_be_bytes();
            return short.then(|| media.patched(place + id_width as u64, &all[8 - width..]));
        }
        place = body.checked_add(size)?;
    }
    None
}

/// Frames at `rate` to drop from the end of the last packet of track `id`.
pub(super) fn discarded(media: &Media, id: u32, rate: u32) -> u64 {
    let padding = last_padding(media, id).unwrap_or(0);
    u64::try_from((i128::from(padding) * i128::from(rate) + 500_000_000) / 1_000_000_000).unwrap_or(0)
}

/// An element: its name, its body, and whether the file says where it ends.
struct Element {
    id: u32,
    start: u64,
    end: u64,
    sized: bool,
}

fn element(media: &Media, place: u64, limit: u64) -> Option<Element> {
    if place >= limit {
        return None;
    }
    let bytes = media.peek(place, 12).ok()?;
    let first = *bytes.first()?;
    let id_width = first.leading_zeros() as usize + 1;
    if id_width > 4 {
        return None;
    }
    let id = bytes.get(..id_width)?.iter().fold(0, |value, &byte| value << 8 | u32::from(byte));
    let (size, width) = variable(bytes.get(id_width..)?)?;
    let start = place + (id_width + width) as u64;
    let sized = size != (1 << (7 * width)) - 1;
    let end = if sized { start.checked_add(size)?.min(limit) } else { limit };
    Some(Element { id, start, end, sized })
}

/// A number whose length lies in its leading zeros, and that length.
fn variable(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let width = first.leading_zeros() as usize + 1;
    if width > 8 {
        return None;
    }
    let rest = bytes.get(1..width)?;
    let head = u64::from(first) & ((1 << (8 - width)) - 1);
    Some((rest.iter().fold(head, |value, &byte| value << 8 | u64::from(byte)), width))
}

/// The padding of the last block group of the track, in nanoseconds, if it has one.
fn last_padding(media: &Media, id: u32) -> Option<i64> {
    let (mut place, mut limit) = (0, media.len());
    let mut last = None;
    // The last cluster that has a length; those that have none are walked through element by element.
    let mut cluster = None;
    for _ in 0..MAX_ELEMENTS {
        let Some(found) = element(media, place, limit) else { break };
        match found.id {
            SEGMENT => {
                limit = found.end;
                place = found.start;
                continue;
            }
            CLUSTER if found.sized => cluster = Some((found.start, found.end)),
            CLUSTER => {
                place = found.start;
                continue;
            }
            BLOCK_GROUP => last = padding(media, &found, id).unwrap_or(last),
            SIMPLE_BLOCK if track(media, &found) == Some(id) => last = None,
            _ => {}
        }
        place = found.end;
    }
    if let Some((start, end)) = cluster {
        let mut place = start;
        for _ in 0..MAX_ELEMENTS {
            let Some(found) = element(media, place, end) else { break };
            match found.id {
                BLOCK_GROUP => last = padding(media, &found, id).unwrap_or(last),
                SIMPLE_BLOCK if track(media, &found) == Some(id) => last = None,
                _ => {}
            }
            place = found.end;
        }
    }
    last
}

const SIMPLE_BLOCK: u32 = 0xa3;

/// The track of a block.
fn track(media: &Media, block: &Element) -> Option<u32> {
    let bytes = media.peek(block.start, 8).ok()?;
    variable(&bytes).map(|(number, _)| number as u32)
}

/// The padding of a block group; none when the group is of another track.
fn padding(media: &Media, group: &Element, id: u32) -> Option<Option<i64>> {
    let mut place = group.start;
    let (mut ours, mut padding) = (false, None);
    while let Some(found) = element(media, place, group.end) {
        match found.id {
            BLOCK => ours = track(media, &found) == Some(id),
            DISCARD_PADDING => {
                let bytes = media.peek(found.start, (found.end - found.start).min(8) as usize).ok()?;
                let sign = if bytes.first()? & 0x80 != 0 { -1 } else { 0 };
                padding = Some(bytes.iter().fold(sign, |value, &byte| value << 8 | i64::from(byte)));
            }
            _ => {}
        }
        if found.end <= place {
            break;
        }
        place = found.end;
    }
    ours.then_some(padding)
}
