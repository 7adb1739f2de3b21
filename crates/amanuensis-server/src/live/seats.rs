//! How many live sessions there are, and those that wait for their clients to come back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Ear, Native};
use crate::error::ApiError;
use crate::settings::Settings;

/// Hearings under way besides which last ones are not heard twice: eight sessions that ended at once, a model of whisper-base's size,
/// two slow cores: what was said last was told 9.1 s behind the sound, and with this 1.7 s.
const CROWD: usize = 2;

/// A session whose client has gone, and may come back.
pub(crate) struct Kept {
    pub(crate) ear: Ear,
    pub(crate) native: Native,
    pub(crate) seat: Seat,
}

#[derive(Default)]
struct Room {
    /// Sessions of each client, those that are kept among them.
    taken: HashMap<String, usize>,
    /// By their ids, which nobody can guess; and since when they wait.
    kept: HashMap<String, (Kept, Instant)>,
    /// Milliseconds of lag of every session.
    lags: HashMap<u64, Arc<AtomicU64>>,
    next: u64,
}

impl Room {
    /// How many seats are taken, and how many of them by a client.
    fn taken_by(&self, client: &str) -> (usize, usize) {
        (self.taken.values().sum(), self.taken.get(client).copied().unwrap_or(0))
    }
}

/// The seats of all live sessions.
pub(crate) struct Seats {
    most: usize,
    most_of_one: usize,
    keep: Duration,
    room: Mutex<Room>,
    left: Notify,
    hearings: Arc<AtomicUsize>,
}

/// A hearing that waits for its turn or has it.
pub(crate) struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Seats {
    pub(crate) fn new(settings: &Settings) -> Self {
        Seats {
            most: settings.max_live_sessions,
            most_of_one: settings.max_live_sessions_of_one,
            keep: Duration::from_secs(settings.live_resume),
            room: Mutex::default(),
            left: Notify::new(),
            hearings: Arc::default(),
        }
    }

    /// Whether so many hearings are under way that one more must be quick.
    pub(crate) fn is_crowded(&self) -> bool {
        self.hearings.load(Ordering::Relaxed) >= CROWD
    }

    /// Counts a hearing, as long as this is kept.
    pub(crate) fn begin_hearing(&self) -> Waiting {
        self.hearings.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(&self.hearings))
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat. There may be one more for each session that is only kept: it may be the one that is resumed, and is given
    /// up otherwise ([`Seats::settle`]).
    pub(crate) fn take(self: &Arc<Self>, client: &str) -> Result<Seat, ApiError> {
        let mut room = self.room();
        let (all, own) = room.taken_by(client);
        let kept_own = room.kept.values().filter(|(kept, _)| kept.seat.client == client).count();
        let message = if all >= self.most + room.kept.len() {
            format!("there are {} live sessions, which is as many as this server has", self.most)
        } else if own >= self.most_of_one + kept_own {
            format!("this client has {} live sessions; end one of them first", self.most_of_one)
        } else {
            *room.taken.entry(client.to_owned()).or_default() += 1;
            let (number, lag) = (room.next, Arc::new(AtomicU64::new(0)));
            room.next += 1;
            room.lags.insert(number, Arc::clone(&lag));
            return Ok(Seat { seats: Arc::clone(self), client: client.to_owned(), number, lag });
        };
        Err(ApiError::too_many("too_many_sessions", 5, message))
    }

    /// Gives up sessions that are only kept, the oldest first, for those who are there.
    pub(crate) fn settle(&self, client: &str) {
        loop {
            let mut room = self.room();
            let (all, own) = room.taken_by(client);
            let may_go = |kept: &Kept| all > self.most || (own > self.most_of_one && kept.seat.client == client);
            let oldest = room.kept.iter().filter(|(_, (kept, _))| may_go(kept)).min_by_key(|(_, (_, since))| *since);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            let gone = room.kept.remove(&id);
            // Its seat is given back by dropping it, which needs the room.
            drop(room);
            drop(gone);
        }
    }

    /// Keeps a session for its client, for a while.
    pub(crate) fn keep(self: &Arc<Self>, kept: Kept) {
        if self.keep.is_zero() {
            return;
        }
        let (id, since) = (kept.native.id().to_owned(), Instant::now());
        self.room().kept.insert(id.clone(), (kept, since));
        let (seats, keep) = (Arc::downgrade(self), self.keep);
        tokio::spawn(async move {
            tokio::time::sleep(keep).await;
            let Some(seats) = seats.upgrade() else { return };
            let mut room = seats.room();
            // Whoever came back and went again is kept anew.
            let is_it = room.kept.get(&id).is_some_and(|(_, kept_since)| *kept_since == since);
            let gone = if is_it { room.kept.remove(&id) } else { None };
            drop(room);
            drop(gone);
        });
    }

    /// Gives a session back to the client that it is of.
    pub(crate) fn back(&self, id: &str, client: &str) -> Result<Kept, ApiError> {
        let mut room = self.room();
        let is_its = room.kept.get(id).is_some_and(|(kept, _)| kept.seat.client == client);
        let kept = if is_its { room.kept.remove(id) } else { None };
        kept.map(|(kept, _)| kept).ok_or_else(|| {
            let seconds = self.keep.as_secs();
            let message = format!(
                "there is no such session to resume; one is kept for {seconds} seconds after its connection is lost"
            );
            ApiError { param: Some("resume".to_owned()), ..ApiError::not_found("session_not_found", message) }
        })
    }

    /// Forgets the sessions that are kept: the server ends.
    pub(crate) fn forget(&self) {
        let gone = std::mem::take(&mut self.room().kept);
        drop(gone);
    }

    /// How many sessions there are, and the most seconds that one of them lags behind.
    pub(crate) fn figures(&self) -> (usize, f64) {
        let room = self.room();
        let lag = room.lags.values().map(|lag| lag.load(Ordering::Relaxed)).max().unwrap_or(0);
        (room.taken.values().sum(), lag as f64 / 1e3)
    }

    /// Waits until nobody sits any more.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.room().taken.is_empty() {
                return;
            }
            left.await;
        }
    }
}

/// A live session's seat, as long as it is kept.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    client: String,
    number: u64,
    lag: Arc<AtomicU64>,
}

impl Seat {
    /// Notes how far the session lags behind.
    pub(crate) fn note(&self, lag: f64) {
        self.lag.store((lag * 1e3) as u64, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = self.seats.room();
        room.lags.remove(&self.number);
        if let Some(taken) = room.taken.get_mut(&self.client) {
            *taken -= 1;
            if *taken == 0 {
                room.taken.remove(&self.client);
            }
        }
        drop(room);
        self.seats.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(most: usize, of_one: usize) -> Arc<Seats> {
        let settings = Settings { max_live_sessions: most, max_live_sessions_of_one: of_one, ..Settings::default() };
        Arc::new(Seats::new(&settings))
    }

    #[test]
    fn there_are_so_many_seats_and_so_many_for_one() {
        let seats = seats(3, 2);
        let first = seats.take("a").unwrap();
        let _second = seats.take("a").unwrap();
        let refused = seats.take("a").err().unwrap();
        assert!(
            refused.code == Some("too_many_sessions") && refused.message.contains("this client has 2"),
            "{refused:?}"
        );
        let _third = seats.take("b").unwrap();
        assert!(seats.take("c").err().unwrap().message.contains("there are 3"));
        first.note(1.5);
        assert_eq!(seats.figures(), (3, 1.5));
        drop(first);
        assert_eq!(seats.figures(), (2, 0.0));
        assert!(seats.take("c").is_ok());
    }
}
