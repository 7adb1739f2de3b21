//! Acceptance check 8 where a model runs: whatever breaks ends in the CPU's result, a receipt that says so, and quarantine.

use std::time::Duration;

use amanuensis::backend::{BackendError, Stage};

use super::*;
use crate::driver::CommandState;
use crate::driver::fake::Injection;
use crate::trust::Trust;

/// What breaks and is seen in the very product, and a word of the reason. One bit of one word is not: canaries tell that.
const FAULTS: [(Injection, &str); 7] = [
    (Injection::End(CommandState::Error, Some(7)), "ERROR"),
    (Injection::End(CommandState::Abort, None), "ABORT"),
    (Injection::End(CommandState::Timeout, Some(3)), "TIMEOUT"),
    (Injection::Lost, "ENODEV"),
    (Injection::Untouched, "never written"),
    (Injection::Zeros, "every element"),
    (Injection::NotNumbers, "NaN"),
];

#[test]
fn check8_whatever_breaks_the_window_is_the_cpus_and_the_device_is_not_asked_again() {
    let mel = [window("english.wav", 40)];
    let right = on_the_cpu().encode(&mel, &mut work()).expect("encoded").values().expect("here").into_owned();
    for (fault, word) in FAULTS {
        let emulated = Emulated::new(Mode::Auto);
        let model = emulated.load();
        // The first products of the window are good: what they were is not in the result.
        let mut done = work();
        model.encode(&mel, &mut done).expect("encoded");
        assert_eq!(devices(&done), ["npu-emulated", "cpu"], "before {fault:?}");
        emulated.driver.break_all(Some(fault));
        let mut done = work();
        let found = model.encode(&mel, &mut done).expect("encoded by the CPU").values().expect("here").into_owned();
        assert!(found == right, "{fault:?}");
        assert_eq!(devices(&done), ["cpu"], "{fault:?}");
        let reasons = reasons(&done);
        assert!(reasons.len() == 1 && reasons[0].contains(word), "{fault:?}: {reasons:?}");

        // It is well again, and not believed.
        emulated.driver.break_all(None);
        let commands = emulated.driver.counts().commands;
        let mut done = work();
        let found = model.encode(&mel, &mut done).expect("encoded by the CPU").values().expect("here").into_owned();
        assert!(found == right && devices(&done) == ["cpu"], "{fault:?}");
        assert_eq!(emulated.driver.counts().commands, commands, "{fault:?}: it was asked again");
        let status = emulated.backend.status();
        assert!(matches!(status.trust, Some(Trust::Quarantined(_))), "{fault:?}: {status:?}");
        assert_eq!(status.fallbacks.values().sum::<u64>(), 2, "{fault:?}: {status:?}");
        assert_eq!(status.windows.get("npu-emulated"), Some(&1));
    }
}

#[test]
fn check8_a_window_that_breaks_in_the_middle_is_computed_anew_as_a_whole() {
    let mel = [window("english.wav", 40)];
    let right = on_the_cpu().encode(&mel, &mut work()).expect("encoded").values().expect("here").into_owned();
    // What breaks is what comes behind a stage: behind the convolutions, in the middle of the layers, behind the last of them.
    for (stage, left) in [(1, true), (5, true), (9, false)] {
        let emulated = Emulated::new(Mode::Auto);
        let model = emulated.load();
        let mut seen = 0;
        let mut watch = |_: Stage, _: &[f32]| {
            seen += 1;
            if seen == stage {
                emulated.driver.break_next(Injection::Untouched);
            }
        };
        let mut done = Work::new(&NEVER);
        done.watch = Some(&mut watch);
        let found = model.encode(&mel, &mut done).expect("encoded");
        if left {
            assert!(
                found.values().expect("here") == right,
                "behind stage {stage}: something of the device is in the result"
            );
            assert_eq!((devices(&done), operations(&done).len()), (vec!["cpu".to_owned()], 1), "behind stage {stage}");
        } else {
            assert_eq!(devices(&done), ["npu-emulated", "cpu"], "nothing was left to break");
        }
    }
}

#[test]
fn check8_canaries_are_flown_while_a_model_is_used() {
    let mel = [window("english.wav", 8)];
    let emulated = Emulated::with(Mode::Auto, |setup| setup.canary_interval = Duration::ZERO);
    let model = emulated.load();
    let mut done = work();
    model.encode(&mel, &mut done).expect("encoded");
    assert_eq!(devices(&done), ["npu-emulated", "cpu"]);
    assert_eq!(emulated.backend.status().canaries.get("npu-emulated"), Some(&2), "one at load, one before the window");
    emulated.driver.break_all(Some(Injection::Unsteady));
    let mut done = work();
    model.encode(&mel, &mut done).expect("encoded by the CPU");
    assert_eq!(devices(&done), ["cpu"]);
    assert!(reasons(&done).iter().all(|reason| reason.contains("for the same input")));
}

#[test]
fn check8_who_requires_the_device_gets_an_error() {
    let mel = [window("english.wav", 8)];
    let emulated = Emulated::new(Mode::Require);
    let model = emulated.load();
    emulated.driver.break_next(Injection::End(CommandState::Timeout, None));
    for _ in 0..2 {
        let mut done = work();
        let Err(BackendError::Device { device, reason }) = model.encode(&mel, &mut done) else {
            panic!("a result, whose?");
        };
        assert_eq!(device, "npu-emulated");
        assert!(reason.contains("TIMEOUT"), "{reason}");
        assert!(done.receipt.devices().is_empty(), "nobody did anything");
    }
    drop(model);
    // A new context may be proven.
    let mut done = work();
    emulated.load().encode(&mel, &mut done).expect("encoded");
    assert_eq!(devices(&done), ["npu-emulated", "cpu"]);
}

#[test]
fn check8_a_device_that_fails_its_first_canary_is_not_used() {
    let mel = [window("english.wav", 8)];
    let emulated = Emulated::new(Mode::Auto);
    emulated.driver.break_next(Injection::Zeros);
    let model = emulated.load();
    let mut done = work();
    model.encode(&mel, &mut done).expect("encoded by the CPU");
    assert_eq!(devices(&done), ["cpu"]);
    assert!(reasons(&done).iter().all(|reason| reason.contains("every element of its result is 0")));
}

#[test]
fn check8_keys_and_values_that_fail_are_the_cpus_as_a_whole() {
    let mel = [window("english.wav", 40)];
    let (emulated, cpu) = (Emulated::new(Mode::Auto), on_the_cpu());
    let model = emulated.load();
    let encoded = model.encode(&mel, &mut work()).expect("encoded");
    // The logits behind the first token, of what was begun.
    let logits = |decoding: &mut dyn amanuensis::backend::Decoding| {
        let mut logits = amanuensis::backend::Logits::default();
        decoding.start(&[0]);
        let feed = amanuensis::backend::Feed { tokens: &[2049], read: &[0] };
        decoding.step(&[feed], &mut logits, &mut work()).expect("a step");
        logits.row(0).to_vec()
    };
    let mut there = work();
    let found = logits(&mut *model.begin(&encoded, &mut there).expect("begun"));
    assert_eq!(devices(&there), ["npu-emulated", "cpu"]);
    let right = logits(&mut *cpu.begin(&encoded, &mut work()).expect("begun"));
    let apart = found.iter().zip(&right).map(|(found, right)| (found - right).abs()).fold(0.0, f32::max);
    assert!(apart > 0.0 && apart < 0.2, "{apart}");

    for fault in [Injection::Lost, Injection::Untouched] {
        let emulated = Emulated::new(Mode::Auto);
        let model = emulated.load();
        let encoded = model.encode(&mel, &mut work()).expect("encoded");
        let right = logits(&mut *cpu.begin(&encoded, &mut work()).expect("begun"));
        emulated.driver.break_next(fault);
        let mut done = work();
        let found = logits(&mut *model.begin(&encoded, &mut done).expect("begun by the CPU"));
        assert!(found == right, "{fault:?}");
        assert_eq!((devices(&done), reasons(&done).len()), (vec!["cpu".to_owned()], 1), "{fault:?}");
        let mut done = work();
        model.begin(&encoded, &mut done).expect("begun by the CPU");
        assert!(reasons(&done).is_empty(), "it was told once");
    }
    let emulated = Emulated::new(Mode::Require);
    let model = emulated.load();
    let encoded = model.encode(&mel, &mut work()).expect("encoded");
    emulated.driver.break_next(Injection::Zeros);
    assert!(matches!(model.begin(&encoded, &mut work()), Err(BackendError::Device { .. })));
}
