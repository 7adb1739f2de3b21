//! The verbs, one file each, and how each of them ends.

mod bench;
mod calibrate;
mod config;
mod convert;
mod detect_language;
mod device;
mod devices;
mod diff;
mod eval;
mod inspect;
mod listen;
mod load;
mod models;
mod npu;
mod quantize;
mod reader;
mod render;
mod serve;
mod sound;
mod transcribe;
mod watcher;
mod weights;
mod wish;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use amanuensis_hub::HubError;

use crate::args::{Task, Verb};
use crate::console::say;
use crate::interrupt::INTERRUPTED;

/// The exit code when something failed.
const FAILED: u8 = 1;
/// The exit code for a wrong command line.
pub(crate) const USAGE: u8 = 2;
/// The exit code when nobody reads the output any more: 128 and the number of SIGPIPE, as the shell would see it.
const CLOSED_PIPE: u8 = 141;

/// Why a verb ended before its end.
enum Stop {
    /// The command line asks for what cannot be.
    Usage(String),
    /// It could not be done.
    Failed(anyhow::Error),
    /// Nobody reads standard output any more.
    ClosedPipe,
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        Stop::Failed(error)
    }
}

/// What writing to standard output may meet.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::ClosedPipe,
            _ => Stop::Failed(anyhow::Error::new(error).context("cannot write to standard output")),
        }
    }
}

/// A wrong command line, as the engine says it.
fn usage(error: impl std::fmt::Display) -> Stop {
    Stop::Usage(error.to_string())
}

/// The path that a variable of the environment names, if it names one.
fn path_in(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether a person ended it while a model was being fetched.
fn is_interruption(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(HubError::Cancelled)))
}

/// Does what was asked for.
pub(crate) fn run(verb: Verb) -> ExitCode {
    let ended = match verb {
        Verb::Transcribe(asked) => transcribe::run(Task::Transcribe, &asked),
        Verb::Translate(asked) => transcribe::run(Task::Translate, &asked),
        Verb::Render(asked) => render::run(&asked),
        Verb::DetectLanguage(asked) => detect_language::run(&asked),
        Verb::Inspect(asked) => inspect::run(&asked),
        Verb::Quantize(asked) => quantize::run(&asked),
        Verb::Convert(asked) => convert::run(&asked),
        Verb::Diff(asked) => diff::run(&asked),
        Verb::Models(asked) => models::run(&asked),
        Verb::Listen(asked) => listen::run(&asked),
        Verb::Serve(asked) => serve::run(&asked),
        Verb::Config(asked) => config::run(&asked),
        Verb::Devices(asked) => devices::run(&asked),
        Verb::Npu(asked) => npu::run(&asked),
        Verb::Bench(asked) => bench::run(&asked),
        Verb::Eval(asked) => eval::run(&asked),
    };
    ExitCode::from(match ended {
        Ok(code) => code,
        Err(Stop::Usage(message)) => {
            say!("error: {message}");
            USAGE
        }
        Err(Stop::Failed(error)) if is_interruption(&error) => {
            say!("{error:#}");
            INTERRUPTED
        }
        Err(Stop::Failed(error)) => {
            say!("error: {error:#}");
            FAILED
        }
        Err(Stop::ClosedPipe) => CLOSED_PIPE,
    })
}
