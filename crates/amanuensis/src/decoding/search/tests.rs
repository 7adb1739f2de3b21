use super::*;
use crate::decoding::scripted::{TOKENIZER, found, only};

/// A little language: the logits behind a text.
fn language(tokens: &[Token]) -> Vec<f32> {
    let end = TOKENIZER.special().end_of_text;
    match tokens {
        // The most probable beginning leads nowhere good: what greedy search falls for.
        [] => only(&[(100, 1.0), (101, 0.9), (102, -3.0)]),
        [100] => only(&[(103, 0.0), (104, 0.0), (105, 0.0), (106, 0.0)]),
        [101] => only(&[(107, 6.0), (108, 0.0)]),
        _ => only(&[(end, 4.0), (109, 0.0)]),
    }
}

fn terms<'a>(rules: &'a Rules, search: &'a Search) -> Terms<'a> {
    Terms { special: TOKENIZER.special(), rules, search, forced: &[], room: 20 }
}

/// One step: what is found behind the lanes, and what the strategy makes of it.
fn advance<'a>(strategy: &mut (impl Strategy<'a> + ?Sized), lanes: &[Vec<Token>]) -> Vec<Step> {
    let rows: Vec<_> = lanes.iter().enumerate().map(|(lane, said)| (language(said), strategy.next(lane))).collect();
    let mut choices = Choices::default();
    found(&rows, &mut choices);
    strategy.advance(&mut choices, 0..lanes.len()).expect("a step")
}

/// Runs a strategy to its end; gives what it found and how many lanes it had at most.
fn run<'a>(mut strategy: Box<dyn Strategy<'a> + 'a>) -> (Found, usize) {
    let mut lanes: Vec<Vec<Token>> = vec![Vec::new()];
    let mut most = 1;
    loop {
        let steps = advance(&mut *strategy, &lanes);
        if steps.is_empty() {
            return (strategy.finish(), most);
        }
        lanes = steps.iter().map(|&(lane, token)| [&lanes[lane][..], &[token]].concat()).collect();
        most = most.max(lanes.len());
    }
}

/// Every complete text of up to `room` tokens with the sum of its log probabilities.
fn all_texts(text: &[Token], sum: f64, room: usize, found: &mut Vec<(Vec<Token>, f64)>) {
    let logits = language(text);
    let total = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
    for (token, &logit) in logits.iter().enumerate().filter(|(_, logit)| **logit > -10.0) {
        let sum = sum + f64::from(logit) - total;
        if token as Token == TOKENIZER.special().end_of_text {
            found.push((text.to_vec(), sum));
        } else if room > 0 {
            all_texts(&[text, &[token as Token]].concat(), sum, room - 1, found);
        }
    }
}

#[test]
fn beams_find_the_most_probable_text_where_greed_does_not() {
    let (rules, search) = (Rules::new(vec![], vec![]), Search::default());
    let (greedy, lanes) = run(Box::new(Sampling::new(terms(&rules, &search), 0.0, 0)));
    assert_eq!((greedy.tokens[0], lanes), (100, 1));
    let mut texts = Vec::new();
    all_texts(&[], 0.0, 4, &mut texts);
    let rank = |text: &(Vec<Token>, f64)| LengthPenalty::Mean.rank(text.1, text.0.len());
    let best = texts.into_iter().reduce(|best, next| if rank(&next) > rank(&best) { next } else { best });
    let (text, sum) = best.expect("texts");
    let (found, lanes) = run(Box::new(Beam::new(terms(&rules, &search), 5)));
    assert_eq!((found.tokens, lanes), (text, 5));
    assert!((found.sum_logprob - sum).abs() < 1e-4);
}

#[test]
fn one_beam_is_greedy() {
    let (rules, search) = (Rules::new(vec![], vec![]), Search::default());
    let greedy = run(Box::new(Sampling::new(terms(&rules, &search), 0.0, 0))).0;
    let beam = run(Box::new(Beam::new(terms(&rules, &search), 1))).0;
    assert_eq!(beam.tokens, greedy.tokens);
    assert!((beam.sum_logprob - greedy.sum_logprob).abs() < 1e-6);
}

#[test]
fn patience_waits_for_more_hypotheses() {
    let rules = Rules::new(vec![], vec![]);
    let steps = |patience: f32| {
        let search = Search { patience, ..Search::default() };
        let mut beam = Beam::new(terms(&rules, &search), 2);
        let mut lanes: Vec<Vec<Token>> = vec![Vec::new()];
        for count in 1.. {
            let steps = advance(&mut beam, &lanes);
            if steps.is_empty() {
                return (count, beam.ended.len());
            }
            lanes = steps.iter().map(|&(lane, token)| [&lanes[lane][..], &[token]].concat()).collect();
        }
        unreachable!("a search ends")
    };
    let (short, few) = steps(1.0);
    let (long, many) = steps(2.0);
    assert!(short < long, "{short} and {long} steps");
    assert_eq!((few, many), (2, 4));
}

#[test]
fn length_penalties_are_those_of_two_worlds() {
    assert_eq!(LengthPenalty::Mean.rank(-8.0, 4), -2.0);
    assert_eq!(LengthPenalty::Mean.rank(-8.0, 0), -8.0, "an empty text is not divided by nothing");
    assert_eq!(LengthPenalty::Gnmt(1.0).rank(-8.0, 7), -4.0);
    assert_eq!(LengthPenalty::Gnmt(0.0).rank(-8.0, 7), -8.0);
    assert_eq!(LengthPenalty::Power(0.5).rank(-8.0, 4), -4.0);
}

#[test]
fn of_several_samples_the_best_is_taken() {
    let rules = Rules::new(vec![], vec![]);
    let search = Search { best_of: 8, ..Search::default() };
    let (found, lanes) = run(Box::new(Sampling::new(terms(&rules, &search), 1.0, 3)));
    assert_eq!(lanes, 8);
    let one = Search { best_of: 1, ..Search::default() };
    let alone: Vec<f64> = (0..8)
        .map(|seed| run(Box::new(Sampling::new(terms(&rules, &one), 1.0, seed))).0)
        .map(|found| LengthPenalty::Mean.rank(found.sum_logprob, found.said))
        .collect();
    let mean = alone.iter().sum::<f64>() / 8.0;
    assert!(LengthPenalty::Mean.rank(found.sum_logprob, found.said) > mean);
}
