//! The words of a hypothesis, as they are compared.

use crate::segments::{Transcript, Word};

/// A word of a hypothesis. Its times are seconds of the session.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub(super) word: Word,
    /// Letters and digits in lower case: what is compared.
    pub(super) plain: String,
    /// Whether a segment or a sentence ends with it.
    pub(super) closes: bool,
}

/// The words of a transcript of sound that begins at `start` and ends at `end`.
pub(super) fn of(transcript: &Transcript, start: f64, end: f64) -> Vec<Heard> {
    let mut all: Vec<Heard> = Vec::new();
    // Marks that stand alone belong to the word before, or to the first.
    let mut before = String::new();
    let segments = transcript.segments.len();
    for (number, segment) in transcript.segments.iter().enumerate() {
        let whole =
            || vec![Word { word: segment.text.clone(), start: segment.start, end: segment.end, probability: 0.0 }];
        let words = segment.words.clone().filter(|words| !words.is_empty()).unwrap_or_else(whole);
        for word in words {
            let plain = plain(&word.word);
            match all.last_mut() {
                Some(last) if plain.is_empty() => last.word.word.push_str(&word.word),
                None if plain.is_empty() => before.push_str(&word.word),
                _ => {
                    let text = std::mem::take(&mut before) + &word.word;
                    let (from, to) = ((start + word.start).clamp(start, end), (start + word.end).clamp(start, end));
                    let word = Word { word: text, start: from, end: to.max(from), ..word };
                    all.push(Heard { word, plain, closes: false });
                }
            }
        }
        // The last segment may go on.
        if let Some(last) = all.last_mut().filter(|_| number + 1 < segments) {
            last.closes = true;
        }
    }
    for heard in &mut all {
        heard.closes |= ends_sentence(&heard.word.word);
    }
    all
}

/// What is compared of a word: no case, no marks.
pub(super) fn plain(word: &str) -> String {
    word.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a sentence ends with a word.
pub(super) fn ends_sentence(word: &str) -> bool {
    let bare = word.trim_end_matches(|character: char| character.is_whitespace() || "\"')]»”’".contains(character));
    bare.ends_with(['.', '?', '!', '…', '。', '？', '！', '।', '؟', '።'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::Segment;

    fn segment(start: f64, words: &[&str]) -> Segment {
        let word = |(index, word): (usize, &&str)| {
            let at = start + index as f64;
            Word { word: (*word).to_owned(), start: at, end: at + 1.0, probability: 1.0 }
        };
        Segment { words: Some(words.iter().enumerate().map(word).collect()), ..Segment::default() }
    }

    #[test]
    fn marks_that_stand_alone_join_their_words() {
        let segments = vec![segment(0.0, &[" —", " Don't", " go", " –"]), segment(4.0, &[" Über", " Mr."])];
        let found = of(&Transcript { segments, ..Transcript::default() }, 10.0, 15.5);
        let shown: Vec<_> =
            found.iter().map(|heard| (heard.word.word.as_str(), heard.plain.as_str(), heard.closes)).collect();
        assert_eq!(
            shown,
            [(" — Don't", "dont", false), (" go –", "go", true), (" Über", "über", false), (" Mr.", "mr", true)]
        );
        assert_eq!((found[0].word.start, found[3].word.end), (11.0, 15.5), "not behind the sound");
    }

    #[test]
    fn text_without_word_times_is_not_lost() {
        let bare = Segment { text: " all of it".to_owned(), start: 1.0, end: 2.0, ..Segment::default() };
        let found = of(&Transcript { segments: vec![bare], ..Transcript::default() }, 0.0, 9.0);
        assert_eq!((found.len(), found[0].word.word.as_str()), (1, " all of it"));
    }
}
