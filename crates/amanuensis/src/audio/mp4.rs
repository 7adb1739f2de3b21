//! MP4 boxes that say where the sound begins: the edit list of a track, or the `iTunSMPB` note of iTunes.

use super::input::Media;

/// Boxes that are looked at in one level before giving up.
const MAX_BOXES: usize = 10_000;

/// Longest note that is read.
const NOTE_BYTES: u64 = 4096;

/// Frames at `rate` that lie before the start of track `id`; none when the file does not say.
pub(super) fn skipped(media: &Media, id: u32, rate: u32) -> Option<u64> {
    let file = Span { start: 0, end: media.len() };
    let movie = child(media, file, b"moov")?;
    let mut tracks: Vec<(u32, Span)> = Vec::new();
    each(media, movie, |kind, body| {
        if kind == b"trak"
            && let Some(header) = child(media, body, b"tkhd")
            && let Some(number) = track_id(media, header)
        {
            tracks.push((number, body));
        }
        tracks.len() < 1000
    });
    let track = tracks.iter().find(|(number, _)| *number == id).map(|&(_, body)| body)?;
    if let Some(start) = edited(media, track) {
        let scale = child(media, track, b"mdia").and_then(|media_box| time_scale(media, media_box))?;
        return Some(rescale(start, rate, scale));
    }
    noted(media, movie)
}

fn rescale(ticks: u64, rate: u32, scale: u32) -> u64 {
    let scale = u128::from(scale.max(1));
    u64::try_from((u128::from(ticks) * u128::from(rate) + scale / 2) / scale).unwrap_or(u64::MAX)
}

/// The body of a box.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

/// Calls `visit` with every box in `span`, until it returns false.
fn each(media: &Media, span: Span, mut visit: impl FnMut(&[u8; 4], Span) -> bool) {
    let mut place = span.start;
    for _ in 0..MAX_BOXES {
        let Ok(header) = media.peek(place, 16) else { return };
        if header.len() < 8 || place >= span.end {
            return;
        }
        let kind = [header[4], header[5], header[6], header[7]];
        let (head, size) = match number(&header, 0, 4) {
            Some(0) => (8, span.end - place),
            Some(1) => match number(&header, 8, 8) {
                Some(size) => (16, size),
                None => return,
            },
            Some(size) => (8, size),
            None => return,
        };
        let Some(end) = place.checked_add(size).filter(|&end| size >= head && end <= span.end) else { return };
        if !visit(&kind, Span { start: place + head, end }) {
            return;
        }
        place = end;
    }
}

fn child(media: &Media, span: Span, wanted: &[u8; 4]) -> Option<Span> {
    let mut found = None;
    each(media, span, |kind, body| {
        if kind == wanted {
            found = Some(body);
        }
        found.is_none()
    });
    found
}

/// A big-endian number of `width` bytes.
fn number(bytes: &[u8], place: usize, width: usize) -> Option<u64> {
    Some(bytes.get(place..place + width)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn track_id(media: &Media, header: Span) -> Option<u32> {
    let bytes = media.peek(header.start, 24).ok()?;
    let place = if bytes.first()? == &1 { 20 } else { 12 };
    number(&bytes, place, 4).map(|id| id as u32)
}

fn time_scale(media: &Media, media_box: Span) -> Option<u32> {
    let header = child(media, media_box, b"mdhd")?;
    let bytes = media.peek(header.start, 24).ok()?;
    let place = if bytes.first()? == &1 { 20 } else { 12 };
    number(&bytes, place, 4).map(|scale| scale as u32)
}

/// The time in the media at which the first edit begins; edits that are only a pause do not count.
fn edited(media: &Media, track: Span) -> Option<u64> {
    let list = child(media, child(media, track, b"edts")?, b"elst")?;
    let bytes = media.peek(list.start, 4096.min((list.end - list.start) as usize)).ok()?;
    let wide = *bytes.first()? == 1;
    let count = number(&bytes, 4, 4)?;
    let (entry, width) = if wide { (20, 8) } else { (12, 4) };
    (0..count as usize).map_while(|index| number(&bytes, 8 + index * entry + width, width)).find(|&time| {
        let pause = if wide { u64::MAX } else { u64::from(u32::MAX) };
        time != pause
    })
}

/// The priming of the `iTunSMPB` note: hexadecimal words, of which the second is the frames before the sound.
fn noted(media: &Media, movie: Span) -> Option<u64> {
    let data = child(media, movie, b"udta").and_then(|data| child(media, data, b"meta"))?;
    // A metadata box has four bytes of version before its children.
    let list = child(media, Span { start: data.start + 4, ..data }, b"ilst")?;
    let mut priming = None;
    each(media, list, |kind, body| {
        if kind == b"----" && body.end - body.start < NOTE_BYTES {
            let bytes = media.peek(body.start, (body.end - body.start) as usize).unwrap_or_default();
            let has_name = bytes.windows(8).any(|window| window == b"iTunSMPB");
            if has_name && let Some(text) = bytes.windows(4).rposition(|window| window == b"data") {
                let text = String::from_utf8_lossy(&bytes[(text + 12).min(bytes.len())..]).into_owned();
                priming = text.split_whitespace().nth(1).and_then(|word| u64::from_str_radix(word, 16).ok());
            }
        }
        priming.is_none()
    });
    priming
}
