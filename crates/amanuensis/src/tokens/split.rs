//! Cuts text into the pieces inside which pairs are merged, as GPT-2's expression does:
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d | ?letters | ?numbers | ?others | white space not before a word | white space
//! ```
//!
//! It is written out by hand because its look-ahead (of several blanks the last one goes to the word after them)
//! is beyond the linear-time expression engines.

use super::classes::Class;

const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The pieces of a text in order; together they are the text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(first_piece(rest));
        rest = after;
        Some(piece)
    })
}

/// Length in bytes of the first piece of a text that is not empty.
fn first_piece(text: &str) -> usize {
    if let Some(contraction) = CONTRACTIONS.iter().find(|contraction| text.starts_with(**contraction)) {
        return contraction.len();
    }
    // One plain space may open a run of letters, of numbers or of others.
    let lead = usize::from(text.starts_with(' '));
    if let Some(class) = text[lead..].chars().next().map(Class::of)
        && class != Class::Space
    {
        return lead + run(&text[lead..], class);
    }
    let blank = run(text, Class::Space);
    let last = text[..blank].chars().next_back().map_or(0, char::len_utf8);
    if blank < text.len() && blank > last { blank - last } else { blank }
}

/// Length in bytes of the run of one class at the beginning.
fn run(text: &str, class: Class) -> usize {
    text.find(|character| Class::of(character) != class).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::pieces;

    fn split(text: &str) -> Vec<&str> {
        pieces(text).collect()
    }

    #[test]
    fn words_take_one_space_before_them() {
        assert_eq!(split("Hello world"), ["Hello", " world"]);
        assert_eq!(split("a  b"), ["a", " ", " b"]);
        assert_eq!(split("a   12"), ["a", "  ", " 12"]);
        assert_eq!(split("a \n b"), ["a", " \n", " b"]);
        assert_eq!(split("a\nb"), ["a", "\n", "b"]);
        assert_eq!(split("a\n\nb"), ["a", "\n", "\n", "b"]);
        assert_eq!(split("a\u{a0}b"), ["a", "\u{a0}", "b"]);
    }

    #[test]
    fn trailing_white_space_stays_together() {
        assert_eq!(split("a  "), ["a", "  "]);
        assert_eq!(split("   "), ["   "]);
        assert_eq!(split(" "), [" "]);
        assert!(split("").is_empty());
    }

    #[test]
    fn contractions_split_in_lower_case_only() {
        assert_eq!(split("it's we'll I'd"), ["it", "'s", " we", "'ll", " I", "'d"]);
        assert_eq!(split("IT'S"), ["IT", "'", "S"]);
        assert_eq!(split("''s"), ["''", "s"]);
        assert_eq!(split(" 's"), [" '", "s"]);
        assert_eq!(split("'seven"), ["'s", "even"]);
    }

    #[test]
    fn classes_do_not_mix() {
        assert_eq!(split("abc123!?x"), ["abc", "123", "!?", "x"]);
        assert_eq!(split("größe ½ 二〇"), ["größe", " ½", " 二", "〇"]);
        // A vowel sign is a mark, not a letter.
        assert_eq!(split("कि"), ["क", "ि"]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in "\\PC*|[ \\n\\ta'sé1!]*") {
            prop_assert_eq!(pieces(&text).collect::<String>(), text.clone());
            prop_assert!(pieces(&text).all(|piece| !piece.is_empty()));
        }
    }
}
