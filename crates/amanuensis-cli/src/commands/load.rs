//! From `--model`, `--device`, `--threads` and `--compute-type` to an engine.

use amanuensis::backend::ComputeType;
use amanuensis::model::Source;
use amanuensis::{Engine, Setup};
use anyhow::Context;

use crate::args::{Device, Model};
use crate::console::say;

/// The model inside the program.
const DEMO: &str = "demo";

/// Name or path of the model asked for.
pub(super) fn name(asked: &Model) -> &str {
    asked.model.as_deref().unwrap_or_else(|| {
        say!("note: no --model was given; `{DEMO}` is used, which understands its own samples and nothing else");
        DEMO
    })
}

/// Loads the model asked for, and says what is odd about it.
pub(super) fn engine(asked: &Model) -> anyhow::Result<Engine> {
    let engine = computed(asked, name(asked), asked.computing.compute_type)?;
    for warning in engine.warnings() {
        say!("warning: {warning}");
    }
    Ok(engine)
}

/// Loads the model asked for once more, to be computed as `compute` says. What is odd about it has been said.
pub(super) fn engine_beside(asked: &Model, compute: ComputeType) -> anyhow::Result<Engine> {
    computed(asked, asked.model.as_deref().unwrap_or(DEMO), compute)
}

fn computed(asked: &Model, name: &str, compute: ComputeType) -> anyhow::Result<Engine> {
    let setup = match asked.computing.device {
        // The processor is the fastest device that this program is built for.
        Device::Auto | Device::Cpu => Setup { threads: asked.computing.threads.0, compute },
    };
    let source = Source::resolve(name)?;
    Engine::load(&source, &setup).with_context(|| format!("cannot load the model {name}"))
}
