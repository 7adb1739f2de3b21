//! How an operation is measured: among others of its kind, in a region that is open, as it is in a model.

use std::time::{Duration, Instant};

use amanuensis_kernels::{Precision, Region, Team};

use super::report::{Measured, Report};
use super::roofs::{self, Roof, Roofs};
use crate::args::Group;

/// How long one kind of work is repeated.
const ENOUGH: Duration = Duration::from_millis(250);
/// How long one measurement is at least, where the operation itself is shorter: then it is repeated within, so that
/// neither the clock nor the opening of the region counts.
const LEAST: Duration = Duration::from_micros(200);
/// Measurements are not fewer than the first, nor more than the second.
const SAMPLES: std::ops::Range<usize> = 5..2000;

/// What an operation needs at least: so much arithmetic, and so many bytes read and written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// The roof of its kind of arithmetic.
    pub(super) arithmetic: fn(&Roofs) -> &Roof,
    /// Operations; a multiplication and the addition behind it are two.
    pub(super) operations: f64,
    pub(super) bytes: f64,
}

/// An operation that is ready to be repeated.
pub(super) struct Operation {
    pub(super) name: String,
    /// What it needs, if there is a roof for that.
    pub(super) need: Option<Need>,
    /// Whether it is computed by the kernels, whose instruction set is known.
    pub(super) of_kernels: bool,
    pub(super) run: Box<dyn FnMut(&mut Region<'_>)>,
}

/// The times of one kind of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    /// What the code can do.
    pub(super) best: f64,
    /// What this machine let it do.
    pub(super) median: f64,
    pub(super) samples: usize,
}

/// Repeats `run` on the team.
pub(super) fn time(team: &mut Team, run: &mut dyn FnMut(&mut Region<'_>)) -> Times {
    let mut sample = |repeats: u32| {
        team.enter(|region| {
            // Wakes the threads, and is not counted.
            run(region);
            let begun = Instant::now();
            (0..repeats).for_each(|_| run(region));
            begun.elapsed().as_secs_f64() / f64::from(repeats)
        })
    };
    let once = sample(1);
    let repeats = (LEAST.as_secs_f64() / once.max(1e-9)).clamp(1.0, 10_000.0).ceil() as u32;
    let begun = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < SAMPLES.start || (begun.elapsed() < ENOUGH && seconds.len() < SAMPLES.end) {
        seconds.push(sample(repeats));
    }
    seconds.sort_by(f64::total_cmp);
    Times { best: seconds[0], median: seconds[seconds.len() / 2], samples: seconds.len() }
}

/// The team, its roofs, and what was measured on it so far.
pub(super) struct Bench {
    team: Team,
    roofs: Roofs,
    measured: Vec<Measured>,
}

impl Bench {
    /// Measures the roofs.
    pub(super) fn new(mut team: Team) -> Bench {
        let roofs = roofs::measure(&mut team);
        Bench { team, roofs, measured: Vec::new() }
    }

    /// The rows of a group, to be measured.
    pub(super) fn of(&mut self, group: Group) -> Rows<'_> {
        Rows { bench: self, group }
    }

    pub(super) fn report(self) -> Report {
        Report {
            isa: self.team.kernels().isa().name(),
            threads: self.team.threads(),
            roofs: self.roofs.list(),
            operations: self.measured,
        }
    }
}

/// Where the operations of a group go.
pub(super) struct Rows<'a> {
    bench: &'a mut Bench,
    group: Group,
}

impl Rows<'_> {
    /// Makes an operation ready, measures it, and lets go of what it needed.
    pub(super) fn one(&mut self, make: impl FnOnce(&mut Team) -> Operation) {
        let Bench { team, roofs, measured } = &mut *self.bench;
        let mut operation = make(team);
        let times = time(team, &mut *operation.run);
        let isa = operation.of_kernels.then(|| team.kernels().isa().name());
        let bound = operation.need.and_then(|need| roofs.bound(need));
        measured.push(Measured::new(self.group, operation.name, isa, times, operation.need, bound));
    }

    /// The same at every precision.
    pub(super) fn each(&mut self, make: impl Fn(&mut Team, Precision) -> Operation) {
        for precision in Precision::ALL {
            self.one(|team| make(team, precision));
        }
    }
}
