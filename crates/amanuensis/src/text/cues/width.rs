//! How many columns text takes, and where a line of it may be broken.

use std::ops::RangeInclusive;

/// Characters two columns wide: East Asian writing and the pictures of Unicode (UAX 11, W and F, without the gaps that
/// nothing stands in).
const WIDE: [RangeInclusive<u32>; 13] = [
    0x1100..=0x115f,
    0x231a..=0x231b,
    0x2e80..=0x303e,
    0x3041..=0x33ff,
    0x3400..=0x4dbf,
    0x4e00..=0xa4cf,
    0xa960..=0xa97c,
    0xac00..=0xd7a3,
    0xf900..=0xfaff,
    0xfe30..=0xfe6b,
    0xff01..=0xff60,
    0x1f300..=0x1faff,
    0x20000..=0x3fffd,
];

/// Characters that stand on the one before them or nowhere: combining marks, joiners, choosers of a form.
const WITHOUT_WIDTH: [RangeInclusive<u32>; 12] = [
    0x300..=0x36f,
    0x483..=0x489,
    0x591..=0x5bd,
    0x610..=0x61a,
    0x64b..=0x65f,
    0x1ab0..=0x1aff,
    0x1dc0..=0x1dff,
    0x200b..=0x200f,
    0x20d0..=0x20ff,
    0x3099..=0x309a,
    0xfe00..=0xfe0f,
    0xe0100..=0xe01ef,
];

/// Writing without blanks between words: kana and Han characters with their marks, not Hangul.
const UNSPACED: [RangeInclusive<u32>; 6] =
    [0x3000..=0x30ff, 0x31f0..=0x31ff, 0x3400..=0x9fff, 0xf900..=0xfaff, 0xff00..=0xff9f, 0x20000..=0x3fffd];

/// What a line does not begin with: closing marks, small kana, and signs that lengthen or repeat.
const NEVER_FIRST: &str =
    "、。，．・：；？！）］｝」』】〕〉》〟’”ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ‥…％～〜";

/// What a line does not end with: opening marks.
const NEVER_LAST: &str = "（［｛「『【〔〈《〝‘“";

fn lies_in(ranges: &[RangeInclusive<u32>], character: char) -> bool {
    ranges.iter().any(|range| range.contains(&u32::from(character)))
}

/// Columns that `text` takes on a line.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(of).sum()
}

fn of(character: char) -> usize {
    match character {
        _ if character.is_ascii() => 1,
        _ if lies_in(&WITHOUT_WIDTH, character) => 0,
        _ if lies_in(&WIDE, character) => 2,
        _ => 1,
    }
}

/// Whether a line may be broken between two characters with no blank between them.
pub(super) fn may_break_between(before: char, after: char) -> bool {
    let unspaced = lies_in(&UNSPACED, before) || lies_in(&UNSPACED, after);
    let torn = lies_in(&WITHOUT_WIDTH, after) || !after.is_alphanumeric() && !lies_in(&UNSPACED, after);
    unspaced && !torn && !NEVER_FIRST.contains(after) && !NEVER_LAST.contains(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_two_columns_and_combining_ones_none() {
        assert_eq!(columns("Größe"), 5);
        assert_eq!(columns("e\u{301}"), 1);
        assert_eq!(columns("東京、ｱ 한"), 2 + 2 + 2 + 1 + 1 + 2);
        assert_eq!(columns("👩\u{200d}👧"), 4);
    }

    #[test]
    fn lines_break_between_ideographs_but_not_within_spaced_words() {
        assert!(may_break_between('東', '京') && may_break_between('a', '東'));
        assert!(!may_break_between('京', '。') && !may_break_between('「', '東') && !may_break_between('キ', 'ャ'));
        assert!(!may_break_between('a', 'b') && !may_break_between('한', '국'));
    }
}
