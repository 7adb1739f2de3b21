//! Connections: how many may be open, and which gives way when there is no room for one more.
//!
//! A connection over which nothing is asked costs its client nothing, so as many of them as there is room for must not keep
//! others out: the one that has been idle longest goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How often somebody is asked to leave while there is no room.
const GLANCE: Duration = Duration::from_millis(50);
/// How long a connection may be idle before it gives way: time for who comes in a crowd of idle ones to say what it wants.
const GRACE: Duration = Duration::from_millis(100);
/// Descriptors of everything but connections: the database, the log, models, sounds of jobs.
#[cfg(unix)]
const OTHERS: u64 = 64;
/// Descriptors of a connection: its socket, the file of its upload, that of its decoded sound.
#[cfg(unix)]
const EACH: u64 = 3;

/// All connections.
pub(crate) struct Connections {
    most: u32,
    room: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// Those over which nothing is asked, in the order in which they became so.
#[derive(Default)]
struct Idle {
    next: u64,
    waiting: BTreeMap<u64, (Instant, Arc<Notify>)>,
}

/// A connection that is open.
pub(crate) struct Line {
    connections: Arc<Connections>,
    state: Mutex<State>,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Default)]
struct State {
    /// Its place among the idle ones.
    place: Option<u64>,
    has_asked: bool,
}

/// A request that is under way, until its answer is over.
pub(crate) struct Busy(Arc<Line>);

impl Connections {
    /// Room for `most` connections, or for as many as the system lets this process have.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let most = u32::try_from(most).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32).max(1);
        Arc::new(Connections { most, room: Arc::new(Semaphore::new(most as usize)), idle: Mutex::default() })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for one more, and makes it where somebody is idle.
    pub(crate) async fn admit(self: &Arc<Self>) -> Arc<Line> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
                break permit;
            }
            self.let_go(1);
            // Whoever becomes idle meanwhile is seen the next time.
            if let Ok(Ok(permit)) = timeout(GLANCE, Arc::clone(&self.room).acquire_owned()).await {
                break permit;
            }
        };
        let line = Line {
            connections: Arc::clone(self),
            state: Mutex::default(),
            leave: Arc::new(Notify::new()),
            _permit: permit,
        };
        line.rest();
        Arc::new(line)
    }

    /// Asks those to leave that have been idle longest.
    pub(crate) fn let_go(&self, count: usize) {
        let mut idle = self.idle();
        for _ in 0..count {
            let Some(first) = idle.waiting.first_entry().filter(|first| first.get().0.elapsed() >= GRACE) else {
                break;
            };
            first.remove().1.notify_one();
        }
    }

    /// Waits until all are over.
    pub(crate) async fn over(&self) {
        let _ = self.room.acquire_many(self.most).await;
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place among the idle ones.
    fn rest(&self) {
        let mut idle = self.connections.idle();
        idle.next += 1;
        let place = idle.next;
        idle.waiting.insert(place, (Instant::now(), Arc::clone(&self.leave)));
        self.state().place = Some(place);
    }

    /// Leaves that place.
    fn rise(&self) {
        let mut idle = self.connections.idle();
        if let Some(place) = self.state().place.take() {
            idle.waiting.remove(&place);
        }
    }

    /// A request has come.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.state().has_asked = true;
        self.rise();
        Busy(Arc::clone(self))
    }

    /// Whether anything was ever asked over it.
    pub(crate) fn has_asked(&self) -> bool {
        self.state().has_asked
    }

    /// Comes when it has to give way.
    pub(crate) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.rise();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

/// As many connections of those that are wanted as this process may have descriptors for, once it has asked for all that it
/// may have.
#[cfg(unix)]
pub(crate) fn affordable(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(mut current) = current else { return wanted };
    let needed = (wanted as u64).saturating_mul(EACH).saturating_add(OTHERS);
    if current < needed {
        let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
            current = raised;
        }
    }
    let room = usize::try_from(current.saturating_sub(OTHERS) / EACH).unwrap_or(usize::MAX).max(1);
    if room < wanted {
        tracing::warn!(wanted, room, "the system lets this process open too few files for all connections (ulimit -n)");
    }
    room.min(wanted)
}

#[cfg(not(unix))]
pub(crate) fn affordable(wanted: usize) -> usize {
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it was asked to leave.
    async fn is_leaving(line: &Line) -> bool {
        timeout(Duration::from_millis(5), line.asked_to_leave()).await.is_ok()
    }

    #[tokio::test]
    async fn the_one_that_was_idle_longest_gives_way() {
        let connections = Connections::new(3);
        let lines = [connections.admit().await, connections.admit().await, connections.admit().await];
        // The first is busy; the third has asked something since the second came.
        let busy = lines[0].begin();
        drop(lines[2].begin());
        let admitted = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.admit().await }
        });
        lines[1].asked_to_leave().await;
        assert!(!lines[0].has_asked() || !is_leaving(&lines[0]).await);
        let [first, second, third] = lines;
        assert!(!second.has_asked() && third.has_asked());
        drop(second);
        let fourth = admitted.await.unwrap();
        assert!(!is_leaving(&fourth).await);
        drop((busy, first, third, fourth));
        connections.over().await;
        assert!(connections.idle().waiting.is_empty());
    }

    #[tokio::test]
    async fn nobody_who_is_busy_gives_way() {
        let connections = Connections::new(1);
        let line = connections.admit().await;
        let busy = line.begin();
        assert!(timeout(3 * GLANCE, connections.admit()).await.is_err());
        assert!(!is_leaving(&line).await);
        // As soon as it is idle it goes.
        drop(busy);
        let next = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.admit().await }
        });
        line.asked_to_leave().await;
        drop(line);
        next.await.unwrap();
    }

    #[tokio::test]
    async fn who_has_just_come_is_not_sent_away() {
        let connections = Connections::new(1);
        let (line, began) = (connections.admit().await, Instant::now());
        let next = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.admit().await }
        });
        line.asked_to_leave().await;
        assert!(began.elapsed() >= GRACE);
        drop(line);
        next.await.unwrap();
    }

    #[test]
    fn there_is_room_for_some() {
        assert!((1..=10).contains(&affordable(10)));
    }
}
