//! One line for all: whatever is asked, by request or job, its windows wait here for their turns.
//!
//! A thread of its own goes round and round: before every round it looks who has come, who has gone and whose turn it is
//! ([`order`]), lets the engine hear their next windows in one batch, and tells them what came of it. Nothing of the
//! model runs anywhere else, so two requests never fight for the processor.

mod board;
mod hall;
mod order;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use amanuensis::{Outcome, Prepared, Saved, Segment};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) use board::{Board, Full, Place};
pub(crate) use order::Class;

use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::models::Loaded;

/// What happens to a recording while it is heard.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The language was detected: its code.
    Language(String),
    /// A segment is finished.
    Segment(Box<Segment>),
    /// So many seconds are done.
    Progress { processed: f64 },
    /// What it has come to, after each round of a job; without the segments that came with those before.
    Saved(Box<Saved>),
    /// Nothing more will come.
    Done(Result<Box<Outcome>, Failure>),
}

/// Why a recording was not heard to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine says why.
    Engine(amanuensis::Error),
    /// It was not done in its time.
    Deadline,
    /// A device that must be used failed.
    Device(&'static str, String),
    /// The engine broke.
    Broken(String),
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Engine(error) => error.into(),
            Failure::Deadline => ApiError::past_deadline("the transcription was not done in the time allowed"),
            Failure::Device(device, reason) => ApiError::no_device(device, &reason),
            Failure::Broken(reason) => {
                tracing::error!(reason, "the engine broke");
                ApiError::fault("the engine broke while it heard this recording; it is loaded anew for the next one")
            }
        }
    }
}

/// A recording that is to be heard.
pub(crate) struct Task {
    pub(crate) model: Arc<Loaded>,
    pub(crate) prepared: Prepared,
    pub(crate) class: Class,
    /// Whose it is: the time of the engine is divided between clients.
    pub(crate) client: String,
    pub(crate) deadline: Option<Instant>,
    /// Its place in the queue, kept until it is over.
    pub(crate) place: Place,
    /// What was done of it before.
    pub(crate) saved: Option<Saved>,
}

/// Somebody listens to how a recording is heard. Dropping it stops the work.
pub(crate) struct Hearing {
    pub(crate) happenings: UnboundedReceiver<Happening>,
    cancel: Arc<AtomicBool>,
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

/// A task on its way into the hall.
struct Entry {
    task: Task,
    cancel: Arc<AtomicBool>,
    tell: UnboundedSender<Happening>,
}

/// The way into the line.
#[derive(Clone)]
pub(crate) struct Scheduler {
    door: mpsc::Sender<Entry>,
    board: Arc<Board>,
}

impl Scheduler {
    /// Opens the hall, whose rounds take `together` windows at most, and `stalled_after` if all is well.
    pub(crate) fn start(
        together: NonZeroUsize,
        stalled_after: Duration,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (door, entries) = mpsc::channel();
        let board = Arc::new(Board::new(stalled_after));
        let seen = Arc::clone(&board);
        thread::Builder::new()
            .name("rounds".to_owned())
            .spawn(move || hall::Hall::new(entries, seen, metrics, together).run())?;
        Ok(Scheduler { door, board })
    }

    /// What can be seen of it from outside.
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Lets a recording be heard.
    pub(crate) fn hear(&self, task: Task) -> Result<Hearing, ApiError> {
        let (tell, happenings) = unbounded_channel();
        let cancel = Arc::new(AtomicBool::new(false));
        if task.class.is_urgent() {
            self.board.call();
        }
        let entry = Entry { task, cancel: Arc::clone(&cancel), tell };
        let closed = |_| ApiError::fault("the engine's thread has ended; the server has to be started again");
        self.door.send(entry).map_err(closed)?;
        Ok(Hearing { happenings, cancel })
    }
}
