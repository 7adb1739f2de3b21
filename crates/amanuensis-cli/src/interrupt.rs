//! Ctrl-C: the first asks the engine to stop at its next step, the second ends the program at once.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::say;

/// The exit code of a program that was interrupted: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C (and for a polite request to end) from here on; the flag is set when one came.
pub(crate) fn listen() -> &'static AtomicBool {
    let listening = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            process::exit(i32::from(INTERRUPTED));
        }
        say!("stopping at the next step; Ctrl-C again stops at once");
    });
    if let Err(error) = listening {
        // Without a handler Ctrl-C still ends the program, only less politely.
        say!("warning: Ctrl-C will end the program at once: {error}");
    }
    &ASKED
}

/// Whether Ctrl-C was pressed.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Stops the work as Ctrl-C does, for another reason.
pub(crate) fn ask() {
    ASKED.store(true, Ordering::SeqCst);
}
