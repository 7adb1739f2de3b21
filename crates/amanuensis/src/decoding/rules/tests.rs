use super::*;

const END: Token = 10;
const NO_TIMESTAMPS: Token = 14;
const BEGIN: Token = 15;
const VOCABULARY: usize = 15 + 101;

fn special() -> Special {
    Special {
        end_of_text: END,
        start_of_transcript: 11,
        translate: Some(12),
        transcribe: Some(13),
        start_of_lm: None,
        start_of_previous: None,
        no_speech: None,
        no_timestamps: NO_TIMESTAMPS,
        timestamp_begin: BEGIN,
        timestamp_count: 1501,
        languages: Vec::new(),
        multilingual: true,
    }
}

fn rules() -> Rules {
    Rules::new(vec![3], vec![4, END]).with_timestamps(&special(), 50)
}

/// The tokens that may follow `said`, where text tokens are far more probable than timestamps.
fn allowed(said: &[Token]) -> Vec<Token> {
    allowed_among(said, |token| if token < BEGIN { 10.0 } else { 0.0 })
}

fn allowed_among(said: &[Token], logit: impl Fn(Token) -> f32) -> Vec<Token> {
    let mut logits: Vec<f32> = (0..VOCABULARY as Token).map(logit).collect();
    rules().apply(&mut logits, said, 0);
    (0..VOCABULARY as Token).filter(|&token| logits[token as usize] > f32::NEG_INFINITY).collect()
}

#[test]
fn the_first_token_is_a_timestamp_of_the_first_second() {
    assert_eq!(allowed(&[]), (BEGIN..=BEGIN + 50).collect::<Vec<_>>());
}

#[test]
fn after_a_first_timestamp_comes_text() {
    let allowed = allowed(&[BEGIN]);
    assert!(allowed.iter().all(|&token| token < BEGIN), "{allowed:?}");
    assert!(allowed.contains(&END) && allowed.contains(&4), "only the first position excludes these");
    assert!(!allowed.contains(&3) && !allowed.contains(&NO_TIMESTAMPS));
}

#[test]
fn after_a_closing_timestamp_comes_a_timestamp_or_the_end() {
    let allowed = allowed_among(&[BEGIN, 1, BEGIN + 20], |token| if token == END { 100.0 } else { 0.0 });
    assert_eq!(allowed[0], END);
    assert!(allowed.iter().all(|&token| token >= BEGIN + 20 || (END..BEGIN).contains(&token)));
    assert!(allowed.contains(&(BEGIN + 20)), "the next segment may begin where this one ends");
    assert!(!allowed.contains(&(BEGIN + 19)));
}

#[test]
fn after_a_pair_comes_text() {
    let allowed = allowed(&[BEGIN, 1, BEGIN + 20, BEGIN + 20]);
    assert!(allowed.iter().all(|&token| token < BEGIN));
}

#[test]
fn time_never_stands_still_within_a_segment() {
    let allowed = allowed(&[BEGIN, 1, BEGIN + 20, BEGIN + 30, 2]);
    assert!(!allowed.contains(&(BEGIN + 30)), "a segment without length");
    assert!(allowed.contains(&(BEGIN + 31)) && allowed.contains(&1));
}

#[test]
fn timestamps_come_when_together_they_outweigh_any_text() {
    // 85 timestamps with logit 0 are together as probable as one token with ln 85 = 4.44.
    let said = [BEGIN, 1, BEGIN + 10, BEGIN + 15, 2];
    let text = |allowed: &[Token]| allowed.iter().any(|&token| token < BEGIN);
    assert!(text(&allowed_among(&said, |token| if token == 1 {
        4.45
    } else if token < BEGIN {
        -9.0
    } else {
        0.0
    })));
    assert!(!text(&allowed_among(&said, |token| if token == 1 {
        4.43
    } else if token < BEGIN {
        -9.0
    } else {
        0.0
    })));
}

#[test]
fn without_timestamps_only_lists_count() {
    let mut logits = vec![0.0; VOCABULARY];
    Rules::new(vec![3], vec![4]).apply(&mut logits, &[], 0);
    let forbidden: Vec<_> = (0..VOCABULARY).filter(|&token| logits[token] == f32::NEG_INFINITY).collect();
    assert_eq!(forbidden, [3, 4]);
}
