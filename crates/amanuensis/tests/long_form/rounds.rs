//! Rounds that are called one by one: recordings join and leave between them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use amanuensis::{Control, Course, Engine, Error};

use crate::scripted::{Script, Stub, second, special, stairs, stamp, surely};
use crate::{conditioned, plain, said, transcribe, word};

static NEVER: AtomicBool = AtomicBool::new(false);

fn many(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("more than none")
}

fn prepared(engine: &Engine, seconds: f64) -> amanuensis::Prepared {
    engine.prepare(&stairs(seconds), &conditioned(), &NEVER).expect("it is prepared")
}

fn go_round(engine: &Engine, courses: &mut [Course<'_>], together: usize) {
    engine.round(&mut courses.iter_mut().collect::<Vec<_>>(), many(together), &NEVER).expect("a round");
}

#[test]
fn a_recording_that_joins_later_says_what_it_says_alone() {
    let stub = Stub::new(Script::reading(|_, level| said(&format!("{}", second(level)), 29.0)));
    let engine = stub.engine();
    let alone = [100.0, 40.0].map(|seconds| transcribe(&engine, &stairs(seconds), &conditioned()).transcript);
    stub.log().rounds.clear();
    let mut courses = vec![prepared(&engine, 100.0).set_out(Control::new())];
    go_round(&engine, &mut courses, 2);
    courses.insert(0, prepared(&engine, 40.0).set_out(Control::new()));
    while courses.iter().any(|course| !course.is_over()) {
        go_round(&engine, &mut courses, 2);
    }
    assert_eq!(stub.log().rounds, [1, 2, 2, 1]);
    let transcripts: Vec<_> = courses.into_iter().map(|course| course.finish().expect("one").transcript).collect();
    assert_eq!(transcripts[1], alone[0]);
    assert_eq!(transcripts[0], alone[1]);
}

#[test]
fn a_round_that_was_given_up_is_made_up_for() {
    let give_up = Arc::new(AtomicBool::new(false));
    let (flag, asked) = (Arc::clone(&give_up), Arc::new(AtomicUsize::new(0)));
    let stub = Stub::new(Script::saying(move |lane| {
        flag.store(asked.fetch_add(1, Ordering::Relaxed) == 25, Ordering::Relaxed);
        let text = [stamp(0.0), word(lane.said.len()), word(3), stamp(29.0), stamp(29.0)];
        text.get(lane.said.len()).map_or_else(|| surely(special().end_of_text), |token| surely(*token))
    }));
    let engine = stub.engine();
    let recording = stairs(100.0);
    let whole = transcribe(&engine, &recording, &plain());
    let mut courses =
        vec![engine.prepare(&recording, &plain(), &NEVER).expect("it is prepared").set_out(Control::new())];
    let mut given_up = 0;
    while !courses[0].is_over() {
        match engine.round(&mut courses.iter_mut().collect::<Vec<_>>(), many(2), &give_up) {
            Ok(_) => {}
            Err(Error::Cancelled) => given_up += 1,
            Err(error) => panic!("{error}"),
        }
        give_up.store(false, Ordering::Relaxed);
    }
    assert_eq!(given_up, 1);
    let outcome = courses.remove(0).finish().expect("a transcript");
    assert_eq!(outcome.transcript, whole.transcript);
    assert_eq!(outcome.contexts, whole.contexts, "a window is counted once");
}

#[test]
fn who_goes_leaves_the_batch_at_the_next_step() {
    let gone = Arc::new(AtomicBool::new(false));
    let (flag, asked) = (Arc::clone(&gone), Arc::new(AtomicUsize::new(0)));
    let stub = Stub::new(Script::saying(move |lane| {
        if asked.fetch_add(1, Ordering::Relaxed) == 20 {
            flag.store(true, Ordering::Relaxed);
        }
        let long = lane.window == 0 || lane.said.len() < 30;
        let first = if lane.said.is_empty() { stamp(0.0) } else { word(lane.said.len()) };
        surely(if long { first } else { special().end_of_text })
    }));
    let engine = stub.engine();
    let leaving = engine.prepare(&stairs(20.0), &plain(), &NEVER).expect("it is prepared");
    let staying = engine.prepare(&stairs(20.0), &plain(), &NEVER).expect("it is prepared");
    let mut courses =
        vec![leaving.set_out(Control::shared(Arc::clone(&gone), |_| {})), staying.set_out(Control::new())];
    go_round(&engine, &mut courses, 2);
    assert!(courses[0].is_over(), "it was given up");
    let steps = stub.log().steps.clone();
    let alone = steps.iter().rposition(|lanes| *lanes == 2).expect("both were heard") + 1;
    assert!((9..=13).contains(&alone), "{steps:?}: it left at the step after it was cancelled");
    while !courses[1].is_over() {
        go_round(&engine, &mut courses, 2);
    }
    assert!(courses.remove(1).finish().is_ok());
    assert!(matches!(courses.remove(0).finish(), Err(Error::Cancelled)));
}

#[test]
fn a_round_that_nobody_waits_for_ends() {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&gone);
    let stub = Stub::new(Script::saying(move |lane| {
        flag.store(lane.said.len() == 5, Ordering::Relaxed);
        surely(if lane.said.is_empty() { stamp(0.0) } else { word(lane.said.len()) })
    }));
    let engine = stub.engine();
    let prepared = engine.prepare(&stairs(50.0), &plain(), &NEVER).expect("it is prepared");
    let mut courses = vec![prepared.set_out(Control::shared(Arc::clone(&gone), |_| {}))];
    go_round(&engine, &mut courses, 1);
    assert!(courses[0].is_over());
    assert!(stub.log().steps.len() <= 8, "{:?}", stub.log().steps);
    assert!(matches!(courses.remove(0).finish(), Err(Error::Cancelled)));
}
