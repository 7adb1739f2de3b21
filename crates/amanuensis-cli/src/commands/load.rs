//! From `--model`, `--device`, `--threads` and `--compute-type` to an engine.

use amanuensis::backend::ComputeType;
use amanuensis::model::{self, Source};
use amanuensis::{Crew, Engine};
use anyhow::Context;

use super::Stop;
use super::device::{self, Computer};
use crate::args::{Fetching, Model, ProgressStyle};
use crate::console::say;
use crate::fetching;

/// The model inside the program.
const DEMO: &str = "demo";

/// Name or path of the model asked for.
pub(super) fn name(asked: &Model) -> &str {
    asked.model.as_deref().unwrap_or_else(|| {
        say!("note: no --model was given; `{DEMO}` is used, which understands its own samples and nothing else");
        DEMO
    })
}

/// Where a model is that is called so. One of the hub's that is not here is fetched.
pub(super) fn source(name: &str, asked: &Fetching, progress: ProgressStyle) -> anyhow::Result<Source> {
    let hub = fetching::hub(asked.model_dir.as_deref(), asked.offline);
    // What is here needs no connection, no bar and no way to stop.
    if let Some(source) = hub.find(name)? {
        return Ok(source);
    }
    Ok(fetching::fetch(&hub, progress, |watch| hub.find_or_pull(name, watch))?)
}

/// Loads the model asked for, and says what is odd about it.
pub(super) fn engine(asked: &Model, progress: ProgressStyle) -> Result<Engine, Stop> {
    if let Some(note) = device::note(&asked.computing) {
        say!("note: {note}");
    }
    let (engine, unused) = computed(asked, name(asked), asked.computing.compute_type, progress)?;
    if let Some(unused) = unused {
        say!("note: {unused}");
    }
    for warning in engine.warnings() {
        say!("warning: {warning}");
    }
    Ok(engine)
}

/// Loads the model asked for once more, to be computed as `compute` says. What is odd about it has been said.
pub(super) fn engine_beside(asked: &Model, compute: ComputeType) -> Result<Engine, Stop> {
    Ok(computed(asked, asked.model.as_deref().unwrap_or(DEMO), compute, ProgressStyle::Auto)?.0)
}

/// A model on what was asked for, and why it does without that, if it does.
fn computed(
    asked: &Model,
    name: &str,
    compute: ComputeType,
    progress: ProgressStyle,
) -> Result<(Engine, Option<String>), Stop> {
    let computer = Computer::new(&asked.computing, compute)?;
    let source = source(name, &asked.fetching, progress)?;
    let file = model::open(&source).map_err(anyhow::Error::new);
    let engine = file
        .and_then(|file| Ok(Engine::with(file, computer.backend())?.with_crew(Crew::new(asked.computing.threads.0))));
    let engine = engine.with_context(|| format!("cannot load the model {name}"))?;
    Ok((engine, computer.unused()))
}
