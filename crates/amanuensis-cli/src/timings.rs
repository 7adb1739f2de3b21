//! Where the time of one file went, stage by stage.

use std::fmt::Write as _;

use amanuensis::backend::{Placement, Share, StageTime};
use serde::Serialize;

use crate::args::TimingsStyle;
use crate::console;
use crate::progress::realtime;

/// The stages of one file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Timings {
    pub(crate) event: &'static str,
    pub(crate) file: String,
    /// On what work was observed.
    pub(crate) devices: Vec<String>,
    /// Who did how much of encoding and of preparing to decode, and who was asked and did not.
    pub(crate) placement: Placement,
    /// Seconds of sound.
    pub(crate) audio_seconds: f64,
    /// Seconds from opening the file to the end of its last output.
    pub(crate) seconds: f64,
    pub(crate) windows: u64,
    /// Positions of the encoder in all of them.
    pub(crate) positions: u64,
    pub(crate) tokens: u64,
    pub(crate) stages: Vec<StageTime>,
    /// How much of the stages' time went by while others ran.
    pub(crate) beside_seconds: f64,
}

/// Says where the time went.
pub(crate) fn report(style: TimingsStyle, timings: &Timings) {
    match style {
        TimingsStyle::Table => console::paragraph(&table(timings)),
        TimingsStyle::Json => console::json(timings),
    }
}

/// Name, calls, seconds, share of all and realtime factor of each stage, what of it went by at once, what no stage claims, and all of
/// it.
fn table(timings: &Timings) -> String {
    let claimed: f64 = timings.stages.iter().map(|stage| stage.seconds).sum();
    let other = (timings.seconds - claimed + timings.beside_seconds).max(0.0);
    let longest = timings.stages.iter().map(|stage| stage.stage.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!(
        "{}: {:.2} s of sound in {:.3} s on {}; windows: {}, positions: {}, tokens: {}\n",
        console::visible(&timings.file),
        timings.audio_seconds,
        timings.seconds,
        timings.devices.join(" and "),
        timings.windows,
        timings.positions,
        timings.tokens
    );
    for line in placed(&timings.placement) {
        let _ = writeln!(text, "  {line}");
    }
    let head = text.len();
    let mut row = |name: &str, count: &str, seconds: f64| {
        let share = if timings.seconds > 0.0 { 100.0 * seconds / timings.seconds } else { 0.0 };
        // Below what the column of seconds shows, a factor would only be large.
        let factor = realtime(timings.audio_seconds, seconds).filter(|_| seconds >= 0.000_05);
        let factor = factor.map_or(String::new(), |factor| format!("{factor:.1}x"));
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {name:longest$}  {count:>8}  {seconds:>10.4}  {share:>6.1}%  {factor:>10}");
    };
    for stage in &timings.stages {
        row(&stage.stage, &stage.count.to_string(), stage.seconds);
    }
    if timings.beside_seconds > 0.0 {
        row("at once", "", -timings.beside_seconds);
    }
    row("other", "", other);
    row("all", "", timings.seconds);
    let heading =
        format!("  {:longest$}  {:>8}  {:>10}  {:>7}  {:>10}\n", "stage", "calls", "seconds", "share", "realtime");
    text.insert_str(head, &heading);
    text.truncate(text.trim_end().len());
    text
}

/// What part of these operations each device did, where there is more to say than that one did all.
fn placed(placement: &Placement) -> Vec<String> {
    let shares = placement.shares();
    if shares.len() < 2 {
        return Vec::new();
    }
    let line = |Share { device, share, reasons }: &Share| {
        let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        format!("encoder: {:.1} % by {device}{why}", 100.0 * share)
    };
    shares.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_adds_up() {
        let stage = |stage: &str, seconds, count| StageTime { stage: stage.to_owned(), seconds, count };
        let timings = Timings {
            event: "timings",
            file: "talk.wav".to_owned(),
            devices: vec!["cpu".to_owned()],
            placement: Placement::default(),
            audio_seconds: 60.0,
            seconds: 2.0,
            windows: 2,
            positions: 1850,
            tokens: 80,
            stages: vec![stage("read", 0.1, 1), stage("encoder layer 0 attention", 1.5, 2)],
            beside_seconds: 0.0,
        };
        let expected = "\
talk.wav: 60.00 s of sound in 2.000 s on cpu; windows: 2, positions: 1850, tokens: 80
  stage                         calls     seconds    share    realtime
  read                              1      0.1000     5.0%      600.0x
  encoder layer 0 attention         2      1.5000    75.0%       40.0x
  other                                    0.4000    20.0%      150.0x
  all                                      2.0000   100.0%       30.0x";
        assert_eq!(table(&timings), expected);
        let rows = table(&Timings { beside_seconds: 0.25, ..timings.clone() });
        let rows: Vec<&str> = rows.lines().skip(4).map(str::trim_end).collect();
        assert_eq!(rows[0], "  at once                                 -0.2500   -12.5%");
        assert!(rows[1].starts_with("  other                                    0.6500    32.5%"), "{rows:?}");
        let mut asked = Placement::default();
        asked.did("cpu", 5);
        asked.fell_back("npu", "there is none", 2);
        let lines = table(&Timings { placement: asked, ..timings.clone() });
        let lines: Vec<&str> = lines.lines().skip(1).take(3).collect();
        assert_eq!(lines[..2], ["  encoder: 100.0 % by cpu", "  encoder: 0.0 % by npu: there is none"]);
        assert!(lines[2].starts_with("  stage"), "{lines:?}");
        let json = serde_json::to_value(&timings).unwrap();
        assert_eq!(json["stages"][1]["count"], 2);
    }
}
