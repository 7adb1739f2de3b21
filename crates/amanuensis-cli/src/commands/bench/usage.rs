//! What of the processor a run has used.

use std::time::Instant;

use serde::Serialize;

/// Ticks a second in /proc: the kernel counts there in hundredths on every processor that this program is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Since when the use of the processor is counted.
pub(super) struct Meter {
    begun: Instant,
    cpu_seconds: Option<f64>,
}

/// What was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Usage {
    /// Seconds that all threads together were running; only Linux says.
    pub(super) cpu_seconds: Option<f64>,
    /// Seconds that passed.
    pub(super) wall_seconds: f64,
    /// The former over the latter times the threads: 1 where all of them were always busy.
    pub(super) cpu_share: Option<f64>,
}

impl Meter {
    pub(super) fn start() -> Meter {
        Meter { begun: Instant::now(), cpu_seconds: cpu_seconds() }
    }

    /// What was used since the start, by a program that computes with `threads` threads.
    pub(super) fn read(&self, threads: usize) -> Usage {
        let wall_seconds = self.begun.elapsed().as_secs_f64();
        let used = cpu_seconds().zip(self.cpu_seconds).map(|(now, before)| now - before);
        let share = used.map(|used| used / (wall_seconds * threads as f64));
        Usage { cpu_seconds: used, wall_seconds, cpu_share: share.filter(|share| share.is_finite()) }
    }
}

/// Seconds that the threads of this process, the ended ones too, have been running.
fn cpu_seconds() -> Option<f64> {
    if cfg!(target_os = "linux") { user_and_system(&std::fs::read_to_string("/proc/self/stat").ok()?) } else { None }
}

/// Fields 14 and 15 of `pid (name) state ...`. The name may hold blanks and parentheses, so the fields are counted from
/// its end: field 3 is the first behind it.
fn user_and_system(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_user_and_system_are_added() {
        let stat = "4711 (a) strange (name) R 1 4711 4711 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 3 0 1000 1 1";
        assert_eq!(user_and_system(stat), Some(3.0));
        assert_eq!(user_and_system("4711 (name) R 1 2 3"), None);
        assert_eq!(user_and_system(""), None);
    }

    #[test]
    fn work_is_seen_where_the_system_counts_it() {
        let meter = Meter::start();
        let mut sum = 0_u64;
        while meter.begun.elapsed().as_millis() < 50 {
            sum = std::hint::black_box(sum + 1);
        }
        let usage = meter.read(1);
        assert!(usage.wall_seconds >= 0.05);
        assert_eq!(usage.cpu_seconds.is_some(), cfg!(target_os = "linux"));
        assert!(usage.cpu_seconds.is_none_or(|seconds| seconds >= 0.0));
    }
}
