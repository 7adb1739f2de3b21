//! How subtitles are laid out: what may be asked for, what it needs, and what of it contradicts itself.

use std::num::NonZeroUsize;

use crate::segments::{Segment, Transcript};

/// How subtitles are laid out. The default is a cue for each segment, on one line, as openai-whisper writes them.
///
/// The first four are openai-whisper's and mean what they mean there: they arrange words that have times. The last three
/// are this program's; with any of them the other limits keep their names, are measured in columns (a wide character of
/// East Asian writing is two), hold without word times too, and a cue has two lines unless `max_line_count` says
/// otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Captions {
    /// Characters in a line.
    pub max_line_width: Option<NonZeroUsize>,
    /// Lines in a cue; without effect where nothing breaks lines.
    pub max_line_count: Option<NonZeroUsize>,
    /// Words in a line.
    pub max_words_per_line: Option<NonZeroUsize>,
    /// A cue for each word, with the word underlined.
    pub highlight_words: bool,
    /// Cues begin and end with sentences instead of segments.
    pub sentences: bool,
    /// Columns of text that are read in a second: a cue that is shorter lasts into the pause behind it.
    pub max_chars_per_second: Option<f64>,
    /// Lines of similar length, broken where the sentence pauses; 42 columns wide if `max_line_width` is not given.
    pub balance: bool,
}

/// Why a transcript cannot be laid out as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptionError {
    /// There are no times of words to arrange.
    #[error(
        "`{setting}` arranges words by their times and the transcript has none: make it with --word-timestamps True, \
         or lay it out with `sentences` or `balance`, which need no times of words"
    )]
    NeedsWords {
        /// The setting that needs them.
        setting: &'static str,
    },
    /// `highlight_words` without times of words.
    #[error(
        "`highlight_words` needs the times of words and the transcript has none: make it with --word-timestamps True"
    )]
    NothingToHighlight,
    /// The reading speed is not a speed.
    #[error("`max_chars_per_second` is {given}; give a number above zero")]
    NotASpeed {
        /// What was asked for.
        given: String,
    },
}

/// A setting without effect beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaptionWarning {
    /// Without a width nothing breaks lines.
    #[error("`max_line_count` has no effect without `max_line_width`")]
    CountWithoutWidth,
    /// openai-whisper's layout looks at one of the two.
    #[error("`max_words_per_line` has no effect with `max_line_width`")]
    WordsPerLineWithWidth,
}

/// The width of balanced lines where none is given: what broadcasters' guides allow for a line of Latin letters.
const USUAL_WIDTH: usize = 42;

/// Lines of a cue where nothing else is said.
const USUAL_LINES: usize = 2;

impl Captions {
    /// The setting that cannot be served without times of words, by its name.
    pub fn needs_words(&self) -> Option<&'static str> {
        let settings = [
            (self.highlight_words, "highlight_words"),
            (self.max_line_width.is_some() && !self.is_own_layout(), "max_line_width"),
            (self.max_line_count.is_some() && !self.is_own_layout(), "max_line_count"),
            (self.max_words_per_line.is_some() && !self.is_own_layout(), "max_words_per_line"),
        ];
        settings.into_iter().find(|(asked, _)| *asked).map(|(_, name)| name)
    }

    /// What was asked for and has no effect.
    pub fn warnings(&self) -> Vec<CaptionWarning> {
        let mut warnings = Vec::new();
        if self.max_line_count.is_some() && !self.breaks_lines() {
            warnings.push(CaptionWarning::CountWithoutWidth);
        }
        if self.max_words_per_line.is_some() && self.max_line_width.is_some() && !self.is_own_layout() {
            warnings.push(CaptionWarning::WordsPerLineWithWidth);
        }
        warnings
    }

    /// Whether `transcript` can be laid out so.
    ///
    /// # Errors
    /// [`CaptionError`] where a setting needs times of words and no segment has any.
    pub fn check(&self, transcript: &Transcript) -> Result<(), CaptionError> {
        if let Some(speed) = self.max_chars_per_second
            && !(speed.is_finite() && speed > 0.0)
        {
            return Err(CaptionError::NotASpeed { given: speed.to_string() });
        }
        let spoken = transcript.segments.iter().any(|segment| !segment.text.trim().is_empty());
        if !spoken || transcript.segments.iter().any(has_words) {
            return Ok(());
        }
        match self.needs_words() {
            None => Ok(()),
            Some("highlight_words") => Err(CaptionError::NothingToHighlight),
            Some(setting) => Err(CaptionError::NeedsWords { setting }),
        }
    }

    /// Whether one of this program's own settings is on.
    pub(super) fn is_own_layout(&self) -> bool {
        self.sentences || self.balance || self.max_chars_per_second.is_some()
    }

    /// Whether there is a limit that lines are broken at.
    fn breaks_lines(&self) -> bool {
        self.max_line_width.is_some() || (self.is_own_layout() && (self.balance || self.max_words_per_line.is_some()))
    }

    /// Columns of a line in this program's own layout.
    pub(super) fn columns(&self) -> Option<usize> {
        let usual = self.balance.then_some(USUAL_WIDTH);
        self.max_line_width.map(NonZeroUsize::get).or(usual)
    }

    /// Lines of a cue in this program's own layout.
    pub(super) fn lines(&self) -> usize {
        self.max_line_count.map_or(USUAL_LINES, NonZeroUsize::get)
    }
}

/// Whether a segment has words with times.
pub(super) fn has_words(segment: &Segment) -> bool {
    segment.words.as_ref().is_some_and(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::Word;

    fn number(count: usize) -> Option<NonZeroUsize> {
        NonZeroUsize::new(count)
    }

    fn said(words: Option<Vec<Word>>) -> Transcript {
        let segment = Segment { text: " Hello.".to_owned(), end: 1.0, words, ..Segment::default() };
        Transcript { segments: vec![segment], ..Transcript::default() }
    }

    #[test]
    fn openai_whispers_settings_need_words_and_this_programs_do_not() {
        let narrow = Captions { max_line_width: number(20), ..Captions::default() };
        let error = narrow.check(&said(None)).unwrap_err();
        assert!(error.to_string().contains("--word-timestamps"), "{error}");
        let word = Word { word: " Hello.".to_owned(), end: 1.0, ..Word::default() };
        assert_eq!(narrow.check(&said(Some(vec![word]))), Ok(()));
        assert_eq!(narrow.check(&Transcript::default()), Ok(()));
        assert_eq!(Captions { sentences: true, ..narrow.clone() }.check(&said(None)), Ok(()));
        let highlighted = Captions { sentences: true, highlight_words: true, ..narrow };
        assert_eq!(highlighted.check(&said(None)), Err(CaptionError::NothingToHighlight));
    }

    #[test]
    fn settings_without_effect_are_told_of() {
        let counted = Captions { max_line_count: number(2), ..Captions::default() };
        assert_eq!(counted.warnings(), [CaptionWarning::CountWithoutWidth]);
        assert_eq!(Captions { balance: true, ..counted.clone() }.warnings(), []);
        assert_eq!(Captions { sentences: true, ..counted }.warnings(), [CaptionWarning::CountWithoutWidth]);
        let both = Captions { max_line_width: number(30), max_words_per_line: number(3), ..Captions::default() };
        assert_eq!(both.warnings(), [CaptionWarning::WordsPerLineWithWidth]);
        assert_eq!(Captions { balance: true, ..both }.warnings(), []);
    }

    #[test]
    fn a_speed_is_above_zero() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let captions = Captions { max_chars_per_second: Some(wrong), ..Captions::default() };
            assert!(matches!(captions.check(&said(None)), Err(CaptionError::NotASpeed { .. })), "{wrong}");
        }
    }
}
