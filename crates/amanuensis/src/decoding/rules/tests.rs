use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::backend::{Choices, Next, Wanted, scores};

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
    rules().permitted(said, 0).obey(&mut logits);
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
    Rules::new(vec![3], vec![4]).permitted(&[], 0).obey(&mut logits);
    let forbidden: Vec<_> = (0..VOCABULARY).filter(|&token| logits[token] == f32::NEG_INFINITY).collect();
    assert_eq!(forbidden, [3, 4]);
}

/// What rules are made of.
#[derive(Debug, Clone)]
struct Asked {
    suppressed: Vec<Token>,
    first: Vec<Token>,
    initial: Option<usize>,
    penalty: f32,
    ngram: usize,
}

impl Asked {
    fn rules(&self) -> Rules {
        let rules = Rules::new(self.suppressed.clone(), self.first.clone()).with_repetitions(self.penalty, self.ngram);
        self.initial.map_or(rules.clone(), |initial| rules.with_timestamps(&special(), initial))
    }

    /// The filters one after the other, each a change of the logits, as openai/whisper has them.
    fn filter(&self, logits: &mut [f32], said: &[Token], forced: usize) {
        let forbid = |logits: &mut [f32], tokens: &mut dyn Iterator<Item = usize>| {
            for token in tokens.filter(|token| *token < VOCABULARY) {
                logits[token] = f32::NEG_INFINITY;
            }
        };
        let as_places = |tokens: &[Token]| tokens.iter().map(|token| *token as usize).collect::<Vec<_>>().into_iter();
        if self.penalty != 1.0 {
            let once: std::collections::BTreeSet<Token> = said.iter().copied().collect();
            for token in once {
                let logit = &mut logits[token as usize];
                *logit = if *logit < 0.0 { *logit * self.penalty } else { *logit / self.penalty };
            }
        }
        if self.ngram > 0 && said.len() >= self.ngram {
            let last = said[said.len() + 1 - self.ngram..].to_vec();
            let again = said.windows(self.ngram).filter(|earlier| earlier[..self.ngram - 1] == *last);
            forbid(logits, &mut again.map(|earlier| earlier[self.ngram - 1] as usize));
        }
        if said.len() == forced {
            forbid(logits, &mut as_places(&self.first));
        }
        forbid(logits, &mut as_places(&self.suppressed));
        let Some(initial) = self.initial else { return };
        let (begin, end) = (BEGIN as usize, END as usize);
        forbid(logits, &mut [NO_TIMESTAMPS as usize].into_iter());
        let is_timestamp = |token: &Token| *token >= BEGIN;
        let last = said.last().is_some_and(is_timestamp);
        let one_before = said.len() < 2 || is_timestamp(&said[said.len() - 2]);
        if last && one_before {
            forbid(logits, &mut (begin..VOCABULARY));
        } else if last {
            forbid(logits, &mut (0..end));
        }
        if let Some(latest) = said.iter().rfind(|token| is_timestamp(token)) {
            let earliest = if last && !one_before { *latest } else { latest + 1 };
            forbid(logits, &mut (begin..earliest as usize));
        }
        if said.is_empty() {
            forbid(logits, &mut (0..begin));
            forbid(logits, &mut (begin + initial + 1..VOCABULARY));
        }
        let (text, times) = logits.split_at(begin);
        if scores::log_sum_exp(times) > scores::best(text).1 {
            forbid(logits, &mut (0..begin));
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let tokens = || vec(0..VOCABULARY as Token + 9, 0..12);
    let initial = prop_oneof![Just(None), (0_usize..130).prop_map(Some)];
    let penalty = prop_oneof![Just(1.0_f32), 0.5_f32..2.0];
    let all = (tokens(), tokens(), initial, penalty, 0_usize..4);
    all.prop_map(|(suppressed, first, initial, penalty, ngram)| Asked { suppressed, first, initial, penalty, ngram })
}

fn logits() -> impl Strategy<Value = Vec<f32>> {
    // In steps, so that many are equal; some are impossible from the start. Times are lifted now and then.
    let steps = vec(prop_oneof![9 => -12_i32..12, 1 => Just(i32::MIN)], VOCABULARY);
    (steps, 0.0_f32..8.0).prop_map(|(steps, lift)| {
        let value = |step: i32| if step == i32::MIN { f32::NEG_INFINITY } else { step as f32 / 2.0 };
        let lifted = |token: usize| if token >= BEGIN as usize { lift } else { 0.0 };
        steps.into_iter().enumerate().map(|(token, step)| value(step) + lifted(token)).collect()
    })
}

fn said() -> impl Strategy<Value = Vec<Token>> {
    vec(prop_oneof![2 => 0..END, 1 => BEGIN..BEGIN + 30], 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_permitted_is_what_the_filters_leave(asked in asked(), row in logits(), said in said(), forced in 0_usize..4) {
        let mut expected = row.clone();
        asked.filter(&mut expected, &said, forced);
        let rules = asked.rules();
        let mut found = row.clone();
        rules.hold_repetitions_down(&mut found, &said);
        prop_assert_eq!(rules.mind_repetitions() || found == row, true);
        rules.permitted(&said, forced).obey(&mut found);
        let bits = |row: &[f32]| row.iter().map(|logit| logit.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&found), bits(&expected));
    }

    #[test]
    fn candidates_are_the_best_that_the_filters_leave(asked in asked(), row in logits(), said in said(), count in 1_usize..9) {
        let asked = Asked { penalty: 1.0, ngram: 0, ..asked };
        let mut left = row.clone();
        asked.filter(&mut left, &said, 0);
        let total = scores::log_sum_exp(&left);
        let mut expected: Vec<(Token, f32)> = left.iter().enumerate().map(|(token, logit)| (token as Token, *logit)).collect();
        expected.retain(|(_, logit)| *logit > f32::NEG_INFINITY);
        expected.sort_by(|a, b| b.1.total_cmp(&a.1));
        expected.truncate(count);

        let rules = asked.rules();
        let mut choices = Choices::default();
        choices.begin().prepare(1, VOCABULARY).copy_from_slice(&row);
        let next = Next::Best { permitted: rules.permitted(&said, 0), count };
        choices.find(&Wanted { probability_of: Some(5), next }, 0).expect("numbers");
        let found: Vec<(Token, f32)> = choices.candidates(0).iter().map(|one| (one.token, one.logprob)).collect();
        let expected: Vec<(Token, f32)> = expected.into_iter().map(|(token, logit)| (token, logit - total)).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(choices.probability(0), (row[5] - scores::log_sum_exp(&row)).exp());
    }
}
