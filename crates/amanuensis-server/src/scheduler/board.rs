//! What can be seen of the line from outside, without waiting for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use amanuensis::backend::Receipt;

/// A round that takes longer than this has come to a stop: the slowest model takes seconds for a window.
const STALLED: Duration = Duration::from_secs(300);

/// What is known of the line at this moment.
pub(crate) struct Board {
    begun: Instant,
    /// Set to end the round that is running, for work that is urgent.
    pub(super) abandon: AtomicBool,
    /// Whether the round that is running may be ended so.
    pub(super) may_abandon: AtomicBool,
    /// Milliseconds of sound that are not heard yet.
    queued: AtomicU64,
    /// Recordings that are open.
    pub(super) open: AtomicU64,
    /// When the round that is running began, in milliseconds since `begun` and one; 0 while none is.
    round: AtomicU64,
    /// Milliseconds of sound that were heard, and that it took.
    heard: AtomicU64,
    busy: AtomicU64,
    /// What ran where since the start.
    receipt: Mutex<Receipt>,
}

impl Board {
    pub(super) fn new() -> Self {
        Board {
            begun: Instant::now(),
            abandon: AtomicBool::new(false),
            may_abandon: AtomicBool::new(false),
            queued: AtomicU64::new(0),
            open: AtomicU64::new(0),
            round: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            receipt: Mutex::new(Receipt::default()),
        }
    }

    /// Takes a place in the queue for so many seconds of sound, if they are not too many with those that wait.
    pub(crate) fn reserve(self: &Arc<Self>, seconds: f64, most: f64) -> Result<Place, Full> {
        let (millis, most) = (millis(seconds), millis(most));
        let mut queued = self.queued.load(Ordering::Relaxed);
        loop {
            // A recording that is too long for the queue is heard when it is alone.
            if queued > 0 && queued.saturating_add(millis) > most {
                let queued = queued as f64 / 1e3;
                return Err(Full { queued, retry_after: self.wait_for(queued) });
            }
            let taken =
                self.queued.compare_exchange_weak(queued, queued + millis, Ordering::Relaxed, Ordering::Relaxed);
            match taken {
                Ok(_) => {
                    return Ok(Place {
                        board: Arc::clone(self),
                        left: AtomicU64::new(millis),
                        whole: millis,
                        counts: true,
                    });
                }
                Err(now) => queued = now,
            }
        }
    }

    /// A place for a job or a live session: how much of them waits is limited where they are kept.
    pub(crate) fn aside(self: &Arc<Self>, seconds: f64) -> Place {
        let millis = millis(seconds);
        Place { board: Arc::clone(self), left: AtomicU64::new(millis), whole: millis, counts: false }
    }

    /// Somebody urgent has come.
    pub(super) fn call(&self) {
        if self.may_abandon.load(Ordering::Relaxed) {
            self.abandon.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn begin_round(&self) {
        self.round.store(self.begun.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
    }

    pub(super) fn end_round(&self, took: Duration, heard: f64, receipt: &Receipt) {
        self.round.store(0, Ordering::Relaxed);
        self.busy.fetch_add(took.as_millis() as u64, Ordering::Relaxed);
        self.heard.fetch_add(millis(heard), Ordering::Relaxed);
        self.receipt.lock().unwrap_or_else(PoisonError::into_inner).merge(receipt);
    }

    /// What ran where since the start.
    pub(crate) fn receipt(&self) -> Receipt {
        self.receipt.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seconds of sound that are not heard yet.
    pub(crate) fn queued_seconds(&self) -> f64 {
        self.queued.load(Ordering::Relaxed) as f64 / 1e3
    }

    /// Recordings that are open.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Seconds of sound that were heard since the start, and the seconds that rounds took.
    pub(crate) fn work(&self) -> (f64, f64) {
        (self.heard.load(Ordering::Relaxed) as f64 / 1e3, self.busy.load(Ordering::Relaxed) as f64 / 1e3)
    }

    /// Whether a round has come to a stop.
    pub(crate) fn is_stalled(&self) -> bool {
        let since = self.round.load(Ordering::Relaxed);
        since > 0 && self.begun.elapsed() > Duration::from_millis(since) + STALLED
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Seconds until so many seconds of sound are heard, as fast as sound was heard so far.
    pub(crate) fn wait_for(&self, queued: f64) -> u64 {
        let (heard, busy) = self.work();
        // Before anything was measured: real time, which every model of use reaches.
        let rate = if busy > 1.0 && heard > 0.0 { heard / busy } else { 1.0 };
        (queued / rate).ceil().clamp(1.0, 86_400.0) as u64
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1e3).ceil() as u64
}

/// The queue has no room.
#[derive(Debug)]
pub(crate) struct Full {
    /// Seconds of sound that wait.
    pub(crate) queued: f64,
    /// Seconds after which there should be room.
    pub(crate) retry_after: u64,
}

/// A place in the queue, as long as it is kept.
pub(crate) struct Place {
    board: Arc<Board>,
    left: AtomicU64,
    whole: u64,
    /// Whether it counts among what waits.
    counts: bool,
}

impl Place {
    /// So much of its sound has been heard, from 0 to 1. Returns the seconds that this is more than before.
    pub(super) fn heard(&self, share: f64) -> f64 {
        let left = (self.whole as f64 * (1.0 - share.clamp(0.0, 1.0))).round() as u64;
        let before = self.left.fetch_min(left, Ordering::Relaxed);
        let heard = before.saturating_sub(left);
        if self.counts {
            self.board.queued.fetch_sub(heard, Ordering::Relaxed);
        }
        heard as f64 / 1e3
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.counts {
            self.board.queued.fetch_sub(self.left.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_seconds_of_sound() {
        let board = Arc::new(Board::new());
        let long = board.reserve(500.0, 100.0).expect("it is alone");
        assert_eq!(long.heard(0.9), 450.0);
        assert_eq!(long.heard(0.5), 0.0, "progress does not go back");
        assert_eq!(board.queued_seconds(), 50.0);
        let _short = board.reserve(50.0, 100.0).expect("there is room");
        let full = board.reserve(0.5, 100.0).err().expect("there is none");
        assert_eq!((full.queued, full.retry_after), (100.0, 100));
        drop(long);
        assert_eq!(board.queued_seconds(), 50.0);
        board.end_round(Duration::from_secs(10), 500.0, &Receipt::default());
        assert_eq!(board.reserve(99.0, 100.0).err().expect("no room").retry_after, 1, "50 s at 50 times real time");
    }

    #[test]
    fn only_a_round_that_may_be_is_given_up() {
        let board = Board::new();
        board.call();
        assert!(!board.abandon.load(Ordering::Relaxed));
        board.may_abandon.store(true, Ordering::Relaxed);
        board.call();
        assert!(board.abandon.load(Ordering::Relaxed));
        assert!(!board.is_stalled());
    }
}
