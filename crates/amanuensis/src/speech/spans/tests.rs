use proptest::prelude::*;

use super::*;

fn any_options() -> impl Strategy<Value = VadOptions> {
    let whole = |most: u32| prop_oneof![Just(0), 0..most];
    let longest = prop_oneof![Just(f64::INFINITY), Just(f64::NAN), -1.0..20.0];
    (0.0f32..=1.0, prop::option::of(-0.1f32..=1.0), whole(2000), longest, whole(3000), whole(1000)).prop_map(
        |(threshold, neg_threshold, min_speech_duration_ms, max_speech_duration_s, min_silence_duration_ms, pad)| {
            VadOptions {
                threshold,
                neg_threshold,
                min_speech_duration_ms,
                max_speech_duration_s,
                min_silence_duration_ms,
                speech_pad_ms: pad,
            }
        },
    )
}

proptest! {
    #[test]
    fn stretches_are_in_order_apart_and_inside(
        probabilities in prop::collection::vec(prop_oneof![Just(0.0f32), Just(1.0), 0.0f32..=1.0], 0..300),
        short in 0u64..1200, options in any_options(),
    ) {
        let samples = (probabilities.len() as u64 * 512).saturating_sub(short);
        let found = spans(&probabilities, samples, &options);
        let mut before = 0;
        for span in found {
            prop_assert!(before <= span.start && span.start < span.end && span.end <= samples, "{:?}", span);
            before = span.end;
        }
    }

    #[test]
    fn coverage_is_a_share(
        probabilities in prop::collection::vec(0.0f32..=1.0, 0..20), start in 0u64..12_000, length in 0u64..12_000,
    ) {
        let share = coverage(&probabilities, Span { start, end: start + length });
        prop_assert!((0.0..=1.0).contains(&share));
    }
}

#[test]
fn the_threshold_itself_is_speech() {
    let options = VadOptions { speech_pad_ms: 0, ..VadOptions::default() };
    assert_eq!(spans(&[0.0, 0.5, 0.4, 0.0], 2048, &options), [Span { start: 512, end: 2048 }]);
    assert_eq!(spans(&[0.49; 4], 2048, &options), []);
    assert_eq!(spans(&[], 0, &options), []);
    assert_eq!(spans(&[1.0], 300, &options), [Span { start: 0, end: 300 }]);
}

#[test]
fn coverage_counts_samples_of_frames_that_are_speech() {
    let probabilities = [0.0, 0.9, 0.5, 0.1];
    assert_eq!(coverage(&probabilities, Span { start: 0, end: 2048 }), 0.5);
    assert_eq!(coverage(&probabilities, Span { start: 256, end: 768 }), 0.5);
    assert_eq!(coverage(&probabilities, Span { start: 600, end: 700 }), 1.0);
    assert_eq!(coverage(&probabilities, Span { start: 1024, end: 4096 }), 512.0 / 3072.0);
    assert_eq!(coverage(&probabilities, Span { start: 9000, end: 9001 }), 0.0);
    assert_eq!(coverage(&probabilities, Span { start: 600, end: 600 }), 0.0);
}
