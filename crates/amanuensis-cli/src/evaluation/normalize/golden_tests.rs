//! Texts with what openai-whisper's normalisers make of them.

use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;

use super::{Spelling, basic, english};

/// Made by the package over texts written for this test.
#[derive(Deserialize)]
struct Golden {
    english: Vec<(String, String)>,
    basic: Vec<(String, bool, String)>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

/// openai-whisper's table, if it lies in the shared test data.
fn table() -> Option<Spelling> {
    let shared = std::env::var_os("AMANUENSIS_SHARED").map(PathBuf::from);
    if shared.is_none() {
        eprintln!("not run: AMANUENSIS_SHARED is not set");
    }
    Some(Spelling::table(&shared?.join("vocab/english-normalizer.json")).unwrap())
}

/// How many of the English texts come out as expected, of how many. The others are printed.
fn equal(spelling: &Spelling) -> (usize, usize) {
    let golden = golden().english;
    let same = |(text, expected): &&(String, String)| {
        let normal = english::normalize(text, spelling);
        if normal != *expected {
            eprintln!("{text:?}\n  gives    {normal:?}\n  expected {expected:?}");
        }
        normal == *expected
    };
    (golden.iter().filter(same).count(), golden.len())
}

#[test]
fn english_with_the_table_equals_openai_whisper() {
    let Some(table) = table() else { return };
    let (equal, all) = equal(&table);
    assert!(100 * equal >= 99 * all, "{equal} of {all}");
}

#[test]
fn english_with_the_rules_equals_openai_whisper_nearly_always() {
    let (equal, all) = equal(&Spelling::rules());
    assert!(100 * equal >= 99 * all, "{equal} of {all}");
}

#[test]
fn rules_cover_most_of_the_table() {
    let Some(Spelling(super::spelling::Source::Table { words, .. })) = table() else { return };
    let rules = Spelling::rules();
    let equal = words.iter().filter(|(british, american)| rules.of(british) == **american).count();
    // What the table writes in the American way, the rules leave alone.
    let kept = words.values().filter(|american| rules.of(american) == **american).count();
    for (british, american) in &words {
        if rules.of(british) != *american || rules.of(american) != *american {
            eprintln!("{british} -> {} ({american} -> {})", rules.of(british), rules.of(american));
        }
    }
    assert!(100 * equal >= 92 * words.len(), "{equal} of {} are changed alike", words.len());
    assert!(100 * kept >= 99 * words.len(), "{kept} of {} stay", words.len());
}

#[test]
fn basic_equals_openai_whisper() {
    for (text, split_letters, expected) in golden().basic {
        assert_eq!(basic(&text, split_letters), expected, "{text:?}");
    }
}

/// Pieces that meet each other in every way: number words, digits, signs, letters of several scripts.
fn pieces() -> impl Strategy<Value = String> {
    let words = "one nineteen eighty hundred thousand decillion first nineties millionth oh double point and half a per \
                 cent percent dollars ¢7 $2 $0 minus 1 007 3.50 . , % ' 's n't ( ) [ ] é ① 東 1s 22 nd can't mr half";
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let piece = prop_oneof![prop::sample::select(words), "[0-9.,$%]{1,40}", "\\PC{0,4}"];
    let space = prop_oneof![Just(""), Just(" "), Just("\t ")];
    prop::collection::vec((piece, space), 0..24)
        .prop_map(|parts| parts.into_iter().map(|(piece, space)| piece + space).collect())
}

proptest! {
    #[test]
    fn any_text_comes_out_with_single_spaces(text in pieces()) {
        for normal in [english::normalize(&text, &Spelling::rules()), basic(&text, false), basic(&text, true)] {
            prop_assert!(!normal.contains("  "), "{:?} gives {:?}", text, normal);
        }
    }
}
