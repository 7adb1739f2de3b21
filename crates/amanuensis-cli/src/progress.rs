//! How far the work has come: a bar for a person, lines of JSON for a program, or nothing.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde::Serialize;

use crate::args::ProgressStyle;
use crate::console::{self, set_bar};

/// Lines of JSON come no faster than this.
pub(crate) const BETWEEN_LINES: Duration = Duration::from_millis(100);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Bar,
    Json,
    Off,
}

impl Style {
    /// What was asked for, here. With JSON everything on standard error is JSON from here on.
    pub(crate) fn of(asked: ProgressStyle) -> Style {
        match asked {
            ProgressStyle::Json => {
                console::speak_to_programs();
                Style::Json
            }
            ProgressStyle::Off => Style::Off,
            ProgressStyle::Bar => Style::Bar,
            ProgressStyle::Auto if io::stderr().is_terminal() => Style::Bar,
            ProgressStyle::Auto => Style::Off,
        }
    }
}

/// What is being done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Decoding its sound.
    Read,
    /// Understanding it.
    Transcribe,
}

/// Progress through one file after another.
pub(crate) struct Progress {
    style: Style,
    file: String,
    stage: Stage,
    begun: Instant,
    last_line: Option<Instant>,
    bar: Option<ProgressBar>,
}

/// Progress at a moment, as programs read it. Times are seconds of sound, except `elapsed` and `eta`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    event: &'static str,
    file: &'a str,
    stage: Stage,
    processed: f64,
    total: Option<f64>,
    /// Part of the whole, 0 to 1.
    fraction: Option<f64>,
    /// Seconds of work so far.
    elapsed: f64,
    /// Seconds of sound in a second of work.
    realtime: Option<f64>,
    /// Seconds of work left, at the speed so far.
    eta: Option<f64>,
}

/// The end of a file, as programs read it.
#[derive(Debug, Serialize)]
struct Done<'a> {
    event: &'static str,
    file: &'a str,
    ok: bool,
    error: Option<&'a str>,
}

impl Progress {
    pub(crate) fn new(asked: ProgressStyle) -> Progress {
        let style = Style::of(asked);
        Progress { style, file: String::new(), stage: Stage::Read, begun: Instant::now(), last_line: None, bar: None }
    }

    /// Begins a stage of a file.
    pub(crate) fn begin(&mut self, file: &str, stage: Stage) {
        self.end();
        file.clone_into(&mut self.file);
        self.stage = stage;
        self.begun = Instant::now();
        self.last_line = None;
        if self.style == Style::Bar {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(unmeasured());
            bar.set_message(self.label());
            set_bar(Some(bar.clone()));
            self.bar = Some(bar);
        }
    }

    /// Says that `processed` of `total` seconds are done.
    pub(crate) fn update(&mut self, processed: f64, total: Option<f64>) {
        let elapsed = self.begun.elapsed().as_secs_f64();
        match self.style {
            Style::Off => {}
            Style::Bar => {
                let Some(bar) = &self.bar else { return };
                if let Some(total) = total {
                    bar.set_style(measured());
                    bar.set_length(milliseconds(total));
                }
                bar.set_position(milliseconds(processed));
                bar.set_message(format!("{}  {}", pace(processed, total, elapsed), self.label()));
            }
            Style::Json => {
                let done = total.is_some_and(|total| processed >= total);
                if !done && self.last_line.is_some_and(|last| last.elapsed() < BETWEEN_LINES) {
                    return;
                }
                self.last_line = Some(Instant::now());
                console::json(&self.line(processed, total, elapsed));
            }
        }
    }

    fn line(&self, processed: f64, total: Option<f64>, elapsed: f64) -> Line<'_> {
        Line {
            event: "progress",
            file: &self.file,
            stage: self.stage,
            processed,
            total,
            fraction: total.map(|total| if total > 0.0 { (processed / total).min(1.0) } else { 1.0 }),
            elapsed,
            realtime: realtime(processed, elapsed),
            eta: eta(processed, total, elapsed),
        }
    }

    /// Says that a file is done, and how it went; for programs only, a person reads the messages.
    pub(crate) fn file_done(&mut self, file: &str, error: Option<&str>) {
        self.end();
        if self.style == Style::Json {
            console::json(&Done { event: "done", file, ok: error.is_none(), error });
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            set_bar(None);
            bar.finish_and_clear();
        }
    }

    /// What the bar stands for; a bar has no room for folders. It comes last: what a narrow screen cuts off is the end
    /// of a long name.
    fn label(&self) -> String {
        let name = Path::new(&self.file).file_name().map_or(self.file.as_str().into(), OsStr::to_string_lossy);
        let name = console::visible(&name);
        match self.stage {
            Stage::Read => format!("reading {name}"),
            Stage::Transcribe => name.into_owned(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// 18 columns before the message, which leaves 62 of 80.
const MEASURED: &str = "{bar:12} {percent:>3}% {wide_msg}";

pub(crate) fn measured() -> BarStyle {
    let style = BarStyle::with_template(MEASURED);
    style.unwrap_or_else(|_| BarStyle::default_bar())
}

fn unmeasured() -> BarStyle {
    BarStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| BarStyle::default_spinner())
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64 // saturates; a bar needs no more
}

/// `01:15 of 10:00, 34.2x realtime, 16 s left`.
fn pace(processed: f64, total: Option<f64>, elapsed: f64) -> String {
    let mut pace = clock(processed);
    if let Some(total) = total {
        pace = format!("{pace} of {}", clock(total));
    }
    if let Some(realtime) = realtime(processed, elapsed) {
        pace = format!("{pace}, {realtime:.1}x realtime");
    }
    if let Some(eta) = eta(processed, total, elapsed) {
        pace = match eta.ceil() {
            seconds if seconds < 100.0 => format!("{pace}, {seconds:.0} s left"),
            seconds => format!("{pace}, {} left", clock(seconds)),
        };
    }
    pace
}

/// Seconds of sound in a second of work; none before there is something to divide.
pub(crate) fn realtime(processed: f64, elapsed: f64) -> Option<f64> {
    (processed > 0.0 && elapsed > 0.0).then(|| processed / elapsed)
}

fn eta(processed: f64, total: Option<f64>, elapsed: f64) -> Option<f64> {
    realtime(processed, elapsed).zip(total).map(|(speed, total)| (total - processed).max(0.0) / speed)
}

/// Minutes and seconds, with hours from one hour on.
pub(crate) fn clock(seconds: f64) -> String {
    let total = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_says_speed_and_time_left() {
        assert_eq!(pace(75.0, Some(600.0), 2.5), "01:15 of 10:00, 30.0x realtime, 18 s left");
        assert_eq!(pace(75.0, Some(7200.0), 75.0), "01:15 of 2:00:00, 1.0x realtime, 1:58:45 left");
        assert_eq!(pace(0.0, Some(600.0), 0.0), "00:00 of 10:00");
        assert_eq!(pace(3.0, None, 1.0), "00:03, 3.0x realtime");
    }

    #[test]
    fn the_longest_pace_fits_into_80_columns() {
        let pace = pace(86_399.0, Some(360_000.0), 864.0);
        assert_eq!(pace, "23:59:59 of 100:00:00, 100.0x realtime, 45:37 left");
        assert!(pace.len() <= 80 - "[12 columns] 100% ".len());
        assert!(BarStyle::with_template(MEASURED).is_ok());
    }

    #[test]
    fn a_line_for_programs_has_every_key() {
        let mut progress = Progress::new(ProgressStyle::Off);
        progress.begin("a.wav", Stage::Transcribe);
        let line = serde_json::to_value(progress.line(30.0, Some(120.0), 3.0)).unwrap();
        let expected = serde_json::json!({
            "event": "progress", "file": "a.wav", "stage": "transcribe", "processed": 30.0, "total": 120.0,
            "fraction": 0.25, "elapsed": 3.0, "realtime": 10.0, "eta": 9.0
        });
        assert_eq!(line, expected);
        let empty = serde_json::to_value(progress.line(0.0, Some(0.0), 0.0)).unwrap();
        assert_eq!((&empty["fraction"], &empty["realtime"]), (&serde_json::json!(1.0), &serde_json::Value::Null));
    }
}
