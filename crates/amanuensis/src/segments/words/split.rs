//! Which tokens make a word.

use crate::tokens::{Token, Tokenizer};

/// Languages that put no spaces between words.
const WITHOUT_SPACES: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// The punctuation of ASCII: a subword of it is a word of its own until marks are merged with their words.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// The words that tokens of text make: text and tokens of each.
///
/// A language without spaces is split wherever whole characters end. In others, and where the language is unknown, a
/// word begins with a space.
pub(super) fn words(tokenizer: &Tokenizer, tokens: &[Token], language: Option<&str>) -> Vec<(String, Vec<Token>)> {
    let characters = at_characters(tokenizer, tokens);
    if language.is_some_and(|code| WITHOUT_SPACES.contains(&code)) { characters } else { at_spaces(characters) }
}

/// Splits wherever the tokens so far are whole characters, or are as broken as they are in the whole text.
fn at_characters(tokenizer: &Tokenizer, tokens: &[Token]) -> Vec<(String, Vec<Token>)> {
    let whole: Vec<char> = tokenizer.decode(tokens).chars().collect();
    let mut words = Vec::new();
    let (mut first, mut characters) = (0, 0);
    for end in 1..=tokens.len() {
        let text = tokenizer.decode(&tokens[first..end]);
        let broken = text.chars().position(|character| character == char::REPLACEMENT_CHARACTER);
        let complete = broken.is_none_or(|at| whole.get(characters + at) == Some(&char::REPLACEMENT_CHARACTER));
        // What is left at the end is a word even if its last character never came.
        if complete || end == tokens.len() {
            characters += text.chars().count();
            words.push((text, tokens[first..end].to_vec()));
            first = end;
        }
    }
    words
}

fn at_spaces(subwords: Vec<(String, Vec<Token>)>) -> Vec<(String, Vec<Token>)> {
    let mut words: Vec<(String, Vec<Token>)> = Vec::new();
    for (subword, tokens) in subwords {
        let begins = subword.starts_with(' ') || PUNCTUATION.contains(subword.trim());
        match words.last_mut() {
            Some((word, of_word)) if !begins => {
                word.push_str(&subword);
                of_word.extend(tokens);
            }
            _ => words.push((subword, tokens)),
        }
    }
    words
}

#[cfg(test)]
mod tests;
