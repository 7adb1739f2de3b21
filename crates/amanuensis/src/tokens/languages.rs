//! The languages that Whisper was trained on: their codes, English names, and other names in use.
//!
//! Which of them a model knows is said by its own tokens; this table only gives codes a name and names a code.

/// A language of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// The code in the model's token, `en` of `<|en|>`; Javanese is `jw` there.
    pub code: &'static str,
    /// English name in lower case.
    pub name: &'static str,
    /// Other names by which it may be asked for.
    pub aliases: &'static [&'static str],
}

const fn language(code: &'static str, name: &'static str, aliases: &'static [&'static str]) -> Language {
    Language { code, name, aliases }
}

/// All languages in the order of their tokens. Cantonese came with the third version and stands last.
#[rustfmt::skip]
pub static LANGUAGES: [Language; 100] = [
    language("en", "english", &[]),
    language("zh", "chinese", &["mandarin"]),
    language("de", "german", &[]),
    language("es", "spanish", &["castilian"]),
    language("ru", "russian", &[]),
    language("ko", "korean", &[]),
    language("fr", "french", &[]),
    language("ja", "japanese", &[]),
    language("pt", "portuguese", &[]),
    language("tr", "turkish", &[]),
    language("pl", "polish", &[]),
    language("ca", "catalan", &["valencian"]),
    language("nl", "dutch", &["flemish"]),
    language("ar", "arabic", &[]),
    language("sv", "swedish", &[]),
    language("it", "italian", &[]),
    language("id", "indonesian", &[]),
    language("hi", "hindi", &[]),
    language("fi", "finnish", &[]),
    language("vi", "vietnamese", &[]),
    language("he", "hebrew", &[]),
    language("uk", "ukrainian", &[]),
    language("el", "greek", &[]),
    language("ms", "malay", &[]),
    language("cs", "czech", &[]),
    language("ro", "romanian", &["moldavian", "moldovan"]),
    language("da", "danish", &[]),
    language("hu", "hungarian", &[]),
    language("ta", "tamil", &[]),
    language("no", "norwegian", &[]),
    language("th", "thai", &[]),
    language("ur", "urdu", &[]),
    language("hr", "croatian", &[]),
    language("bg", "bulgarian", &[]),
    language("lt", "lithuanian", &[]),
    language("la", "latin", &[]),
    language("mi", "maori", &[]),
    language("ml", "malayalam", &[]),
    language("cy", "welsh", &[]),
    language("sk", "slovak", &[]),
    language("te", "telugu", &[]),
    language("fa", "persian", &[]),
    language("lv", "latvian", &[]),
    language("bn", "bengali", &[]),
    language("sr", "serbian", &[]),
    language("az", "azerbaijani", &[]),
    language("sl", "slovenian", &[]),
    language("kn", "kannada", &[]),
    language("et", "estonian", &[]),
    language("mk", "macedonian", &[]),
    language("br", "breton", &[]),
    language("eu", "basque", &[]),
    language("is", "icelandic", &[]),
    language("hy", "armenian", &[]),
    language("ne", "nepali", &[]),
    language("mn", "mongolian", &[]),
    language("bs", "bosnian", &[]),
    language("kk", "kazakh", &[]),
    language("sq", "albanian", &[]),
    language("sw", "swahili", &[]),
    language("gl", "galician", &[]),
    language("mr", "marathi", &[]),
    language("pa", "punjabi", &["panjabi"]),
    language("si", "sinhala", &["sinhalese"]),
    language("km", "khmer", &[]),
    language("sn", "shona", &[]),
    language("yo", "yoruba", &[]),
    language("so", "somali", &[]),
    language("af", "afrikaans", &[]),
    language("oc", "occitan", &[]),
    language("ka", "georgian", &[]),
    language("be", "belarusian", &[]),
    language("tg", "tajik", &[]),
    language("sd", "sindhi", &[]),
    language("gu", "gujarati", &[]),
    language("am", "amharic", &[]),
    language("yi", "yiddish", &[]),
    language("lo", "lao", &[]),
    language("uz", "uzbek", &[]),
    language("fo", "faroese", &[]),
    language("ht", "haitian creole", &["haitian"]),
    language("ps", "pashto", &["pushto"]),
    language("tk", "turkmen", &[]),
    language("nn", "nynorsk", &[]),
    language("mt", "maltese", &[]),
    language("sa", "sanskrit", &[]),
    language("lb", "luxembourgish", &["letzeburgesch"]),
    language("my", "myanmar", &["burmese"]),
    language("bo", "tibetan", &[]),
    language("tl", "tagalog", &[]),
    language("mg", "malagasy", &[]),
    language("as", "assamese", &[]),
    language("tt", "tatar", &[]),
    language("haw", "hawaiian", &[]),
    language("ln", "lingala", &[]),
    language("ha", "hausa", &[]),
    language("ba", "bashkir", &[]),
    language("jw", "javanese", &[]),
    language("su", "sundanese", &[]),
    language("yue", "cantonese", &[]),
];

/// The language with this code, name or other name, whatever the case of its letters.
pub fn find(code_or_name: &str) -> Option<&'static Language> {
    let wanted = code_or_name.trim();
    let is = |known: &str| known.eq_ignore_ascii_case(wanted);
    LANGUAGES
        .iter()
        .find(|language| is(language.code) || is(language.name) || language.aliases.iter().any(|alias| is(alias)))
}

/// The English name of a code, if the table has it.
pub fn name_of(code: &str) -> Option<&'static str> {
    LANGUAGES.iter().find(|language| language.code == code).map(|language| language.name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn finds_by_code_name_and_alias_in_any_case() {
        assert_eq!(find("de").unwrap().name, "german");
        assert_eq!(find(" German ").unwrap().code, "de");
        assert_eq!(find("CASTILIAN").unwrap().code, "es");
        assert_eq!(find("mandarin").unwrap().code, "zh");
        assert_eq!(find("Moldovan").unwrap().code, "ro");
        assert_eq!(find("haitian creole").unwrap().code, "ht");
        assert_eq!(find("javanese").unwrap().code, "jw");
        assert!(find("jv").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn no_code_or_name_is_ambiguous() {
        let mut seen = HashSet::new();
        for language in &LANGUAGES {
            for word in [language.code, language.name].iter().chain(language.aliases) {
                assert!(seen.insert(*word), "{word} twice");
                assert_eq!(*word, word.to_lowercase());
            }
        }
        assert_eq!(LANGUAGES[0].code, "en");
        assert_eq!(LANGUAGES[99].code, "yue");
    }
}
