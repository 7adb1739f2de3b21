//! What can be seen of the line from outside, without waiting for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use amanuensis::backend::Receipt;
use serde::Serialize;

/// What is known of the line at this moment.
pub(crate) struct Board {
    begun: Instant,
    /// A round that takes longer than this has come to a stop.
    stalled_after: Duration,
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
    /// What each device did of it.
    devices: Mutex<BTreeMap<String, Share>>,
}

/// What a device did. In a round of several devices each was at work for all of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Share {
    pub(crate) rounds: u64,
    pub(crate) windows: u64,
    pub(crate) tokens: u64,
    /// Seconds of rounds, and how many of all rounds' seconds that is, from 0 to 1.
    pub(crate) seconds: f64,
    pub(crate) share: f64,
}

impl Board {
    pub(super) fn new(stalled_after: Duration) -> Self {
        Board {
            begun: Instant::now(),
            stalled_after,
            abandon: AtomicBool::new(false),
            may_abandon: AtomicBool::new(false),
            queued: AtomicU64::new(0),
            open: AtomicU64::new(0),
            round: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            receipt: Mutex::new(Receipt::default()),
            devices: Mutex::default(),
        }
    }

    /// Takes a place in the queue for so many seconds of sound, if they are not too many with those that wait.
    pub(crate) fn reserve(self: &Arc<Self>, seconds: f64, most: f64) -> Result<Place, Full> {
        self.take(millis(seconds), most)?;
        Ok(Place::new(self, seconds, true))
    }

    /// Takes a place for each of several recordings that belong together: for all of them or none.
    pub(crate) fn reserve_each(self: &Arc<Self>, seconds: &[f64], most: f64) -> Result<Vec<Place>, Full> {
        self.take(seconds.iter().map(|seconds| millis(*seconds)).sum(), most)?;
        Ok(seconds.iter().map(|seconds| Place::new(self, *seconds, true)).collect())
    }

    fn take(&self, millis: u64, most: f64) -> Result<(), Full> {
        let most = self::millis(most);
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
                Ok(_) => return Ok(()),
                Err(now) => queued = now,
            }
        }
    }

    /// A place for a job or a live session: how much of them waits is limited where they are kept.
    pub(crate) fn aside(self: &Arc<Self>, seconds: f64) -> Place {
        Place::new(self, seconds, false)
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
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        for device in receipt.devices() {
            let share = devices.entry(device.clone()).or_default();
            share.rounds += 1;
            share.windows += receipt.windows;
            share.tokens += receipt.tokens;
            share.seconds += took.as_secs_f64();
        }
    }

    /// What each device did since the start, as far as it was seen.
    pub(crate) fn shares(&self) -> BTreeMap<String, Share> {
        let mut shares = self.devices.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let busy = self.work().1;
        for share in shares.values_mut() {
            share.share = if busy > 0.0 { (share.seconds / busy).min(1.0) } else { 0.0 };
        }
        shares
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

    /// Seconds that the round takes which has come to a stop; none while all is well.
    pub(crate) fn stalled(&self) -> Option<u64> {
        let since = self.round.load(Ordering::Relaxed);
        let takes = self.begun.elapsed().saturating_sub(Duration::from_millis(since));
        (since > 0 && takes > self.stalled_after).then_some(takes.as_secs())
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
    fn new(board: &Arc<Board>, seconds: f64, counts: bool) -> Self {
        let whole = millis(seconds);
        Place { board: Arc::clone(board), left: AtomicU64::new(whole), whole, counts }
    }

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
        let board = Arc::new(Board::new(Duration::from_secs(300)));
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
        let full = board.reserve_each(&[20.0, 40.0], 100.0).err().expect("there is no room for both");
        assert_eq!(full.queued, 50.0);
        let both = board.reserve_each(&[20.0, 30.0], 100.0).expect("there is room for both");
        assert_eq!((both[1].heard(1.0), board.queued_seconds()), (30.0, 70.0));
        drop(both);
        assert_eq!(board.reserve(99.0, 100.0).err().expect("no room").retry_after, 1, "50 s at 50 times real time");
    }

    #[test]
    fn only_a_round_that_may_be_is_given_up() {
        let board = Board::new(Duration::ZERO);
        board.call();
        assert!(!board.abandon.load(Ordering::Relaxed));
        board.may_abandon.store(true, Ordering::Relaxed);
        board.call();
        assert!(board.abandon.load(Ordering::Relaxed));
    }

    #[test]
    fn a_round_that_does_not_end_is_noticed() {
        let board = Board::new(Duration::ZERO);
        assert_eq!(board.stalled(), None, "none is running");
        board.begin_round();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(board.stalled(), Some(0));
        let mut receipt = Receipt::default();
        receipt.ran_on("a device");
        receipt.windows = 3;
        board.end_round(Duration::from_secs(2), 1.0, &receipt);
        board.end_round(Duration::from_secs(2), 1.0, &Receipt::default());
        assert_eq!(board.stalled(), None);
        let share = Share { rounds: 1, windows: 3, tokens: 0, seconds: 2.0, share: 0.5 };
        assert_eq!(board.shares(), BTreeMap::from([("a device".to_owned(), share)]));
    }
}
