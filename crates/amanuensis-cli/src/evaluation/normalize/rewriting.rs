//! The replacements that the normalisers are made of.

/// What belongs to a word, as regular expressions see it.
fn is_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether a word ends or begins at `at`.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().is_some_and(is_of_a_word);
    let behind = text[at..].chars().next().is_some_and(is_of_a_word);
    before != behind
}

/// Replaces `pattern` wherever it ends with a word, and begins with one unless it begins with an apostrophe, which
/// hangs on the word before it.
pub(super) fn replace_words(text: &str, pattern: &str, replacement: &str) -> String {
    let hangs = pattern.starts_with('\'') || pattern == "n't";
    let mut rewritten = String::with_capacity(text.len());
    let mut done = 0;
    for (at, found) in text.match_indices(pattern) {
        let end = at + found.len();
        if at >= done && (hangs || is_boundary(text, at)) && is_boundary(text, end) {
            rewritten.push_str(&text[done..at]);
            rewritten.push_str(replacement);
            done = end;
        }
    }
    rewritten.push_str(&text[done..]);
    rewritten
}

/// Leaves out what stands in `[]` or `<>` and what stands in `()`.
pub(super) fn without_brackets(text: &str) -> String {
    let angular = without(text, &['<', '['], &['>', ']'], 0);
    without(&angular, &['('], &[')'], 1)
}

/// Leaves out what goes from one of `open` to the first of `close` that has at least `least` letters before it.
fn without(text: &str, open: &[char], close: &[char], least: usize) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(open) {
        kept.push_str(&rest[..at]);
        let mut inside = rest[at..].char_indices();
        let opening = inside.next().map_or('(', |(_, letter)| letter);
        let closing = inside.find(|(_, letter)| close.contains(letter));
        match closing {
            None => {
                rest = &rest[at..];
                break;
            }
            Some((length, letter)) if length > least => rest = &rest[at + length + letter.len_utf8()..],
            Some(_) => {
                kept.push(opening);
                rest = &rest[at + opening.len_utf8()..];
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// One space for every run of white space.
pub(super) fn single_spaces(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    let mut in_space = false;
    for letter in text.chars() {
        if !letter.is_whitespace() {
            single.push(letter);
        } else if !in_space {
            single.push(' ');
        }
        in_space = letter.is_whitespace();
    }
    single
}

/// Rewrites pairs of neighbouring letters, from the left, each letter in one pair at most: `rewrite` gets a letter and
/// the one behind it (none at the end) and returns what stands for both, or nothing to go on to the next letter.
pub(super) fn rewrite_pairs(text: &str, rewrite: impl Fn(char, Option<char>) -> Option<String>) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match rewrite(letter, letters.peek().copied()) {
            Some(pair) => {
                rewritten.push_str(&pair);
                letters.next();
            }
            None => rewritten.push(letter),
        }
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_replaced() {
        assert_eq!(replace_words("dr drill dr", "dr", "doctor "), "doctor  drill doctor ");
        assert_eq!(replace_words("he'd been 'd been's", "'d been", " had been"), "he had been  had been's");
        assert_eq!(replace_words("don't n'two", "n't", " not"), "do not n'two");
        assert_eq!(replace_words("mmm mm", "mm", ""), "mmm ");
    }

    #[test]
    fn brackets_go_with_what_is_in_them() {
        assert_eq!(without_brackets("a [b] c <d] (e) f"), "a  c   f");
        assert_eq!(without_brackets("a [b (c"), "a [b (c");
        assert_eq!(without_brackets("() (a (b) c)"), "()  c)");
    }

    #[test]
    fn pairs_do_not_overlap() {
        let commas = |left: char, right: Option<char>| (left == ',').then(|| right.into_iter().collect());
        assert_eq!(rewrite_pairs("1,,2,", commas), "1,2");
        assert_eq!(single_spaces(" a \t\n b  "), " a b ");
    }
}
