//! Tokens that write down what is not speech: brackets of stage directions, notes of music, marks of speakers.

use super::{Token, Tokenizer};

/// Signs whose token is left out when it is a single one, alone and after a space.
const SIGNS: [&str; 47] = [
    "\"",
    "#",
    "(",
    ")",
    "*",
    "+",
    "/",
    ":",
    ";",
    "<",
    "=",
    ">",
    "@",
    "[",
    "\\",
    "]",
    "^",
    "_",
    "`",
    "{",
    "|",
    "}",
    "~",
    "「",
    "」",
    "『",
    "』",
    "<<",
    ">>",
    "<<<",
    ">>>",
    "--",
    "---",
    "-(",
    "-[",
    "('",
    "(\"",
    "((",
    "))",
    "(((",
    ")))",
    "[[",
    "]]",
    "{{",
    "}}",
    "♪♪",
    "♪♪♪",
];

/// Notes and accidentals: their first token is left out even where it takes several, since those of the block
/// U+2640 to U+267F begin alike and none of them is speech.
const MUSIC: [&str; 7] = ["♩", "♪", "♫", "♬", "♭", "♮", "♯"];

/// A dash or a quotation mark may stand inside a text, but not open it.
const OPENINGS: [&str; 2] = [" -", " '"];

/// The first tokens of these, where they mean nothing else.
///
/// In a vocabulary that never learnt ` -` or ` ♪` as one token, the first of them is the bare space, and that is speech.
pub(super) fn non_speech_tokens(tokenizer: &Tokenizer) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut add = |text: &str, even_if_several: bool| {
        let encoded = tokenizer.encode(text);
        if let Some(&first) = encoded.first()
            && (encoded.len() == 1 || even_if_several)
            && tokenizer.token_bytes(first) != Some(b" ")
        {
            tokens.push(first);
        }
    };
    for opening in OPENINGS {
        add(opening, true);
    }
    for (signs, even_if_several) in [(&SIGNS[..], false), (&MUSIC[..], true)] {
        for sign in signs {
            add(sign, even_if_several);
            add(&format!(" {sign}"), even_if_several);
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}
