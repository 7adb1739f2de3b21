//! From `--model`, `--device` and `--threads` to an engine.

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

/// Loads the model asked for.
pub(super) fn engine(asked: &Model) -> anyhow::Result<Engine> {
    let name = name(asked);
    let setup = match asked.computing.device {
        // The processor is the fastest device that this program is built for.
        Device::Auto | Device::Cpu => {
            Setup { threads: asked.computing.threads.0, compute: asked.computing.compute_type }
        }
    };
    let source = Source::resolve(name)?;
    let engine = Engine::load(&source, &setup).with_context(|| format!("cannot load the model {name}"))?;
    for warning in engine.warnings() {
        say!("warning: {warning}");
    }
    Ok(engine)
}
