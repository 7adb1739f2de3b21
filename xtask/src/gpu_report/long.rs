//! How much sound the long piece of work is given: as much as there is time for.

use std::time::Duration;

use serde_json::Value;

/// Minutes that are tried, the longest first: ten hours is what the goals speak of.
const MINUTES: [u64; 9] = [600, 300, 120, 60, 30, 10, 5, 2, 1];
/// Tokens of a window, each a step.
const TOKENS: f64 = 100.0;
/// It is done once without counting and once with; and what pieces take alone is not all.
const TIMES: f64 = 2.5;
const WINDOWS_A_MINUTE: f64 = 2.0;

/// The longest that fits into the time that is left, by what the pieces took; none where nothing does.
pub(super) fn minutes(pieces: &Value, left: Duration, most: u64) -> Option<u64> {
    let window = window(pieces)?;
    let fits = |minutes: &u64| TIMES * WINDOWS_A_MINUTE * *minutes as f64 * window <= left.as_secs_f64();
    MINUTES.into_iter().filter(|minutes| *minutes <= most).find(fits)
}

/// Seconds that a window takes among others.
fn window(pieces: &Value) -> Option<f64> {
    let each = |piece: &str, windows: f64| Some(pieces["measures"][piece]["median_seconds"].as_f64()? / windows);
    let encoder = each("encoder_batch16", 16.0).or_else(|| each("encoder", 1.0))?;
    let step = each("greedy_step_batch64", 64.0).or_else(|| each("greedy_step_batch8", 8.0));
    let step = step.or_else(|| each("greedy_step", 1.0))?;
    Some(each("mel", 1.0)? + encoder + each("cross_keys_values", 1.0)? + TOKENS * step)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_is_as_much_sound_as_there_is_time() {
        let median = |seconds: f64| json!({ "median_seconds": seconds });
        // A hundredth of a second for a window: ten hours take 12 s, and more than twice that with the first time.
        let mut pieces = json!({"measures": {
            "mel": median(0.001),
            "encoder": median(0.05),
            "encoder_batch16": median(0.064),
            "cross_keys_values": median(0.001),
            "greedy_step_batch64": median(0.00256),
        }});
        let minutes = |pieces: &Value, left: u64, most| minutes(pieces, Duration::from_secs(left), most);
        assert_eq!((minutes(&pieces, 31, 600), minutes(&pieces, 29, 600)), (Some(600), Some(300)));
        assert_eq!((minutes(&pieces, 31, 60), minutes(&pieces, 0, 600)), (Some(60), None));
        // What was not measured in company counts alone.
        pieces["measures"]["encoder_batch16"] = Value::Null;
        assert_eq!(minutes(&pieces, 31, 600), Some(60));
        pieces["measures"]["encoder"] = Value::Null;
        assert_eq!(minutes(&pieces, 31, 600), None);
    }
}
