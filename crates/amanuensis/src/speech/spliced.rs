//! A sound with its silences left out.

use super::{Span, TimeMap};
use crate::audio::{AudioError, Sound};

/// The stretches of another sound that are heard, one behind the other, readable anywhere.
pub struct Spliced<'a> {
    sound: Box<dyn Sound + 'a>,
    map: TimeMap,
    samples: u64,
}

impl<'a> Spliced<'a> {
    /// What `map` lets be heard of `sound`. It ends where the sound does.
    pub fn new(sound: impl Sound + 'a, map: TimeMap) -> Self {
        let length = sound.samples();
        let last = map.spans().iter().rfind(|(_, span)| span.start < length);
        let samples = last.map_or(0, |&(heard, span)| heard + (span.end.min(length) - span.start));
        Spliced { sound: Box::new(sound), map, samples }
    }

    /// When what is heard was recorded.
    pub fn map(&self) -> &TimeMap {
        &self.map
    }
}

impl Sound for Spliced<'_> {
    fn samples(&self) -> u64 {
        self.samples
    }

    fn read(&self, start: u64, out: &mut [f32]) -> Result<(), AudioError> {
        let inside = self.samples.saturating_sub(start).min(out.len() as u64) as usize;
        let (mut left, beyond) = out.split_at_mut(inside);
        beyond.fill(0.0);
        let spans = self.map.spans();
        let mut place = start;
        let mut index = spans.partition_point(|&(heard, _)| heard <= place).saturating_sub(1);
        while !left.is_empty() {
            // There is one: `samples` counts none that lies in no stretch.
            let Some(&(heard, Span { start, end })) = spans.get(index) else { break };
            let recorded = start + (place - heard);
            let count = (end - recorded).min(left.len() as u64) as usize;
            let (piece, rest) = left.split_at_mut(count);
            self.sound.read(recorded, piece)?;
            place += count as u64;
            index += 1;
            left = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::Recording;

    fn ramp(samples: usize) -> Recording {
        Recording::from_integers((1..=samples).map(|place| place as i16).collect())
    }

    fn read(sound: &dyn Sound, start: u64, count: usize) -> Vec<i32> {
        let mut out = vec![9.0; count];
        sound.read(start, &mut out).unwrap();
        out.iter().map(|sample| (sample * 32768.0) as i32).collect()
    }

    #[test]
    fn only_the_stretches_are_heard() {
        let recording = ramp(100);
        let map =
            TimeMap::new(&[Span { start: 10, end: 13 }, Span { start: 50, end: 52 }, Span { start: 98, end: 120 }]);
        let spliced = Spliced::new(&recording, map);
        assert_eq!(spliced.samples(), 7);
        assert_eq!(read(&spliced, 0, 9), [11, 12, 13, 51, 52, 99, 100, 0, 0]);
        assert_eq!(read(&spliced, 2, 2), [13, 51]);
        assert_eq!(read(&spliced, 7, 2), [0, 0]);
        assert_eq!(read(&spliced, u64::MAX, 1), [0]);
    }

    #[test]
    fn without_cuts_it_is_the_sound_and_without_stretches_nothing() {
        let recording = ramp(5);
        let whole = Spliced::new(&recording, TimeMap::identity());
        assert_eq!((whole.samples(), read(&whole, 3, 3)), (5, vec![4, 5, 0]));
        for map in [TimeMap::new(&[]), TimeMap::new(&[Span { start: 5, end: 9 }])] {
            let nothing = Spliced::new(&recording, map);
            assert_eq!((nothing.samples(), read(&nothing, 0, 2)), (0, vec![0, 0]));
        }
    }

    proptest! {
        #[test]
        fn any_part_is_that_part_of_the_stretches_joined(
            gaps in prop::collection::vec((0u64..40, 0u64..40), 0..8), start in 0u64..300, count in 0usize..300,
        ) {
            let recording = ramp(200);
            let (mut spans, mut joined, mut place) = (Vec::new(), Vec::new(), 0);
            for (gap, length) in gaps {
                spans.push(Span { start: place + gap, end: place + gap + length });
                joined.extend((place + gap..(place + gap + length).min(200)).map(|sample| sample as i32 + 1));
                place += gap + length;
            }
            let spliced = Spliced::new(&recording, TimeMap::new(&spans));
            prop_assert_eq!(spliced.samples(), joined.len() as u64);
            let expected: Vec<i32> =
                (start..start + count as u64).map(|place| joined.get(place as usize).copied().unwrap_or(0)).collect();
            prop_assert_eq!(read(&spliced, start, count), expected);
        }
    }
}
