//! Several windows of a call.

use super::*;

#[test]
fn windows_of_a_batch_are_what_they_are_alone() {
    let emulated = Emulated::new(Mode::Require);
    let model = emulated.load();
    let windows = [window("english.wav", 60), window("german.wav", 100), window("english.wav", 20)];
    let together = model.encode(&windows, &mut work()).expect("encoded");
    assert_eq!(together.positions, [30, 50, 10]);
    let commands = emulated.driver.counts().commands;
    for (window, found) in windows.iter().zip(together.windows(192).expect("here")) {
        let alone = model.encode(std::slice::from_ref(window), &mut work()).expect("encoded");
        assert!(
            alone.values().expect("here") == found,
            "a window of {} frames depends on its neighbours",
            window.frames
        );
    }
    // Two convolutions and four products for each of four layers, whatever the number of windows; two for the canary.
    assert_eq!(commands, 18 + 2);
    assert_eq!(emulated.driver.counts().commands, 4 * 18 + 2);
}

#[test]
fn a_batch_of_many_windows_is_cut() {
    let emulated = Emulated::new(Mode::Require);
    let model = emulated.load();
    let windows = vec![window("english.wav", 8); 5];
    let mut done = work();
    let encoded = model.encode(&windows, &mut done).expect("encoded");
    assert_eq!((encoded.positions.len(), encoded.values().expect("here").len()), (5, 5 * 4 * 192));
    assert_eq!((done.receipt.windows, done.receipt.positions), (5, 20));
    assert_eq!(emulated.driver.counts().commands, 2 * 18 + 2);
}

#[test]
fn cancelled_work_is_no_failure_of_the_device() {
    let emulated = Emulated::new(Mode::Auto);
    let model = emulated.load();
    let cancel = AtomicBool::new(true);
    let stopped = model.encode(&[window("english.wav", 8)], &mut Work::new(&cancel));
    assert!(matches!(stopped, Err(amanuensis::backend::BackendError::Cancelled)));
    let mut done = work();
    model.encode(&[window("english.wav", 8)], &mut done).expect("encoded");
    assert_eq!(done.receipt.placement.fallbacks.len(), 0);
}
