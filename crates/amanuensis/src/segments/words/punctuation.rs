//! Marks belong to the words beside them.

use super::AlignedWord;

/// Which marks are merged with the word behind them and which with the word before them.
///
/// Any part of the text counts as a mark, so `."` may close a word although it is two characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Punctuation {
    /// Marks that belong to the word that follows.
    pub prepended: String,
    /// Marks that belong to the word before.
    pub appended: String,
}

impl Default for Punctuation {
    fn default() -> Self {
        Punctuation { prepended: "\"'“¿([{-".to_owned(), appended: "\"'.。,，!！?？:：”)]}、".to_owned() }
    }
}

/// Merges marks with their words. A mark that was merged leaves an entry without text and tokens.
pub(super) fn merge(words: &mut [AlignedWord], punctuation: &Punctuation) {
    let mut following = words.len().saturating_sub(1);
    for previous in (0..following).rev() {
        let mark = &words[previous].word;
        if mark.starts_with(' ') && punctuation.prepended.contains(mark.trim()) {
            let (mut word, mut tokens) = take(&mut words[previous]);
            let whole = &mut words[following];
            word.push_str(&whole.word);
            tokens.append(&mut whole.tokens);
            (whole.word, whole.tokens) = (word, tokens);
        } else {
            following = previous;
        }
    }
    let mut previous = 0;
    for following in 1..words.len() {
        if !words[previous].word.ends_with(' ') && punctuation.appended.contains(&words[following].word) {
            let (word, mut tokens) = take(&mut words[following]);
            words[previous].word.push_str(&word);
            words[previous].tokens.append(&mut tokens);
        } else {
            previous = following;
        }
    }
}

fn take(word: &mut AlignedWord) -> (String, Vec<crate::tokens::Token>) {
    (std::mem::take(&mut word.word), std::mem::take(&mut word.tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(words: &[&str], punctuation: &Punctuation) -> Vec<(String, Vec<u32>)> {
        let word = |(token, word): (usize, &&str)| AlignedWord {
            word: (*word).to_owned(),
            tokens: vec![token as u32],
            ..AlignedWord::default()
        };
        let mut words: Vec<AlignedWord> = words.iter().enumerate().map(word).collect();
        merge(&mut words, punctuation);
        words.into_iter().map(|word| (word.word, word.tokens)).collect()
    }

    fn texts(words: &[&str]) -> Vec<String> {
        merged(words, &Punctuation::default()).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn marks_go_to_the_word_they_belong_to_with_their_tokens() {
        let words = merged(&[" \"", "Hello", ",", " (", "world", ")", "."], &Punctuation::default());
        let expected: [(&str, &[u32]); 7] = [
            ("", &[]),
            (" \"Hello,", &[0, 1, 2]),
            ("", &[]),
            ("", &[]),
            (" (world).", &[3, 4, 5, 6]),
            ("", &[]),
            ("", &[]),
        ];
        assert_eq!(words, expected.map(|(word, tokens)| (word.to_owned(), tokens.to_vec())));
    }

    #[test]
    fn a_mark_is_prepended_only_behind_a_space_and_appended_only_where_no_space_stands() {
        assert_eq!(texts(&[" a", "-", "b"]), [" a", "-", "b"], "a hyphen without a space belongs to nobody");
        assert_eq!(texts(&[" a", " -", "b"]), [" a", "", " -b"]);
        assert_eq!(texts(&["a ", "."]), ["a ", "."]);
        assert_eq!(texts(&[" a", " ."]), [" a", " ."], "a mark behind a space is not appended");
    }

    #[test]
    fn parts_of_the_sets_are_marks_too() {
        assert_eq!(texts(&[" a", ".。"]), [" a.。", ""]);
        assert_eq!(texts(&[" a", "。."]), [" a", "。."], "not a part of the set");
        assert_eq!(texts(&[" '“", "a"]), ["", " '“a"]);
    }

    #[test]
    fn other_marks_may_be_asked_for() {
        let punctuation = Punctuation { prepended: "#".to_owned(), appended: "%".to_owned() };
        let words = merged(&[" #", "one", ".", " 5", "%"], &punctuation);
        let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["", " #one", ".", " 5%", ""]);
    }

    #[test]
    fn one_word_or_none_is_left_alone() {
        assert_eq!(texts(&[" \""]), [" \""]);
        assert!(texts(&[]).is_empty());
    }
}
