//! Texts made comparable: what openai-whisper's own evaluation takes off before it counts errors.
//!
//! The rules are those of its normalisers for English and for everything else, so that error rates can be set beside
//! published ones. Its table of British and American spellings is not part of this program: see [`spelling`].

mod american;
mod characters;
mod english;
mod number_words;
mod numbers;
mod rewriting;
mod spelling;

#[cfg(test)]
mod golden_tests;

pub(crate) use spelling::Spelling;

use std::borrow::Cow;

/// Languages that do not put spaces between words: every letter counts as one.
const WITHOUT_SPACES: [&str; 6] = ["zh", "yue", "ja", "th", "lo", "my"];

/// How a text is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Normalizer {
    /// English: contractions, numbers, titles, spelling.
    English,
    /// Small letters without punctuation.
    Basic {
        /// Whether every letter is a word of its own.
        split_letters: bool,
    },
    /// As it is.
    None,
}

impl Normalizer {
    /// The one for a language.
    pub(crate) fn of(language: &str) -> Normalizer {
        match language {
            "en" => Normalizer::English,
            other => Normalizer::basic(other),
        }
    }

    /// The basic one, as a language needs it.
    pub(crate) fn basic(language: &str) -> Normalizer {
        Normalizer::Basic { split_letters: WITHOUT_SPACES.contains(&language) }
    }

    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Normalizer::English => "english",
            Normalizer::Basic { split_letters: false } => "basic",
            Normalizer::Basic { split_letters: true } => "basic, letter by letter",
            Normalizer::None => "none",
        }
    }

    /// The text as it is compared.
    pub(crate) fn apply<'a>(self, text: &'a str, spelling: &Spelling) -> Cow<'a, str> {
        match self {
            Normalizer::English => english::normalize(text, spelling).into(),
            Normalizer::Basic { split_letters } => basic(text, split_letters).into(),
            Normalizer::None => text.into(),
        }
    }
}

/// Small letters, nothing in brackets, no symbols or punctuation, one space between words.
pub(crate) fn basic(text: &str, split_letters: bool) -> String {
    let small = text.to_lowercase();
    let cleaned = characters::without_symbols(&rewriting::without_brackets(&small)).to_lowercase();
    let cleaned = if split_letters { characters::letter_by_letter(&cleaned) } else { cleaned };
    rewriting::single_spaces(&cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_chooses_its_normalizer() {
        assert_eq!(Normalizer::of("en"), Normalizer::English);
        assert_eq!(Normalizer::of("de"), Normalizer::Basic { split_letters: false });
        assert_eq!(Normalizer::of("ja").name(), "basic, letter by letter");
    }

    #[test]
    fn basic_keeps_letters_and_their_diacritics() {
        assert_eq!(basic("[noise] Über 30 %, (leise) naïve ﬁnger!", false), " über 30 naïve finger ");
        assert_eq!(basic("東京、日本。", true), "東 京 日 本 ");
        assert_eq!(Normalizer::None.apply("As, it is.", &Spelling::none()), "As, it is.");
    }
}
