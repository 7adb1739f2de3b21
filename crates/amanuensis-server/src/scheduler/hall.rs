//! The thread that goes round.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use amanuensis::backend::BackendError;
use amanuensis::{Control, Course, Error, Event};
use tokio::sync::mpsc::UnboundedSender;

use super::board::{Board, Place};
use super::order::{Candidate, Class, Order};
use super::{Entry, Failure, Happening};
use crate::metrics::Metrics;
use crate::models::Loaded;

/// A recording that is being heard.
struct Open {
    course: Course<'static>,
    model: Arc<Loaded>,
    class: Class,
    client: String,
    arrived: u64,
    came: Instant,
    has_begun: bool,
    deadline: Option<Instant>,
    cancel: Arc<AtomicBool>,
    tell: UnboundedSender<Happening>,
    /// Seconds of sound that were heard since it was last asked.
    heard: Arc<Mutex<f64>>,
    /// How many of its segments whoever keeps them has.
    kept: usize,
    /// Why it ends, where the engine does not know.
    why: Option<Failure>,
}

/// Everybody who waits for turns.
pub(super) struct Hall {
    entries: Receiver<Entry>,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    together: NonZeroUsize,
    open: Vec<Open>,
    order: Order,
    arrivals: u64,
}

impl Hall {
    pub(super) fn new(
        entries: Receiver<Entry>,
        board: Arc<Board>,
        metrics: Arc<Metrics>,
        together: NonZeroUsize,
    ) -> Self {
        let (open, order) = (Vec::new(), Order::default());
        Hall { entries, board, metrics, together, open, order, arrivals: 0 }
    }

    /// Goes round until nobody can come any more.
    pub(super) fn run(mut self) {
        while self.let_in() {
            self.heed_deadlines();
            self.see_out();
            if !self.open.is_empty() {
                self.go_round();
                self.see_out();
            }
        }
    }

    /// Lets in who has come; waits for somebody if nobody is there. Whether it goes on.
    fn let_in(&mut self) -> bool {
        if self.open.is_empty() {
            match self.entries.recv() {
                Ok(entry) => self.take(entry),
                Err(_) => return false,
            }
        }
        loop {
            match self.entries.try_recv() {
                Ok(entry) => self.take(entry),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return !self.open.is_empty(),
            }
        }
    }

    fn take(&mut self, entry: Entry) {
        let Entry { task, cancel, tell } = entry;
        let heard = Arc::new(Mutex::new(0.0));
        let listen = listener(Arc::clone(&cancel), tell.clone(), task.place, Arc::clone(&heard));
        let control = Control::shared(Arc::clone(&cancel), listen);
        let kept = task.saved.as_ref().map_or(0, |saved| saved.segments.len());
        let course = match task.saved {
            None => task.prepared.set_out(control),
            Some(saved) => match task.prepared.resume(saved, control) {
                Ok(course) => course,
                Err(error) => {
                    let _ = tell.send(Happening::Done(Err(Failure::Engine(error))));
                    return;
                }
            },
        };
        // What another process heard is not counted here.
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = 0.0;
        self.order.admit(&task.client);
        self.arrivals += 1;
        self.open.push(Open {
            course,
            model: task.model,
            class: task.class,
            client: task.client,
            arrived: self.arrivals,
            came: Instant::now(),
            has_begun: false,
            deadline: task.deadline,
            cancel,
            tell,
            heard,
            kept,
            why: None,
        });
        self.board.open.store(self.open.len() as u64, Ordering::Relaxed);
    }

    fn heed_deadlines(&mut self) {
        let now = Instant::now();
        for open in &mut self.open {
            if open.deadline.is_some_and(|deadline| deadline <= now) && open.why.is_none() {
                open.why = Some(Failure::Deadline);
                open.course.fail(Error::Cancelled);
            } else if open.cancel.load(Ordering::Relaxed) {
                open.course.fail(Error::Cancelled);
            }
        }
    }

    fn go_round(&mut self) {
        let candidates: Vec<Candidate> = self.open.iter().map(candidate).collect();
        let turns = self.order.next(&candidates);
        let Some(&first) = turns.first() else { return };
        let model = Arc::clone(&self.open[first].model);
        let is_urgent = self.open[first].class.is_urgent();
        for &turn in &turns {
            let open = &mut self.open[turn];
            if !open.has_begun {
                open.has_begun = true;
                self.metrics.waited(open.came.elapsed());
            }
        }
        self.board.abandon.store(false, Ordering::Relaxed);
        self.board.may_abandon.store(!is_urgent && self.order.gives_way(), Ordering::Relaxed);
        self.board.begin_round();
        let began = Instant::now();
        let result = {
            let mut lent: Vec<Option<&mut Open>> = self.open.iter_mut().map(Some).collect();
            let mut courses: Vec<&mut Course<'static>> =
                turns.iter().filter_map(|&turn| lent[turn].take().map(|open| &mut open.course)).collect();
            let (together, abandon) = (self.together, &self.board.abandon);
            catch_unwind(AssertUnwindSafe(|| model.engine().round(&mut courses, together, abandon)))
        };
        let took = began.elapsed();
        let given_up = self.board.abandon.swap(false, Ordering::Relaxed);
        self.board.may_abandon.store(false, Ordering::Relaxed);
        let mut all = 0.0;
        for &turn in &turns {
            let open = &self.open[turn];
            let heard = std::mem::take(&mut *open.heard.lock().unwrap_or_else(PoisonError::into_inner));
            all += heard;
            // Windows of silence cost an encoder's pass as well; whoever has none left had one.
            self.order.charge(&open.client, (heard / 30.0).ceil() as u64);
        }
        let was_given_up = given_up && matches!(result, Ok(Err(Error::Cancelled)));
        if !is_urgent && !was_given_up {
            self.order.rest_was_heard();
        }
        match result {
            Ok(Ok(receipt)) => {
                self.metrics.round(&receipt);
                self.board.end_round(took, all, &receipt);
                self.save(&turns);
            }
            Ok(Err(Error::Cancelled)) if was_given_up => {
                self.metrics.gave_up();
                self.board.end_round(took, all, &Default::default());
            }
            Ok(Err(Error::Backend(BackendError::Device { device, reason }))) => {
                tracing::error!(device, reason, "a device failed");
                // Whoever asks next gets it from anew, if it is to be had.
                model.mark_broken();
                self.give_up(&turns, |reason| Some(Failure::Device(device, reason.to_owned())), &reason);
            }
            Ok(Err(error)) => self.give_up(&turns, |_| None, &error.to_string()),
            Err(panic) => {
                let reason = reason(&*panic);
                model.mark_broken();
                self.give_up(&turns, |reason| Some(Failure::Broken(reason.to_owned())), &reason);
            }
        }
    }

    /// Tells what those jobs have come to that had turns.
    fn save(&mut self, turns: &[usize]) {
        for &turn in turns {
            let open = &mut self.open[turn];
            if open.class == Class::Job
                && let Some(saved) = open.course.save_behind(open.kept)
            {
                open.kept += saved.segments.len();
                let _ = open.tell.send(Happening::Saved(Box::new(saved)));
            }
        }
    }

    /// Those who had turns have failed.
    fn give_up(&mut self, turns: &[usize], why: impl Fn(&str) -> Option<Failure>, reason: &str) {
        self.board.end_round(std::time::Duration::ZERO, 0.0, &Default::default());
        for &turn in turns {
            let open = &mut self.open[turn];
            open.why = open.why.take().or_else(|| why(reason));
            if !open.course.is_over() {
                open.course.fail(Error::Stopped { reason: reason.to_owned() });
            }
        }
    }

    /// Says goodbye to those who are done.
    fn see_out(&mut self) {
        let (over, open): (Vec<Open>, Vec<Open>) = self.open.drain(..).partition(|open| open.course.is_over());
        self.open = open;
        self.board.open.store(self.open.len() as u64, Ordering::Relaxed);
        if over.is_empty() {
            return;
        }
        self.order.forget_all_but(self.open.iter().map(|open| open.client.as_str()));
        for Open { course, why, tell, .. } in over {
            let result = match (why, course.finish()) {
                (Some(why), _) => Err(why),
                (None, Ok(outcome)) => Ok(Box::new(outcome)),
                (None, Err(error)) => Err(Failure::Engine(error)),
            };
            self.metrics.finished(&result);
            // Whoever has gone does not hear it.
            let _ = tell.send(Happening::Done(result));
        }
    }
}

fn candidate(open: &Open) -> Candidate {
    // Two models of one name are two: the older one is only used to its end.
    let model = Arc::as_ptr(&open.model) as usize;
    Candidate { class: open.class, client: open.client.clone(), model, arrived: open.arrived }
}

/// Passes on what happens, and keeps the place in the queue until it is over.
fn listener(
    cancel: Arc<AtomicBool>,
    tell: UnboundedSender<Happening>,
    place: Place,
    heard: Arc<Mutex<f64>>,
) -> impl FnMut(Event<'_>) {
    move |event| {
        let happening = match event {
            Event::Language(languages) => {
                let code = languages.first().map(|(code, _)| code.clone());
                Happening::Language(code.unwrap_or_default())
            }
            Event::Segment(segment) => Happening::Segment(Box::new(segment.clone())),
            Event::Progress { processed, total } => {
                let share = if total > 0.0 { processed / total } else { 1.0 };
                *heard.lock().unwrap_or_else(PoisonError::into_inner) += place.heard(share);
                Happening::Progress { processed }
            }
        };
        if tell.send(happening).is_err() {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}
