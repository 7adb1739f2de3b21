//! The demo model, live, beside the same sound as a file.

use std::sync::LazyLock;
use std::time::Duration;

use amanuensis::live::{Session, Settings, Turns, Update};
use amanuensis::{Control, Engine, Options};

use crate::common::{engine, in_repository, model_folder, open, samples};
use crate::words::error_rate;

static DEMO: LazyLock<Engine> = LazyLock::new(|| engine(model_folder("demo", None)));

fn sample(name: &str) -> Vec<f32> {
    samples(&open(&in_repository("samples").join(name)))
}

/// The lines of a sound that is fed in pieces of 100 ms.
fn live(sound: &[f32], settings: Settings) -> (Vec<String>, usize) {
    let mut session = Session::new(settings, Options::default());
    let (mut lines, mut hearings) = (Vec::new(), 0);
    let mut pieces = sound.chunks(1600);
    while !session.is_over() {
        match pieces.next() {
            Some(piece) => session.feed(piece).expect("there is room"),
            None => session.finish(),
        }
        while let Some(hearing) = session.hearing() {
            let outcome = DEMO.transcribe(&hearing.recording, &hearing.options, &mut Control::new());
            let transcript = outcome.unwrap_or_else(|error| panic!("{error}")).transcript;
            hearings += 1;
            // The machine of a test may be slow: that would change what is heard.
            session.heard(hearing.id, &transcript, Duration::ZERO);
        }
        lines.extend(session.updates().filter_map(|update| match update {
            Update::Line(line) => Some(line.text()),
            _ => None,
        }));
    }
    (lines, hearings)
}

#[test]
fn what_is_heard_live_is_what_is_in_the_file() {
    for name in ["english.wav", "two-voices.wav", "ten-sentences.opus", "english-numbers.wav"] {
        let sound = sample(name);
        let whole =
            DEMO.transcribe(&open(&in_repository("samples").join(name)), &Options::default(), &mut Control::new());
        let whole = whole.unwrap_or_else(|error| panic!("{error}")).transcript.text;
        for turns in [Turns::Silence, Turns::ByHand] {
            let (lines, hearings) = live(&sound, Settings { turns, ..Settings::default() });
            let rate = error_rate(&whole, &lines.join(" "));
            eprintln!("{name} {turns:?}: {:.1} % of the words differ, {hearings} hearings: {lines:?}", 100.0 * rate);
            assert!(rate <= 0.05, "{name} {turns:?}: {rate}\n{whole}\n{lines:?}");
        }
    }
}

#[test]
fn nobody_speaks() {
    let (lines, hearings) = live(&sample("silence.flac"), Settings::default());
    assert_eq!((lines, hearings), (Vec::<String>::new(), 0));
}
