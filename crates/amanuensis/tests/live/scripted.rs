//! What a session tells, whatever it is told was said. No model: hypotheses come from a script, as uncertain as a model's.

use std::sync::LazyLock;
use std::time::Duration;

use amanuensis::live::{Hearing, Session, Settings, Turns, Update, text_of};
use amanuensis::{Options, Segment, Transcript, Word};
use proptest::prelude::*;

use crate::words::words;

const RATE: f64 = 16_000.0;
/// Seconds before the end of what is heard in which words are misheard.
const UNSURE: f64 = 0.15;

/// A word that is said: where, and which.
#[derive(Debug, Clone)]
struct Said {
    start: f64,
    end: f64,
    word: String,
}

/// What is said, with its sound.
struct Scene {
    words: Vec<Said>,
    sound: Vec<f32>,
}

/// One turn of a buzz with 24 harmonics.
static BUZZ: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let harmonics = |phase: f64| (1..25).map(move |harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic));
    (0..4096).map(|place| harmonics(std::f64::consts::TAU * f64::from(place) / 4096.0).sum()).collect()
});

/// A buzz that glides from 110 to 170 Hz and back, in syllables: the detector takes it for a voice.
fn voice(from: f64, sound: &mut Vec<f32>, seconds: f64) {
    let first = sound.len();
    let mut phase = 0.0_f64;
    for place in 0..(seconds * RATE) as usize {
        let time = from + place as f64 / RATE;
        phase += (140.0 + 30.0 * (time * 9.0).sin()) / RATE;
        let voice = BUZZ[(phase.fract() * BUZZ.len() as f64) as usize];
        sound.push((0.1 * voice * (time * 12.0).sin().abs()) as f32);
    }
    assert_eq!(sound.len() - first, (seconds * RATE) as usize);
}

/// Utterances of so many words each, with the seconds of silence before each of them; numbers make words, so that they repeat.
fn scene(utterances: &[(f64, Vec<u8>)]) -> Scene {
    let mut scene = Scene { words: Vec::new(), sound: Vec::new() };
    for (pause, numbers) in utterances {
        scene.sound.resize(scene.sound.len() + (pause * RATE) as usize, 0.0);
        let mut time = scene.sound.len() as f64 / RATE;
        for (index, number) in numbers.iter().enumerate() {
            let length = 0.25 + f64::from(number % 4) * 0.1;
            let mark = if index % 9 == 8 || index + 1 == numbers.len() { "." } else { "" };
            let word = format!(" w{}{mark}", number % 40);
            scene.words.push(Said { start: time, end: time + length, word });
            voice(time, &mut scene.sound, length);
            time = scene.sound.len() as f64 / RATE;
        }
    }
    scene.sound.resize(scene.sound.len() + (2.0 * RATE) as usize, 0.0);
    scene
}

/// Numbers by chance, always the same for a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a model would say of a hearing: times and case are uncertain, what is said at the end is misheard, a word that is cut
/// is heard once more.
fn hypothesis(scene: &Scene, hearing: &Hearing, chance: &mut Chance) -> Transcript {
    let (start, end) = (hearing.start, hearing.start + hearing.recording.duration());
    let is_last = hearing.options.search.temperatures.len() > 1;
    let mut words = Vec::new();
    for said in &scene.words {
        // Half of a word is enough to hear it.
        let (from, to) = (said.start.max(start), said.end.min(end));
        if to - from < (said.end - said.start) / 2.0 {
            continue;
        }
        // By less than half of the shortest word: else nobody could tell a word that is said twice from one heard twice.
        let shift = |chance: &mut Chance| 0.12 * (chance.next() - 0.5);
        let is_misheard = to > end - UNSURE && !is_last && chance.next() < 0.6;
        let text = match chance.next() {
            _ if is_misheard => format!(" x{}", (chance.next() * 1e9) as u64),
            p if p < 0.2 => said.word.to_uppercase(),
            p if p < 0.4 => format!("{},", said.word.trim_end_matches('.')),
            _ => said.word.clone(),
        };
        let (from, to) = (from - start + shift(chance), to - start + shift(chance));
        words.push(Word { word: text, start: from.max(0.0), end: to.max(from), probability: 1.0 });
    }
    let segment = Segment { text: text_of(&words), words: Some(words), ..Segment::default() };
    Transcript { segments: vec![segment], ..Transcript::default() }
}

/// What a session told of a scene.
#[derive(Default)]
struct Told {
    updates: Vec<Update>,
    hearings: usize,
    longest: f64,
    most_lag: f64,
}

impl Told {
    fn agreed(&self) -> Vec<Word> {
        let words = |update: &Update| match update {
            Update::Agreed { words, .. } => words.clone(),
            _ => Vec::new(),
        };
        self.updates.iter().flat_map(words).collect()
    }
}

/// Feeds a scene in pieces as time goes by, with hearings that take `slowness` times what was new in them, and at least 50 ms.
fn play(scene: &Scene, settings: Settings, piece: usize, slowness: f64, seed: u64) -> Told {
    let mut chance = Chance(seed);
    let mut session = Session::new(settings, Options::default());
    let mut told = Told::default();
    let mut running: Option<(Hearing, f64, f64)> = None;
    let mut pieces = scene.sound.chunks(piece);
    let mut now = 0.0;
    while !session.is_over() {
        match pieces.next() {
            Some(piece) => {
                session.feed(piece).expect("it is fed in real time");
                now += piece.len() as f64 / RATE;
            }
            None => {
                if !session.is_over() && running.is_none() {
                    session.finish();
                }
                now += 0.1;
            }
        }
        if let Some((hearing, began, done)) = running.take_if(|(_, _, done)| *done <= now) {
            let transcript = hypothesis(scene, &hearing, &mut chance);
            session.heard(hearing.id, &transcript, Duration::from_secs_f64(done - began));
        }
        if running.is_none()
            && let Some(hearing) = session.hearing()
        {
            told.hearings += 1;
            told.longest = told.longest.max(hearing.recording.duration());
            let takes = 0.05_f64.max(slowness * hearing.recording.duration().min(1.0));
            running = Some((hearing, now, now + takes));
        }
        told.most_lag = told.most_lag.max(session.lag());
        told.updates.extend(session.updates());
    }
    told
}

fn utterances() -> impl Strategy<Value = Vec<(f64, Vec<u8>)>> {
    proptest::collection::vec((1.2..3.0, proptest::collection::vec(any::<u8>(), 1..90)), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_word_is_told_once_and_stays(
        utterances in utterances(),
        piece in prop_oneof![Just(160_usize), Just(1600), Just(4001)],
        slowness in 0.0..1.5,
        seed in any::<u64>(),
        by_hand in any::<bool>(),
    ) {
        let scene = scene(&utterances);
        let turns = if by_hand { Turns::ByHand } else { Turns::Silence };
        let told = play(&scene, Settings { turns, ..Settings::default() }, piece, slowness, seed);
        let agreed = told.agreed();
        // Each word once, none invented, in order.
        let spoken: String = scene.words.iter().map(|said| said.word.as_str()).collect();
        prop_assert_eq!(words(&text_of(&agreed)), words(&spoken));
        // Lines are the same words.
        let lines = |update: &Update| match update {
            Update::Line(line) => line.words.clone(),
            _ => Vec::new(),
        };
        let lines: Vec<Word> = told.updates.iter().flat_map(lines).collect();
        prop_assert_eq!(&lines, &agreed);
        // Times never go back, and are near those of the words.
        prop_assert!(agreed.windows(2).all(|pair| pair[0].start <= pair[0].end && pair[0].end <= pair[1].start));
        for (word, said) in agreed.iter().zip(&scene.words) {
            prop_assert!((word.start - said.start).abs() < 0.5, "{:?} and {:?}", word, said);
        }
        // Work and memory are bounded.
        prop_assert!(told.longest <= 28.0);
        if !by_hand {
            let started = told.updates.iter().filter(|update| matches!(update, Update::Started { .. })).count();
            let ended = told.updates.iter().filter(|update| matches!(update, Update::Ended { complete: true, .. })).count();
            prop_assert!(started == ended && started >= utterances.len(), "{} of {}", started, utterances.len());
        }
    }
}

#[test]
fn silence_costs_nothing() {
    let mut session = Session::new(Settings::default(), Options::default());
    for _ in 0..600 {
        session.feed(&[0.0; 1600]).expect("it does not wait");
        assert!(session.hearing().is_none() && session.lag() < 0.2);
    }
    session.finish();
    assert!(session.hearing().is_none() && session.is_over());
    assert_eq!(session.updates().count(), 0);
}

#[test]
fn sound_that_comes_too_fast_is_refused_and_not_kept() {
    let scene = scene(&[(1.0, vec![1; 400])]);
    let mut session = Session::new(Settings { most_waiting: 10.0, ..Settings::default() }, Options::default());
    let mut pieces = scene.sound.chunks(16_000);
    let refused = pieces.find_map(|piece| session.feed(piece).err()).expect("nobody hears anything");
    assert!(refused.waiting > 10.0 && refused.to_string().contains("faster than it is heard"), "{refused}");
    assert!(session.lag() < 39.0);
}

#[test]
fn steps_grow_while_hearing_does_not_keep_up() {
    let scene = scene(&[(1.0, vec![1; 60])]);
    let slow = play(&scene, Settings::default(), 1600, 1.4, 1);
    let quick = play(&scene, Settings::default(), 1600, 0.1, 1);
    assert!(3 * slow.hearings < 2 * quick.hearings, "{} and {}", slow.hearings, quick.hearings);
    assert!(slow.most_lag < 8.0 && quick.most_lag < 2.5, "{} and {}", slow.most_lag, quick.most_lag);
}

#[test]
fn what_fails_is_said_and_what_was_found_before_stays() {
    let scene = scene(&[(1.0, vec![1; 20]), (1.5, vec![2; 3])]);
    let mut chance = Chance(1);
    let mut session = Session::new(Settings::default(), Options::default());
    let mut ended = Vec::new();
    for (number, piece) in scene.sound.chunks(1600).enumerate() {
        session.feed(piece).expect("there is room");
        if let Some(hearing) = session.hearing() {
            if number < 40 {
                session.lost(hearing.id);
                let again = session.hearing().expect("it is asked for again");
                session.heard(again.id, &hypothesis(&scene, &again, &mut chance), Duration::ZERO);
            } else {
                session.failed(hearing.id);
            }
        }
        ended.extend(session.updates().filter(|update| matches!(update, Update::Ended { .. })));
    }
    assert!(
        matches!(ended[..], [Update::Ended { complete: false, .. }, Update::Ended { complete: false, .. }]),
        "{ended:?}"
    );
}

#[test]
fn what_is_cleared_is_not_heard() {
    let scene = scene(&[(1.0, vec![1; 20])]);
    let settings = Settings { turns: Turns::ByHand, ..Settings::default() };
    let mut session = Session::new(settings, Options::default());
    session.feed(&scene.sound[..40_000]).expect("there is room");
    let hearing = session.hearing().expect("somebody speaks");
    session.clear();
    session.heard(hearing.id, &hypothesis(&scene, &hearing, &mut Chance(1)), Duration::ZERO);
    assert_eq!(session.updates().collect::<Vec<_>>(), [Update::Dropped { utterance: 0 }]);
    assert_eq!((session.uncommitted(), session.lag()), (0.0, 0.0));
    session.feed(&scene.sound[40_000..60_000]).expect("there is room");
    session.commit();
    assert_eq!(session.hearing().map(|hearing| hearing.start), Some(2.5));
}
