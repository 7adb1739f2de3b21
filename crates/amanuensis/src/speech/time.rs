//! Two clocks and the one map between them.
//!
//! With voice activity detection the model hears the speech of a recording and not its silences, so a second of what
//! it hears is not a second of the recording. The two are different types, and only a [`TimeMap`] makes one of the
//! other:
//!
//! ```compile_fail
//! use amanuensis::speech::{Heard, Recorded};
//! let end: Recorded = Heard::from_seconds(3.5);
//! ```

use crate::audio::SAMPLE_RATE;

/// A moment of the sound that the model hears.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Heard(f64);

/// A moment of the recording.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Recorded(f64);

macro_rules! clock {
    ($moment:ident) => {
        impl $moment {
            /// So many seconds behind the beginning.
            pub fn from_seconds(seconds: f64) -> Self {
                $moment(seconds)
            }

            /// So many frames of 10 ms behind the beginning.
            pub fn from_frames(frames: u64) -> Self {
                $moment(frames as f64 / 100.0)
            }

            /// Seconds behind the beginning.
            pub fn seconds(self) -> f64 {
                self.0
            }

            /// The nearest frame of 10 ms.
            pub fn frame(self) -> u64 {
                (self.0 * 100.0).round_ties_even() as u64
            }
        }
    };
}

clock!(Heard);
clock!(Recorded);

/// A stretch of a recording, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first sample.
    pub start: u64,
    /// The sample behind the last.
    pub end: u64,
}

impl Span {
    /// Samples in it.
    pub fn samples(self) -> u64 {
        self.end - self.start
    }
}

/// Which stretches of a recording are heard, one behind the other.
///
/// Where two stretches meet, one moment that is heard stands for two of the recording: the end of the one and the
/// start of the other. So a start and an end are asked for differently, and a word, which lies in one stretch, wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeMap {
    /// In rising order, none empty, with the sample at which each is heard.
    spans: Vec<(u64, Span)>,
}

impl TimeMap {
    /// Everything is heard as it was recorded.
    pub fn identity() -> Self {
        TimeMap { spans: vec![(0, Span { start: 0, end: u64::MAX })] }
    }

    /// Only `spans` are heard: in rising order and without overlap; empty ones are left out.
    ///
    /// # Panics
    ///
    /// If one begins before the one before it ends.
    pub fn new(spans: &[Span]) -> Self {
        let mut heard = 0;
        let mut mapped: Vec<(u64, Span)> = Vec::with_capacity(spans.len());
        for &span in spans.iter().filter(|span| span.end > span.start) {
            let before = mapped.last().map_or(0, |(_, last)| last.end);
            assert!(before <= span.start, "{span:?} begins before {before}");
            mapped.push((heard, span));
            heard += span.samples();
        }
        TimeMap { spans: mapped }
    }

    /// The stretches with the sample at which each is heard.
    pub fn spans(&self) -> &[(u64, Span)] {
        &self.spans
    }

    /// When what begins at `moment` begins in the recording.
    pub fn start(&self, moment: Heard) -> Recorded {
        self.through(moment, self.spans.partition_point(|(heard, _)| samples(*heard) <= moment.0))
    }

    /// When what ends at `moment` ends in the recording.
    pub fn end(&self, moment: Heard) -> Recorded {
        self.through(moment, self.spans.partition_point(|(heard, _)| samples(*heard) < moment.0))
    }

    /// When what is said to last from `start` to `end` lasted. Times that are no exacter than `slack` seconds do not reach
    /// over a place where something was left out by less than that.
    pub fn stretch(&self, start: Heard, end: Heard, slack: f64) -> (Recorded, Recorded) {
        let (first, last) = (Heard(start.0 + slack), Heard(end.0 - slack));
        let meeting = |moment: Heard, other: Heard| {
            let (low, high) = (moment.0.min(other.0), moment.0.max(other.0));
            self.spans
                .iter()
                .map(|(heard, _)| samples(*heard))
                .find(|meeting| (low..=high).contains(meeting) && *meeting > 0.0)
        };
        // What is shorter than the slack says nothing of where it belongs.
        if first.0 >= last.0 {
            return self.word(start, end);
        }
        let start = meeting(start, first).map_or(start, Heard);
        let end = meeting(last, end).map_or(end, Heard);
        (self.start(start), self.end(end))
    }

    /// When a word was said: all of it in the stretch that its middle is in.
    pub fn word(&self, start: Heard, end: Heard) -> (Recorded, Recorded) {
        let middle = (start.0 + end.0) / 2.0;
        let behind = self.spans.partition_point(|(heard, _)| samples(*heard) <= middle);
        (self.through(start, behind), self.through(end, behind))
    }

    /// When a moment of the recording is heard, if it is: the end of a stretch is the start of the next, so only moments
    /// before the end are in it.
    pub fn heard(&self, moment: Recorded) -> Option<Heard> {
        let behind = self.spans.partition_point(|(_, span)| samples(span.start) <= moment.0);
        let (heard, span) = self.spans.get(behind.checked_sub(1)?)?;
        (moment.0 < samples(span.end)).then(|| Heard(samples(*heard) + (moment.0 - samples(span.start))))
    }

    /// `moment` as the stretch before number `behind` has it, which it does not leave.
    fn through(&self, moment: Heard, behind: usize) -> Recorded {
        match self.spans.get(behind.saturating_sub(1)) {
            Some((heard, span)) => {
                let recorded = samples(span.start) + (moment.0 - samples(*heard));
                Recorded(recorded.clamp(samples(span.start), samples(span.end)))
            }
            None => Recorded(moment.0),
        }
    }
}

fn samples(count: u64) -> f64 {
    count as f64 / f64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two() -> TimeMap {
        TimeMap::new(&[Span { start: 16_000, end: 32_000 }, Span { start: 80_000, end: 96_000 }])
    }

    #[test]
    fn where_stretches_meet_a_start_and_an_end_are_apart() {
        let (map, meeting) = (two(), Heard::from_seconds(1.0));
        assert_eq!(map.end(meeting).seconds(), 2.0);
        assert_eq!(map.start(meeting).seconds(), 5.0);
        assert_eq!(map.start(Heard::from_seconds(0.0)).seconds(), 1.0);
        assert_eq!(map.end(Heard::from_seconds(9.0)).seconds(), 6.0, "behind the last stretch there is nothing");
    }

    #[test]
    fn a_word_stays_in_one_stretch() {
        let (start, end) = two().word(Heard::from_seconds(0.7), Heard::from_seconds(1.1));
        assert_eq!((start.seconds(), end.seconds()), (1.7, 2.0));
    }

    #[test]
    fn coarse_times_do_not_reach_over_what_was_left_out() {
        let stretch = |start: f64, end: f64| {
            let (start, end) = two().stretch(Heard::from_seconds(start), Heard::from_seconds(end), 0.2);
            (start.seconds(), end.seconds())
        };
        assert_eq!(stretch(0.9, 1.8), (5.0, 5.8), "it begins right before the meeting");
        assert_eq!(stretch(0.25, 1.1), (1.25, 2.0), "it ends right behind it");
        assert_eq!(stretch(0.5, 1.5), (1.5, 5.5), "it does reach over");
        assert_eq!(stretch(0.25, 0.75), (1.25, 1.75));
        assert_eq!(stretch(0.95, 1.15), (5.0, 5.15), "the middle of what is short tells");
        assert_eq!(stretch(0.0, 0.6), (1.0, 1.6));
    }

    #[test]
    fn without_cuts_the_clocks_agree() {
        let map = TimeMap::identity();
        assert_eq!(map.start(Heard::from_seconds(12.34)).seconds(), 12.34);
        assert_eq!(map.end(Heard::from_frames(1234)).frame(), 1234);
    }
    #[test]
    fn what_is_left_out_is_heard_at_no_time() {
        let heard = |seconds| two().heard(Recorded::from_seconds(seconds)).map(Heard::seconds);
        assert_eq!(
            [0.5, 1.0, 1.5, 2.0, 4.0, 5.5, 6.0].map(heard),
            [None, Some(0.0), Some(0.5), None, None, Some(1.5), None]
        );
        assert_eq!(TimeMap::new(&[]).heard(Recorded::from_seconds(0.0)), None);
    }

    /// Stretches of at least 10 ms; their gaps may be none.
    fn maps() -> impl Strategy<Value = TimeMap> {
        prop::collection::vec((0u64..100_000, 160u64..500_000), 1..20).prop_map(|gaps| {
            let mut place = 0;
            let spans = gaps.into_iter().map(|(gap, length)| {
                let start = place + gap;
                place = start + length;
                Span { start, end: place }
            });
            TimeMap::new(&spans.collect::<Vec<_>>())
        })
    }

    proptest! {
        #[test]
        fn time_never_runs_backwards(map in maps(), one in 0.0..400.0, other in 0.0..400.0) {
            let (early, late) = (Heard(f64::min(one, other)), Heard(f64::max(one, other)));
            prop_assert!(map.start(early) <= map.start(late));
            prop_assert!(map.end(early) <= map.end(late));
            prop_assert!(map.end(early) <= map.start(early));
            let (start, end) = map.word(early, late);
            prop_assert!(start <= end);
        }

        #[test]
        fn what_lasts_inside_a_stretch_lasts_as_long_in_the_recording(
            map in maps(), index in any::<prop::sample::Index>(), one in 0.0..1.0, other in 0.0..1.0,
        ) {
            let (heard, span) = map.spans()[index.index(map.spans().len())];
            let at = |share: f64| Heard(samples(heard) + share * samples(span.samples()));
            let (start, end) = (at(f64::min(one, other)), at(f64::max(one, other)));
            prop_assume!(end.0 - start.0 > 1e-6);
            for (from, to) in [(map.start(start), map.end(end)), map.word(start, end)] {
                prop_assert!(from < to);
                prop_assert!(((to.0 - from.0) - (end.0 - start.0)).abs() < 1e-6);
            }
        }

        #[test]
        fn moments_inside_a_stretch_come_back(map in maps(), index in any::<prop::sample::Index>(), share in 0.001..0.999) {
            let (_, span) = map.spans()[index.index(map.spans().len())];
            let moment = Recorded(samples(span.start) + share * samples(span.samples()));
            let heard = map.heard(moment).expect("it is inside");
            prop_assert!((map.start(heard).0 - moment.0).abs() < 1e-6);
            prop_assert!((map.end(heard).0 - moment.0).abs() < 1e-6);
        }
    }
}
