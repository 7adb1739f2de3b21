//! What the server is told on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Computing, Fetching};

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogStyle {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every setting can stand in the file of --config, in the environment (AMANUENSIS_MAX_DURATION=600) or behind --set \
                        (--set max_duration=600); the later of these wins. `amanuensis config show` lists them all. A key for \
                        everything is taken from AMANUENSIS_API_KEY."
)]
pub(crate) struct Serve {
    /// A model that may be asked for, as `transcribe` takes it, or NAME=MODEL to give it another name; may be repeated.
    /// The first is the one that `whisper-1` stands for [default: demo]
    #[arg(long, value_name = "[NAME=]MODEL")]
    pub(crate) model: Vec<String>,

    #[command(flatten)]
    pub(crate) settings: Settings,

    #[command(flatten)]
    pub(crate) fetching: Fetching,

    #[command(flatten)]
    pub(crate) computing: Computing,

    /// How the log on standard error is written
    #[arg(long, value_name = "HOW", default_value = "text")]
    pub(crate) log: LogStyle,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Settings {
    /// Address to listen on [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,

    /// Address to speak Wyoming at, for Home Assistant (10300 is usual); it knows no keys
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) wyoming: Option<String>,

    /// File of keys: `[[key]]` with name, sha256 and scopes (transcribe, jobs, status, metrics, admin) for each
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,

    /// Serve other machines without keys: whoever reaches the server may use it
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Folder where jobs are kept; without it there are none
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,

    /// File of settings, in TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// One setting; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,

    /// Serve the page from this folder instead of the one inside the program
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub(crate) ui: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) part: ConfigPart,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigPart {
    /// Print all settings as they would be taken
    Show {
        #[command(flatten)]
        settings: Settings,
        /// Say where each comes from
        #[arg(long)]
        origin: bool,
    },
    /// Say whether the server would start with these settings
    Check {
        #[command(flatten)]
        settings: Settings,
    },
}
