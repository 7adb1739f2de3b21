//! The padding that a Matroska file marks at its end, which the demuxer does not pass on.

use super::error::AudioError;
use super::input::Media;

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const DISCARD_PADDING: u32 = 0x75a2;

const SIMPLE_BLOCK: u32 = 0xa3;

/// Elements in a block group: a block and a handful of remarks. More is a file that means harm.
const MAX_CHILDREN: u64 = 1000;

/// What finding the end may cost in all, in elements. Clusters that state their length, which is nearly every file,
/// cost one step each; those of unknown length, as of a live stream, are walked block by block for four hours or so.
const BUDGET: u64 = 1_000_000;

/// What a read costs: at most 100,000 are made.
const READ_COST: u64 = 10;

/// Steps between two questions whether to go on.
const ASK: u64 = 4096;

/// Bytes of one read: a hundred blocks of speech.
const WINDOW: usize = 16 << 10;

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

/// Frames at `rate` to drop from the end of the last packet of track `id`; none where that would take too long to find.
/// `ask` is called now and then, and its error ends the search.
pub(super) fn discarded(
    media: &Media,
    id: u32,
    rate: u32,
    ask: &mut dyn FnMut() -> Result<(), AudioError>,
) -> Result<u64, AudioError> {
    let mut walk = Walk { media, window: Vec::new(), origin: 0, budget: BUDGET, asked: BUDGET, ask };
    let padding = match walk.last_padding(id) {
        Ok(padding) => padding.unwrap_or(0),
        Err(Stop::GivenUp) => 0,
        Err(Stop::Asked(error)) => return Err(error),
    };
    Ok(u64::try_from((i128::from(padding) * i128::from(rate) + 500_000_000) / 1_000_000_000).unwrap_or(0))
}

/// Why a walk ended before its end.
enum Stop {
    /// The file cannot be read, or the budget is spent.
    GivenUp,
    /// The caller wants it so.
    Asked(AudioError),
}

/// An element: its name, its body, and whether the file says where it ends.
struct Element {
    id: u32,
    start: u64,
    end: u64,
    sized: bool,
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

/// A way through the elements of a file with one budget for all of it.
struct Walk<'w> {
    media: &'w Media,
    /// Bytes of the file from `origin` on, so that small elements in a row cost one read.
    window: Vec<u8>,
    origin: u64,
    budget: u64,
    /// The budget at the last question.
    asked: u64,
    ask: &'w mut dyn FnMut() -> Result<(), AudioError>,
}

impl Walk<'_> {
    fn spend(&mut self, cost: u64) -> Result<(), Stop> {
        self.budget = self.budget.checked_sub(cost).ok_or(Stop::GivenUp)?;
        if self.asked - self.budget >= ASK {
            self.asked = self.budget;
            (self.ask)().map_err(Stop::Asked)?;
        }
        Ok(())
    }

    /// Up to `count` bytes from `place`, far fewer than a window has; fewer only at the end.
    fn peek(&mut self, place: u64, count: usize) -> Result<&[u8], Stop> {
        let held = |walk: &Self| {
            let offset = usize::try_from(place.checked_sub(walk.origin)?).ok()?;
            (offset + count <= walk.window.len()).then_some(offset)
        };
        let offset = match held(self) {
            Some(offset) => offset,
            None => {
                self.spend(READ_COST)?;
                self.window = self.media.peek(place, WINDOW).map_err(|_| Stop::GivenUp)?;
                self.origin = place;
                0
            }
        };
        Ok(&self.window[offset..(offset + count).min(self.window.len())])
    }

    /// The element at `place`; none where there is none before `limit`.
    fn element(&mut self, place: u64, limit: u64) -> Result<Option<Element>, Stop> {
        if place >= limit {
            return Ok(None);
        }
        self.spend(1)?;
        let bytes = self.peek(place, 12)?;
        Ok(parse(bytes, place, limit))
    }

    /// The padding of the last block group of the track, in nanoseconds, if it has one.
    fn last_padding(&mut self, id: u32) -> Result<Option<i64>, Stop> {
        let (mut place, mut limit) = (0, self.media.len());
        let mut last = None;
        // The last cluster that has a length; those that have none are walked through element by element.
        let mut cluster = None;
        while let Some(found) = self.element(place, limit)? {
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
                _ => self.note(&found, id, &mut last)?,
            }
            place = found.end;
        }
        if let Some((mut place, end)) = cluster {
            while let Some(found) = self.element(place, end)? {
                self.note(&found, id, &mut last)?;
                place = found.end;
            }
        }
        Ok(last)
    }

    /// Takes in what an element says of the padding of the track.
    fn note(&mut self, found: &Element, id: u32, last: &mut Option<i64>) -> Result<(), Stop> {
        match found.id {
            BLOCK_GROUP => *last = self.padding(found, id)?.unwrap_or(*last),
            SIMPLE_BLOCK if self.track(found)? == Some(id) => *last = None,
            _ => {}
        }
        Ok(())
    }

    /// The track of a block.
    fn track(&mut self, block: &Element) -> Result<Option<u32>, Stop> {
        Ok(variable(self.peek(block.start, 8)?).map(|(number, _)| number as u32))
    }

    /// The padding of a block group; none when the group is of another track.
    fn padding(&mut self, group: &Element, id: u32) -> Result<Option<Option<i64>>, Stop> {
        let mut place = group.start;
        let (mut ours, mut padding) = (false, None);
        for _ in 0..MAX_CHILDREN {
            let Some(found) = self.element(place, group.end)? else { break };
            match found.id {
                BLOCK => ours = self.track(&found)? == Some(id),
                DISCARD_PADDING => {
                    let bytes = self.peek(found.start, (found.end - found.start).min(8) as usize)?;
                    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
                    padding = Some(bytes.iter().fold(sign, |value, &byte| value << 8 | i64::from(byte)));
                }
                _ => {}
            }
            place = found.end;
        }
        Ok(ours.then_some(padding))
    }
}

/// The element that begins with `bytes` at `place`. Its end always lies behind `place`.
fn parse(bytes: &[u8], place: u64, limit: u64) -> Option<Element> {
    let id_width = bytes.first()?.leading_zeros() as usize + 1;
    if id_width > 4 {
        return None;
    }
    let id = bytes.get(..id_width)?.iter().fold(0, |value, &byte| value << 8 | u32::from(byte));
    let (size, width) = variable(bytes.get(id_width..)?)?;
    let start = place + (id_width + width) as u64;
    let sized = size != (1 << (7 * width)) - 1;
    let end = if sized { start.checked_add(size)?.min(limit) } else { limit };
    (start <= end).then_some(Element { id, start, end, sized })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::input::Input;
    use super::super::options::Limits;
    use super::*;

    const UNKNOWN: &[u8] = &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    const SEGMENT_HEAD: [u8; 4] = SEGMENT.to_be_bytes();
    const CLUSTER_HEAD: [u8; 4] = CLUSTER.to_be_bytes();

    fn search(bytes: Vec<u8>, stop_at: u64) -> (Result<u64, AudioError>, u64) {
        let media = Input::from(bytes).media(&Limits::default(), &mut |_| ControlFlow::Continue(())).unwrap();
        let mut asked = 0;
        let result = discarded(&media, 1, 48_000, &mut || {
            asked += 1;
            if asked >= stop_at { Err(AudioError::Cancelled { name: "test".into() }) } else { Ok(()) }
        });
        (result, asked)
    }

    /// A block group of one byte of sound of track 1, with 10 ms of padding when `padded`.
    fn group(padded: bool) -> Vec<u8> {
        let mut body = vec![0xa1, 0x85, 0x81, 0, 0, 0, 9];
        if padded {
            body.extend([0x75, 0xa2, 0x84]);
            body.extend(10_000_000u32.to_be_bytes());
        }
        [&[0xa0, 0x80 | body.len() as u8], body.as_slice()].concat()
    }

    fn live(body: &[u8]) -> Vec<u8> {
        [&SEGMENT_HEAD, UNKNOWN, &CLUSTER_HEAD, UNKNOWN, body].concat()
    }

    #[test]
    fn the_last_group_says_what_is_dropped() {
        assert_eq!(search(live(&[group(false), group(true)].concat()), 9).0.unwrap(), 480);
        assert_eq!(search(live(&[group(true), group(false)].concat()), 9).0.unwrap(), 0);
        let body = [group(false), group(true)].concat();
        let sized = [&CLUSTER_HEAD, [0x80 | body.len() as u8].as_slice(), &body].concat();
        let file = [&SEGMENT_HEAD, UNKNOWN, &sized, &sized].concat();
        assert_eq!(search(file, 9).0.unwrap(), 480);
        // A window that ends within a group makes no difference.
        let many = live(&[group(false).repeat(20_000), group(true)].concat());
        assert_eq!(search(many, 1000).0.unwrap(), 480);
    }

    #[test]
    fn a_group_of_countless_children_is_given_up() {
        // Void elements without a body, then the padding.
        let mut body = vec![0xa1, 0x85, 0x81, 0, 0, 0, 9];
        body.extend([0xec, 0x80].repeat(3_000_000));
        body.extend([0x75, 0xa2, 0x81, 0x7f]);
        let mut file = live(&[0xa0]);
        file.extend((body.len() as u64 | 1 << 56).to_be_bytes());
        file.extend(body);
        let (result, asked) = search(file, u64::MAX);
        assert_eq!((result.unwrap(), asked), (0, 0));
    }

    #[test]
    fn a_file_of_countless_elements_is_given_up_and_can_be_stopped() {
        let file = live(&[[0xec, 0x80].repeat(3_000_000), group(true)].concat());
        let (result, asked) = search(file.clone(), u64::MAX);
        assert_eq!(result.unwrap(), 0);
        assert!((BUDGET / ASK - 5..=BUDGET / ASK).contains(&asked), "asked {asked} times");
        let (result, asked) = search(file, 3);
        assert!(matches!(result, Err(AudioError::Cancelled { .. })));
        assert_eq!(asked, 3);
    }
}
