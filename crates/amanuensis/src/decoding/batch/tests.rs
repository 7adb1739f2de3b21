use super::*;
use crate::decoding::Request;
use crate::decoding::scripted::{NEVER, Scripted, TOKENIZER, only, work};

fn special() -> &'static Special {
    TOKENIZER.special()
}

fn prompt() -> Prompt {
    let request = Request { language: None, task: None, timestamps: false };
    Prompt::new(special(), request, &[], &[], 448)
}

/// Behind how many tokens of the prompt the transcript begins.
fn said(tokens: &[Token]) -> &[Token] {
    &tokens[prompt().tokens.len().min(tokens.len())..]
}

struct Asked {
    prompt: Prompt,
    rules: Rules,
    search: Search,
    thresholds: Thresholds,
    resort: Resort,
}

impl Default for Asked {
    fn default() -> Self {
        Asked {
            prompt: prompt(),
            rules: Rules::new(Vec::new(), Vec::new()),
            search: Search::default(),
            thresholds: Thresholds::default(),
            resort: Resort::Last,
        }
    }
}

impl Asked {
    fn item(&self, window: usize) -> Item<'_> {
        let Asked { prompt, rules, search, thresholds, resort } = self;
        Item { window, prompt, rules, search, thresholds, resort: *resort, place: window as u64, cancel: &NEVER }
    }
}

/// Says 100 101 102 and ends, with two other tokens that are possible at every step.
fn sentence(tokens: &[Token], logit: f32) -> Vec<f32> {
    only(&[(next(tokens), logit), (500, 0.0), (501, 0.0)])
}

/// Says the same, but with forty other tokens nearly as probable.
fn guess(tokens: &[Token]) -> Vec<f32> {
    let others = (600..640).map(|token| (token, 0.9));
    only(&others.chain([(next(tokens), 1.0)]).collect::<Vec<_>>())
}

fn next(tokens: &[Token]) -> Token {
    match said(tokens).len() {
        length @ 0..3 => 100 + length as Token,
        _ => special().end_of_text,
    }
}

#[test]
fn a_text_that_is_good_enough_is_taken_at_once() {
    let mut decoding = Scripted::new(|_, tokens: &[Token]| sentence(tokens, 8.0));
    let asked = Asked::default();
    let decoded = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens");
    assert_eq!(decoded[0].tokens, [100, 101, 102]);
    assert_eq!((decoded[0].temperature, decoded[0].tries, decoded[0].looped), (0.0, 1, false));
    // Three tokens and the end, each with the same probability: e^8 / (e^8 + 2).
    let logprob = -(1.0 + 2.0 * (-8.0_f32).exp()).ln();
    assert!((decoded[0].avg_logprob - logprob).abs() < 1e-4, "{}", decoded[0].avg_logprob);
    assert_eq!(decoding.starts, [[0]]);
}

#[test]
fn only_windows_that_fail_are_decoded_again_and_together() {
    // Windows 1 and 3 are unsure; the others are not.
    let script = |window: usize, tokens: &[Token]| if window % 2 == 1 { guess(tokens) } else { sentence(tokens, 8.0) };
    let mut decoding = Scripted::new(script);
    let mut asked = Asked::default();
    asked.search = Search { temperatures: vec![0.0, 0.4, 0.8], best_of: 2, ..asked.search };
    asked.rules = Rules::new(vec![], vec![]);
    let items: Vec<Item<'_>> = (0..4).map(|window| asked.item(window)).collect();
    let decoded = decode(&mut decoding, &items, &TOKENIZER, &mut work()).expect("tokens");
    assert_eq!(decoding.starts, [vec![0, 1, 2, 3], vec![1, 3], vec![1, 3]]);
    assert_eq!(decoded.iter().map(|decoded| decoded.tries).collect::<Vec<_>>(), [1, 3, 1, 3]);
    assert_eq!(decoded[1].temperature, 0.8);
}

#[test]
fn what_is_found_does_not_depend_on_who_stands_beside() {
    let script = |window: usize, tokens: &[Token]| {
        let mut logits = sentence(tokens, 1.0 + window as f32 * 0.3);
        logits[200 + window] = 0.8;
        logits
    };
    for beam_size in [None, Some(3)] {
        let mut asked = Asked::default();
        asked.search = Search { temperatures: vec![0.0, 0.7], beam_size, max_new_tokens: Some(9), ..asked.search };
        let items: Vec<Item<'_>> = (0..5).map(|window| asked.item(window)).collect();
        let together = decode(&mut Scripted::new(script), &items, &TOKENIZER, &mut work()).expect("tokens");
        for (item, expected) in items.iter().zip(&together) {
            let alone = decode(&mut Scripted::new(script), &[*item], &TOKENIZER, &mut work()).expect("tokens");
            assert_eq!(&alone[0], expected, "window {} with beams {beam_size:?}", item.window);
        }
    }
}

#[test]
fn a_decoder_that_always_repeats_is_stopped_within_thirty_two_tokens() {
    for round in [1, 2, 5, 16] {
        for (beam_size, temperatures) in [(None, vec![0.0]), (Some(3), vec![0.0]), (None, vec![0.5])] {
            let script = |_: usize, tokens: &[Token]| only(&[(100 + said(tokens).len() as Token % round, 30.0)]);
            let mut decoding = Scripted::new(script);
            let mut asked = Asked::default();
            asked.search = Search { temperatures, beam_size, best_of: 2, ..asked.search };
            let decoded = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens");
            assert!(decoding.steps.len() <= round as usize + 33, "{} steps", decoding.steps.len());
            assert!(decoded[0].looped, "round of {round}");
            let first: Vec<Token> = (0..round).map(|n| 100 + n).collect();
            assert_eq!(decoded[0].tokens, first, "the first time stays");
        }
    }
}

#[test]
fn a_loop_is_tried_again_and_counts_only_if_nothing_better_comes() {
    // Loops unless sampling strays into 300, which ends.
    let script = |_: usize, tokens: &[Token]| match said(tokens) {
        [.., 300] => only(&[(special().end_of_text, 9.0)]),
        _ => only(&[(100, 3.0), (300, 1.0)]),
    };
    let mut decoding = Scripted::new(script);
    let mut asked = Asked::default();
    asked.search = Search { temperatures: vec![0.0, 1.0], ..asked.search };
    let decoded = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens");
    assert_eq!((decoded[0].tries, decoded[0].looped), (2, false));
    assert_eq!(decoded[0].tokens.last(), Some(&300));
}

#[test]
fn without_the_guard_a_loop_runs_to_the_end() {
    let mut decoding = Scripted::new(|_, _: &[Token]| only(&[(100, 30.0)]));
    let mut asked = Asked::default();
    asked.search = Search { temperatures: vec![0.0], stop_loops: false, ..asked.search };
    let decoded = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens");
    assert_eq!((decoded[0].tokens.len(), decoded[0].looped), (224, false));
}

#[test]
fn silence_is_not_tried_again() {
    let no_speech = special().no_speech.expect("a token for silence");
    let script = |_: usize, tokens: &[Token]| {
        // Read at the start of the transcript for silence, and behind the prompt for the first token.
        if tokens.len() == 1 { only(&[(no_speech, 9.0)]) } else { guess(tokens) }
    };
    let mut decoding = Scripted::new(script);
    let asked = Asked::default();
    let decoded = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens");
    assert!(decoded[0].no_speech_prob > 0.9);
    assert_eq!(decoded[0].tries, 1);
    assert!(asked.thresholds.is_silence(&decoded[0]));
}

#[test]
fn the_best_of_all_is_taken_where_that_is_asked_for() {
    let script = |_: usize, tokens: &[Token]| guess(tokens);
    let mut asked = Asked::default();
    asked.search = Search { temperatures: vec![0.0, 0.9], best_of: 1, max_new_tokens: Some(6), ..asked.search };
    let tried = |asked: &Asked| {
        decode(&mut Scripted::new(script), &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens").remove(0)
    };
    let last = tried(&asked);
    assert_eq!((last.temperature, last.tries), (0.9, 2));
    asked.resort = Resort::Best;
    let best = tried(&asked);
    assert_eq!(best.tries, 2);
    assert!(best.avg_logprob >= last.avg_logprob);
}

#[test]
fn seeds_decide_what_is_sampled() {
    let script = |_: usize, tokens: &[Token]| {
        if said(tokens).len() < 12 {
            only(&(0..40).map(|n| (100 + n, 1.0)).collect::<Vec<_>>())
        } else {
            only(&[(special().end_of_text, 9.0)])
        }
    };
    let sampled = |seed: u64, window: usize| {
        let thresholds = Thresholds { compression_ratio: None, logprob: None, no_speech: None, entropy: None };
        let mut asked = Asked { thresholds, ..Asked::default() };
        asked.search = Search { temperatures: vec![1.0], best_of: 1, seed, ..asked.search };
        decode(&mut Scripted::new(script), &[asked.item(window)], &TOKENIZER, &mut work())
            .expect("tokens")
            .remove(0)
            .tokens
    };
    assert_eq!(sampled(1, 0), sampled(1, 0));
    assert_ne!(sampled(1, 0), sampled(2, 0));
    assert_ne!(sampled(1, 0), sampled(1, 1), "each window has lots of its own");
}

#[test]
fn a_forced_beginning_is_part_of_the_text_but_not_of_its_probability() {
    let request = Request { language: None, task: None, timestamps: false };
    let forced = Prompt::new(special(), request, &[], &[100, 101], 448);
    let asked = Asked { prompt: forced, ..Asked::default() };
    let mut decoding = Scripted::new(|_, tokens: &[Token]| sentence(tokens, 8.0));
    let decoded = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work()).expect("tokens");
    assert_eq!(decoded[0].tokens, [100, 101, 102]);
    let logprob = -(1.0 + 2.0 * (-8.0_f32).exp()).ln();
    assert!((decoded[0].avg_logprob - logprob).abs() < 1e-4);
}

#[test]
fn weights_that_are_no_numbers_are_an_error() {
    for beam_size in [None, Some(2)] {
        let mut decoding = Scripted::new(|_, _: &[Token]| vec![f32::NAN; TOKENIZER.vocabulary_size()]);
        let mut asked = Asked::default();
        asked.search.beam_size = beam_size;
        let result = decode(&mut decoding, &[asked.item(0)], &TOKENIZER, &mut work());
        assert!(matches!(result, Err(BackendError::NotANumber { .. })));
    }
}
