//! What of the sound is heard, and in which language.

use std::num::NonZeroUsize;

use amanuensis::audio::Recording;
use amanuensis::mel::Convention;
use amanuensis::speech::Vad;
use amanuensis::{Detection, Options, Outcome, ShortContext};

use crate::common::samples;
use crate::scripted::{Log, Opening, Script, second, stairs};
use crate::{A, Case, plain, words};

fn language(outcome: &Outcome, _: &Log) -> String {
    outcome.transcript.language.clone()
}

fn languages(outcome: &Outcome, _: &Log) -> String {
    outcome.transcript.segments.iter().map(|segment| segment.language.clone()).collect::<Vec<_>>().join(" ")
}

fn windows(_: &Outcome, log: &Log) -> String {
    log.levels.iter().map(|level| second(*level).to_string()).collect::<Vec<_>>().join(" ")
}

fn rounds(_: &Outcome, log: &Log) -> String {
    format!("{:?}", log.rounds)
}

fn positions(_: &Outcome, log: &Log) -> String {
    format!("{:?}", log.positions)
}

/// German at first, English from the second window on.
fn changing() -> Script {
    words(&[A]).opening(|window, _| {
        let english = if window == 0 { 0.45 } else { 0.9 };
        Opening { languages: vec![("en", english), ("de", 1.0 - english)], ..Opening::default() }
    })
}

fn detecting(detection: Detection) -> Options {
    Options { language: None, detection, ..plain() }
}

pub(crate) fn cases() -> Vec<Case> {
    let two = NonZeroUsize::new(2).expect("more than none");
    let hearing = |threshold: f32| Detection { windows: two, threshold, ..Detection::default() };
    let case = |name, with, expected| {
        let without = detecting(Detection::default());
        Case::new(name, changing(), with, expected).without(without).seeing(language).lasting(50.0)
    };
    // A window of sound, then silence.
    let mut fading = samples(&stairs(30.0));
    fading.resize(fading.len() + 160_000, 0.0);
    vec![
        case("language", Options { language: Some("English".to_owned()), ..plain() }, ["de", "en"]),
        case(
            "allowed_languages",
            detecting(Detection { allowed: vec!["en".to_owned()], ..Detection::default() }),
            ["de", "en"],
        ),
        case("language_detection_windows", detecting(hearing(0.6)), ["de", "en"])
            .without(detecting(Detection { windows: NonZeroUsize::MIN, ..hearing(0.6) })),
        case("language_detection_threshold", detecting(hearing(0.6)), ["de", "en"]).without(detecting(hearing(0.5))),
        case(
            "language_every_window",
            detecting(Detection { every_window: true, ..Detection::default() }),
            ["de de", "de en"],
        )
        .seeing(languages),
        Case::new(
            "clips",
            words(&[A]),
            Options { clips: vec![(12.0, Some(15.0)), (3.0, Some(4.0))], ..plain() },
            ["0", "3 12"],
        )
        .seeing(windows),
        // A tone is no speech.
        Case::new("vad", words(&[A]), Options { vad: Some(Vad::default()), ..plain() }, ["0", ""]).seeing(windows),
        Case::new("batch_size", words(&[A]), Options { batch: Some(two), ..plain() }, ["[1, 1, 1, 1]", "[2, 2]"])
            .lasting(110.0)
            .seeing(rounds),
        Case::new(
            "short_context",
            words(&[A]),
            Options { short_context: ShortContext::Auto, ..plain() },
            ["[1500]", "[200]"],
        )
        .lasting(3.0)
        .seeing(positions),
        Case {
            sound: Recording::from_samples(&fading),
            ..Case::new(
                "mel_convention",
                words(&[A]),
                Options { mel: Convention::HuggingFace, ..plain() },
                ["not its own", "its own floor"],
            )
        }
        .seeing(|_, log| if log.levels[1] == -1.5 { "its own floor" } else { "not its own" }.to_owned()),
    ]
}
