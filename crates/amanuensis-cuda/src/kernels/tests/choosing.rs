//! The choice of the next token.

use super::super::{ASKED, Asked, Choose};
use super::*;

/// Tokens are whole numbers, and below 100,000 whole numbers are told apart; logits are copied.
const TOLERANCE: f32 = 5e-6;

/// A published vocabulary, or one like it: where text ends and times begin.
fn begin(vocabulary: usize) -> usize {
    vocabulary - 1501.min(vocabulary / 2)
}

/// Everything, text and times.
fn all(vocabulary: usize) -> Asked {
    let begin = begin(vocabulary);
    Asked { text: [0, begin], times: [begin, usize::MAX], set: 0, weighed: false, named: None }
}

/// A set with about one token in `rarity`, and the tokens that are named in any case.
fn set(setting: &mut Setting, vocabulary: usize, rarity: i32, named: &[usize]) -> Vec<i32> {
    let mut bits = vec![0; Choose::words(vocabulary)];
    for token in 0..vocabulary {
        if setting.random.i32(0..rarity) == 0 || named.contains(&token) {
            bits[token / 32] |= 1 << (token % 32);
        }
    }
    bits
}

/// An operation over some rows, with a row behind them that is nobody's.
fn choose(
    setting: &mut Setting,
    vocabulary: usize,
    rows: &[(Vec<f32>, Asked)],
    sets: &[Vec<i32>],
    count: usize,
) -> Operation {
    // What lies between rows is nobody's, and no number.
    let pitch = Choose::pitch(vocabulary);
    let mut logits = vec![f32::NAN; rows.len() * pitch];
    for (into, (logits, _)) in logits.chunks_exact_mut(pitch).zip(rows) {
        into[..vocabulary].copy_from_slice(logits);
        assert_eq!(logits.len(), vocabulary);
    }
    let asked: Vec<i32> = rows.iter().flat_map(|(_, asked)| asked.numbers()).collect();
    assert_eq!(asked.len(), rows.len() * ASKED);
    let (logits, asked, sets) = (setting.put_floats(&logits), setting.table(&asked), setting.table(&sets.concat()));
    let out = setting.out_floats((rows.len() + 1) * Choose::found(count));
    Choose { logits, vocabulary, asked, sets, out, count }.into()
}

/// Logits as spread as a model's.
fn logits(setting: &mut Setting, vocabulary: usize) -> Vec<f32> {
    (0..vocabulary).map(|_| setting.number() * 6.0 - 4.0).collect()
}

#[test]
fn the_best_are_found_in_every_vocabulary() {
    for (vocabulary, count) in [(3_559, 1), (3_559, 6), (51_864, 1), (51_865, 6), (51_866, 3)] {
        compare("a choice", TOLERANCE, |setting| {
            let begin = begin(vocabulary);
            let sets = [set(setting, vocabulary, 600, &[0, 220]), set(setting, vocabulary, 3, &[])];
            let (free, named) = (all(vocabulary), setting.random.usize(0..vocabulary));
            let rows = [
                Asked { weighed: true, ..free },
                // Only a time of the first second, and the token that stands for silence.
                Asked { text: [begin, begin], times: [begin, begin + 51], weighed: true, named: Some(named), ..free },
                // Only text, another set.
                Asked { times: [begin, begin], set: 1, ..free },
                // The end of the text or a time that is not before the last one.
                Asked { text: [begin - 100, begin], times: [begin + 77, usize::MAX], weighed: true, ..free },
                // No times are known to whoever wants none.
                Asked { text: [0, usize::MAX], times: [usize::MAX; 2], set: 1, named: Some(vocabulary - 1), ..free },
            ];
            let rows = rows.map(|asked| (logits(setting, vocabulary), asked));
            choose(setting, vocabulary, &rows, &sets, count)
        });
    }
}

#[test]
fn of_equal_ones_the_first_comes_first() {
    for vocabulary in [3_559, 51_865] {
        compare("equal logits", TOLERANCE, |setting| {
            // Few values: the best are many, in one thread and in several.
            let steps = |setting: &mut Setting| -> Vec<f32> {
                (0..vocabulary).map(|_| setting.random.i32(-8..3) as f32 / 2.0).collect()
            };
            let sets = [set(setting, vocabulary, 2, &[])];
            let same = vec![1.25; vocabulary];
            // Some that are one thread's, side by side and one turn later, and one that is its neighbour's.
            let mut few = vec![-9.0; vocabulary];
            (few[7 + 2048], few[7], few[5], few[8]) = (3.0, 3.0, 3.0, 3.0);
            let rows = [
                (steps(setting), all(vocabulary)),
                (steps(setting), Asked { weighed: true, ..all(vocabulary) }),
                (same, all(vocabulary)),
                (few, Asked { times: [0; 2], ..all(vocabulary) }),
            ];
            choose(setting, vocabulary, &rows, &sets, 9)
        });
    }
}

#[test]
fn little_or_nothing_may_be_left() {
    for vocabulary in [3_559, 51_866] {
        compare("what is left", TOLERANCE, |setting| {
            let begin = begin(vocabulary);
            let lonely = |setting: &mut Setting, among: std::ops::Range<usize>| {
                let mut row = vec![f32::NEG_INFINITY; vocabulary];
                row[setting.random.usize(among)] = setting.number();
                row
            };
            let nothing = vec![0; Choose::words(vocabulary)];
            let sets = [nothing, vec![-1; Choose::words(vocabulary)], set(setting, vocabulary, 4, &[])];
            let free = all(vocabulary);
            let rows = [
                // One token, of text or of times: the weighing agrees or has nothing to weigh.
                (lonely(setting, 0..begin), Asked { weighed: true, named: Some(3), ..free }),
                (lonely(setting, begin..vocabulary), Asked { weighed: true, ..free }),
                (vec![f32::NEG_INFINITY; vocabulary], Asked { weighed: true, named: Some(5), ..free }),
                (logits(setting, vocabulary), Asked { set: 1, weighed: true, ..free }),
                (logits(setting, vocabulary), Asked { text: [9, 9], times: [begin; 2], named: Some(9), ..free }),
                (logits(setting, vocabulary), Asked { text: [40, 43], times: [begin, begin + 2], set: 2, ..free }),
                (logits(setting, vocabulary), Asked { named: Some(vocabulary), ..free }),
            ];
            choose(setting, vocabulary, &rows, &sets, 6)
        });
    }
}

#[test]
fn times_are_weighed_against_text() {
    let vocabulary = 3_559;
    for lift in [-2.0, 0.0, 1.0, 2.0, 9.0] {
        compare("times against text", TOLERANCE, |setting| {
            let begin = begin(vocabulary);
            let sets = [set(setting, vocabulary, 5, &[])];
            let mut rows = Vec::new();
            for weighed in [true, false] {
                // 1,200 times of 0 are together as probable as a token of 7.1.
                let mut row = vec![-30.0; vocabulary];
                row[begin..].fill(0.0);
                row[100..110].fill(6.0 + lift);
                row[101] += setting.random.f32() / 64.0;
                rows.push((row, Asked { weighed, ..all(vocabulary) }));
            }
            choose(setting, vocabulary, &rows, &sets, 2)
        });
    }
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let vocabulary = 3_559;
    compare("no numbers", TOLERANCE, |setting| {
        let sets = [vec![0; Choose::words(vocabulary)]];
        let mut one = logits(setting, vocabulary);
        one[700] = f32::NAN;
        let mut infinite = logits(setting, vocabulary);
        (infinite[5], infinite[1400]) = (f32::INFINITY, f32::INFINITY);
        let named = Asked { named: Some(8), ..all(vocabulary) };
        choose(setting, vocabulary, &[(one, named), (infinite, named)], &sets, 0)
    });
}
