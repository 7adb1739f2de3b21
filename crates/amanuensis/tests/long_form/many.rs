//! Several recordings at once: what happens to one does not touch the others.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use amanuensis::audio::Recording;
use amanuensis::{Control, Error, Event, Job, Options};

use crate::scripted::{Script, Stub, second, silence, stairs, stamp, surely};
use crate::{conditioned, plain, said, transcribe, word};

fn many(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("more than none")
}

fn job<'a>(recording: &'a Recording, options: &'a Options) -> Job<'a> {
    Job { recording, options, control: Control::new() }
}

static NEVER: AtomicBool = AtomicBool::new(false);

#[test]
fn windows_of_all_recordings_share_the_rounds() {
    let stub = Stub::new(Script::reading(|_, level| said(&format!("{}", second(level)), 29.0)));
    let (engine, options) = (stub.engine(), conditioned());
    let recordings = [70.0, 10.0, 0.0, 100.0, 31.0].map(stairs);
    let alone: Vec<_> =
        recordings.iter().map(|recording| transcribe(&engine, recording, &options).transcript).collect();
    for together in [1, 2, 3, 5, 8] {
        stub.log().rounds.clear();
        let mut jobs: Vec<Job<'_>> = recordings.iter().map(|recording| job(recording, &options)).collect();
        let outcomes = engine.transcribe_many(&mut jobs, many(together), &NEVER);
        let transcripts: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("one").transcript).collect();
        assert_eq!(transcripts, alone, "{together} together");
        // 3, 1, 0, 4 and 2 windows.
        let rounds = stub.log().rounds.clone();
        assert_eq!(rounds.iter().sum::<usize>(), 10);
        assert!(rounds.iter().all(|round| *round <= together.min(4)), "{rounds:?}");
        assert!(rounds.len() <= [10, 6, 4, 4, 4][[1, 2, 3, 5, 8].iter().position(|n| *n == together).expect("one")]);
    }
}

#[test]
fn any_number_of_windows_may_be_asked_for() {
    let engine = Stub::new(Script::reading(|_, _| said("So.", 29.0))).engine();
    let options = Options { batch: Some(many(256)), ..plain() };
    let recording = stairs(100.0);
    assert_eq!(transcribe(&engine, &recording, &options).transcript.segments.len(), 4);
    let outcomes = engine.transcribe_many(&mut [job(&recording, &options)], NonZeroUsize::MAX, &NEVER);
    assert_eq!(outcomes[0].as_ref().expect("one").transcript.segments.len(), 4);
}

#[test]
fn wrong_options_fail_alone() {
    let engine = Stub::new(Script::reading(|_, _| said("So.", 29.0))).engine();
    let recording = stairs(10.0);
    let (good, bad) = (plain(), Options { language: Some("klingon".to_owned()), ..plain() });
    let mut jobs = [job(&recording, &good), job(&recording, &bad), job(&recording, &good)];
    let outcomes = engine.transcribe_many(&mut jobs, many(2), &NEVER);
    let fine: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true]);
    assert!(matches!(outcomes[1], Err(Error::UnknownLanguage { .. })));
    assert!(engine.transcribe_many(&mut [], many(2), &NEVER).is_empty());
}

#[test]
fn cancelling_ends_a_batch_within_one_step() {
    let cancel = Arc::new(AtomicBool::new(false));
    for (beam_size, at) in [(None, 40), (Some(2), 90)] {
        let (flag, asked) = (Arc::clone(&cancel), Arc::new(AtomicUsize::new(0)));
        flag.store(false, Ordering::Relaxed);
        let script = Script::saying(move |lane| {
            if asked.fetch_add(1, Ordering::Relaxed) == at {
                flag.store(true, Ordering::Relaxed);
            }
            surely(if lane.said.is_empty() { stamp(0.0) } else { word(lane.said.len()) })
        });
        let stub = Stub::new(script);
        let mut options = plain();
        options.search.beam_size = beam_size;
        let recordings = [40.0, 50.0, 60.0].map(stairs);
        let engine = stub.engine();
        let mut jobs: Vec<Job<'_>> = recordings.iter().map(|recording| job(recording, &options)).collect();
        let outcomes = engine.transcribe_many(&mut jobs, many(3), &cancel);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(Error::Cancelled))), "all are ended");
        let lanes: usize = stub.log().steps.iter().sum();
        assert!(lanes <= at + 7, "{lanes} lanes were fed, {at} before it was cancelled");
    }
}

#[test]
fn one_recording_can_be_cancelled_alone() {
    let stub = Stub::new(Script::reading(|_, _| said("So.", 29.0)));
    let (engine, options) = (stub.engine(), plain());
    let (long, short) = (stairs(100.0), stairs(50.0));
    let cancel = AtomicBool::new(false);
    let mut segments = 0;
    let mut stop = |event: Event<'_>| {
        if matches!(event, Event::Segment(_)) {
            segments += 1;
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let mut jobs = [
        Job { recording: &long, options: &options, control: Control::with(&cancel, &mut stop) },
        job(&short, &options),
    ];
    let outcomes = engine.transcribe_many(&mut jobs, many(2), &NEVER);
    assert!(matches!(outcomes[0], Err(Error::Cancelled)));
    drop(jobs);
    assert_eq!(outcomes[1].as_ref().expect("the other").transcript.segments.len(), 2);
    assert_eq!((segments, stub.log().levels.len()), (1, 3), "it is not heard any further");
}

/// A recording long enough to lie in a temporary file, which is cut short behind its back.
#[cfg(target_os = "linux")]
fn unreadable() -> Recording {
    const SECONDS: usize = 530;
    let mut wave = Vec::with_capacity(SECONDS * 32_000 + 44);
    let bytes = (SECONDS * 32_000) as u32;
    wave.extend(b"RIFF");
    wave.extend((bytes + 36).to_le_bytes());
    wave.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wave.extend(16_000_u32.to_le_bytes());
    wave.extend(32_000_u32.to_le_bytes());
    wave.extend(b"\x02\0\x10\0data");
    wave.extend(bytes.to_le_bytes());
    wave.resize(wave.len() + bytes as usize, 0);
    let files = || {
        let entries = std::fs::read_dir("/proc/self/fd").expect("open files");
        let path = |entry: std::io::Result<std::fs::DirEntry>| entry.ok().map(|entry| entry.path());
        entries.filter_map(path).filter(|path| {
            let is_large = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == u64::from(bytes));
            is_large && std::fs::read_link(path).is_ok_and(|name| name.to_string_lossy().contains("(deleted)"))
        })
    };
    let recording = crate::common::open_bytes(wave).expect("a recording");
    let file = files().next().expect("its temporary file");
    let file = std::fs::OpenOptions::new().write(true).open(file).expect("it opens");
    // The first minute stays.
    file.set_len(60 * 32_000).expect("it is cut");
    recording
}

#[test]
#[cfg(target_os = "linux")]
fn a_recording_that_cannot_be_read_any_more_fails_alone() {
    use amanuensis::mel::Convention;
    let stub = Stub::new(Script::reading(|_, _| said("So.", 29.0)));
    let engine = stub.engine();
    // This convention does not read the whole recording first.
    let options = Options { mel: Convention::HuggingFace, ..plain() };
    let (broken, whole) = (unreadable(), silence(100.0));
    for together in [1, 2, 4] {
        let mut jobs = [job(&whole, &options), job(&broken, &options), job(&whole, &options)];
        let outcomes = engine.transcribe_many(&mut jobs, many(together), &NEVER);
        assert!(matches!(outcomes[1], Err(Error::Audio(_))), "{together} together: {:?}", outcomes[1]);
        for index in [0, 2] {
            let segments = outcomes[index].as_ref().expect("one").transcript.segments.len();
            assert_eq!(segments, 4, "{together} together");
        }
    }
    let detecting = Options {
        language: None,
        detection: amanuensis::Detection { windows: many(5), threshold: 1.0, ..Default::default() },
        ..options.clone()
    };
    let mut jobs = [job(&broken, &detecting), job(&whole, &options)];
    let outcomes = engine.transcribe_many(&mut jobs, many(2), &NEVER);
    assert!(matches!(outcomes[0], Err(Error::Audio(_))));
    assert!(outcomes[1].is_ok(), "{:?}", outcomes[1]);
}
