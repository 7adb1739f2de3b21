//! English: contractions, titles, numbers and spelling as one way of writing them.

use super::rewriting::{replace_words, rewrite_pairs, single_spaces, without_brackets};
use super::spelling::Spelling;
use super::{characters, numbers};

/// Sounds that are no words.
const HESITATIONS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

/// What stands for what, in this order: a later one sees what an earlier one wrote.
const REPLACEMENTS: [(&str, &str); 49] = [
    // Contractions of their own kind.
    ("won't", "will not"),
    ("can't", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("ma'am", "madam"),
    // Titles. The point behind them goes later; the space keeps `dr.who` apart.
    ("mr", "mister "),
    ("mrs", "missus "),
    ("st", "saint "),
    ("dr", "doctor "),
    ("prof", "professor "),
    ("capt", "captain "),
    ("gov", "governor "),
    ("ald", "alderman "),
    ("gen", "general "),
    ("sen", "senator "),
    ("rep", "representative "),
    ("pres", "president "),
    ("rev", "reverend "),
    ("hon", "honorable "),
    ("asst", "assistant "),
    ("assoc", "associate "),
    ("lt", "lieutenant "),
    ("col", "colonel "),
    ("jr", "junior "),
    ("sr", "senior "),
    ("esq", "esquire "),
    // `'d` and `'s` before participles that tell what they stand for.
    ("'d been", " had been"),
    ("'s been", " has been"),
    ("'d gone", " had gone"),
    ("'s gone", " has gone"),
    ("'d done", " had done"),
    ("'s got", " has got"),
    // And everywhere else.
    ("n't", " not"),
    ("'re", " are"),
    ("'s", " is"),
    ("'d", " would"),
    ("'ll", " will"),
    ("'t", " not"),
    ("'ve", " have"),
    ("'m", " am"),
];

/// Symbols that belong to numbers.
const OF_NUMBERS: &str = ".%$¢€£";

/// The text as it is compared with another.
pub(super) fn normalize(text: &str, spelling: &Spelling) -> String {
    let mut text = without_brackets(&text.to_lowercase());
    for hesitation in HESITATIONS {
        text = replace_words(&text, hesitation, "");
    }
    text = without_space_before_apostrophes(&text);
    for (pattern, replacement) in REPLACEMENTS {
        text = replace_words(&text, pattern, replacement);
    }
    text = without_commas_in_numbers(&text);
    // A point stays only before a digit.
    text = rewrite_pairs(&text, |letter, next| match next {
        Some(next) if letter == '.' && !next.is_ascii_digit() => Some(format!(" {next}")),
        None if letter == '.' => Some(" ".to_owned()),
        _ => None,
    });
    text = characters::without_symbols_and_diacritics(&text, OF_NUMBERS);
    text = numbers::to_digits(&text);
    text = text.split_whitespace().map(|word| spelling.of(word)).collect::<Vec<_>>().join(" ");
    // Symbols of numbers go where there is no number.
    text = rewrite_pairs(&text, |letter, next| match next {
        Some(next) if ".$¢€£".contains(letter) && !next.is_ascii_digit() => Some(format!(" {next}")),
        _ => None,
    });
    text = rewrite_pairs(&text, |letter, next| {
        (next == Some('%') && !letter.is_ascii_digit()).then(|| format!("{letter} "))
    });
    single_spaces(&text)
}

fn without_space_before_apostrophes(text: &str) -> String {
    let mut parts = text.split('\'').peekable();
    let mut joined = String::with_capacity(text.len());
    while let Some(part) = parts.next() {
        if parts.peek().is_some() {
            joined.push_str(part.trim_end());
            joined.push('\'');
        } else {
            joined.push_str(part);
        }
    }
    joined
}

/// `1,234,567` as `1234567`; a comma takes the digits at both its sides, so that of `1,2,3` one comma stays.
fn without_commas_in_numbers(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut rewritten = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        rewritten.push(letter);
        match letters.get(at + 1..at + 3) {
            Some(&[',', digit]) if letter.is_ascii_digit() && digit.is_ascii_digit() => {
                rewritten.push(digit);
                at += 3;
            }
            _ => at += 1,
        }
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_as_openai_whispers_normalizer_writes_them() {
        for (text, expected) in [
            ("He said, \"I won't go to Dr. Who's.\"", "he said i will not go to doctor who is"),
            ("They 've been; she's gone [laughs]", "they have been she has gone"),
            ("It costs $1,234,567.89 (about £2)!", "it costs $1234567.89"),
            ("Uh, 1,2,3", "12 3"),
            ("The U.S.A. at 3.5% . . .", "the u s a at 3.5%"),
            ("50 % of 3 and a half", "50 of 3 and a half"),
            ("We'd colour it grey...", "we would color it gray ."),
        ] {
            assert_eq!(normalize(text, &Spelling::rules()), expected, "{text}");
        }
    }
}
