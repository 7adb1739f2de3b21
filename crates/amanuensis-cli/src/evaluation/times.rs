//! How far the times of words lie from those of the reference.

use amanuensis::Transcript;
use serde::Serialize;

use super::edit;
use super::manifest::TimedWord;
use super::normalize::basic;

/// Errors of the times of the words that were heard right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WordTimes {
    /// Words that match.
    pub(crate) words: usize,
    /// Of their starts.
    pub(crate) start: Spread,
    /// Of their ends.
    pub(crate) end: Spread,
}

/// Absolute errors in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) median: f64,
    /// Nine of ten are no larger.
    pub(crate) percentile_90: f64,
}

/// Absolute errors of each matching word, to be put together over several recordings.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimeErrors {
    start: Vec<f64>,
    end: Vec<f64>,
}

impl TimeErrors {
    /// The errors of one recording; none where the transcript has no word times.
    pub(crate) fn between(reference: &[TimedWord], transcript: &Transcript) -> Option<TimeErrors> {
        let heard: Vec<_> = transcript.segments.iter().filter_map(|segment| segment.words.as_ref()).flatten().collect();
        if heard.is_empty() {
            return None;
        }
        let said: Vec<(String, &TimedWord)> = named(reference.iter(), |word| &word.word);
        let heard: Vec<(String, _)> = named(heard.into_iter(), |word| &word.word);
        let names = |words: &[(String, _)]| words.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let heard_names: Vec<String> = heard.iter().map(|(name, _)| name.clone()).collect();
        let mut errors = TimeErrors::default();
        for (in_reference, in_heard) in edit::matches(&names(&said), &heard_names) {
            let (said, heard) = (said[in_reference].1, heard[in_heard].1);
            errors.start.push((said.start - heard.start).abs());
            errors.end.push((said.end - heard.end).abs());
        }
        Some(errors)
    }

    /// Adds those of another recording.
    pub(crate) fn extend(&mut self, other: &TimeErrors) {
        self.start.extend(&other.start);
        self.end.extend(&other.end);
    }

    /// Mean, median and 90th percentile; none where no word matched.
    pub(crate) fn summary(&self) -> Option<WordTimes> {
        Some(WordTimes { words: self.start.len(), start: spread(&self.start)?, end: spread(&self.end)? })
    }
}

/// Words with the name they are compared by; what is nothing but punctuation is left out.
fn named<W>(words: impl Iterator<Item = W>, text: impl Fn(&W) -> &str) -> Vec<(String, W)> {
    let name = |word: &W| basic(text(word), false).split_whitespace().collect::<String>();
    words.map(|word| (name(&word), word)).filter(|(name, _)| !name.is_empty()).collect()
}

fn spread(errors: &[f64]) -> Option<Spread> {
    let mut sorted = errors.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    // The smallest value that is not below the wanted share of all.
    let percentile = |share: f64| sorted[((share * sorted.len() as f64).ceil() as usize).saturating_sub(1).min(last)];
    Some(Spread {
        mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
        median: (sorted[last / 2] + sorted[sorted.len() / 2]) / 2.0,
        percentile_90: percentile(0.9),
    })
}

#[cfg(test)]
mod tests {
    use amanuensis::{Segment, Word};

    use super::*;

    fn timed(word: &str, start: f64, end: f64) -> TimedWord {
        TimedWord { word: word.to_owned(), start, end }
    }

    fn transcript(words: &[(&str, f64, f64)]) -> Transcript {
        let word =
            |&(word, start, end): &(&str, f64, f64)| Word { word: word.to_owned(), start, end, probability: 1.0 };
        let segment = Segment { words: Some(words.iter().map(word).collect()), ..Segment::default() };
        Transcript { segments: vec![segment], ..Transcript::default() }
    }

    #[test]
    fn only_words_that_match_are_measured() {
        let reference = [timed("Good", 0.0, 0.5), timed("morning,", 0.5, 1.0), timed("Henry.", 1.0, 1.5)];
        let heard = transcript(&[(" good", 0.1, 0.5), (" evening", 9.0, 9.5), (" —", 9.5, 9.6), (" Henry", 1.2, 1.9)]);
        let times = TimeErrors::between(&reference, &heard).unwrap().summary().unwrap();
        assert_eq!(times.words, 2);
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        assert_eq!([times.start.mean, times.start.percentile_90, times.end.median].map(rounded), [0.15, 0.2, 0.2]);
    }

    #[test]
    fn without_word_times_there_is_nothing_to_measure() {
        let silent = Transcript { segments: vec![Segment::default()], ..Transcript::default() };
        assert!(TimeErrors::between(&[timed("a", 0.0, 1.0)], &silent).is_none());
        let nothing_matches = TimeErrors::between(&[timed("a", 0.0, 1.0)], &transcript(&[("b", 0.0, 1.0)])).unwrap();
        assert_eq!(nothing_matches.summary(), None);
    }

    #[test]
    fn a_spread_is_ordered() {
        let spread = spread(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.mean, spread.median, spread.percentile_90), (2.5, 2.5, 4.0));
        assert_eq!(super::spread(&[7.0]).unwrap().percentile_90, 7.0);
    }
}
