//! Ctrl-C: the first asks for a stop at the next step, the second ends the program at once. A read that blocks, as of
//! a silent pipe, has no next step: there the first ends the program too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{process, thread};

use crate::console::{self, say};

/// The exit code of a program that was interrupted: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether nothing but reading an input is under way. Nothing is half written then.
static READING: AtomicBool = AtomicBool::new(false);

/// A read that does not block sees the request after its next block, within milliseconds; one that took longer than
/// this waits for data that may never come.
const PATIENCE: Duration = Duration::from_millis(300);

/// Listens for Ctrl-C (and for a polite request to end) from here on; the flag is set when one came.
pub(crate) fn listen() -> &'static AtomicBool {
    let listening = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            end();
        }
        if READING.load(Ordering::SeqCst) {
            let asked = Instant::now();
            while asked.elapsed() < PATIENCE {
                if !READING.load(Ordering::SeqCst) {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
            say!("stopped while waiting for input");
            end();
        }
        say!("stopping at the next step; Ctrl-C again stops at once");
    });
    if let Err(error) = listening {
        // Without a handler Ctrl-C still ends the program, only less politely.
        say!("warning: Ctrl-C will end the program at once: {error}");
    }
    &ASKED
}

fn end() -> ! {
    console::clear_bar();
    process::exit(i32::from(INTERRUPTED))
}

/// Reads an input. The work writes nothing, so that it may be cut off.
pub(crate) fn while_reading<T>(work: impl FnOnce() -> T) -> T {
    /// Ends the reading however the work ends.
    struct Reading;
    impl Drop for Reading {
        fn drop(&mut self) {
            READING.store(false, Ordering::SeqCst);
        }
    }
    READING.store(true, Ordering::SeqCst);
    let _reading = Reading;
    work()
}

/// Whether Ctrl-C was pressed.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Stops the work as Ctrl-C does, for another reason.
pub(crate) fn ask() {
    ASKED.store(true, Ordering::SeqCst);
}
