//! The windows of the next round, which the encoder hears while those of this one are decoded.
//!
//! That takes a device that does both at once, and windows that are known before this round has come to its end: those of strands that
//! have no turn in it. Nothing depends on it: what was not heard ahead, for whatever reason, is heard in its turn, and whoever is at
//! fault is told then.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::Means;
use super::course::Course;
use super::rounds::{Courses, Turn, frames};
use crate::backend::{Cancel, Encoded, Receipt, Stage, Work};
use crate::mel::{Mel, Spectrogram};
use crate::segments::Window;

/// A window that is to be heard in the next round.
pub(super) struct Planned {
    course: usize,
    /// The number of its strand among all that the course has had.
    strand: usize,
    window: Window,
    frames: usize,
    spectrogram: Arc<Spectrogram<'static>>,
}

/// Windows that were heard ahead of their turns.
pub(super) struct Ahead {
    planned: Vec<Planned>,
    encoded: Encoded,
    receipt: Receipt,
}

/// The windows that come next, `together` at most, if they have nothing to do with those of `turns`.
pub(super) fn plan(courses: Courses<'_, '_, '_>, turns: &[Turn], together: usize) -> Vec<Planned> {
    let mut planned = Vec::new();
    for (index, course) in courses.iter_mut().enumerate() {
        let taken = |strand: usize| turns.iter().any(|turn| (turn.course, turn.strand) == (index, strand));
        let (over, short) = (course.over.len(), course.options.short_context);
        let spectrogram = course.spectrogram.clone();
        let strands = course.strands.iter_mut().enumerate().filter(|(strand, _)| !taken(*strand));
        let windows = strands.filter_map(|(strand, state)| {
            let window = state.seek.window()?;
            let frames = frames(state, window, short);
            Some(Planned { course: index, strand: over + strand, window, frames, spectrogram: spectrogram.clone() })
        });
        planned.extend(windows.take(together - planned.len()));
    }
    planned
}

/// Those for whom it is done.
pub(super) fn wanted_by<'c>(planned: &[Planned], courses: &[&mut Course<'c>]) -> Vec<Cancel<'c>> {
    planned.iter().map(|planned| courses[planned.course].cancel().clone()).collect()
}

/// Hears them, if nothing goes wrong.
pub(super) fn hear<'a>(
    means: Means<'_>,
    planned: Vec<Planned>,
    cancel: &'a AtomicBool,
    wanted_by: Vec<Cancel<'a>>,
) -> Option<Ahead> {
    let mut work = Work { wanted_by, ..Work::new(cancel) };
    let mut since = Instant::now();
    let window = |index: usize| {
        let Planned { window, frames, spectrogram, .. } = &planned[index];
        spectrogram.window(window.start, window.frames as usize, *frames)
    };
    let mels = means.crew.map(planned.len(), window, &mut || work.proceed()).ok()?;
    let mels: Vec<Mel> = mels.into_iter().collect::<Result<_, _>>().ok()?;
    work.receipt.lap(Stage::Mel, &mut since);
    let encoded = means.model.encode(&mels, &mut work).ok()?;
    Some(Ahead { planned, encoded, receipt: work.receipt })
}

impl Ahead {
    /// The same, once nothing else was done for so long but to wait for it.
    pub(super) fn waited(mut self, time: Duration) -> Self {
        self.receipt.beside += self.receipt.spent().saturating_sub(time);
        self
    }

    /// The turns of a round in which these are the windows, what was heard of them, and what ran for that: if all may still go, and
    /// there is room for them together.
    pub(super) fn turns(self, courses: Courses<'_, '_, '_>, together: usize) -> Option<(Vec<Turn>, Encoded, Receipt)> {
        let turn = |planned: &Planned| {
            let course = &mut *courses[planned.course];
            let strand = planned.strand.checked_sub(course.over.len())?;
            let window = course.strands.get_mut(strand)?.seek.window()?;
            let may_go = window == planned.window && !course.waits_for_language();
            may_go.then_some(Turn { course: planned.course, strand, window, frames: planned.frames })
        };
        let turns: Vec<Turn> = self.planned.iter().map(turn).collect::<Option<_>>()?;
        (turns.len() <= together).then_some((turns, self.encoded, self.receipt))
    }
}
