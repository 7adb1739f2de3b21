//! One recording on both sides: what is the same, how far apart the numbers are, and where the tokens part.

use super::document::{Document, Segment, Word};

/// How far apart numbers may be that two right programs compute.
pub(super) struct Tolerances {
    /// Seconds between starts and ends of segments.
    pub(super) segment_seconds: f64,
    /// Between mean log probabilities.
    pub(super) avg_logprob: f64,
    /// Between probabilities of silence.
    pub(super) no_speech_prob: f64,
    /// Between compression ratios, of the ratio.
    pub(super) compression_ratio: f64,
    /// Seconds between starts and ends of words...
    pub(super) word_seconds: f64,
    /// ...for so many of them.
    pub(super) words_within: f64,
    /// The lead in log probability up to which a token is as good as the next best: float32 sums in another order leave
    /// each other by that much.
    pub(super) near_tie: f64,
}

/// All of them.
pub(super) const TOLERANCES: Tolerances = Tolerances {
    segment_seconds: 0.001,
    avg_logprob: 1e-3,
    no_speech_prob: 1e-3,
    // The sizes are the same, and so are the ratios but for their rounding.
    compression_ratio: 1e-4,
    word_seconds: 0.0201,
    words_within: 0.99,
    near_tie: 1e-3,
};

/// Where the tokens of two transcripts part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parting {
    /// First frame of the window.
    pub(super) seek: u64,
    /// Token of the window, from 0.
    pub(super) position: usize,
    pub(super) expected: Option<u32>,
    pub(super) found: Option<u32>,
    /// The peer's lead of its token there, or of its whole beam.
    pub(super) margin: Option<f64>,
}

impl Parting {
    /// Whether the other token was as good.
    pub(super) fn is_near_tie(&self) -> bool {
        self.margin.is_some_and(|margin| margin <= TOLERANCES.near_tie)
    }
}

/// The largest differences.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Worst {
    pub(super) segment_seconds: f64,
    pub(super) avg_logprob: f64,
    pub(super) no_speech_prob: f64,
    pub(super) compression_ratio: f64,
}

impl Worst {
    /// The larger of both, measure by measure.
    pub(super) fn or(self, other: Worst) -> Worst {
        Worst {
            segment_seconds: self.segment_seconds.max(other.segment_seconds),
            avg_logprob: self.avg_logprob.max(other.avg_logprob),
            no_speech_prob: self.no_speech_prob.max(other.no_speech_prob),
            compression_ratio: self.compression_ratio.max(other.compression_ratio),
        }
    }

    /// Whether all are within the tolerances.
    pub(super) fn is_small(&self) -> bool {
        self.segment_seconds <= TOLERANCES.segment_seconds
            && self.avg_logprob <= TOLERANCES.avg_logprob
            && self.no_speech_prob <= TOLERANCES.no_speech_prob
            && self.compression_ratio <= TOLERANCES.compression_ratio
    }
}

/// A recording on both sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) file: String,
    /// Segments of the peer, and how many of ours are the same in time and tokens.
    pub(super) segments: usize,
    pub(super) equal_segments: usize,
    /// Whether there are as many on both sides.
    pub(super) same_count: bool,
    pub(super) same_text: bool,
    pub(super) parting: Option<Parting>,
    pub(super) worst: Worst,
    /// Words of the peer, and how many of ours are the same words within the tolerance of time.
    pub(super) words: usize,
    pub(super) equal_words: usize,
    pub(super) worst_word_seconds: f64,
}

impl Comparison {
    /// Compares segment by segment until the tokens part: what comes behind is of other text. `clips` are
    /// the stretches that were asked for, in seconds; none for all of the recording.
    pub(super) fn between(file: &str, expected: &Document, ours: &Document, clips: &[(f64, f64)]) -> Comparison {
        // openai-whisper keeps segments without text, emptied; here they are left out.
        let said: Vec<&Segment> = expected.segments.iter().filter(|segment| !segment.text.trim().is_empty()).collect();
        let mut comparison = Comparison {
            file: file.to_owned(),
            segments: said.len(),
            equal_segments: 0,
            same_count: said.len() == ours.segments.len(),
            same_text: expected.text == ours.text,
            parting: None,
            worst: Worst::default(),
            words: said.iter().filter_map(|segment| segment.words.as_ref()).map(Vec::len).sum(),
            equal_words: 0,
            worst_word_seconds: 0.0,
        };
        for index in 0..said.len().max(ours.segments.len()) {
            let (Some(theirs), Some(our)) = (said.get(index), ours.segments.get(index)) else {
                comparison.parting = Some(parting(expected, said.get(index).copied(), ours.segments.get(index)));
                break;
            };
            if theirs.tokens != our.tokens || theirs.seek != our.seek {
                comparison.parting = Some(parting(expected, Some(theirs), Some(our)));
                break;
            }
            let mut worst = worst(theirs, our, sound_end(theirs.seek, expected.seconds, clips));
            let worded = theirs.words.as_ref().is_some_and(|words| !words.is_empty());
            let limit = if worded { TOLERANCES.word_seconds } else { TOLERANCES.segment_seconds };
            comparison.equal_segments += usize::from(worst.segment_seconds <= limit);
            if worded {
                // It begins and ends with its words, which are compared as words.
                worst.segment_seconds = 0.0;
            }
            comparison.worst = comparison.worst.or(worst);
        }
        comparison.compare_words(&said, &ours.segments);
        comparison
    }

    /// Whether all tokens are the same, but for near ties.
    pub(super) fn same_tokens(&self) -> bool {
        self.parting.is_none()
    }

    /// Compares words in the order of the transcripts: behind a segment that begins with a mark openai-whisper deals them to
    /// the wrong segments, and loses one where it empties such a segment.
    fn compare_words(&mut self, theirs: &[&Segment], ours: &[Segment]) {
        let theirs: Vec<&Word> = theirs.iter().filter_map(|segment| segment.words.as_ref()).flatten().collect();
        let ours: Vec<&Word> = ours.iter().filter_map(|segment| segment.words.as_ref()).flatten().collect();
        let (mut their, mut our) = (0, 0);
        while let (Some(expected), Some(found)) = (theirs.get(their), ours.get(our)) {
            if expected.word != found.word {
                // One side has a word more; which one, the next tells.
                let only_ours = ours.get(our + 1).is_some_and(|next| next.word == expected.word);
                (their, our) = if only_ours { (their, our + 1) } else { (their + 1, our) };
                continue;
            }
            let apart = (expected.start - found.start).abs().max((expected.end - found.end).abs());
            self.worst_word_seconds = self.worst_word_seconds.max(apart);
            self.equal_words += usize::from(apart <= TOLERANCES.word_seconds);
            (their, our) = (their + 1, our + 1);
        }
    }
}

/// Where the sound of a window ends at the latest, in seconds: with the recording, or with its clip.
fn sound_end(seek: u64, seconds: f64, clips: &[(f64, f64)]) -> f64 {
    let begins = seek as f64 / 100.0;
    let recording = (seconds * 100.0).floor() / 100.0;
    let clip = clips.iter().find(|(start, end)| (*start..*end).contains(&begins));
    clip.map_or(recording, |(_, end)| recording.min(*end))
}

/// The differences of two segments in a window whose sound ends at `last`.
fn worst(theirs: &Segment, our: &Segment, last: f64) -> Worst {
    // Ours cover their words; openai-whisper's first and last word may stand out of theirs.
    let words = theirs.words.as_deref().unwrap_or_default();
    let begins = words.first().map_or(theirs.start, |word| word.start.min(theirs.start));
    let ends = words.last().map_or(theirs.end, |word| word.end.max(theirs.end));
    // The model may speak of times behind the last frame of the sound; openai-whisper passes them on.
    let start = (our.start - begins.min(last - 0.02)).abs();
    let end = (our.end - ends.min(last)).abs();
    let apart = |theirs: Option<f64>, our: Option<f64>| match (theirs, our) {
        (Some(theirs), Some(our)) => (theirs - our).abs(),
        (None, None) => 0.0,
        _ => f64::INFINITY,
    };
    let ratio = theirs.compression_ratio.filter(|ratio| *ratio > 0.0).unwrap_or(1.0);
    Worst {
        segment_seconds: start.max(end),
        avg_logprob: apart(theirs.avg_logprob, our.avg_logprob),
        no_speech_prob: apart(theirs.no_speech_prob, our.no_speech_prob),
        compression_ratio: apart(theirs.compression_ratio, our.compression_ratio) / ratio,
    }
}

/// Where the first segments that differ part, and how sure the peer was there.
fn parting(expected: &Document, theirs: Option<&Segment>, our: Option<&Segment>) -> Parting {
    let none = Vec::new();
    let (their_tokens, our_tokens) =
        (theirs.map_or(&none, |segment| &segment.tokens), our.map_or(&none, |segment| &segment.tokens));
    let within = their_tokens.iter().zip(our_tokens).take_while(|(theirs, our)| theirs == our).count();
    let seek = theirs.or(our).map_or(0, |segment| segment.seek);
    let window = expected.windows.iter().rfind(|window| window.seek == seek);
    // A segment is a stretch of its window's tokens.
    let begins = window.and_then(|window| {
        let mut starts = window.tokens.windows(their_tokens.len().max(1));
        if their_tokens.is_empty() { Some(window.tokens.len()) } else { starts.position(|part| part == their_tokens) }
    });
    let position = begins.unwrap_or(0) + within;
    // Beams are not chosen token by token: there, the lead of the whole text tells.
    let margin = window.and_then(|window| window.margins.get(position).copied().flatten().or(window.rank_margin));
    Parting {
        seek,
        position,
        expected: their_tokens.get(within).copied(),
        found: our_tokens.get(within).copied(),
        margin: margin.filter(|_| begins.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Window;
    use super::*;

    fn segment(start: f64, end: f64, tokens: &[u32]) -> Segment {
        Segment { start, end, text: " a".to_owned(), tokens: tokens.to_vec(), ..Segment::default() }
    }

    fn document(segments: Vec<Segment>) -> Document {
        Document { text: " a".to_owned(), segments, seconds: 5.0, ..Document::default() }
    }

    #[test]
    fn segments_without_text_and_times_behind_the_sound_are_no_differences() {
        let empty = Segment { text: String::new(), ..segment(1.0, 1.0, &[]) };
        let theirs = document(vec![segment(0.0, 1.0, &[1]), empty, segment(1.0, 6.0, &[2])]);
        let ours = document(vec![segment(0.0, 1.0, &[1]), segment(1.0, 5.0, &[2])]);
        let comparison = Comparison::between("a", &theirs, &ours, &[]);
        assert!(comparison.same_tokens() && comparison.same_count && comparison.worst.is_small());
        assert_eq!((comparison.segments, comparison.equal_segments), (2, 2));
    }

    #[test]
    fn tokens_part_where_the_peer_was_least_sure() {
        let mut theirs = document(vec![segment(0.0, 1.0, &[1, 2]), segment(1.0, 2.0, &[3, 4, 5])]);
        let margins = [9.0, 9.0, 9.0, 0.0005, 9.0, 9.0].map(Some).to_vec();
        theirs.windows = vec![Window { tokens: vec![1, 2, 3, 4, 5], margins, ..Window::default() }];
        let ours = document(vec![segment(0.0, 1.0, &[1, 2]), segment(1.0, 2.0, &[3, 7])]);
        let comparison = Comparison::between("a", &theirs, &ours, &[]);
        let parting = comparison.parting.unwrap();
        assert_eq!((parting.position, parting.expected, parting.found), (3, Some(4), Some(7)));
        assert!(parting.is_near_tie());
        assert_eq!(comparison.equal_segments, 1);
    }

    #[test]
    fn a_missing_segment_is_a_parting() {
        let theirs = document(vec![segment(0.0, 1.0, &[1])]);
        let comparison = Comparison::between("a", &theirs, &document(vec![]), &[]);
        assert!(!comparison.same_count && !comparison.parting.unwrap().is_near_tie());
    }

    #[test]
    fn the_sound_of_a_window_ends_with_its_clip() {
        let clips = [(1.0, 2.5), (3.0, 9.0)];
        assert_eq!([0, 100, 300].map(|seek| sound_end(seek, 5.008, &clips)), [5.0, 2.5, 5.0]);
    }

    #[test]
    fn words_are_compared_in_time() {
        let with = |start: f64| {
            let words = vec![Word { word: " a".to_owned(), start, end: 1.0 }];
            document(vec![Segment { words: Some(words), ..segment(0.0, 1.0, &[1]) }])
        };
        let near = Comparison::between("a", &with(0.0), &with(0.02), &[]);
        assert_eq!((near.words, near.equal_words), (1, 1));
        assert_eq!(Comparison::between("a", &with(0.0), &with(0.04), &[]).equal_words, 0);
        assert_eq!(Comparison::between("a", &with(0.0), &document(vec![segment(0.0, 1.0, &[1])]), &[]).equal_words, 0);
    }
}
