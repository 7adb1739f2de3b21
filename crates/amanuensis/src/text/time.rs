//! Times as files write them: rounded once, to a whole count of units, and only then split into hours and minutes.
//! (Rounding the seconds alone writes 59.9996 s as `00:60.000`.)

use std::fmt;
use std::io;

use crate::segments::{Segment, Word};

/// A time in whole milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Milliseconds(pub(super) u64);

impl Milliseconds {
    /// `count` milliseconds later.
    pub(super) fn plus(self, count: u64) -> Milliseconds {
        Milliseconds(self.0.saturating_add(count))
    }

    /// Whole hundredths of a second, halves up.
    pub(super) fn centiseconds(self) -> u64 {
        self.0.saturating_add(5) / 10
    }

    /// `MM:SS.mmm`, and `HH:MM:SS.mmm` from one hour on.
    pub(super) fn clock(self, decimal_mark: char) -> Clock {
        Clock { time: self, decimal_mark, always_hours: false }
    }

    /// `HH:MM:SS.mmm` however short.
    pub(super) fn clock_with_hours(self, decimal_mark: char) -> Clock {
        Clock { time: self, decimal_mark, always_hours: true }
    }
}

/// A time on its way to a file.
pub(super) struct Clock {
    time: Milliseconds,
    decimal_mark: char,
    always_hours: bool,
}

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Milliseconds(total) = self.time;
        let (hours, minutes) = (total / 3_600_000, total / 60_000 % 60);
        let (seconds, milliseconds) = (total / 1000 % 60, total % 1000);
        if self.always_hours || hours > 0 {
            write!(formatter, "{hours:02}:")?;
        }
        write!(formatter, "{minutes:02}:{seconds:02}{}{milliseconds:03}", self.decimal_mark)
    }
}

/// When a segment starts and ends.
pub(super) fn span(segment: &Segment) -> io::Result<(Milliseconds, Milliseconds)> {
    Ok((Milliseconds(units(segment, "start", 1000.0)?), Milliseconds(units(segment, "end", 1000.0)?)))
}

/// Hundredths of a second at which a segment starts.
pub(super) fn start_in_centiseconds(segment: &Segment) -> io::Result<u64> {
    units(segment, "start", 100.0)
}

/// When word `index` of a segment starts and ends.
pub(super) fn word_span(segment: &Segment, index: usize, word: &Word) -> io::Result<(Milliseconds, Milliseconds)> {
    let edge = |edge: &str, seconds: f64| {
        round(seconds, 1000.0).map(Milliseconds).ok_or_else(|| {
            let place = format!("word {index} of segment {}", segment.id);
            let message = format!("the {edge} of {place} is {seconds} seconds, which is not a time");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    };
    Ok((edge("start", word.start)?, edge("end", word.end)?))
}

/// A length in seconds as milliseconds, where it is one.
pub(super) fn length(seconds: f64) -> Option<Milliseconds> {
    round(seconds, 1000.0).map(Milliseconds)
}

fn units(segment: &Segment, edge: &str, per_second: f64) -> io::Result<u64> {
    let seconds = if edge == "start" { segment.start } else { segment.end };
    round(seconds, per_second).ok_or_else(|| {
        let message = format!("the {edge} of segment {} is {seconds} seconds, which is not a time", segment.id);
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// Whole units of `per_second` in `seconds`, halves to the even neighbour (as Python's `round` does); none where that
/// is negative or not a number.
fn round(seconds: f64, per_second: f64) -> Option<u64> {
    let rounded = (seconds * per_second).round_ties_even();
    // The bound is where f64 stops telling whole numbers apart: 285,000 years of milliseconds.
    (0.0..=9_007_199_254_740_992.0).contains(&rounded).then_some(rounded as u64)
}

/// `seconds` as the nearest whole millisecond, still in seconds: what a sum of frames was meant to be.
pub(super) fn tidy(seconds: f64) -> Option<f64> {
    round(seconds, 1000.0).map(|milliseconds| milliseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(seconds: f64) -> String {
        Milliseconds(round(seconds, 1000.0).unwrap()).clock('.').to_string()
    }

    #[test]
    fn times_are_rounded_once_and_then_split() {
        assert_eq!(clock(0.0), "00:00.000");
        assert_eq!(clock(59.9996), "01:00.000");
        assert_eq!(clock(3599.9994), "59:59.999");
        assert_eq!(clock(3599.9996), "01:00:00.000");
        assert_eq!(clock(360_000.5), "100:00:00.500");
        assert_eq!(clock(-0.0004), "00:00.000");
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        assert_eq!(clock(0.0005), "00:00.000");
        assert_eq!(clock(0.0015), "00:00.002");
        assert_eq!(clock(0.0625), "00:00.062"); // 62.5 ms exactly
    }

    #[test]
    fn sums_of_frames_become_what_they_were_meant_to_be() {
        assert_eq!(tidy(0.1 + 0.2), Some(0.3));
        assert_eq!(tidy(28.0 + 1.24), Some(29.24));
        assert_eq!(tidy(f64::NAN), None);
        assert_eq!(tidy(f64::INFINITY), None);
        assert_eq!(tidy(-0.01), None);
    }
}
