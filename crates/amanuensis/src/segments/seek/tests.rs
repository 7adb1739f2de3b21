use super::*;

/// All windows, each heard to its end.
fn windows(seconds: &[(f64, Option<f64>)], content: u64) -> Vec<(u64, u64)> {
    let mut seek = Seek::new(Clips::new(seconds, content));
    let mut found = Vec::new();
    while let Some(window) = seek.window() {
        found.push((window.start, window.frames));
        seek.advance(window, window.start + window.frames);
    }
    found
}

#[test]
fn a_recording_is_heard_in_windows_of_thirty_seconds() {
    assert_eq!(windows(&[], 7000), [(0, 3000), (3000, 3000), (6000, 1000)]);
    assert_eq!(windows(&[], 3000), [(0, 3000)]);
    assert_eq!(windows(&[], 0), []);
}

#[test]
fn no_window_crosses_the_end_of_a_clip() {
    assert_eq!(windows(&[(1.0, Some(2.5)), (10.004, None)], 2000), [(100, 150), (1000, 1000)]);
    assert_eq!(windows(&[(5.0, Some(100.0))], 2000), [(500, 1500)], "clips end with the recording");
    assert_eq!(windows(&[(5.0, Some(5.0)), (30.0, None)], 2000), [], "clips without length are left out");
    assert_eq!(windows(&[(10.0, Some(12.0)), (1.0, Some(2.0))], 2000), [(100, 100), (1000, 200)], "in order of time");
    assert_eq!(windows(&[(1.0, Some(3.0)), (2.0, Some(4.0))], 2000), [(100, 300)], "nothing is heard twice");
}

#[test]
fn seeking_goes_on_where_it_is_told_but_never_stands_still() {
    let mut seek = Seek::new(Clips::new(&[], 9000));
    let first = seek.window().unwrap();
    seek.advance(first, 1240);
    let second = seek.window().unwrap();
    assert_eq!(second, Window { start: 1240, frames: 3000 });
    seek.advance(second, 1240);
    assert_eq!(seek.window().unwrap().start, 4240);
}

#[test]
fn what_was_heard_of_clips_is_counted() {
    let clips = Clips::new(&[(0.0, Some(10.0)), (20.0, Some(40.0))], 9000);
    assert_eq!(clips.frames(), 3000);
    let mut seek = Seek::new(clips);
    let mut heard = Vec::new();
    while let Some(window) = seek.window() {
        seek.advance(window, window.start + window.frames);
        heard.push(seek.heard());
    }
    assert_eq!((heard, seek.heard()), (vec![1000, 3000], 3000));
}
