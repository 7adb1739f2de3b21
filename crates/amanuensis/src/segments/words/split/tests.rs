use super::*;
use crate::tokens::{NamedBytes, TokenizerFiles, TokenizerSettings};

fn demo() -> Tokenizer {
    read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo"))
}

fn read(folder: &str) -> Tokenizer {
    let [vocabulary, merges, added] = ["vocab.json", "merges.txt", "added_tokens.json"]
        .map(|name| std::fs::read(format!("{folder}/{name}")).unwrap());
    TokenizerFiles::Parts {
        vocabulary: NamedBytes { name: "vocab.json", bytes: &vocabulary },
        merges: NamedBytes { name: "merges.txt", bytes: &merges },
        added: Some(NamedBytes { name: "added_tokens.json", bytes: &added }),
    }
    .read(&TokenizerSettings::default())
    .unwrap()
}

fn split(text: &str, language: Option<&str>) -> Vec<String> {
    let tokenizer = demo();
    let tokens = tokenizer.encode(text);
    let words = words(&tokenizer, &tokens, language);
    assert_eq!(words.iter().flat_map(|(_, tokens)| tokens.clone()).collect::<Vec<_>>(), tokens, "no token is lost");
    words.into_iter().map(|(word, _)| word).collect()
}

#[test]
fn words_begin_with_spaces_and_marks_stand_alone() {
    let words = split(" Please check (the) server, now.", Some("en"));
    assert_eq!(words, [" Please", " check", " ", "(the", ")", " server", ",", " now", "."]);
    assert_eq!(split(" Please check.", None), [" Please", " check", "."], "the language of an English-only model");
    assert_eq!(split(" 안녕 하세요", Some("ko")), [" 안녕", " 하세요"], "Korean has spaces");
    assert!(split("", Some("en")).is_empty());
}

#[test]
fn without_spaces_every_whole_character_is_a_word() {
    for language in WITHOUT_SPACES {
        assert_eq!(split("你好吗ไทย", Some(language)), ["你", "好", "吗", "ไ", "ท", "ย"], "{language}");
    }
    assert_eq!(split("你好吗", Some("en")), ["你好吗"], "one word where spaces are expected");
}

#[test]
fn broken_characters_are_words_of_their_own_and_nothing_is_lost() {
    let tokenizer = demo();
    let tokens = tokenizer.encode("你好");
    // One byte is missing from the first character, two from the second.
    let broken: Vec<Token> = [&tokens[1..tokens.len() - 2]].concat();
    for language in ["zh", "en"] {
        let words = words(&tokenizer, &broken, Some(language));
        assert_eq!(words.iter().flat_map(|(_, tokens)| tokens.clone()).collect::<Vec<_>>(), broken);
        assert!(words.iter().all(|(word, _)| word.chars().all(|character| character == '\u{fffd}')), "{words:?}");
    }
}

#[derive(serde::Deserialize)]
struct Golden {
    split: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    language: String,
    words: Vec<String>,
    tokens: Vec<Vec<Token>>,
}

#[test]
fn words_of_many_languages_are_those_of_openai_whisper() {
    // The vocabulary is Whisper's own, which only the shared data has.
    let Ok(shared) = std::env::var("AMANUENSIS_SHARED") else { return };
    let tokenizer = read(&format!("{shared}/models/espeak-whisper-std"));
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/word_rules.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    for Case { language, words: texts, tokens } in golden.split {
        let found = words(&tokenizer, &tokens.concat(), Some(&language));
        assert_eq!(found, texts.into_iter().zip(tokens).collect::<Vec<_>>(), "{language}");
    }
}
