//! What breaks and is mended, and what is not.

use std::io::{Seek, SeekFrom, Write};
use std::thread;

use super::played::Fault;
use super::*;

const WEIGHTS: &str = "model.safetensors";

/// The requests that the server of large files had, by the part they asked for.
fn parts(stage: &Stage) -> Vec<Option<String>> {
    let seen = stage.played.seen();
    seen.iter().filter(|seen| seen.server == "store").map(|seen| seen.header("range").map(str::to_owned)).collect()
}

#[test]
fn a_connection_that_breaks_goes_on_where_it_broke() {
    let stage = Stage::new();
    let sum = stage.played.checksum(BASE, WEIGHTS);
    stage.played.fail(&sum, Fault::Cut(100_000), 1);
    stage.played.fail(&sum, Fault::Cut(50_000), 1);
    stage.pull().unwrap();
    assert_eq!(read(&stage.blob(WEIGHTS)), weights());
    assert_eq!(parts(&stage), [None, Some("bytes=100000-".to_owned()), Some("bytes=150000-".to_owned())]);
    assert!(!stage.partial(WEIGHTS).exists());
}

#[test]
fn silence_is_not_waited_for() {
    let stage = Stage::new();
    stage.played.fail(&stage.played.checksum(BASE, WEIGHTS), Fault::Stall(1000), 1);
    stage.pull().unwrap();
    assert_eq!(parts(&stage), [None, Some("bytes=1000-".to_owned())]);
}

#[test]
fn what_breaks_again_and_again_is_given_up_and_kept() {
    let stage = Stage::new();
    stage.played.fail(&stage.played.checksum(BASE, WEIGHTS), Fault::Cut(1000), 3);
    let error = stage.error();
    assert!(error.contains("tried 3 times") && error.contains("goes on from there"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    stage.assert_nothing_usable();
    assert_eq!(read(&stage.partial(WEIGHTS)), weights()[..3000]);
    // The next time it goes on.
    stage.pull().unwrap();
    assert_eq!(parts(&stage).last(), Some(&Some("bytes=3000-".to_owned())));
    assert_eq!(read(&stage.blob(WEIGHTS)), weights());
}

#[test]
fn whoever_leaves_finds_it_as_it_was() {
    let stage = Stage::new();
    stage.played.fail(&stage.played.checksum(BASE, WEIGHTS), Fault::Slow(10_000, Duration::from_millis(5)), 1);
    let name = HubName::parse(BASE).unwrap();
    let mut watch = |event: Event<'_>| match event {
        Event::Progress { file: WEIGHTS, done: 50_000.., .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let left = stage.hub().pull(&name, &Wanted::default(), &mut watch);
    assert!(matches!(left, Err(HubError::Cancelled)));
    stage.assert_nothing_usable();
    let come = read(&stage.partial(WEIGHTS)).len();
    assert!((49_000..300_000).contains(&come), "{come}");
    assert!(stage.pull().unwrap().fetched < 260_000);
    assert_eq!(parts(&stage), [None, Some(format!("bytes={come}-"))]);
}

#[test]
fn what_was_half_here_and_damaged_is_fetched_whole() {
    let stage = Stage::new();
    stage.played.fail(&stage.played.checksum(BASE, WEIGHTS), Fault::Cut(60_000), 3);
    stage.error();
    let mut partial = fs::File::options().write(true).open(stage.partial(WEIGHTS)).unwrap();
    partial.seek(SeekFrom::Start(77)).unwrap();
    partial.write_all(b"damage").unwrap();
    drop(partial);
    stage.pull().unwrap();
    assert_eq!(read(&stage.blob(WEIGHTS)), weights());
    assert_eq!(parts(&stage).last(), Some(&None));
}

#[test]
fn what_is_longer_than_it_should_be_is_begun_anew() {
    let stage = Stage::new();
    fs::create_dir_all(stage.repository().join("blobs")).unwrap();
    fs::write(stage.partial(WEIGHTS), vec![1; 400_000]).unwrap();
    fs::write(stage.partial("config.json"), b"x").unwrap();
    stage.pull().unwrap();
    assert_eq!(read(&stage.blob(WEIGHTS)), weights());
    assert_eq!(parts(&stage), [None]);
}

#[test]
fn servers_that_send_no_parts_or_other_parts_send_all() {
    for fault in [Fault::Whole, Fault::OtherPart] {
        let stage = Stage::new();
        let sum = stage.played.checksum(BASE, WEIGHTS);
        stage.played.fail(&sum, Fault::Cut(1000), 1);
        stage.played.fail(&sum, fault, 1);
        stage.pull().unwrap();
        assert_eq!(read(&stage.blob(WEIGHTS)), weights());
    }
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    for file in [WEIGHTS, "config.json"] {
        let stage = Stage::new();
        stage.played.fail(if file == WEIGHTS { "Signature" } else { file }, Fault::Flip(5), 1);
        let error = stage.error();
        let expected = stage.played.checksum(BASE, file);
        assert!(error.contains(&expected) && error.contains(file) && error.contains("removed"), "{error}");
        assert!(!stage.partial(file).exists() && !stage.snapshot().join(file).exists());
        stage.assert_nothing_usable();
        stage.pull().unwrap();
        assert_eq!(read(&stage.blob(WEIGHTS)), weights());
    }
}

#[test]
fn lengths_that_are_lies_are_found_out() {
    // Fewer bytes are announced than there are: it goes on until they are there.
    let stage = Stage::new();
    stage.played.fail("Signature", Fault::Announce(-1000), 1);
    stage.pull().unwrap();
    assert_eq!(parts(&stage), [None, Some("bytes=299000-".to_owned())]);
    // More are announced, or sent, than the hub says the file has.
    for fault in [Fault::Announce(1000), Fault::Longer(1)] {
        let stage = Stage::new();
        stage.played.fail("Signature", fault, 9);
        let error = stage.error();
        assert!(
            error.contains("announces 301000 bytes") || error.contains("sends more than the 300000 bytes"),
            "{error}"
        );
        stage.assert_nothing_usable();
    }
}

#[test]
fn servers_that_are_busy_are_asked_again() {
    let stage = Stage::new();
    stage.played.fail("/api/", Fault::Status(429, "retry-after: 1\r\n"), 1);
    stage.played.fail("/api/", Fault::Status(503, ""), 1);
    stage.played.fail("config.json", Fault::Status(500, ""), 2);
    stage.played.fail("Signature", Fault::Status(403, ""), 1); // a signature that has run out
    let begun = std::time::Instant::now();
    let mut reasons = Vec::new();
    let mut watch = |event: Event<'_>| {
        if let Event::Retry { reason, .. } = event {
            reasons.push(reason.to_owned());
        }
        ControlFlow::Continue(())
    };
    stage.hub().pull(&HubName::parse("base").unwrap(), &Wanted::default(), &mut watch).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "the server asked for a second");
    reasons.dedup();
    assert_eq!(reasons, ["429", "503", "500", "403"].map(|status| format!("the server answers {status}")));
}

#[test]
fn servers_that_stay_busy_are_left() {
    let stage = Stage::new();
    stage.played.fail("/api/", Fault::Status(503, "x-error-message: under repair\r\n"), 9);
    let error = stage.error();
    assert!(error.contains("503: under repair (tried 3 times)"), "{error}");
    // A wait that is too long is told, not waited for.
    let stage = Stage::new();
    stage.played.fail("/api/", Fault::Status(429, "retry-after: 3600\r\n"), 9);
    assert!(stage.error().contains("answers 429"));
    assert_eq!(stage.played.connections(), 1);
}

#[test]
fn where_nobody_answers_it_is_said() {
    let mut stage = Stage::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.settings.endpoint = format!("http://127.0.0.1:{port}");
    let error = stage.error();
    assert!(error.contains("no connection") && error.contains("tried 3 times"), "{error}");
    stage.settings.endpoint = "no address".to_owned();
    assert!(stage.error().contains("HF_ENDPOINT is no address"), "{}", stage.error());
}

#[test]
fn what_two_want_at_once_comes_once() {
    let stage = Stage::new();
    stage.played.fail("Signature", Fault::Slow(20_000, Duration::from_millis(20)), 1);
    let (hub, name) = (stage.hub(), HubName::parse(BASE).unwrap());
    let waited = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut watch = |event: Event<'_>| {
                    if let Event::Busy { .. } = event {
                        waited.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                    ControlFlow::Continue(())
                };
                hub.pull(&name, &Wanted::default(), &mut watch).unwrap();
            });
        }
    });
    assert_eq!(parts(&stage), [None]);
    assert_eq!(read(&stage.blob(WEIGHTS)), weights());
    assert!(waited.into_inner() > 0);
}
