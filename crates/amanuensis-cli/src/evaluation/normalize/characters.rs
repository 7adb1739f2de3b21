//! Symbols, marks and diacritics, by Unicode's categories.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Letters that are written with a stroke or joined, and do not come apart by decomposition.
fn plain_letters(letter: char) -> Option<&'static str> {
    Some(match letter {
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'æ' => "ae",
        'Æ' => "AE",
        'ß' => "ss",
        'ẞ' => "SS",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' | 'Þ' => "th",
        'ł' => "l",
        'Ł' => "L",
        _ => return None,
    })
}

/// Marks (M), symbols (S) and punctuation (P).
fn is_symbol(letter: char) -> bool {
    matches!(
        letter.general_category_group(),
        GeneralCategoryGroup::Mark | GeneralCategoryGroup::Symbol | GeneralCategoryGroup::Punctuation
    )
}

/// The text composed (NFKC), with a space for every symbol.
pub(super) fn without_symbols(text: &str) -> String {
    text.nfkc().map(|letter| if is_symbol(letter) { ' ' } else { letter }).collect()
}

/// The text decomposed (NFKD) without diacritics, with a space for every symbol that is not in `keep`.
pub(super) fn without_symbols_and_diacritics(text: &str, keep: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.nfkd() {
        if keep.contains(letter) {
            plain.push(letter);
        } else if let Some(letters) = plain_letters(letter) {
            plain.push_str(letters);
        } else if letter.general_category() != GeneralCategory::NonspacingMark {
            plain.push(if is_symbol(letter) { ' ' } else { letter });
        }
    }
    plain
}

/// A space between all letters. Marks are gone by now; what still belongs to the letter before it are joiners and other
/// characters without a form of their own.
pub(super) fn letter_by_letter(text: &str) -> String {
    let mut split = String::with_capacity(2 * text.len());
    for letter in text.chars() {
        if !split.is_empty() && letter.general_category() != GeneralCategory::Format {
            split.push(' ');
        }
        split.push(letter);
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diacritics_go_and_kept_symbols_stay() {
        assert_eq!(without_symbols_and_diacritics("Æsir, naïve 5% — Łódź ½", ".%"), "AEsir  naive 5%   Lodz 1 2");
        assert_eq!(without_symbols("naïve, x²"), "naïve  x2");
    }

    #[test]
    fn joiners_stay_with_their_letter() {
        assert_eq!(letter_by_letter("ab\u{200d}c"), "a b\u{200d} c");
    }
}
