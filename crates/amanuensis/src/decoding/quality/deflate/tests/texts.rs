//! The texts of the golden sizes, made as `tests/data/golden/zlib/make.py` makes them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a text is made from, and zlib's size of it.
#[derive(Deserialize)]
#[serde(from = "Vec<u64>")]
pub(super) struct Settings<const N: usize> {
    pub(super) settings: [u64; N],
    pub(super) size: usize,
}

impl<const N: usize> From<Vec<u64>> for Settings<N> {
    fn from(row: Vec<u64>) -> Self {
        let (size, settings) = row.split_last().unwrap();
        Settings { settings: settings.try_into().unwrap(), size: *size as usize }
    }
}

#[derive(Deserialize)]
pub(super) struct Golden {
    pub(super) words: BTreeMap<String, Vec<String>>,
    distances: Vec<usize>,
    lengths: Vec<usize>,
    pub(super) uniform: Vec<Settings<3>>,
    pub(super) periodic: Vec<Settings<3>>,
    pub(super) counting: Vec<Settings<2>>,
    pub(super) skewed: Vec<Settings<3>>,
    pub(super) nested: Vec<Settings<3>>,
    pub(super) copied: Vec<Settings<3>>,
    pub(super) one_copy: Vec<Settings<5>>,
    /// Language, seed, length and size.
    pub(super) spoken: Vec<(String, u64, u64, usize)>,
}

/// Knuth's linear congruential generator of 64 bits, of which the upper 31 are used.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize].clone()
    }
}

/// Bytes below `values`, each as likely as the next.
pub(super) fn uniform(seed: u64, values: u64, length: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    (0..length).map(|_| chance.below(values) as u8).collect()
}

/// The same bytes again and again.
pub(super) fn periodic(seed: u64, period: u64, length: u64) -> Vec<u8> {
    uniform(seed, 256, period).into_iter().cycle().take(length as usize).collect()
}

/// Numbers of two bytes from 0, in which no three bytes come twice; then `repeated` bytes of them from the fifth.
pub(super) fn counting(length: u64, repeated: u64) -> Vec<u8> {
    let mut text: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_be_bytes).take(length as usize).collect();
    text.extend_from_within(4..4 + repeated as usize);
    text
}

/// Every byte value occurs `percent` as often as the one below.
pub(super) fn skewed(seed: u64, percent: u64, length: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    let mut byte = || (0..255).find(|_| chance.below(100) >= percent).unwrap_or(255);
    (0..length).map(|_| byte()).collect()
}

/// Each of `draws` numbers is drawn below the one before: small bytes are common, large ones ever rarer.
pub(super) fn nested(seed: u64, draws: u64, length: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    (0..length).map(|_| (0..draws).fold(255, |value, _| chance.below(value + 1)) as u8).collect()
}

/// Bytes below 128, of which `copied` at `place` stand at `distance` before, too.
pub(super) fn one_copy(seed: u64, place: u64, distance: u64, copied: u64, length: u64) -> Vec<u8> {
    let mut text = uniform(seed, 128, length);
    for at in place..place + copied {
        text[at as usize] = text[(at - distance) as usize];
    }
    text
}

/// Words between spaces, the first of the list more often; cut off in the middle of a letter if need be.
pub(super) fn spoken(words: &[String], seed: u64, length: u64) -> Vec<u8> {
    let (mut chance, mut text, number) = (Chance(seed), Vec::new(), words.len() as u64);
    while text.len() < length as usize {
        let word = chance.below(number).min(chance.below(number)) as usize;
        text.extend(format!("{} ", words[word]).bytes());
    }
    text.truncate(length as usize);
    text
}

impl Golden {
    /// New bytes, and copies over distances at which zlib decides differently.
    pub(super) fn copied(&self, seed: u64, values: u64, length: u64) -> Vec<u8> {
        let (mut chance, mut text) = (Chance(seed), Vec::new());
        while text.len() < length as usize {
            if text.is_empty() || chance.below(3) == 0 {
                for _ in 0..=chance.below(8) {
                    text.push(chance.below(values) as u8);
                }
            } else {
                let distance = chance.of(&self.distances).min(text.len());
                for _ in 0..chance.of(&self.lengths) {
                    text.push(text[text.len() - distance]);
                }
            }
        }
        text.truncate(length as usize);
        text
    }
}
