//! The program `amanuensis`: speech to text on the command line.
//!
//! Standard output carries what was asked for, standard error everything said about it. `args` holds what may be asked
//! for, `commands` one file per verb.

mod args;
mod commands;
mod console;
mod evaluation;
mod fetching;
mod interrupt;
mod outputs;
mod panics;
mod pattern;
mod progress;
mod spelling;
mod table;
mod timings;
mod unavailable;
mod values;

use std::process::ExitCode;

fn main() -> ExitCode {
    amanuensis_kernels::share_heaps();
    panics::listen();
    match spelling::parse(std::env::args_os().collect()) {
        Ok(arguments) => commands::run(arguments.verb),
        Err(error) => {
            // Where the message cannot be written there is nobody to read it; the exit code still tells.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(commands::USAGE))
        }
    }
}
