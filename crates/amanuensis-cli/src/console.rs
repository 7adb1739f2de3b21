//! The two streams of the program: data on standard output, messages on standard error, and a progress bar that gives
//! way to both.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use serde::Serialize;

/// The bar on the screen, if there is one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes `bar` give way to what is written from here on; none when it is gone.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Takes the bar off the screen, for an end that nobody waits for.
pub(crate) fn clear_bar() {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn beside_the_bar<T>(work: impl FnOnce() -> T) -> T {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(work),
        None => work(),
    }
}

/// Writes a line to standard output at once: whoever reads along does not wait for a buffer to fill.
///
/// # Errors
/// What the stream reports, [`io::ErrorKind::BrokenPipe`] when its reader is gone.
pub(crate) fn print(line: fmt::Arguments<'_>) -> io::Result<()> {
    print_data(format!("{line}\n").as_bytes())
}

/// Writes bytes to standard output as they are.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_data(data: &[u8]) -> io::Result<()> {
    beside_the_bar(|| {
        let mut out = io::stdout().lock();
        out.write_all(data)?;
        out.flush()
    })
}

/// Whether a program reads standard error: every line of it is then a JSON object.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// Makes every message a JSON object from here on.
pub(crate) fn speak_to_programs() {
    FOR_PROGRAMS.store(true, Ordering::Relaxed);
}

/// A message as programs read it.
#[derive(Serialize)]
struct Message {
    event: &'static str,
    text: String,
}

/// Writes a line to standard error. Where that cannot be written there is nobody to tell.
pub(crate) fn message(line: fmt::Arguments<'_>) {
    if FOR_PROGRAMS.load(Ordering::Relaxed) {
        json(&Message { event: "message", text: line.to_string() });
    } else {
        write_error(line);
    }
}

/// Writes an object to standard error, on one line.
pub(crate) fn json(value: &impl Serialize) {
    // Only maps whose keys are not strings fail to serialize; what the program says has none.
    if let Ok(line) = serde_json::to_string(value) {
        write_error(format_args!("{line}"));
    }
}

fn write_error(line: fmt::Arguments<'_>) {
    beside_the_bar(|| {
        let _ = writeln!(io::stderr().lock(), "{line}");
    });
}

/// [`message`] with the arguments of `format!`.
macro_rules! say {
    ($($argument:tt)*) => { $crate::console::message(format_args!($($argument)*)) };
}
pub(crate) use say;
