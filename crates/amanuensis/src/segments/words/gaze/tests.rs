use amanuensis_kernels::Isa;
use proptest::prelude::*;

use super::*;

fn filtered(row: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; row.len()];
    median(row, width, &mut out);
    out
}

#[test]
fn the_row_is_reflected_at_its_ends() {
    // 4 2 5 | 1 5 2 4 3 | 4 2 5 and so on: what stands at the end is not repeated.
    assert_eq!(filtered(&[1.0, 5.0, 2.0, 4.0, 3.0], 3), [5.0, 2.0, 4.0, 3.0, 4.0]);
    assert_eq!(filtered(&[1.0, 5.0, 2.0, 4.0, 3.0], 7), [4.0, 3.0, 4.0, 3.0, 4.0]);
}

#[test]
fn short_rows_are_left_alone() {
    assert_eq!(filtered(&[3.0, 1.0, 2.0], 7), [3.0, 1.0, 2.0], "three columns with a width of seven");
    assert_ne!(filtered(&[3.0, 1.0, 2.0, 9.0], 7), [3.0, 1.0, 2.0, 9.0]);
    assert_eq!(filtered(&[3.0, 1.0], 0), [3.0, 1.0]);
    assert!(filtered(&[], 7).is_empty());
}

proptest! {
    #[test]
    fn medians_are_those_of_sorted_neighbours(
        row in proptest::collection::vec(-9i32..9, 1..200).prop_map(|row| row.iter().map(|v| *v as f32).collect::<Vec<_>>()),
        half in 0usize..6,
    ) {
        prop_assume!(row.len() > half);
        let reflected = |at: isize| {
            let last = row.len() as isize - 1;
            let at = at.abs();
            row[if at > last { 2 * last - at } else { at } as usize]
        };
        let (wide, reach) = (2 * half + 1, half as isize);
        let expected: Vec<f32> = (0..row.len() as isize)
            .map(|at| {
                let mut around: Vec<f32> = (at - reach..=at + reach).map(reflected).collect();
                around.sort_by(f32::total_cmp);
                around[half]
            })
            .collect();
        prop_assert_eq!(filtered(&row, wide), expected);
    }
}

#[test]
fn columns_are_standardised_over_all_tokens() {
    let mut weights = vec![1.0, 5.0, 3.0, 5.0, 5.0, 5.0];
    standardise(&mut weights, 2);
    // Population: the deviation of 1, 3, 5 is the root of 8/3.
    let unit = 2.0 / (8.0f32 / 3.0).sqrt();
    for (value, expected) in weights.iter().zip([-unit, 0.0, 0.0, 0.0, unit, 0.0]) {
        assert!((value - expected).abs() < 1e-6, "{weights:?}: equal values do not stand out");
    }
}

#[test]
fn only_the_sound_is_looked_at_and_only_the_rows_asked_for_are_given() {
    let kernels = Kernels::new(Isa::Scalar).unwrap();
    let mut attention = CrossAttention::default();
    attention.prepare(&[4], 2);
    // The last position would take all attention, but it lies behind the sound.
    for row in [[2.0, 0.0, 0.0, 50.0], [0.0, 2.0, 0.0, 50.0], [0.0, 0.0, 2.0, 50.0]] {
        attention.push(0, 0, &row);
        attention.push(0, 1, &row);
    }
    let gaze = Gaze::read(kernels, &attention, 0, 1..3, 3, 1);
    assert_eq!((gaze.columns, gaze.share.len(), gaze.contrast.len()), (3, 6, 6));
    let peak = 2.0f32.exp() / (2.0f32.exp() + 2.0);
    assert!((gaze.share[1] - peak).abs() < 1e-6 && (gaze.share[5] - peak).abs() < 1e-6, "{:?}", gaze.share);
    let (high, low) = (2.0f32.sqrt(), -(0.5f32.sqrt()));
    for (value, expected) in gaze.contrast.iter().zip([low, high, low, low, low, high]) {
        assert!((value - expected).abs() < 1e-5, "{:?}", gaze.contrast);
    }
    assert!(Gaze::read(kernels, &attention, 0, 1..3, 0, 7).contrast.is_empty(), "no sound at all");
}
