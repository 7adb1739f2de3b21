//! Segment text made safe for formats that count lines: every writer but JSON's passes its text through here.

/// White space as Python's `str.strip` sees it: Unicode's, and the four separators of ASCII.
pub(super) fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// What some reader takes for the end of a line.
fn breaks_line(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The text without the white space around it, on one line: a line break inside becomes a space, a control character
/// the replacement character (a terminal would obey it, a subtitle reader stop at it).
pub(super) fn one_line(text: &str) -> String {
    joined(text, " ")
}

/// The text without the white space around it, on as many lines as it has, none of them blank: a blank line would end
/// the cue that holds it.
pub(super) fn lines(text: &str) -> String {
    joined(text, "\n")
}

fn joined(text: &str, separator: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for line in text.split(breaks_line).filter(|line| !line.chars().all(is_blank)) {
        // Blanks beside a break inside the text stay when the line does; only the ends of the whole are trimmed.
        let line = if separator == " " { line.trim_matches(is_blank) } else { line };
        if !result.is_empty() {
            result.push_str(separator);
        }
        result.extend(line.chars().map(visible));
    }
    match result.trim_matches(is_blank) {
        trimmed if trimmed.len() == result.len() => result,
        trimmed => trimmed.to_owned(),
    }
}

/// A control character as the replacement character; a tab is none here.
fn visible(character: char) -> char {
    if character.is_control() && character != '\t' { '\u{fffd}' } else { character }
}

/// A word of a line, what breaks lines in it as spaces; the blanks around it stay.
pub(super) fn word(text: &str) -> String {
    text.chars().map(|character| if breaks_line(character) { ' ' } else { visible(character) }).collect()
}

/// Shortens `-->` to `->` in a cue made of words, also where it goes across them.
pub(super) fn shorten_arrows<'a>(words: impl DoubleEndedIterator<Item = &'a mut String>) {
    // The two characters behind the one looked at.
    let mut behind = [' ', ' '];
    for word in words.rev() {
        if !word.contains('-') && !word.contains('>') {
            behind = [' ', ' '];
            continue;
        }
        let mut kept = Vec::new();
        for character in word.chars().rev() {
            if character == '-' && behind == ['-', '>'] {
                continue;
            }
            behind = [character, behind[0]];
            kept.push(character);
        }
        *word = kept.into_iter().rev().collect();
    }
}

/// The lines of a subtitle cue: `-->` is the mark of a timing line, so it is shortened to `->` until none is left.
pub(super) fn cue(text: &str) -> String {
    let mut text = lines(text);
    shorten_arrows([&mut text].into_iter());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_the_text_goes_as_python_strips_it() {
        assert_eq!(one_line(" \t\u{3000}Guten Tag.\u{a0}\u{1f}\n"), "Guten Tag.");
        assert_eq!(one_line("  "), "");
        assert_eq!(one_line(" a  b "), "a  b");
    }

    #[test]
    fn line_breaks_inside_become_spaces_or_stay_as_single_breaks() {
        assert_eq!(one_line(" one\r\n\r\n two\u{2028}three"), "one two three");
        assert_eq!(lines(" one\r\n \r\ntwo\n"), "one\ntwo");
        assert_eq!(lines("one\n  two"), "one\n  two");
    }

    #[test]
    fn control_characters_are_shown_instead_of_obeyed() {
        assert_eq!(one_line("a\u{1b}[2Jb\0c\td"), "a\u{fffd}[2Jb\u{fffd}c\td");
    }

    #[test]
    fn a_word_keeps_its_blanks_and_stays_on_its_line() {
        assert_eq!(word(" one\ntwo\u{1b} "), " one two\u{fffd} ");
    }

    #[test]
    fn no_arrow_is_left_across_words() {
        let shortened = |words: &[&str]| {
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            shorten_arrows(words.iter_mut());
            words.concat()
        };
        assert_eq!(shortened(&[" a", " --", "> b"]), " a -> b");
        assert_eq!(shortened(&["-", "-", "-", ">", "-->"]), "->->");
        assert_eq!(shortened(&["--", " >", "->", "--"]), "-- >->--");
    }

    #[test]
    fn no_arrow_is_left_in_a_cue() {
        assert_eq!(cue(" a --> b"), "a -> b");
        assert_eq!(cue("a ----> b"), "a -> b");
    }
}
