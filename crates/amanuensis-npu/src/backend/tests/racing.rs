//! `auto` takes the device only where it is quicker, which an emulated one never is.

use super::*;

#[test]
fn auto_measures_once_and_does_without_what_is_slower() {
    let kept = tempfile::tempdir().expect("a folder");
    let times = kept.path().join("times.json");
    let change = |setup: &mut Setup| {
        setup.must_be_quicker = true;
        setup.times = Some(times.clone());
    };
    let emulated = Emulated::with(Mode::Auto, change);
    let model = emulated.load();
    let status = emulated.backend.status();
    let measured = status.times.expect("measured");
    assert!(measured.npu > measured.cpu, "{measured:?}");
    assert!(status.unused.is_some_and(|why| why.contains("the CPU is quicker here")));
    let mut done = work();
    model.encode(&[window("english.wav", 8)], &mut done).expect("encoded");
    assert_eq!(devices(&done), ["cpu"]);
    assert!(matches!(&reasons(&done)[..], [reason] if reason.contains("the CPU is quicker here")));
    assert!(emulated.backend.status().windows.is_empty(), "what was measured is no work");

    // The next time it is known: nothing but the canary runs.
    let again = Emulated::with(Mode::Auto, change);
    again.load();
    assert_eq!(again.backend.status().times, Some(measured));
    assert_eq!(again.driver.counts().commands, 2);

    // What is required is not measured.
    let required = Emulated::with(Mode::Require, change);
    required.load();
    assert_eq!(required.backend.status().times, None);
}
