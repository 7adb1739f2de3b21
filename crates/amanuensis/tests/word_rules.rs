//! The rules of word times equal those of openai-whisper's own functions on made-up words.

mod common;

use amanuensis::segments::{
    AlignedWord, HeardWord, Judging, Punctuation, Spoken, Window, WordedPiece, add_words, deal_anew, judge,
};
use amanuensis::speech::Heard;
use amanuensis::tokens::Token;
use common::golden;
use proptest::prelude::*;
use serde_json::Value;

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a time"))
}

fn heard(value: &Value) -> Heard {
    Heard::from_seconds(seconds(value))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

#[test]
fn words_are_placed_as_openai_whisper_places_them() {
    let golden = golden("word_rules.json");
    let end_of_text = read(&golden["end_of_text"]);
    let mut out_of_order = 0;
    for case in list(&golden["place"]) {
        let word = |word: &Value| AlignedWord {
            word: read(&word["word"]),
            tokens: read(&word["tokens"]),
            start: seconds(&word["start"]),
            end: seconds(&word["end"]),
            ..AlignedWord::default()
        };
        let words = list(&case["words"]).iter().map(word).collect();
        let tokens: Vec<Vec<Token>> = list(&case["pieces"]).iter().map(|piece| read(&piece["tokens"])).collect();
        let spoken =
            |(piece, tokens): (&Value, _)| Spoken { start: heard(&piece["start"]), end: heard(&piece["end"]), tokens };
        let pieces: Vec<Spoken<'_>> =
            list(&case["pieces"]).iter().zip(tokens.iter().map(Vec::as_slice)).map(spoken).collect();
        let window = Heard::from_frames(read(&case["seek"]));
        let last_speech = heard(&case["last_speech"]);
        let found = add_words(window, &pieces, words, &Punctuation::default(), end_of_text, last_speech);
        let expected = list(&case["expected"]);
        assert_eq!(found.len(), expected.len());

        // Where openai-whisper's words overlap, ours are put in order; the rules are compared where they do not.
        let times: Vec<f64> = expected
            .iter()
            .flat_map(|piece| list(&piece["words"]))
            .flat_map(|word| [seconds(&word["start"]), seconds(&word["end"])])
            .collect();
        let ordered = times.is_sorted() && times.first().is_none_or(|first| *first >= seconds(&case["last_speech"]));
        out_of_order += usize::from(!ordered);
        for (found, expected) in found.iter().zip(expected) {
            let words = list(&expected["words"]);
            let texts: Vec<&str> = found.words.iter().map(|word| word.word.as_str()).collect();
            assert_eq!(texts, words.iter().map(|word| word["word"].as_str().expect("a word")).collect::<Vec<_>>());
            if !ordered {
                continue;
            }
            let same = |found: Heard, expected: f64| (found.seconds() - expected).abs() < 1e-9;
            for (found, expected) in found.words.iter().zip(words) {
                let equal =
                    same(found.start, seconds(&expected["start"])) && same(found.end, seconds(&expected["end"]));
                assert!(equal, "{found:?} is not {expected} in {case}");
            }
            // A piece covers its words, which openai-whisper does not see to.
            let (mut start, mut end) = (seconds(&expected["start"]), seconds(&expected["end"]));
            if let ([first, ..], [.., last]) = (words, words) {
                (start, end) = (start.min(seconds(&first["start"])), end.max(seconds(&last["end"])));
            }
            assert!(same(found.start, start) && same(found.end, end), "{found:?} is not {expected} in {case}");
        }
    }
    assert!(out_of_order < list(&golden["place"]).len() / 5, "{out_of_order} cases compare nothing");
}

#[test]
fn windows_are_judged_as_openai_whisper_judges_them() {
    for case in list(&golden("word_rules.json")["judge"]) {
        let word = |word: &Value| HeardWord {
            word: read(&word["word"]),
            start: heard(&word["start"]),
            end: heard(&word["end"]),
            probability: read(&word["probability"]),
            ..HeardWord::default()
        };
        let piece = |piece: &Value| WordedPiece {
            start: heard(&piece["start"]),
            end: heard(&piece["end"]),
            words: list(&piece["words"]).iter().map(word).collect(),
        };
        let pieces: Vec<WordedPiece> = list(&case["pieces"]).iter().map(piece).collect();
        let judging = Judging {
            window: Window { start: read(&case["start"]), frames: read(&case["frames"]) },
            content: read(&case["content"]),
            next: read(&case["next"]),
            heard_to_end: read(&case["heard_to_end"]),
            last_speech: heard(&case["last_speech"]),
        };
        let judged = judge(&judging, &pieces, case["threshold"].as_f64());
        let expected = &case["expected"];
        let found = (judged.kept, judged.next);
        assert_eq!(found, (read(&expected["kept"]), read(&expected["next"])), "{judged:?} in {case}");
        if let Some(last_speech) = expected["last_speech"].as_f64() {
            assert!((judged.last_speech.seconds() - last_speech).abs() < 1e-9, "{judged:?} in {case}");
        }
    }
}

/// Which word, frames of silence before it, and how many it lasts.
type MadeWord = (usize, u32, u32);

/// Frames before a piece, and how many it lasts.
type MadePiece = (u32, u32);

/// Words dealt to pieces of a window, in order.
#[derive(Debug, Clone)]
struct MadeWindow {
    words: Vec<MadeWord>,
    pieces: Vec<MadePiece>,
    /// Frame at which it begins.
    start: u32,
    /// Frames from there to the end of the last word before it.
    spoken: i32,
}

fn windows() -> impl Strategy<Value = MadeWindow> {
    let words = proptest::collection::vec((0usize..10, 0u32..40, 0u32..240), 0..30);
    let pieces = proptest::collection::vec((0u32..300, 0u32..300), 1..6);
    (words, pieces, prop_oneof![Just(0), 0u32..40_000], -3000i32..50)
        .prop_map(|(words, pieces, start, spoken)| MadeWindow { words, pieces, start, spoken })
}

/// The words of a window, and its pieces with them.
fn placed(window: &MadeWindow) -> (Vec<AlignedWord>, Vec<WordedPiece>) {
    const WORDS: [&str; 10] = [" one", " two", "n't", " -", " (", ")", ".", "?", " three", "、"];
    let mut now = 0;
    let word = |(token, &(word, gap, length)): (usize, &MadeWord)| {
        let start = now + gap / 2;
        now = start + length / 2;
        let (start, end) = (f64::from(start) / 50.0, f64::from(now) / 50.0);
        AlignedWord { word: WORDS[word].to_owned(), tokens: vec![token as Token], start, end, ..AlignedWord::default() }
    };
    let words: Vec<AlignedWord> = window.words.iter().enumerate().map(word).collect();
    let share = words.len().div_ceil(window.pieces.len()).max(1);
    let tokens: Vec<Token> = (0..words.len() as Token).collect();
    let dealt = tokens.chunks(share).chain(std::iter::repeat(&[][..]));
    let mut end = window.start;
    let piece = |(&(gap, length), tokens): (&MadePiece, _)| {
        let start = end + gap;
        end = start + length;
        Spoken { start: Heard::from_frames(start.into()), end: Heard::from_frames(end.into()), tokens }
    };
    let pieces: Vec<Spoken<'_>> = window.pieces.iter().zip(dealt).map(piece).collect();
    let last_speech = Heard::from_frames(window.start.saturating_add_signed(window.spoken).into());
    let start = Heard::from_frames(window.start.into());
    let placed = add_words(start, &pieces, words.clone(), &Punctuation::default(), 50, last_speech);
    (words, placed)
}

proptest! {
    #[test]
    fn time_does_not_run_backwards_and_pieces_cover_their_words(window in windows()) {
        let (words, placed) = placed(&window);
        prop_assert_eq!(placed.len(), window.pieces.len());
        let text = |words: Vec<&str>| words.concat();
        let said = text(placed.iter().flat_map(|piece| &piece.words).map(|word| word.word.as_str()).collect());
        prop_assert_eq!(said, text(words.iter().map(|word| word.word.as_str()).collect()), "no word is lost");
        let mut before = 0.0;
        for piece in &placed {
            for word in &piece.words {
                let (start, end) = (word.start.seconds(), word.end.seconds());
                prop_assert!(before <= start && start <= end, "{before} {word:?}");
                prop_assert!(piece.start.seconds() <= start && end <= piece.end.seconds(), "{word:?} in {piece:?}");
                prop_assert!(!word.word.is_empty());
                before = end;
            }
        }
    }
}

#[test]
fn every_piece_has_its_own_words_in_the_end() {
    let word = |text: &str, tokens: usize, at: f64| HeardWord {
        word: text.to_owned(),
        start: Heard::from_seconds(at),
        end: Heard::from_seconds(at + 0.5),
        tokens: vec![1; tokens],
        ..HeardWord::default()
    };
    let piece = |words: Vec<HeardWord>| WordedPiece { words, ..WordedPiece::default() };
    // "I left", ", then", "he came": the mark went to "left", and the piece behind it took a word too many.
    let mut placed = [
        piece(vec![word(" I", 1, 0.0), word(" left,", 2, 0.5)]),
        piece(vec![word(" then", 1, 1.0), word(" he", 1, 1.5)]),
        piece(vec![word(" came", 1, 2.0)]),
    ];
    let spoken = |tokens| Spoken { start: Heard::default(), end: Heard::default(), tokens };
    let pieces = [spoken(&[1, 1][..]), spoken(&[1, 1]), spoken(&[1, 1])];
    deal_anew(&mut placed, &pieces, 50);
    let texts: Vec<Vec<&str>> =
        placed.iter().map(|piece| piece.words.iter().map(|word| word.word.as_str()).collect()).collect();
    assert_eq!(texts, [vec![" I", " left,"], vec![" then"], vec![" he", " came"]]);
    assert_eq!((placed[2].start.seconds(), placed[2].end.seconds()), (1.5, 2.5));
    let before = placed.clone();
    deal_anew(&mut placed, &pieces, 50);
    assert_eq!(placed, before, "once is enough");
}
