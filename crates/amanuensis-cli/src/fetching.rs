//! Fetching models, shown: what is fetched from where, how far it has come, what it waits for.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use amanuensis::model::hub::Cache;
use amanuensis_hub::{Event, Hub, HubError, Settings, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use crate::args::ProgressStyle;
use crate::console::{self, say, set_bar};
use crate::interrupt;
use crate::progress::{BETWEEN_LINES, Style, measured};
use crate::values;

/// The hub as the environment and the flags have it. No connection is opened.
pub(crate) fn hub(folder: Option<&Path>, offline: bool) -> Hub {
    let mut settings = Settings::from_environment();
    settings.offline |= offline;
    if let Some(folder) = folder.filter(|folder| !folder.to_str().is_some_and(values::is_none)) {
        settings.cache = Cache::at(folder.to_owned());
    }
    Hub::new(settings)
}

/// Does something with the hub that takes time, and shows it. It writes nothing that is not better half written than
/// not at all: it may be cut off, and goes on from there the next time.
pub(crate) fn fetch<T>(
    hub: &Hub,
    progress: ProgressStyle,
    work: impl FnOnce(&mut Watch<'_>) -> Result<T, HubError>,
) -> Result<T, HubError> {
    let quiet = hub.settings().quiet && progress == ProgressStyle::Auto;
    let mut shown = Shown::new(if quiet { ProgressStyle::Off } else { progress });
    interrupt::while_reading(|| {
        work(&mut |event| {
            shown.hear(event);
            if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })
}

/// What is shown of it.
struct Shown {
    style: Style,
    begun: Instant,
    /// How far it was when the first progress came: what was here before was not fetched now.
    first: Option<u64>,
    last_line: Option<Instant>,
    bar: Option<ProgressBar>,
    /// The file that another process was said to fetch.
    busy: Option<String>,
    /// How long the wait was that was told of last.
    wait: Option<Duration>,
}

/// What is going to be fetched, as programs read it.
#[derive(Serialize)]
struct Plan<'a> {
    event: &'static str,
    model: String,
    commit: &'a str,
    form: amanuensis::model::hub::Form,
    from: &'a str,
    files: usize,
    bytes: u64,
}

/// How far it has come, as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    file: &'a str,
    bytes: u64,
    total: u64,
    /// Part of the whole, 0 to 1.
    fraction: f64,
    /// Seconds so far.
    elapsed: f64,
    /// Seconds left, at the speed so far.
    eta: Option<f64>,
}

impl Shown {
    fn new(progress: ProgressStyle) -> Shown {
        let style = Style::of(progress);
        Shown { style, begun: Instant::now(), first: None, last_line: None, bar: None, busy: None, wait: None }
    }

    fn hear(&mut self, event: Event<'_>) {
        match event {
            Event::Plan { files: 0, .. } => {}
            Event::Plan { name, commit, form, from, files, bytes, into } => {
                if self.style == Style::Json {
                    let model = name.to_string();
                    console::json(&Plan { event: "fetch", model, commit, form, from, files, bytes });
                } else {
                    let plural = if files == 1 { "file" } else { "files" };
                    let (size, into) = (size(bytes), into.display());
                    say!("{name}: fetching {files} {plural} ({form}), {size}, from {from} into {into}");
                }
                (self.begun, self.first) = (Instant::now(), None);
            }
            Event::Progress { file, done, total } => {
                (self.busy, self.wait) = (None, None);
                self.progress(file, done, total);
            }
            Event::Busy { file } if self.busy.as_deref() != Some(file) => {
                say!("another process fetches {file}; waiting for it");
                self.busy = Some(file.to_owned());
            }
            Event::Busy { .. } => {}
            Event::Retry { reason, left } => {
                // It is told many times a second how long the wait still is; longer than before is another one.
                if self.wait.is_none_or(|before| left > before) {
                    say!("{reason}; trying again in {:.1} s", left.as_secs_f64());
                }
                self.wait = Some(left);
            }
            _ => {}
        }
    }

    fn progress(&mut self, file: &str, done: u64, total: u64) {
        let first = *self.first.get_or_insert(done);
        let elapsed = self.begun.elapsed().as_secs_f64();
        let speed = done.saturating_sub(first) as f64 / elapsed.max(1e-3);
        let eta = (speed > 0.0).then(|| total.saturating_sub(done) as f64 / speed);
        match self.style {
            Style::Off => {}
            Style::Json => {
                if done < total && self.last_line.is_some_and(|last| last.elapsed() < BETWEEN_LINES) {
                    return;
                }
                self.last_line = Some(Instant::now());
                let fraction = if total > 0 { done as f64 / total as f64 } else { 1.0 };
                console::json(&Line { event: "fetching", file, bytes: done, total, fraction, elapsed, eta });
            }
            Style::Bar => {
                let bar = self.bar.get_or_insert_with(|| {
                    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
                    bar.set_style(measured());
                    set_bar(Some(bar.clone()));
                    bar
                });
                bar.set_length(total);
                bar.set_position(done);
                let left = eta.map_or(String::new(), |eta| format!(", {:.0} s left", eta.ceil()));
                let file = console::visible(file);
                bar.set_message(format!("{} of {}, {}/s{left}  {file}", size(done), size(total), size(speed as u64)));
            }
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            set_bar(None);
            bar.finish_and_clear();
        }
    }
}

/// Bytes as a person reads them, in powers of ten.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_powers_of_ten() {
        let shown = [0, 999, 290_403_936, 3_087_130_976].map(size);
        assert_eq!(shown, ["0 B", "999 B", "290.4 MB", "3.09 GB"]);
    }

    #[test]
    fn the_flag_for_no_folder_is_no_folder() {
        let folder = |word: &str| hub(Some(Path::new(word)), false).settings().cache.folder().map(Path::to_owned);
        assert_eq!(folder("/models"), Some("/models".into()));
        assert_ne!(folder("None"), Some("None".into()));
        assert!(hub(None, true).settings().offline);
    }
}
