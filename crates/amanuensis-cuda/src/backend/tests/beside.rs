//! The encoder's queue beside the decoder's, on a GPU in memory that finds what one of them does to memory that the other still uses.

use std::num::NonZeroUsize;

use amanuensis::{Control, Engine, Options, Outcome};

use super::memory::occupy;
use super::*;
use crate::backend::budget::{Batch, Budget};

/// Some samples one behind the other, with a pause of a second behind each.
fn joined() -> Recording {
    let mut sound = Vec::new();
    for name in ["english.wav", "english-numbers.wav", "two-voices.wav", "english.wav"] {
        let sample = sample(name);
        let before = sound.len();
        sound.resize(before + sample.len() as usize, 0.0);
        sample.read(0, &mut sound[before..]).unwrap_or_else(|error| panic!("{error}"));
        sound.resize(sound.len() + 16_000, 0.0);
    }
    Recording::from_samples(&sound)
}

fn engine(emulated: &Emulated) -> Engine {
    Engine::with(demo(), &emulated.backend).unwrap_or_else(|error| panic!("{error}"))
}

/// What is said in each segment, and the times of its words.
fn told(outcome: &Outcome) -> String {
    let segments = &outcome.transcript.segments;
    segments.iter().map(|segment| format!("{:?} {:?}\n", segment.text, segment.words)).collect()
}

#[test]
fn a_batch_that_was_encoded_beside_another_says_the_same() {
    let recording = joined();
    let one = NonZeroUsize::MIN;
    // A clip is a window, and each is heard in as little as it needs: a GPU in memory is slow.
    let options = Options {
        batch: Some(one),
        clips: [0, 4, 8, 12].map(|start| (f64::from(start), Some(f64::from(start + 4)))).to_vec(),
        language: Some("en".to_owned()),
        short_context: amanuensis::ShortContext::Always,
        words: Some(amanuensis::segments::Punctuation::default()),
        ..Options::default()
    };
    let in_turn = Emulated::new();
    let right = {
        let engine = engine(&in_turn);
        let prepared = engine.prepare(&recording, &options, &NEVER).unwrap_or_else(|error| panic!("{error}"));
        let mut course = prepared.set_out(Control::new());
        while !course.is_over() {
            engine.round(&mut [&mut course], one, &NEVER).unwrap_or_else(|error| panic!("{error}"));
        }
        let outcome = course.finish().unwrap_or_else(|error| panic!("{error}"));
        assert!(outcome.receipt.beside.is_zero() && outcome.receipt.windows >= 3, "{}", outcome.receipt.windows);
        (told(&outcome), outcome.receipt.windows, in_turn.gpu.allocated())
    };
    let emulated = Emulated::new();
    let engine = engine(&emulated);
    let found = engine.transcribe(&recording, &options, &mut Control::new()).unwrap_or_else(|error| panic!("{error}"));
    assert!(!found.receipt.beside.is_zero(), "it was done at once");
    assert_eq!((told(&found), found.receipt.windows, emulated.gpu.allocated()), right);
    assert!(emulated.gpu.guarded());
    drop(engine);
    assert_eq!(emulated.gpu.allocated(), 0);
}

#[test]
fn what_was_heard_for_the_next_batch_counts_as_memory_for_it() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let loaded = emulated.gpu.allocated();
    let encoded = encode(&*model, &[window("english.wav", 0, 400)]);
    let taken = emulated.gpu.allocated() - loaded;
    let batch = Batch { windows: 1, lanes: 1, pass: 1 };
    let needed = Budget::of(model.dims()).need(batch).total() + (32 << 20);
    // Just what the batch needs, what was heard for it among that.
    let other = occupy(&emulated, needed - taken + 4096);
    assert_eq!(model.together(1, 1).expect("room"), 1);
    drop(encoded);
    assert_eq!(model.together(1, 1).expect("room"), 1, "it is kept for what comes next");
    drop(other);
    let _other = occupy(&emulated, needed - taken - 4096);
    assert!(model.together(1, 1).is_err(), "less than it needs");
}
