use proptest::prelude::*;

use super::*;

/// So many seconds of each probability.
fn track(parts: &[(f64, f32)]) -> Vec<f32> {
    let mut end = 0.0;
    let mut track = Vec::new();
    for &(seconds, probability) in parts {
        end += seconds;
        track.resize((end * 16000.0 / 512.0).round() as usize, probability);
    }
    track
}

fn seconds(chunks: &[(u64, u64)]) -> Vec<(f64, f64)> {
    chunks.iter().map(|&(start, end)| (start as f64 / 100.0, end as f64 / 100.0)).collect()
}

fn whole(parts: &[(f64, f32)], room: f64) -> Vec<(f64, f64)> {
    let samples = parts.iter().map(|(seconds, _)| seconds * 16000.0).sum::<f64>() as u64;
    seconds(&chunks(&TimeMap::identity(), samples, &track(parts), room))
}

#[test]
fn what_fits_is_one_chunk() {
    assert_eq!(whole(&[(30.0, 0.9)], 30.0), [(0.0, 30.0)]);
    assert_eq!(whole(&[(0.005, 0.9)], 30.0), []);
    assert_eq!(chunks(&TimeMap::new(&[]), 0, &[], 30.0), []);
}

#[test]
fn a_pause_between_phrases_is_preferred_to_a_later_one_between_words() {
    let found = whole(&[(20.0, 0.9), (0.6, 0.05), (8.0, 0.9), (0.16, 0.05), (15.0, 0.9)], 30.0);
    assert_eq!(found.len(), 2);
    assert!((found[0].1 - 20.3).abs() < 0.05, "{found:?}");
}

#[test]
fn of_like_pauses_the_last_is_taken_if_it_saves_a_window() {
    let phrase = [(8.0, 0.9), (0.6, 0.05)];
    let found = whole(&[phrase; 20].concat(), 30.0);
    assert!((found[0].1 - 25.5).abs() < 0.1, "{found:?}");
    // With little left behind the room a longer pause is worth more than a later one.
    let found = whole(&[(14.0, 0.9), (1.0, 0.05), (12.0, 0.9), (0.4, 0.05), (6.0, 0.9)], 30.0);
    assert!((found[0].1 - 14.5).abs() < 0.1, "{found:?}");
}

#[test]
fn without_a_pause_the_least_probable_frame_is_cut() {
    let found = whole(&[(25.0, 0.9), (0.1, 0.4), (20.0, 0.9)], 30.0);
    assert!((found[0].1 - 25.05).abs() < 0.06, "{found:?}");
    // A gap between two words is better still.
    let found = whole(&[(16.0, 0.9), (0.1, 0.1), (9.0, 0.9), (0.1, 0.4), (20.0, 0.9)], 30.0);
    assert!((found[0].1 - 16.05).abs() < 0.06, "{found:?}");
}

#[test]
fn where_nothing_is_known_chunks_are_as_long_as_they_may_be() {
    assert_eq!(
        seconds(&chunks(&TimeMap::identity(), 70 * 16000, &[], 30.0)),
        [(0.0, 30.0), (30.0, 60.0), (60.0, 70.0)]
    );
    assert_eq!(whole(&[(25.0, 0.9)], 10.0), [(0.0, 10.0), (10.0, 20.0), (20.0, 25.0)]);
}

#[test]
fn a_long_silence_is_cut_before_its_end() {
    let found = whole(&[(15.0, 0.9), (10.0, 0.05), (40.0, 0.9)], 30.0);
    assert!((found[0].1 - 24.5).abs() < 0.05, "{found:?}");
    let found = whole(&[(15.0, 0.9), (60.0, 0.05), (5.0, 0.9)], 30.0);
    assert!(found.iter().all(|&(start, end)| end - start <= 30.0), "{found:?}");
    assert!(found.iter().all(|&(_, end)| !(0.1..14.9).contains(&end) && !(75.1..79.9).contains(&end)), "{found:?}");
}

#[test]
fn with_silences_left_out_the_borders_of_stretches_are_cut() {
    // 18 s and 20 s of speech, the first with a short gap between words, and three seconds between them left out.
    let probabilities = track(&[(1.0, 0.05), (13.0, 0.9), (0.13, 0.05), (4.87, 0.9), (3.0, 0.05), (20.0, 0.9)]);
    let second = 16000;
    let spans = [Span { start: second, end: 19 * second }, Span { start: 22 * second, end: 42 * second }];
    let map = TimeMap::new(&spans);
    assert_eq!(seconds(&chunks(&map, 38 * second, &probabilities, 30.0)), [(0.0, 18.0), (18.0, 38.0)]);
    // Stretches that touch are no pause.
    let touching = [Span { start: second, end: 10 * second }, Span { start: 10 * second, end: 42 * second }];
    let found = seconds(&chunks(&TimeMap::new(&touching), 41 * second, &probabilities, 30.0));
    assert!((found[0].1 - 20.5).abs() < 0.05, "{found:?}");
}

/// What is not heard: nothing, or parts that are.
fn any_map(recorded: u64) -> impl Strategy<Value = TimeMap> {
    let cut = prop::collection::vec(0..=recorded, 2..20).prop_map(|mut places| {
        places.sort_unstable();
        let spans: Vec<Span> = places.chunks_exact(2).map(|pair| Span { start: pair[0], end: pair[1] }).collect();
        TimeMap::new(&spans)
    });
    prop_oneof![Just(TimeMap::identity()), cut]
}

proptest! {
    #[test]
    fn chunks_cover_everything_and_none_is_too_long(
        (recorded, map) in (0u64..200 * 16000).prop_flat_map(|recorded| (Just(recorded), any_map(recorded))),
        probabilities in prop::collection::vec(0.0f32..=1.0, 0..40), stretch in 1usize..300, room in 0.0..40.0,
    ) {
        let heard = map.spans().iter().map(|(_, span)| span.end.min(recorded).saturating_sub(span.start)).sum::<u64>();
        let probabilities: Vec<f32> =
            probabilities.into_iter().flat_map(|probability| std::iter::repeat_n(probability, stretch)).collect();
        let room_frames = ((room * 100.0) as u64).clamp(100, 3000);
        let found = chunks(&map, heard, &probabilities, room);
        let mut place = 0;
        for (number, &(start, end)) in found.iter().enumerate() {
            prop_assert_eq!(start, place);
            prop_assert!(end > start && end - start <= room_frames, "{:?}", found);
            // Only the last may be short.
            prop_assert!(number + 1 == found.len() || (end - start) * 5 >= room_frames * 2, "{:?}", found);
            place = end;
        }
        prop_assert_eq!(place, heard / 160);
    }
}
