//! The two streams of the program: data on standard output, messages on standard error, and a progress bar that gives
//! way to both.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
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
    let text = line.to_string();
    if FOR_PROGRAMS.load(Ordering::Relaxed) {
        json(&Message { event: "message", text });
    } else {
        write_error(format_args!("{}", visible(&text)));
    }
}

/// Writes a text of several lines to standard error, one message for programs.
pub(crate) fn paragraph(text: &str) {
    if FOR_PROGRAMS.load(Ordering::Relaxed) {
        json(&Message { event: "message", text: text.to_owned() });
    } else {
        write_error(format_args!("{}", visible_lines(text)));
    }
}

/// A text with its control characters spelled out. Names of files, and what files say of themselves, are anybody's:
/// printed as they are they could move the cursor, overwrite what stands above, or fake a line of their own.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    // Besides the controls proper: what breaks lines, and what reverses the direction of writing.
    let hidden =
        |letter: char| letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if hidden(letter) {
            // Writing to a String does not fail.
            let _ = write!(shown, "{}", letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// As [`visible`], but the ends of lines stay.
pub(crate) fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_commands_the_terminal() {
        assert_eq!(visible("\u{1b}[2Ja\r\nb\u{9b}c\u{202e}\u{7f}"), r"\u{1b}[2Ja\r\nb\u{9b}c\u{202e}\u{7f}");
        assert!(matches!(visible("Grüße, 東京 – 🎙"), Cow::Borrowed(_)));
        assert_eq!(visible_lines("a\n\tb"), "a\n\\tb");
    }
}
