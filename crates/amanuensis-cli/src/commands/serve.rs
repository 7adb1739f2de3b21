//! `serve`: the server, with the models and devices of this program.

use std::sync::Arc;

use amanuensis::{Crew, Engine, model};
use amanuensis_server::{Library, LoadError, Server};
use tracing_subscriber::EnvFilter;

use super::device::{self, Computer};
use super::{Stop, config, load};
use crate::args::{self, LogStyle, ProgressStyle};
use crate::console::say;

/// What is logged unless RUST_LOG says otherwise.
const LOGGED: &str = "info";

pub(super) fn run(asked: &args::Serve) -> Result<u8, Stop> {
    let gathered = config::gather(&asked.settings)?;
    log(asked.log);
    let models = if asked.model.is_empty() {
        say!("note: no --model was given; `demo` is served, which understands its own samples and nothing else");
        vec![("demo".to_owned(), "demo".to_owned())]
    } else {
        asked.model.iter().map(|model| named(model)).collect()
    };
    for (index, (name, _)) in models.iter().enumerate() {
        if models[..index].iter().any(|(other, _)| other == name) {
            return Err(Stop::Usage(format!(
                "--model: two models are called {name}; give one another name: NAME=MODEL"
            )));
        }
    }
    // What cannot be loaded is told of now, and not to the first who asks for it.
    let computer = Computer::new(&asked.computing, asked.computing.compute_type)?;
    if let Some(note) = device::note(&asked.computing) {
        say!("note: {note}");
    }
    let fetching = asked.fetching.clone();
    for (_, model) in &models {
        load::source(model, &fetching, ProgressStyle::Auto)?;
    }
    let device = device::described(&asked.computing);
    let crew = Crew::new(asked.computing.threads.0);
    let library = Shelf { models, computer, crew, device, fetching };
    let has_keys = !gathered.keys.is_empty();
    let server = Server::bind(gathered.settings, gathered.keys, Arc::new(library)).map_err(anyhow::Error::from)?;
    say!("listening on http://{}{}", server.address(), if has_keys { ", with keys" } else { "" });
    if let Some(address) = server.wyoming_address() {
        say!("Wyoming on tcp://{address}");
    }
    server.run(asked_to_stop()).map_err(anyhow::Error::from)?;
    Ok(0)
}

/// The name under which a model is served, and what it is.
fn named(model: &str) -> (String, String) {
    match model.split_once('=') {
        Some((name, model)) => (name.to_owned(), model.to_owned()),
        // Clients never see a path of this machine.
        None => {
            let is_path = model.starts_with(['/', '.']) || std::path::Path::new(model).exists();
            let last = model.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(model);
            (if is_path { last } else { model }.to_owned(), model.to_owned())
        }
    }
}

/// The models that were named on the command line.
struct Shelf {
    models: Vec<(String, String)>,
    computer: Computer,
    crew: Crew,
    /// What was asked for, in words.
    device: String,
    fetching: args::Fetching,
}

impl Library for Shelf {
    fn names(&self) -> Vec<String> {
        self.models.iter().map(|(name, _)| name.clone()).collect()
    }

    fn device(&self) -> Option<String> {
        Some(self.device.clone())
    }

    fn load(&self, name: &str) -> Result<Engine, LoadError> {
        let model = self.models.iter().find(|(known, _)| known == name).map(|(_, model)| model);
        let model = model.ok_or_else(|| LoadError::Other(format!("there is no model {name}")))?;
        let source = load::source(model, &self.fetching, ProgressStyle::Off);
        let source = source.map_err(|error| LoadError::Other(format!("{error:#}")))?;
        let file = model::open(&source).map_err(amanuensis::Error::from)?;
        let engine = Engine::with(file, self.computer.backend())?.with_crew(self.crew);
        if let Some(unused) = self.computer.unused() {
            tracing::warn!(model = name, "{unused}");
        }
        Ok(engine)
    }
}

fn log(style: LogStyle) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match style {
        LogStyle::Text => lines.with_target(false).init(),
        LogStyle::Json => lines.json().init(),
    }
}

/// Comes when the process is asked to end. The second time it ends at once.
async fn asked_to_stop() {
    signal().await;
    tokio::spawn(async {
        signal().await;
        std::process::exit(i32::from(crate::interrupt::INTERRUPTED));
    });
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_see_names_and_no_paths() {
        for (model, name) in [
            ("base", "base"),
            ("openai/whisper-base", "openai/whisper-base"),
            ("/srv/models/mine/", "mine"),
            ("./mine.bin", "mine.bin"),
            ("small=/srv/x", "small"),
        ] {
            assert_eq!(named(model).0, name);
        }
    }
}
