//! Acceptance check 10 where a model runs: without an NPU nothing claims one.

use amanuensis::backend::{Availability, BackendError};

use super::*;

/// A machine with an empty bus.
fn without() -> (tempfile::TempDir, Setup) {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(root.path().join("sys/bus/pci/devices")).expect("a bus");
    let setup = Setup { root: root.path().to_owned(), ..Setup::new(root.path().join("packs")) };
    (root, setup)
}

#[test]
fn check10_auto_without_an_npu_is_the_cpu_and_says_why() {
    let (_root, setup) = without();
    let backend = Npu::new(setup);
    let Availability::Absent(reason) = backend.probe() else { panic!("there is none") };
    assert!(reason.contains("no NPU: none among 0 devices") && reason.contains("use the CPU"), "{reason}");
    let model = backend.load(&demo()).unwrap_or_else(|error| panic!("{error}"));
    let mel = [window("english.wav", 40)];
    let mut done = work();
    let found = model.encode(&mel, &mut done).expect("encoded").values().expect("here").into_owned();
    assert!(found == on_the_cpu().encode(&mel, &mut work()).expect("encoded").values().expect("here").into_owned());
    assert_eq!(devices(&done), ["cpu"]);
    assert!(operations(&done).iter().all(|(device, operations)| device == "cpu" && *operations > 0));
    let reasons: Vec<_> = done.receipt.placement.fallbacks["npu"].iter().collect();
    assert!(matches!(reasons[..], [(reason, 1)] if reason.starts_with("no NPU")), "{reasons:?}");
    let shares = done.receipt.placement.shares();
    assert!(shares.iter().any(|share| share.device == "npu" && share.share == 0.0), "{shares:?}");
    let status = backend.status();
    assert!(status.windows.is_empty() && status.canaries.is_empty());
    assert_eq!(status.fallbacks.values().sum::<u64>(), 1);
}

#[test]
fn check10_require_without_an_npu_is_an_error() {
    let (_root, setup) = without();
    let refused = Npu::new(Setup { mode: Mode::Require, ..setup }).load(&demo());
    let Err(BackendError::Device { device: "npu", reason }) = refused else { panic!("there is none") };
    assert!(reason.contains("no NPU"), "{reason}");
}

#[test]
fn check10_off_asks_nobody() {
    let emulated = Emulated::new(Mode::Off);
    let model = emulated.load();
    let mut done = work();
    model.encode(&[window("english.wav", 40)], &mut done).expect("encoded");
    assert_eq!((devices(&done), done.receipt.placement.fallbacks.len()), (vec!["cpu".to_owned()], 0));
    assert_eq!(emulated.driver.counts().commands, 0);
    assert_eq!(emulated.backend.status(), super::super::Status::default());
}

#[test]
fn check10_what_is_emulated_is_called_so() {
    let emulated = Emulated::new(Mode::Auto);
    assert_eq!(emulated.backend.name(), "npu-emulated");
    let Availability::Ready(text) = emulated.backend.probe() else { panic!("it is there") };
    assert!(text.starts_with("emulated, not an NPU: synthetic"), "{text}");
}

#[test]
fn modes_have_names() {
    for mode in Mode::ALL {
        assert_eq!(mode.name().parse(), Ok(mode));
    }
    assert_eq!(
        "on".parse::<Mode>().map_err(|error| error.to_string()),
        Err("\"on\" is not off, auto or require".to_owned())
    );
}
