//! Where sentences end.
//!
//! A full stop ends one unless what stands before it is known to be followed by more (a title, an initial, an ordinal)
//! or what follows begins small. The marks of scripts without capitals end one wherever they stand.

/// What may stand behind the mark that ends a sentence and belongs to it.
const CLOSING: &str = "\"'”’»›)]}」』】〕）］｝〉》";

/// What may stand before the first letter of a sentence.
const OPENING: &str = "\"'“‘«‹([{「『【〔（［｛〈《„‚¿¡-–—";

/// Marks that end a sentence whatever follows.
const FINAL: &str = "。｡！？।॥؟۔։።។။";

/// Abbreviations that more of the sentence follows.
const GOES_ON: &[&str] = &[
    "adm", "approx", "apr", "art", "aug", "ave", "bd", "bzw", "ca", "capt", "cf", "chap", "col", "dec", "dept", "dipl",
    "dr", "dra", "e.g", "eg", "ed", "feb", "ff", "fig", "figs", "fr", "gen", "gov", "hon", "hr", "i.e", "ie", "ing",
    "jan", "jul", "jun", "lt", "m", "mar", "messrs", "mlle", "mme", "mr", "mrs", "ms", "mt", "nos", "nov", "nr", "oct",
    "op", "prof", "rep", "rev", "sen", "sep", "sept", "sgt", "sra", "srta", "st", "str", "u.a", "vgl", "vol", "vs",
    "z.b", "d.h", "s.o",
];

/// Languages that write ordinal numbers with a full stop: `am 3. Mai`.
const DOTTED_ORDINALS: &[&str] =
    &["bs", "cs", "da", "de", "et", "fi", "hr", "hu", "is", "lb", "lv", "nn", "no", "sk", "sl", "sr"];

/// Whether a sentence ends behind `word`, with `next` the word that follows it.
pub(super) fn end_between(word: &str, next: &str, language: &str) -> bool {
    let bare = word.trim_end_matches(|character| CLOSING.contains(character));
    let Some(mark) = bare.chars().next_back() else { return false };
    let begins_small =
        next.trim_start_matches(|character| OPENING.contains(character)).chars().next().is_some_and(char::is_lowercase);
    match mark {
        _ if FINAL.contains(mark) => true,
        '!' | '?' | '…' => !begins_small,
        '.' if bare.ends_with("..") => !begins_small,
        '.' => !begins_small && full_stop_ends(&bare[..bare.len() - 1], language),
        _ => false,
    }
}

/// Whether the full stop behind `word` is the end of a sentence and not part of the word.
fn full_stop_ends(word: &str, language: &str) -> bool {
    let word = word.trim_start_matches(|character| OPENING.contains(character));
    let lower = word.to_lowercase();
    if GOES_ON.contains(&lower.as_str()) {
        return false;
    }
    let mut letters = word.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        // An initial (J. Smith); the English I is a word.
        if letter.is_alphabetic() && letter != 'I' && letter.is_uppercase() {
            return false;
        }
    }
    let number = !word.is_empty() && word.chars().all(|character| character.is_ascii_digit());
    if number && word.len() <= 2 && DOTTED_ORDINALS.contains(&language) {
        return false;
    }
    // U.S., J.R.R.: more of a name may follow. The times of day end with what they say.
    let dotted = word.contains('.') && word.split('.').all(|part| part.chars().count() == 1);
    !dotted || word.chars().any(|character| character.is_ascii_digit()) || matches!(lower.as_str(), "a.m" | "p.m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_their_marks() {
        for (word, next) in
            [("done.", "Then"), ("really?", "Yes"), ("said.\"", "Then"), ("so...", "Well"), ("I.", "You")]
        {
            assert!(end_between(word, next, "en"), "{word} {next}");
        }
        for (word, next) in [("です。", "はい"), ("是吗？」", "不"), ("है।", "हाँ"), ("a.m.", "Then"), ("1999.", "Then")]
        {
            assert!(end_between(word, next, "en"), "{word} {next}");
        }
    }

    #[test]
    fn abbreviations_initials_and_numbers_do_not_end_one() {
        for (word, next) in [
            ("Dr.", "Smith"),
            ("(Mr.", "Smith"),
            ("J.", "Smith"),
            ("U.S.", "Army"),
            ("e.g.", "London"),
            ("3.5", "Percent"),
            ("etc.", "and"),
            ("\"No!\"", "he"),
            ("well...", "maybe"),
            ("word", "Word"),
            ("", "Word"),
        ] {
            assert!(!end_between(word, next, "en"), "{word} {next}");
        }
        assert!(!end_between("z.B.", "Berlin", "de"));
    }

    #[test]
    fn ordinals_have_a_full_stop_in_some_languages() {
        assert!(!end_between("3.", "Mai", "de"));
        assert!(end_between("3.", "May", "en"));
        assert!(end_between("1999.", "Dann", "de"));
    }
}
