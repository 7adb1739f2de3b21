//! The choice of the next token where the logits lie, beside the engine's own.

use amanuensis::backend::{Choices, Next, Wanted};
use amanuensis::decoding::Rules;

use super::*;
use crate::driver::fake::Fault;

/// How far a logarithm of a probability may be from the engine's: both sum in f32, in another order.
const TOLERANCE: f32 = 1e-4;

const PROMPT: [Token; 3] = [2049, 2050, 2053];

/// What is wanted of some lanes: every kind of choice beside every other.
fn wanted<'a>(rules: &'a [Rules; 3], said: &'a [Vec<Token>], silence: Option<Token>) -> Vec<Wanted<'a>> {
    let best = |rules: &'a Rules, said: &'a [Token], count| Next::Best { permitted: rules.permitted(said, 0), count };
    let next = |lane: usize| match lane % 6 {
        0 => best(&rules[0], &said[lane], 1),
        1 => Next::Logits,
        2 => best(&rules[1], &said[lane], 6),
        3 => Next::Nothing,
        4 => best(&rules[2], &said[lane], 3),
        _ => best(&rules[1], &said[lane], 1),
    };
    (0..said.len()).map(|lane| Wanted { probability_of: silence.filter(|_| lane % 4 < 2), next: next(lane) }).collect()
}

fn rules() -> [Rules; 3] {
    let file = demo();
    let (special, generation) = (file.tokenizer.special(), &file.generation);
    let suppressed = || generation.suppress_tokens.clone();
    [
        Rules::new(suppressed(), generation.begin_suppress_tokens.clone()),
        Rules::new(suppressed(), generation.begin_suppress_tokens.clone()).with_timestamps(special, 50),
        Rules::new((0..special.end_of_text).step_by(3).collect(), Vec::new()).with_timestamps(special, 10),
    ]
}

#[test]
fn choices_are_what_the_engine_finds_in_the_logits() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let encoded = encode(&*model, &[window("english.wav", 0, 60), window("german.wav", 30, 88)]);
    let (file, rules) = (demo(), rules());
    let special = file.tokenizer.special();
    let stamp = special.timestamp_begin;
    let said: Vec<Vec<Token>> = vec![
        vec![],
        vec![stamp],
        vec![],
        vec![280],
        vec![stamp, 280, stamp + 9],
        vec![stamp + 2],
        vec![467, 300],
        vec![stamp],
        vec![stamp, 300, stamp + 20, stamp + 20],
    ];
    let fed: Vec<Vec<Token>> = said.iter().map(|said| [&PROMPT, &said[..]].concat()).collect();
    let windows: Vec<usize> = (0..said.len()).map(|lane| lane % 2).collect();
    let wanted = wanted(&rules, &said, special.no_speech);
    let last: Vec<[usize; 1]> = fed.iter().map(|tokens| [tokens.len() - 1]).collect();
    let feeds: Vec<Feed<'_>> = fed.iter().zip(&last).map(|(tokens, read)| Feed { tokens, read }).collect();

    let mut decoding = begin(&*model, &encoded);
    let (mut right, mut found) = (Choices::default(), Choices::default());
    decoding.start(&windows);
    decoding.step(&feeds, right.begin(), &mut work()).expect("a step");
    wanted.iter().enumerate().for_each(|(row, wanted)| right.find(wanted, row).expect("numbers"));
    decoding.start(&windows);
    decoding.choose(&feeds, &wanted, &mut found, &mut work()).expect("a step");
    for (row, wanted) in wanted.iter().enumerate() {
        let off = (found.probability(row) - right.probability(row)).abs();
        assert!(off < TOLERANCE, "row {row}: a probability that is {off} off");
        assert_eq!(found.candidates(row).len(), right.candidates(row).len(), "row {row}");
        for (found, right) in found.candidates(row).iter().zip(right.candidates(row)) {
            assert_eq!(found.token, right.token, "row {row}");
            assert!((found.logprob - right.logprob).abs() < TOLERANCE, "row {row}: {found:?}, not {right:?}");
        }
        if matches!(wanted.next, Next::Logits) {
            assert!(found.logits(row) == right.logits(row), "row {row}");
        }
    }
    assert!((0..said.len()).any(|row| right.candidates(row).len() == 6) && right.probability(0) > 0.0);
    assert!(emulated.gpu.guarded());
}

#[test]
fn a_greedy_step_brings_back_a_few_bytes_for_each_lane() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let encoded = encode(&*model, &[window("english.wav", 0, 40)]);
    let rules = &rules()[1];
    let lanes = 64;
    let mut decoding = begin(&*model, &encoded);
    let mut choices = Choices::default();
    decoding.start(&vec![0; lanes]);
    for said in [vec![], vec![2055], vec![2055, 280]] {
        let feed = Feed { tokens: &[280], read: &[0] };
        let next = Next::Best { permitted: rules.permitted(&said, 0), count: 1 };
        let wanted = vec![Wanted { probability_of: None, next }; lanes];
        let before = emulated.gpu.counts();
        decoding.choose(&vec![feed; lanes], &wanted, &mut choices, &mut work()).expect("a step");
        let after = emulated.gpu.counts();
        assert_eq!((after.read - before.read, after.waits - before.waits), (20 * lanes as u64, 1));
        assert!((0..lanes).all(|lane| choices.candidates(lane).len() == 1));
    }
}

#[test]
fn a_choice_that_fails_is_an_error_and_has_not_happened() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let encoded = encode(&*model, &[window("english.wav", 0, 40)]);
    let rules = &rules()[0];
    let choose = |decoding: &mut dyn Decoding, work: &mut Work<'_>| {
        let next = Next::Best { permitted: rules.permitted(&[], 0), count: 2 };
        let (feed, wanted) = (Feed { tokens: &PROMPT, read: &[2] }, Wanted { probability_of: Some(5), next });
        let mut choices = Choices::default();
        decoding.choose(&[feed], &[wanted], &mut choices, work).map(|()| choices.candidates(0).to_vec())
    };
    let mut decoding = begin(&*model, &encoded);
    decoding.start(&[0]);
    let before = emulated.gpu.counts();
    let right = choose(&mut *decoding, &mut work()).expect("a choice");
    let operations = emulated.gpu.counts().operations - before.operations;
    // The last operation is the choice itself.
    for refused in [0, operations - 1] {
        decoding.start(&[0]);
        emulated.gpu.fail(Fault::Launch(refused));
        let mut during = work();
        let failed = choose(&mut *decoding, &mut during);
        assert!(matches!(failed, Err(BackendError::Device { device: "cuda-emulated", .. })), "{refused}");
        assert_eq!((during.receipt.tokens, devices(&during).len()), (0, 0));
        assert_eq!(choose(&mut *decoding, &mut work()).expect("a choice"), right);
    }
    drop(decoding);
    let encoded = with_infinity(encoded);
    let mut decoding = begin(&*model, &encoded);
    decoding.start(&[0]);
    let outcome = choose(&mut *decoding, &mut work());
    assert!(matches!(outcome, Err(BackendError::NotANumber { place: "decoder output" })));
}
