//! What a piece of work takes: its times, and how steady they are.

use std::time::Duration;

use serde::Serialize;

/// The times of a piece of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) median_seconds: f64,
    pub(super) mean_seconds: f64,
    pub(super) min_seconds: f64,
    pub(super) max_seconds: f64,
    /// The standard deviation of the sample; 0 for a single time.
    pub(super) deviation_seconds: f64,
    /// What the deviation leaves of the mean, in percent: 100 where every time is the same.
    pub(super) consistency: f64,
    pub(super) iterations: usize,
}

impl Summary {
    /// What `times` come to; nothing where there are none.
    pub(super) fn of(times: &[Duration]) -> Option<Summary> {
        let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        seconds.sort_by(f64::total_cmp);
        let (min_seconds, max_seconds) = (*seconds.first()?, *seconds.last()?);
        let count = seconds.len();
        let mean = seconds.iter().sum::<f64>() / count as f64;
        let squares: f64 = seconds.iter().map(|second| (second - mean).powi(2)).sum();
        let deviation = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        Some(Summary {
            // The one in the middle, or the mean of the two there.
            median_seconds: f64::midpoint(seconds[(count - 1) / 2], seconds[count / 2]),
            mean_seconds: mean,
            min_seconds,
            max_seconds,
            deviation_seconds: deviation,
            consistency: if mean > 0.0 { 100.0 * (1.0 - deviation / mean) } else { 100.0 },
            iterations: count,
        })
    }
}

/// Does `piece`, which says how long it took, once without counting it, because the first time fills caches and wakes
/// threads, and then `iterations` times.
pub(super) fn repeat<T>(iterations: usize, mut piece: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    piece()?;
    (0..iterations).map(|_| piece()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(milliseconds: &[u64]) -> Summary {
        let times: Vec<Duration> = milliseconds.iter().map(|&time| Duration::from_millis(time)).collect();
        Summary::of(&times).unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn times_are_described_by_their_middle_and_their_spread() {
        let summary = of(&[40, 10, 20, 30, 100]);
        assert!(close(summary.median_seconds, 0.030) && close(summary.mean_seconds, 0.040), "{summary:?}");
        assert_eq!((summary.min_seconds, summary.max_seconds, summary.iterations), (0.010, 0.100, 5));
        // Squares of the differences: 0 + 900 + 400 + 100 + 3600, over four.
        assert!(close(summary.deviation_seconds, 0.001 * 1250_f64.sqrt()), "{summary:?}");
        assert!(close(summary.consistency, 100.0 * (1.0 - 1250_f64.sqrt() / 40.0)), "{summary:?}");
        assert!(close(of(&[10, 20, 40, 80]).median_seconds, 0.030));
    }

    #[test]
    fn a_single_time_is_steady_and_none_is_nothing() {
        let summary = of(&[7]);
        assert_eq!((summary.deviation_seconds, summary.consistency, summary.iterations), (0.0, 100.0, 1));
        assert_eq!(of(&[0, 0]).consistency, 100.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn the_first_time_does_not_count() {
        let mut done = 0;
        let times = repeat(3, || {
            done += 1;
            Ok(Duration::from_secs(done))
        });
        assert_eq!(times.unwrap(), [2, 3, 4].map(Duration::from_secs));
        assert!(repeat::<Duration>(3, || anyhow::bail!("no")).is_err());
    }

    proptest! {
        #[test]
        fn the_middle_lies_between_the_ends(milliseconds in prop::collection::vec(0_u64..100_000, 1..50)) {
            let summary = of(&milliseconds);
            for middle in [summary.median_seconds, summary.mean_seconds] {
                prop_assert!(summary.min_seconds <= middle + 1e-9 && middle <= summary.max_seconds + 1e-9);
            }
            prop_assert!(summary.deviation_seconds >= 0.0 && summary.consistency <= 100.0);
        }
    }
}
