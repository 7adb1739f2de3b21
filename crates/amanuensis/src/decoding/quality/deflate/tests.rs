//! Sizes against those of zlib (`tests/data/golden/zlib/make.py` made the texts and sizes), and what holds for any text.

mod texts;

use proptest::prelude::*;
use texts::{Golden, Settings};

use super::*;

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/zlib/sizes.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn agree<const N: usize>(rows: &[Settings<N>], make: impl Fn([u64; N]) -> Vec<u8>) {
    assert!(!rows.is_empty());
    for Settings { settings, size } in rows {
        assert_eq!(zlib_size(&make(*settings)), *size, "{settings:?}");
    }
}

#[test]
fn sizes_of_bytes_by_chance_are_those_of_zlib() {
    agree(&golden().uniform, |[seed, values, length]| texts::uniform(seed, values, length));
    agree(&golden().skewed, |[seed, percent, length]| texts::skewed(seed, percent, length));
    agree(&golden().nested, |[seed, draws, length]| texts::nested(seed, draws, length));
}

#[test]
fn sizes_of_what_repeats_itself_are_those_of_zlib() {
    agree(&golden().periodic, |[seed, period, length]| texts::periodic(seed, period, length));
    agree(&golden().copied, |[seed, values, length]| golden().copied(seed, values, length));
}

#[test]
fn sizes_are_those_of_zlib_where_a_block_ends_with_the_text() {
    agree(&golden().counting, |[length, repeated]| texts::counting(length, repeated));
}

#[test]
fn sizes_are_those_of_zlib_where_its_window_slides() {
    agree(&golden().one_copy, |[seed, place, distance, copied, length]| {
        texts::one_copy(seed, place, distance, copied, length)
    });
}

#[test]
fn sizes_of_words_are_those_of_zlib() {
    let golden = golden();
    for (language, seed, length, size) in &golden.spoken {
        let text = texts::spoken(&golden.words[language], *seed, *length);
        assert_eq!(zlib_size(&text), *size, "{language} {seed} {length}");
    }
}

#[test]
fn ranges_of_lengths_and_distances_are_those_of_the_format() {
    assert_eq!([3, 10, 11, 12, 13, 18, 19, 257, 258].map(length_code), [257, 264, 265, 265, 266, 268, 269, 284, 285]);
    assert_eq!([256, 257, 264, 265, 269, 284, 285].map(length_extra_bits), [0, 0, 0, 1, 2, 5, 0]);
    assert_eq!([1, 4, 5, 6, 7, 9, 24_576, 24_577, 32_768].map(distance_code), [0, 3, 4, 4, 5, 6, 28, 29, 29]);
    assert_eq!([0, 3, 4, 5, 6, 29].map(distance_extra_bits), [0, 0, 1, 1, 2, 13]);
}

/// Bytes of few values, so that matches come about.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    (1..=255_u8).prop_flat_map(|most| prop::collection::vec(0..=most, 0..3000))
}

proptest! {
    #[test]
    fn any_text_has_a_size_within_the_bounds_of_the_format(text in any_text(), times in 1..20_usize) {
        let text = text.repeat(times);
        let size = zlib_size(&text);
        let blocks = text.len() / BLOCK_SYMBOLS + 1;
        prop_assert!(size >= 8 && size >= text.len() / 1032, "{size} of {}", text.len());
        prop_assert!(size <= HEADER_BYTES + text.len() + blocks * (STORED_LENGTH_BYTES + 2) + CHECKSUM_BYTES);
    }

    #[test]
    fn symbols_make_the_text_again(text in any_text()) {
        let mut made = Vec::new();
        for symbol in Matches::new(&text) {
            match symbol {
                Symbol::Literal(byte) => made.push(byte),
                Symbol::Match { length, distance } => (0..length).for_each(|_| made.push(made[made.len() - distance])),
            }
        }
        prop_assert_eq!(made, text);
    }

    #[test]
    fn a_code_is_complete_and_no_longer_than_allowed(
        counts in prop::collection::vec(prop_oneof![Just(0), 0..9_u32, 0..16_384_u32], 19..286),
        longest in 9..=15_usize,
    ) {
        let lengths = code_lengths(&counts, longest);
        prop_assert!(lengths.iter().all(|length| usize::from(*length) <= longest));
        let taken: usize = lengths.iter().filter(|length| **length > 0).map(|length| 1 << (longest - usize::from(*length))).sum();
        prop_assert_eq!(taken, 1 << longest, "{:?}", lengths);
        let silent = counts.iter().enumerate().filter(|(symbol, count)| {
            **count > 0 && lengths.get(*symbol).is_none_or(|length| *length == 0)
        });
        prop_assert_eq!(silent.count(), 0);
    }
}
