//! Devices that are short of memory, and several as one: batches are made as small as they must be and dealt out, and nothing else
//! changes.

mod common;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{
    Availability, Backend, BackendError, Choices, ComputeType, CrossAttention, Decoding, Encoded, Feed, Logits, Model,
    Next, Permitted, Several, TokenSet, Wanted, Work,
};
use amanuensis::mel::Mel;
use amanuensis::model::{self, Dims, ModelFile, Source};
use amanuensis::segments::Punctuation;
use amanuensis::tokens::Token;
use amanuensis::{Control, Engine, Event, Job, Options, Outcome};
use common::{in_repository, joined, model_folder, open};

static NEVER: AtomicBool = AtomicBool::new(false);

/// How far numbers may lie apart that should be the same, in a batch or alone.
const TOLERANCE: f32 = 1e-4;

fn file() -> ModelFile {
    model::open(&Source::Path(model_folder("demo", None))).unwrap_or_else(|error| panic!("{error}"))
}

/// A processor with room for so many windows, that notes its batches and may fail.
#[derive(Clone)]
struct Watched {
    room: usize,
    /// Whether it says that it encodes while it decodes.
    beside: bool,
    owner: ThreadId,
    fails: Arc<AtomicBool>,
    /// How many batches that are encoded in another thread than its owner's fail.
    ahead_fails: Arc<AtomicUsize>,
    batches: Arc<Mutex<Vec<usize>>>,
    /// Those of them that were encoded in another thread than its owner's.
    ahead: Arc<Mutex<Vec<usize>>>,
}

impl Watched {
    fn with_room(room: usize) -> Self {
        Watched {
            room,
            beside: false,
            owner: thread::current().id(),
            fails: Arc::default(),
            ahead_fails: Arc::default(),
            batches: Arc::default(),
            ahead: Arc::default(),
        }
    }

    /// One that encodes while it decodes.
    fn beside() -> Self {
        Watched { beside: true, ..Self::with_room(99) }
    }

    fn ahead(&self) -> Vec<usize> {
        self.ahead.lock().expect("nobody panicked").clone()
    }

    fn batches(&self) -> Vec<usize> {
        self.batches.lock().expect("nobody panicked").clone()
    }

    fn failure(reason: &str) -> BackendError {
        BackendError::Device { device: "watched", reason: reason.to_owned() }
    }
}

struct WatchedModel {
    watched: Watched,
    inner: Box<dyn Model>,
}

impl Backend for Watched {
    fn name(&self) -> &'static str {
        "watched"
    }

    fn probe(&self) -> Availability {
        match self.fails.load(Ordering::Relaxed) {
            false => Availability::Ready("a processor".to_owned()),
            true => Availability::Absent("it is gone".to_owned()),
        }
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        let inner = Cpu::new(NonZeroUsize::new(1), ComputeType::F32).load(file)?;
        Ok(Box::new(WatchedModel { watched: self.clone(), inner }))
    }
}

impl Model for WatchedModel {
    fn dims(&self) -> &Dims {
        self.inner.dims()
    }

    fn together(&self, windows: usize, lanes: usize) -> Result<usize, BackendError> {
        assert!(lanes >= 1);
        match self.watched.room {
            0 => Err(Watched::failure("there is no room for one window")),
            room => Ok(windows.min(room)),
        }
    }

    fn encodes_beside(&self) -> bool {
        self.watched.beside
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        self.watched.batches.lock().expect("nobody panicked").push(windows.len());
        if thread::current().id() != self.watched.owner {
            let fewer = |left: usize| left.checked_sub(1);
            if self.watched.ahead_fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok() {
                return Err(Watched::failure("it could not be done ahead"));
            }
            self.watched.ahead.lock().expect("nobody panicked").push(windows.len());
        }
        if self.watched.fails.load(Ordering::Relaxed) {
            return Err(Watched::failure("it fell off the bus"));
        }
        self.inner.encode(windows, work)
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        self.inner.begin(encoded, work)
    }
}

/// Two of them as one.
fn two(first: &Watched, second: &Watched) -> Several {
    let member = |label: &str, watched: &Watched| (label.to_owned(), Box::new(watched.clone()) as Box<dyn Backend>);
    Several::new("watched", vec![member("watched:0", first), member("watched:1", second)])
}

/// The texts of some samples, heard as many together as there are.
fn texts(backend: &dyn Backend, samples: &[&str]) -> Result<Vec<String>, amanuensis::Error> {
    let engine = Engine::with(file(), backend)?;
    let recordings: Vec<_> = samples.iter().map(|name| open(&in_repository("samples").join(name))).collect();
    let options = Options { words: Some(Punctuation::default()), ..Options::default() };
    let job = |recording| Job { recording, options: &options, control: Control::new() };
    let mut jobs: Vec<Job<'_>> = recordings.iter().map(job).collect();
    let together = NonZeroUsize::new(samples.len()).expect("some");
    let outcomes = engine.transcribe_many(&mut jobs, together, &NEVER);
    outcomes
        .into_iter()
        .map(|outcome| {
            let words = outcome?.transcript.segments.into_iter().flat_map(|segment| segment.words.unwrap_or_default());
            Ok(words.map(|word| format!("{}@{:.2}", word.word, word.start)).collect())
        })
        .collect()
}

const SAMPLES: [&str; 3] = ["english.wav", "german.wav", "english-numbers.wav"];

#[test]
fn a_batch_is_no_larger_than_there_is_room_for() {
    let plenty = Watched::with_room(9);
    let expected = texts(&plenty, &SAMPLES).expect("transcripts");
    assert_eq!(plenty.batches()[0], 3);
    assert!(expected.iter().all(|text| text.len() > 20), "{expected:?}");
    for room in [1, 2] {
        let little = Watched::with_room(room);
        assert_eq!(texts(&little, &SAMPLES).expect("transcripts"), expected, "room for {room}");
        assert!(little.batches().iter().all(|windows| *windows <= room), "{:?}", little.batches());
    }
    let none = texts(&Watched::with_room(0), &SAMPLES).expect_err("no room");
    assert!(none.to_string().contains("no room for one window"), "{none}");
}

/// What is said in the samples that are joined, so many windows together.
fn batched(backend: &dyn Backend, together: usize, cancel: &AtomicBool) -> Result<Outcome, amanuensis::Error> {
    let engine = Engine::with(file(), backend)?;
    let options = Options { batch: NonZeroUsize::new(together), ..Options::default() };
    engine.transcribe(&joined(), &options, &mut Control::with(cancel, &mut |_| {}))
}

#[test]
fn what_is_heard_ahead_is_what_is_heard_in_its_turn() {
    let told = |outcome: &Outcome| serde_json::to_string(&outcome.transcript).expect("JSON");
    let plain = Watched::with_room(99);
    let expected = batched(&plain, 1, &NEVER).expect("a transcript");
    let windows = plain.batches().len();
    assert!(windows >= 4 && plain.ahead().is_empty(), "{:?}", plain.batches());
    assert_eq!(expected.receipt.beside, Duration::ZERO);
    for together in [1, 2, 3] {
        let beside = Watched::beside();
        let found = batched(&beside, together, &NEVER).expect("a transcript");
        assert_eq!(told(&found), told(&expected), "{together} together");
        // Until the language is known there is one window; all the others were heard while some were decoded.
        assert_eq!(beside.batches()[0], 1);
        let ahead = beside.ahead();
        assert_eq!(ahead.iter().sum::<usize>(), windows - 1, "{ahead:?}");
        assert!(ahead.iter().all(|windows| *windows <= together), "{ahead:?}");
        assert_eq!(found.receipt.windows, windows as u64);
        let (spent, beside) = (found.receipt.spent(), found.receipt.beside);
        assert!(beside > Duration::ZERO && spent + beside == found.receipt.time_of(|_| true));
    }
    let (first, second) = (Watched::beside(), Watched::beside());
    let found = batched(&two(&first, &second), 2, &NEVER).expect("a transcript");
    assert_eq!(told(&found), told(&expected), "on two devices");
    assert!(!second.ahead().is_empty());
}

#[test]
fn what_fails_ahead_is_heard_in_its_turn() {
    let expected = batched(&Watched::with_room(99), 2, &NEVER).expect("a transcript").transcript.text;
    let beside = Watched::beside();
    beside.ahead_fails.store(1, Ordering::Relaxed);
    assert_eq!(batched(&beside, 2, &NEVER).expect("a transcript").transcript.text, expected);
    assert!(beside.ahead_fails.load(Ordering::Relaxed) == 0 && !beside.ahead().is_empty());
    // Where it fails in its turn too, that is told.
    let broken = Watched::beside();
    broken.fails.store(true, Ordering::Relaxed);
    let told = batched(&broken, 2, &NEVER).expect_err("it fails").to_string();
    assert!(told.contains("it fell off the bus"), "{told}");
    // Nobody waits for what nobody wants.
    let cancelled = batched(&Watched::beside(), 2, &AtomicBool::new(true)).expect_err("cancelled");
    assert!(matches!(cancelled, amanuensis::Error::Cancelled), "{cancelled}");
}

#[test]
fn a_recording_that_nobody_wants_takes_nothing_of_the_others_that_were_heard_ahead() {
    let plain = Watched::with_room(99);
    let recording = joined();
    let options = Options { batch: NonZeroUsize::new(2), language: Some("en".to_owned()), ..Options::default() };
    let run = |watched: &Watched, gone: &AtomicBool| {
        let engine = Engine::with(file(), watched).expect("an engine");
        let mut tell = |event: Event<'_>| {
            if matches!(event, Event::Progress { .. }) {
                gone.store(true, Ordering::Relaxed);
            }
        };
        let job = |control| Job { recording: &recording, options: &options, control };
        let mut jobs = [job(Control::with(gone, &mut tell)), job(Control::new())];
        let outcomes = engine.transcribe_many(&mut jobs, NonZeroUsize::new(2).expect("two"), &NEVER);
        outcomes.into_iter().map(|outcome| outcome.map(|outcome| outcome.transcript.text)).collect::<Vec<_>>()
    };
    let expected = run(&plain, &AtomicBool::new(false));
    assert!(matches!(expected[0], Err(amanuensis::Error::Cancelled)));
    let beside = Watched::beside();
    let found = run(&beside, &AtomicBool::new(false));
    assert!(matches!(found[0], Err(amanuensis::Error::Cancelled)));
    assert_eq!(found[1].as_ref().expect("it is wanted"), expected[1].as_ref().expect("it is wanted"));
}

#[test]
fn several_devices_give_what_one_gives_and_each_does_its_part() {
    let expected = texts(&Watched::with_room(9), &SAMPLES).expect("transcripts");
    let (first, second) = (Watched::with_room(9), Watched::with_room(9));
    assert_eq!(texts(&two(&first, &second), &SAMPLES).expect("transcripts"), expected);
    assert_eq!((first.batches()[0], second.batches()[0]), (2, 1));
    // Where one has less room than the other, both have as little.
    let model = two(&Watched::with_room(1), &second).load(&file()).expect("a model");
    assert_eq!([1, 2, 3, 9].map(|windows| model.together(windows, 1).expect("room")), [1, 2, 2, 2]);
}

#[test]
fn what_is_wrong_with_one_of_several_is_told_with_its_name() {
    let (first, second) = (Watched::with_room(9), Watched::with_room(9));
    let both = two(&first, &second);
    assert_eq!(both.probe(), Availability::Ready("a processor; a processor".to_owned()));
    let model = both.load(&file()).expect("a model");
    second.fails.store(true, Ordering::Relaxed);
    assert_eq!(both.probe(), Availability::Absent("watched:1: it is gone".to_owned()));
    let mut work = Work::new(&NEVER);
    let Err(error) = model.encode(&windows(&file(), 4), &mut work) else { panic!("one of them failed") };
    assert_eq!(error.to_string(), "device watched: watched:1: it fell off the bus");
    assert!(work.receipt.devices().is_empty() && work.receipt.windows == 0, "nothing is told of what is not there");
    let full = two(&first, &Watched::with_room(0)).load(&file()).expect("a model");
    let error = full.together(4, 1).expect_err("no room");
    assert_eq!(error.to_string(), "device watched: watched:1: there is no room for one window");
    // A batch of one is the first one's alone.
    assert_eq!(model.encode(&windows(&file(), 1), &mut work).expect("encoded").positions.len(), 1);
}

#[test]
fn cancelling_reaches_all_of_several() {
    let (first, second) = (Watched::with_room(9), Watched::with_room(9));
    let model = two(&first, &second).load(&file()).expect("a model");
    let cancelled = AtomicBool::new(true);
    let mut given_up = Work::new(&cancelled);
    assert!(matches!(model.encode(&windows(&file(), 2), &mut given_up), Err(BackendError::Cancelled)));
    assert_eq!((first.batches(), second.batches()), (vec![1], vec![1]));
    let encoded = model.encode(&windows(&file(), 2), &mut Work::new(&NEVER)).expect("encoded");
    assert!(matches!(model.begin(&encoded, &mut given_up), Err(BackendError::Cancelled)));
    let mut decoding = model.begin(&encoded, &mut Work::new(&NEVER)).expect("a decoding");
    decoding.start(&[0, 1]);
    let feeds = [Feed { tokens: &[2049], read: &[0] }; 2];
    assert!(matches!(decoding.step(&feeds, &mut Logits::default(), &mut given_up), Err(BackendError::Cancelled)));
    assert!(given_up.receipt.devices().is_empty());
}

/// Windows of something, short and each of another length.
fn windows(file: &ModelFile, count: usize) -> Vec<Mel> {
    let bins = file.dims.mel_bins;
    let value = |seed: usize, index: usize| {
        (((index as u32).wrapping_mul(2_654_435_761) ^ seed as u32) >> 16) as f32 / 40_000.0 - 0.8
    };
    let window = |seed: usize| {
        let frames = 40 + 10 * seed;
        Mel { bins, frames, values: (0..bins * frames).map(|index| value(seed, index)).collect() }
    };
    (0..count).map(window).collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < TOLERANCE, "{what}: {difference}");
}

/// Decodings of the same windows by one device and by several.
fn both(count: usize, check: impl FnOnce(&mut dyn Decoding, &mut dyn Decoding)) {
    let (file, one) = (file(), Watched::with_room(9));
    let (single, several) = (one.load(&file).expect("a model"), two(&one, &one).load(&file).expect("a model"));
    assert_eq!((several.dims(), several.bytes()), (single.dims(), 2 * single.bytes()));
    let windows = windows(&file, count);
    let (mut alone, mut shared) = (Work::new(&NEVER), Work::new(&NEVER));
    let expected = single.encode(&windows, &mut alone).expect("encoded");
    let found = several.encode(&windows, &mut shared).expect("encoded");
    assert_eq!(found.positions, expected.positions);
    assert_close("encoded", &found.values().expect("here"), &expected.values().expect("here"));
    let mut right = single.begin(&expected, &mut alone).expect("a decoding");
    let mut decoding = several.begin(&found, &mut shared).expect("a decoding");
    assert_eq!(shared.receipt.placement, alone.receipt.placement);
    assert_eq!((shared.receipt.windows, shared.receipt.devices()), (alone.receipt.windows, alone.receipt.devices()));
    check(&mut *decoding, &mut *right);
}

/// A step of both, which must give the same.
fn step(found: &mut dyn Decoding, right: &mut dyn Decoding, tokens: &[&[Token]]) {
    let last: Vec<[usize; 1]> = tokens.iter().map(|tokens| [tokens.len() - 1]).collect();
    let feeds: Vec<Feed<'_>> = tokens.iter().zip(&last).map(|(tokens, read)| Feed { tokens, read }).collect();
    let mut rows = [Logits::default(), Logits::default()];
    let [logits, expected] = &mut rows;
    found.step(&feeds, logits, &mut Work::new(&NEVER)).expect("a step");
    right.step(&feeds, expected, &mut Work::new(&NEVER)).expect("a step");
    for lane in 0..tokens.len() {
        assert_close(&format!("lane {lane}"), logits.row(lane), expected.row(lane));
    }
}

#[test]
fn lanes_of_several_devices_stand_side_by_side() {
    both(3, |found, right| {
        let windows = [2, 0, 1, 2];
        let prompts: [&[Token]; 4] = [&[2049, 2050, 2053], &[2049], &[2055, 280, 467, 2049], &[2051, 2052]];
        found.start(&windows);
        right.start(&windows);
        step(found, right, &prompts);
        let turns: [&[usize]; 5] = [&[3, 1, 0, 2], &[1, 1, 0, 1], &[2, 0], &[1, 1, 1], &[0]];
        for (turn, parents) in turns.into_iter().enumerate() {
            found.keep(parents);
            right.keep(parents);
            let next: Vec<[Token; 1]> = (0..parents.len()).map(|lane| [280 + (20 * turn + lane) as Token]).collect();
            step(found, right, &next.iter().map(<[Token; 1]>::as_slice).collect::<Vec<_>>());
        }
        // Lanes of one device alone, and then none.
        found.start(&[2, 2]);
        right.start(&[2, 2]);
        step(found, right, &[&[2049], &[2050, 2051]]);
        // And of all anew, after none.
        found.keep(&[]);
        right.keep(&[]);
        found.start(&[0, 1, 2]);
        right.start(&[0, 1, 2]);
        step(found, right, &[&[2049], &[2050, 2051], &[2052]]);
    });
}

#[test]
fn attention_of_several_devices_is_that_of_one() {
    both(3, |found, right| {
        let heads = [(2, 1), (0, 0), (2, 1)];
        let tokens: [&[Token]; 3] = [&[2049, 2050, 2051], &[2052, 280], &[2049]];
        let attend = |decoding: &mut dyn Decoding| {
            let (mut attention, mut logits) = (CrossAttention::default(), Logits::default());
            decoding.start(&[2, 0, 1]);
            for piece in 0..2 {
                let part = |tokens: &&'static [Token]| {
                    let range = if piece == 0 { 0..1 } else { 1..tokens.len() };
                    Feed { tokens: &tokens[range], read: if piece == 0 { &[0] } else { &[] } }
                };
                let feeds: Vec<Feed<'_>> = tokens.iter().map(part).collect();
                let mut work = Work::new(&NEVER);
                decoding.attend(&feeds, &heads, &mut logits, &mut attention, &mut work).expect("a step");
            }
            attention
        };
        let (found, right) = (attend(found), attend(right));
        for (lane, tokens) in tokens.iter().enumerate() {
            assert_eq!(found.positions(lane), right.positions(lane));
            for head in 0..heads.len() {
                let rows = found.rows(lane, head);
                assert_eq!(rows.len(), tokens.len() * found.positions(lane));
                assert_close(&format!("lane {lane}, head {head}"), rows, right.rows(lane, head));
            }
        }
    });
}

#[test]
fn choices_of_several_devices_are_those_of_one() {
    both(3, |found, right| {
        let windows = [1, 2, 0, 2, 1];
        let prompt: &[Token] = &[2049, 2050, 2053];
        let feeds: Vec<Feed<'_>> = (0..windows.len())
            .map(|lane| Feed { tokens: prompt, read: if lane == 3 { &[0, 2] } else { &[2] } })
            .collect();
        let set = TokenSet::new([3, 280]);
        let permitted = Permitted { suppressed: &set, text: 0..2048, times: 2100..2100, weighed: false };
        let best = |count| Next::Best { permitted: permitted.clone(), count };
        let nexts = [best(1), Next::Logits, best(3), Next::Nothing, best(2), Next::Logits];
        let wanted: Vec<Wanted<'_>> = nexts
            .into_iter()
            .enumerate()
            .map(|(row, next)| Wanted { probability_of: (row % 2 == 0).then_some(280), next })
            .collect();
        let choose = |decoding: &mut dyn Decoding| {
            let mut choices = Choices::default();
            decoding.start(&windows);
            decoding.choose(&feeds, &wanted, &mut choices, &mut Work::new(&NEVER)).expect("a step");
            choices
        };
        let (mut found, mut right) = (choose(found), choose(right));
        for (row, wanted) in wanted.iter().enumerate() {
            assert!((found.probability(row) - right.probability(row)).abs() < TOLERANCE, "row {row}");
            let tokens = |choices: &Choices| choices.candidates(row).iter().map(|one| one.token).collect::<Vec<_>>();
            assert_eq!(tokens(&found), tokens(&right), "row {row}");
            if matches!(wanted.next, Next::Logits) {
                assert_close(&format!("row {row}"), found.logits(row), right.logits(row));
            }
        }
        assert_eq!(found.candidates(2).len(), 3);
    });
}
