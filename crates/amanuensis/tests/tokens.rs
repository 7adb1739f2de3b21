//! The tokenizer against the reference: golden ids made with the `tokenizers` package, and properties of any text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use amanuensis::tokens::{NamedBytes, Token, Tokenizer, TokenizerError, TokenizerFiles, TokenizerSettings};
use common::shared;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: Vec<Token>,
}

fn golden(json: &str) -> Vec<Golden> {
    serde_json::from_str(json).unwrap()
}

fn demo_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo")
}

fn read_whole(path: &Path) -> Tokenizer {
    let bytes = std::fs::read(path).unwrap();
    TokenizerFiles::Whole(NamedBytes { name: "tokenizer.json", bytes: &bytes })
        .read(&TokenizerSettings::default())
        .unwrap()
}

fn read_parts(folder: &Path, added: &str, settings: &TokenizerSettings) -> Result<Tokenizer, TokenizerError> {
    let vocabulary = std::fs::read(folder.join("vocab.json")).unwrap();
    let merges = std::fs::read(folder.join("merges.txt")).unwrap();
    let added_bytes = std::fs::read(folder.join(added)).unwrap();
    TokenizerFiles::Parts {
        vocabulary: NamedBytes { name: "vocab.json", bytes: &vocabulary },
        merges: NamedBytes { name: "merges.txt", bytes: &merges },
        added: Some(NamedBytes { name: added, bytes: &added_bytes }),
    }
    .read(settings)
}

fn demo() -> Tokenizer {
    read_parts(&demo_folder(), "added_tokens.json", &TokenizerSettings::default()).unwrap()
}

fn agrees(tokenizer: &Tokenizer, golden: &[Golden]) {
    for Golden { text, tokens } in golden {
        assert_eq!(&tokenizer.encode(text), tokens, "{text:?}");
        assert_eq!(&tokenizer.decode(tokens), text);
    }
}

#[test]
fn demo_vocabulary_encodes_as_the_reference() {
    agrees(&demo(), &golden(include_str!("data/tokens/demo.json")));
}

#[test]
fn standard_vocabulary_encodes_as_the_reference() {
    let Some(shared) = shared() else { return };
    let golden = golden(include_str!("data/tokens/standard.json"));
    let folder = shared.join("models/espeak-whisper-std");
    agrees(&read_whole(&folder.join("tokenizer.json")), &golden);
    agrees(&read_parts(&folder, "added_tokens.json", &TokenizerSettings::default()).unwrap(), &golden);
}

#[test]
fn both_ways_of_storing_a_vocabulary_give_the_same() {
    let Some(shared) = shared() else { return };
    for model in ["espeak-whisper-demo", "espeak-whisper-std"] {
        let folder = shared.join("models").join(model);
        let whole = read_whole(&folder.join("tokenizer.json"));
        for added in ["added_tokens.json", "tokenizer_config.json"] {
            let parts = read_parts(&folder, added, &TokenizerSettings::default()).unwrap();
            assert_eq!(parts.special(), whole.special());
            assert_eq!(parts.vocabulary_size(), whole.vocabulary_size());
            for token in 0..whole.vocabulary_size() as Token {
                assert_eq!(parts.token_bytes(token), whole.token_bytes(token));
            }
        }
    }
}

#[test]
fn decodes_what_the_reference_wrote() {
    let Some(shared) = shared() else { return };
    for model in ["espeak-whisper-demo", "espeak-whisper-std"] {
        let tokenizer = read_whole(&shared.join("models").join(model).join("tokenizer.json"));
        let index = std::fs::read(shared.join("oracle").join(model).join("index.json")).unwrap();
        let index: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&index).unwrap();
        let mut compared = 0;
        for recording in index.values() {
            let tokens = |field: &str| -> Option<Vec<Token>> { serde_json::from_value(recording[field].clone()).ok() };
            if let (Some(plain), Some(timed)) = (tokens("tokens"), tokens("tokens_with_timestamps")) {
                assert_eq!(tokenizer.decode(&plain), recording["text"]);
                assert_eq!(tokenizer.decode_with_timestamps(&timed), recording["text_with_timestamps"]);
                compared += 1;
            }
        }
        assert!(compared > 0);
    }
}

#[test]
fn special_tokens_come_from_the_files() {
    let tokenizer = demo();
    let special = tokenizer.special();
    assert_eq!(tokenizer.vocabulary_size(), 3559);
    assert_eq!((special.end_of_text, special.start_of_transcript), (2048, 2049));
    assert_eq!(special.languages, [("en".to_owned(), 2050), ("de".to_owned(), 2051)]);
    assert_eq!((special.translate, special.transcribe), (Some(2052), Some(2053)));
    assert_eq!((special.start_of_lm, special.start_of_previous), (Some(2054), Some(2055)));
    assert_eq!((special.no_speech, special.no_timestamps), (Some(2056), 2057));
    assert_eq!((special.timestamp_begin, special.timestamp_count), (2058, 1501));
    assert!(special.is_multilingual());
    assert_eq!(special.language_token("de"), Some(2051));
    assert_eq!(special.language_token("fr"), None);
    assert_eq!(special.language_of(2050), Some("en"));
    assert_eq!(tokenizer.token_to_id("<|30.00|>"), Some(3558));
    assert_eq!(tokenizer.token_to_id("<|nospeech|>"), Some(2056));
    assert_eq!(tokenizer.token_to_id(" the"), Some(tokenizer.encode(" the")[0]));
    assert_eq!(tokenizer.token_to_id("<|fr|>"), None);
}

#[test]
fn timestamps_are_steps_of_20_ms() {
    let tokenizer = demo();
    let special = tokenizer.special();
    assert_eq!(special.timestamp(0.46), 2081);
    assert_eq!(special.timestamp_seconds(2081), Some(0.46));
    assert_eq!(special.timestamp_name(2081).unwrap(), "<|0.46|>");
    assert_eq!(special.timestamp_name(3558).unwrap(), "<|30.00|>");
    assert_eq!(special.timestamp_name(2057), None);
    for (seconds, token) in [(-1.0, 2058), (f64::NAN, 2058), (29.99, 3558), (1e300, 3558)] {
        assert_eq!(special.timestamp(seconds), token);
    }
    assert!(!special.is_timestamp(2057) && special.is_timestamp(2058));
    assert!(special.is_timestamp(3558) && !special.is_timestamp(3559) && !special.is_timestamp(Token::MAX));
}

#[test]
fn decodes_text_with_and_without_timestamps() {
    let tokenizer = demo();
    let tokens = [2049, 2050, 2053, 2081, 467, 776, 259, 1863, 565, 897, 443, 82, 13, 2220, 2048, 9_999_999];
    assert_eq!(tokenizer.decode(&tokens), " Please check the server every eleven weeks.");
    assert_eq!(
        tokenizer.decode_with_timestamps(&tokens),
        "<|startoftranscript|><|en|><|transcribe|><|0.46|> Please check the server every eleven weeks.<|3.24|><|endoftext|>"
    );
}

#[test]
fn special_names_in_a_text_are_text() {
    let tokenizer = demo();
    let tokens = tokenizer.encode("<|en|> a<|0.00|>");
    assert!(tokens.iter().all(|token| tokenizer.token_bytes(*token).is_some()));
    assert_eq!(tokenizer.decode(&tokens), "<|en|> a<|0.00|>");
}

#[test]
fn non_speech_tokens_are_the_ones_the_reference_suppresses() {
    // The ids of config.json, less the special ones.
    let expected = [1, 2, 7, 8, 9, 10, 14, 25, 26, 27, 28, 29, 31, 58, 59, 60, 61, 62, 63, 90, 91, 92, 93, 158];
    assert_eq!(demo().non_speech_tokens(), expected);
    let Some(shared) = shared() else { return };
    let tokenizer = read_whole(&shared.join("models/espeak-whisper-std/tokenizer.json"));
    let expected = [
        1, 2, 7, 8, 9, 10, 14, 25, 26, 27, 28, 29, 31, 58, 59, 60, 61, 62, 63, 90, 91, 92, 93, 359, 503, 522, 542, 873,
        893, 902, 918, 922, 931, 1350, 1853, 1982, 2460, 2627, 3246, 3253, 3268, 3536, 3846, 3961, 4183, 4667, 6585,
        6647, 7273, 9061, 9383, 10428, 10929, 11938, 12033, 12331, 12562, 13793, 14157, 14635, 15265, 15618, 16553,
        16604, 18362, 18956, 20075, 21675, 22520, 26130, 26161, 26435, 28279, 29464, 31650, 32302, 32470, 36865, 42863,
        47425, 49870, 50254,
    ];
    assert_eq!(tokenizer.non_speech_tokens(), expected);
}

/// All bytes, two merges, and whatever special tokens the test is about.
fn small(added: &[(&str, Token)]) -> (String, String, String) {
    let letters: serde_json::Map<String, serde_json::Value> = ["a", "b", "c", "Ġ", "ab", "Ġab"]
        .iter()
        .enumerate()
        .map(|(id, text)| ((*text).to_owned(), id.into()))
        .collect();
    let added: serde_json::Map<String, serde_json::Value> =
        added.iter().map(|(name, id)| ((*name).to_owned(), (*id).into())).collect();
    let json = |map| serde_json::Value::Object(map).to_string();
    (json(letters), "#version: 0.2\na b\nĠ ab\n".to_owned(), json(added))
}

fn read_small(added: &[(&str, Token)], settings: &TokenizerSettings) -> Result<Tokenizer, TokenizerError> {
    let (vocabulary, merges, added) = small(added);
    TokenizerFiles::Parts {
        vocabulary: NamedBytes { name: "vocab.json", bytes: vocabulary.as_bytes() },
        merges: NamedBytes { name: "merges.txt", bytes: merges.as_bytes() },
        added: Some(NamedBytes { name: "added_tokens.json", bytes: added.as_bytes() }),
    }
    .read(settings)
}

const BARE: [(&str, Token); 3] = [("<|endoftext|>", 6), ("<|startoftranscript|>", 7), ("<|notimestamps|>", 11)];

#[test]
fn unlisted_timestamps_are_counted_from_the_models_rows() {
    let settings = TokenizerSettings { vocabulary: Some(1513), ..Default::default() };
    let tokenizer = read_small(&BARE, &settings).unwrap();
    assert_eq!((tokenizer.special().timestamp_begin, tokenizer.special().timestamp_count), (12, 1501));
    assert_eq!(tokenizer.vocabulary_size(), 1513);
    assert_eq!(tokenizer.decode_with_timestamps(&[12, 5, 62]), "<|0.00|> ab<|1.00|>");
    assert!(!tokenizer.special().is_multilingual());

    let error = read_small(&BARE, &TokenizerSettings { vocabulary: Some(12), ..Default::default() }).unwrap_err();
    assert!(error.to_string().contains("no timestamps are listed and 12 rows leave no room"), "{error}");
    let error = read_small(&[&BARE[..], &[("<|word|>", 13)]].concat(), &settings).unwrap_err();
    assert!(error.to_string().contains("<|word|> has the id 13, where the timestamps must be"), "{error}");
}

#[test]
fn languages_are_known_by_place_name_or_configuration() {
    let more = [("<|gsw|>", 8), ("<|translate|>", 9), ("<|transcribe|>", 10), ("<|yue|>", 1600), ("<|tlh|>", 1601)];
    let settings = TokenizerSettings { vocabulary: Some(1602), languages: vec!["tlh".to_owned()], multilingual: None };
    let tokenizer = read_small(&[&BARE[..], &more].concat(), &settings).unwrap();
    let special = tokenizer.special();
    assert_eq!(special.languages, [("gsw".to_owned(), 8), ("yue".to_owned(), 1600), ("tlh".to_owned(), 1601)]);
    assert!(special.is_multilingual());
    let settings = TokenizerSettings { multilingual: Some(false), ..settings };
    assert!(!read_small(&[&BARE[..], &more].concat(), &settings).unwrap().special().is_multilingual());
}

#[test]
fn the_older_name_of_no_speech_is_known() {
    let tokenizer = read_small(&[&BARE[..], &[("<|nocaptions|>", 10)]].concat(), &TokenizerSettings::default());
    assert_eq!(tokenizer.unwrap().special().no_speech, Some(10));
}

#[test]
fn added_words_are_taken_whole() {
    let words = [&BARE[..], &[("Zürich", 2000), ("Zürichsee", 2001)]].concat();
    let tokenizer = read_small(&words, &TokenizerSettings::default()).unwrap();
    assert_eq!(tokenizer.encode("abZürichabZürichsee"), [4, 2000, 4, 2001]);
    assert_eq!(tokenizer.decode(&[4, 2000, 2001]), "abZürichZürichsee");
}

fn refused(files: &TokenizerFiles<'_>) -> String {
    files.read(&TokenizerSettings::default()).unwrap_err().to_string()
}

#[test]
fn broken_parts_are_refused_by_name() {
    let (vocabulary, merges, added) = small(&BARE);
    let check = |vocabulary: &str, merges: &str, added: &str, expected: &str| {
        let message = refused(&TokenizerFiles::Parts {
            vocabulary: NamedBytes { name: "vocab.json", bytes: vocabulary.as_bytes() },
            merges: NamedBytes { name: "merges.txt", bytes: merges.as_bytes() },
            added: Some(NamedBytes { name: "added_tokens.json", bytes: added.as_bytes() }),
        });
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    };
    check("", &merges, &added, "vocab.json: not readable as a tokenizer: EOF");
    check("[]", &merges, &added, "a map from text to token id");
    check(r#"{"a":0,"b":0}"#, "", &added, "two tokens have the id 0");
    check(r#"{"a":0,"a":1}"#, "", &added, "\"a\" has the ids 0 and 1");
    check(r#"{"a":-1}"#, "", &added, "vocab.json: not readable");
    check(r#"{"a":4294967295}"#, "", &added, "token id 4294967295 is above the limit");
    check(&vocabulary, "a", &added, "merges.txt: not readable as a tokenizer: line 1");
    check(&vocabulary, "a b c", &added, "line 1");
    check(&vocabulary, "b c", &added, "\"bc\" is no token");
    check(&vocabulary, &merges, "{}", "no token <|startoftranscript|>");
    check(&vocabulary, &merges, "{", "added_tokens.json: not readable");
    check(&vocabulary, &merges, r#"{"<|endoftext|>":0}"#, "the id 0 is both \"a\" and \"<|endoftext|>\"");
    let skewed = r#"{"<|endoftext|>":6,"<|startoftranscript|>":7,"<|notimestamps|>":8,"<|0.00|>":9,"<|0.04|>":10}"#;
    check(&vocabulary, &merges, skewed, "the timestamp <|0.04|> has the id 10, out of order");
}

#[test]
fn broken_tokenizer_json_is_refused_by_name() {
    let file = |pre_tokenizer: &str, normalizer: &str, model: &str| {
        format!(r#"{{"added_tokens":[],"normalizer":{normalizer},"pre_tokenizer":{pre_tokenizer},"model":{model}}}"#)
    };
    let byte_level = r#"{"type":"ByteLevel","add_prefix_space":false}"#;
    let model = r#"{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}"#;
    let cases = [
        ("not json".to_owned(), "tokenizer.json: not readable as a tokenizer"),
        (file("null", "null", model), "the absence of a pre-tokenizer is not supported"),
        (file(r#"{"type":"Whitespace"}"#, "null", model), "the pre-tokenizer Whitespace"),
        (file(byte_level, r#"{"type":"NFC"}"#, model), "the normalizer NFC is not supported"),
        (file(byte_level, "null", r#"{"type":"Unigram","vocab":{},"merges":[]}"#), "a model of type Unigram"),
        (file(byte_level, "null", r#"{"vocab":{"a":0},"merges":["aa"]}"#), "the merge \"aa\""),
        (file(byte_level, "null", r#"{"vocab":{"a":0},"merges":[["a"]]}"#), "invalid length 1, expected two texts"),
        (file(byte_level, "null", r#"{"vocab":{"a":0},"merges":["a a"]}"#), "\"aa\" is no token"),
        (file(byte_level, "null", model), "no token <|startoftranscript|>"),
    ];
    for (json, expected) in cases {
        let message = refused(&TokenizerFiles::Whole(NamedBytes { name: "tokenizer.json", bytes: json.as_bytes() }));
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(text in "\\PC{0,40}|[a-z' .,\\n\\t0-9é中🙂]{0,80}") {
        let tokenizer = demo();
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    }

    #[test]
    fn any_tokens_decode_to_text(tokens in prop::collection::vec(prop_oneof![0..3600u32, any::<u32>()], 0..60)) {
        let tokenizer = demo();
        let text = tokenizer.decode(&tokens);
        prop_assert!(tokenizer.decode_with_timestamps(&tokens).len() + 1 > text.len().min(1));
    }

    #[test]
    fn damaged_files_are_refused_or_read(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = br#"{"added_tokens":[{"id":3,"content":"<|endoftext|>"},{"id":4,"content":"<|startoftranscript|>"},
            {"id":5,"content":"<|notimestamps|>"}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel"},
            "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}}"#.to_vec();
        let place = place.index(file.len());
        file[place] = byte;
        let files = TokenizerFiles::Whole(NamedBytes { name: "tokenizer.json", bytes: &file });
        if let Ok(tokenizer) = files.read(&TokenizerSettings::default()) {
            tokenizer.decode(&tokenizer.encode("abab ba"));
        }
    }
}

fn ranked(file: &str, rows: usize, shared: &Path) -> Tokenizer {
    let bytes = std::fs::read(shared.join("vocab").join(file)).unwrap();
    let settings = TokenizerSettings { vocabulary: Some(rows), ..TokenizerSettings::default() };
    TokenizerFiles::Ranked(NamedBytes { name: file, bytes: &bytes }).read(&settings).unwrap()
}

/// Text in twenty scripts; the golden ids are those of the `tiktoken` package.
#[test]
fn ranked_vocabularies_encode_as_the_reference() {
    let Some(shared) = shared() else { return };
    let multilingual = ranked("multilingual.tiktoken", 51866, &shared);
    let english = ranked("gpt2.tiktoken", 51864, &shared);
    agrees(&multilingual, &golden(include_str!("data/tokens/scripts_multilingual.json")));
    agrees(&english, &golden(include_str!("data/tokens/scripts_english.json")));
    assert_eq!(multilingual.special().language_token("yue"), Some(50358));
    assert_eq!(multilingual.special().timestamp_begin, 50365);
    assert_eq!(english.special().languages.len(), 99);
    assert!(!english.special().is_multilingual());
}

#[test]
fn lists_of_ranks_and_of_merges_give_the_same_ids() {
    let folder = demo_folder();
    let merged = demo();
    let names: Vec<Vec<u8>> = (0..2048).map(|token| merged.bytes_or_name(token).unwrap().into_owned()).collect();
    let tokens: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let settings = TokenizerSettings { vocabulary: Some(2048 + 2 + 2 + 6 + 1501), ..TokenizerSettings::default() };
    let listed = TokenizerFiles::Listed { name: "m.bin", tokens: &tokens }.read(&settings).unwrap();
    assert_eq!(listed.special().end_of_text, merged.special().end_of_text);
    assert_eq!(listed.special().timestamp_begin, merged.special().timestamp_begin);
    for Golden { text, tokens } in golden(include_str!("data/tokens/demo.json")) {
        assert_eq!(listed.encode(&text), tokens, "{text:?}");
    }
    let merges = std::fs::read_to_string(folder.join("merges.txt")).unwrap();
    for line in merges.lines().filter(|line| !line.starts_with("#version")) {
        let text = line.replace(' ', "").replace('Ġ', " ");
        assert_eq!(listed.encode(&text), merged.encode(&text), "{text:?}");
    }
}

#[test]
fn broken_lists_of_ranks_are_refused() {
    let read = |text: &str, rows: usize| {
        let settings = TokenizerSettings { vocabulary: Some(rows), ..TokenizerSettings::default() };
        let file = TokenizerFiles::Ranked(NamedBytes { name: "v.tiktoken", bytes: text.as_bytes() });
        file.read(&settings).map(|tokenizer| tokenizer.vocabulary_size()).map_err(|error| error.to_string())
    };
    assert_eq!(read("YQ== 0\nYmM= 1\r\n= 2\n", 3 + 2 + 1 + 6 + 1501), Ok(1513));
    for (text, rows, expected) in [
        ("YQ== 0\nb 1\n", 1600, "line 2 is not a token in base 64"),
        ("YQ== x\n", 1600, "line 1 is not a token"),
        ("YQ==\n", 1600, "line 1 is not a token"),
        ("Y*== 0\n", 1600, "line 1 is not a token"),
        ("YQ== 99999999999\n", 1600, "line 1 is not a token"),
        ("YQ== 0\nYg== 0\n", 1514, "two tokens have the id 0"),
        ("YQ== 0\n", 1509, "leave no room for languages"),
        ("YQ== 0\n", 2000, "or room for more than 100"),
    ] {
        let message = read(text, rows).unwrap_err();
        assert!(message.contains("v.tiktoken") && message.contains(expected), "{message:?} should say {expected:?}");
    }
    let long = format!("{} 0\n", "YWFh".repeat(100));
    assert!(read(&long, 1600).unwrap_err().contains("token 0 has 300 bytes, more than the limit of 256"));
}

proptest! {
    /// Joining the pair of the lowest id, the leftmost of equals, written down as it is said.
    #[test]
    fn pairs_that_make_a_token_are_joined_lowest_first(
        words in prop::collection::vec("[ab]{2,5}", 0..12),
        text in "[ab]{0,24}",
    ) {
        let mut tokens: Vec<Vec<u8>> = vec![b"a".to_vec(), b"b".to_vec()];
        for word in words {
            if !tokens.contains(&word.clone().into_bytes()) {
                tokens.push(word.into_bytes());
            }
        }
        let list: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let settings = TokenizerSettings { vocabulary: Some(list.len() + 1510), ..TokenizerSettings::default() };
        let tokenizer = TokenizerFiles::Listed { name: "m", tokens: &list }.read(&settings).unwrap();
        let mut parts: Vec<Vec<u8>> = text.bytes().map(|byte| vec![byte]).collect();
        while let Some((_, place)) = (1..parts.len())
            .filter_map(|place| {
                let both = [&parts[place - 1][..], &parts[place]].concat();
                Some((tokens.iter().position(|token| *token == both)?, place))
            })
            .min()
        {
            let right = parts.remove(place);
            parts[place - 1].extend(right);
        }
        let ids: Vec<Token> = parts
            .iter()
            .map(|part| tokens.iter().position(|token| token == part).unwrap() as Token)
            .collect();
        prop_assert_eq!(tokenizer.encode(&text), ids);
    }
}
