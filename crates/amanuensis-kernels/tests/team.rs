//! The thread team: every block once, panics come home, and it survives being reused, outnumbered and dropped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use amanuensis_kernels::{Isa, Kernels, Team};

fn team(threads: usize) -> Team {
    Team::new(Kernels::new(Isa::Scalar).unwrap(), NonZeroUsize::new(threads).unwrap())
}

#[test]
fn every_block_runs_once() {
    for threads in [1, 2, 3, 8] {
        let mut team = team(threads);
        assert_eq!(team.threads(), threads);
        for blocks in [0, 1, 2, 7, 1000] {
            let runs: Vec<AtomicUsize> = (0..blocks).map(|_| AtomicUsize::new(0)).collect();
            team.enter(|region| {
                region.split(blocks, |block| {
                    runs[block].fetch_add(1, Relaxed);
                });
            });
            assert!(runs.iter().all(|count| count.load(Relaxed) == 1));
        }
    }
}

#[test]
fn rows_are_disjoint_and_complete() {
    let mut team = team(4);
    for (count, width, per_block) in [(0, 3, 1), (1, 1, 5), (100, 7, 3), (64, 16, 64)] {
        let mut out = vec![usize::MAX; count * width];
        team.enter(|region| {
            region.rows(&mut out, width, per_block, |first, rows| {
                for (i, row) in rows.chunks_mut(width).enumerate() {
                    row.fill(first + i);
                }
            });
        });
        assert!(out.iter().enumerate().all(|(i, &row)| row == i / width));
    }
}

#[test]
fn many_jobs_in_many_regions_with_more_threads_than_cores() {
    let mut team = team(16);
    for pass in 0..50 {
        let total = AtomicUsize::new(0);
        let jobs = team.enter(|region| {
            for _ in 0..40 {
                region.split(20, |block| {
                    total.fetch_add(block, Relaxed);
                });
            }
            40
        });
        assert_eq!(total.load(Relaxed), jobs * 190, "pass {pass}");
    }
}

#[test]
fn a_team_that_slept_wakes() {
    let mut team = team(3);
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let total = AtomicUsize::new(0);
        team.enter(|region| {
            // Long enough for the workers to fall asleep inside the region.
            std::thread::sleep(std::time::Duration::from_millis(20));
            region.split(100, |block| {
                total.fetch_add(block, Relaxed);
            });
        });
        assert_eq!(total.load(Relaxed), 4950);
    }
}

#[test]
fn a_panic_in_a_block_reaches_the_caller_and_the_team_goes_on() {
    let mut team = team(4);
    for round in 0..20 {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            team.enter(|region| region.split(50, |block| assert!(block != 17, "block seventeen")));
        }));
        let panic = outcome.unwrap_err();
        assert!(panic.downcast_ref::<&str>().is_some_and(|text| text.contains("seventeen")), "round {round}");
        let total = AtomicUsize::new(0);
        team.enter(|region| {
            region.split(50, |_| {
                total.fetch_add(1, Relaxed);
            });
        });
        assert_eq!(total.load(Relaxed), 50);
    }
    // A panic of the program itself, outside of any block.
    assert!(catch_unwind(AssertUnwindSafe(|| team.enter(|_| panic!("the program")))).is_err());
    assert_eq!(team.enter(|region| region.threads()), 4);
}

#[test]
fn teams_can_be_dropped_and_live_side_by_side() {
    for _ in 0..20 {
        drop(team(4));
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut team = team(3);
                for _ in 0..20 {
                    let mut out = vec![0; 1000];
                    team.enter(|region| region.rows(&mut out, 1, 10, |first, rows| rows.fill(first + 1)));
                    assert!(out.iter().all(|&x| x > 0));
                }
            });
        }
    });
}
