//! The two streams of the program: data on standard output, messages on standard error, and a progress bar that gives
//! way to both.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// The bar on the screen, if there is one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes `bar` give way to what is written from here on; none when it is gone.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
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
/// As [`print`].
pub(crate) fn print_data(data: &[u8]) -> io::Result<()> {
    beside_the_bar(|| {
        let mut out = io::stdout().lock();
        out.write_all(data)?;
        out.flush()
    })
}

/// Writes a line to standard error. Where that cannot be written there is nobody to tell.
pub(crate) fn message(line: fmt::Arguments<'_>) {
    beside_the_bar(|| {
        let _ = writeln!(io::stderr().lock(), "{line}");
    });
}

/// [`message`] with the arguments of `format!`.
macro_rules! say {
    ($($argument:tt)*) => { $crate::console::message(format_args!($($argument)*)) };
}
pub(crate) use say;
