//! `models pull`: models from the hub into the cache.

use std::time::Instant;

use amanuensis::model::{self, Source};
use amanuensis_hub::{Hub, HubError, Pulled, Wanted};
use anyhow::Context;
use serde::Serialize;

use super::{Stop, name_on_hub};
use crate::args::ModelsPull;
use crate::commands::FAILED;
use crate::console::{self, say};
use crate::fetching::{self, size};
use crate::interrupt::{self, INTERRUPTED};

/// A model that was fetched, as programs read it.
#[derive(Serialize)]
struct Fetched<'a> {
    model: String,
    commit: &'a str,
    form: model::hub::Form,
    path: String,
    files: &'a [String],
    fetched_bytes: u64,
}

pub(super) fn run(asked: &ModelsPull) -> Result<u8, Stop> {
    let hub = fetching::hub(asked.fetching.model_dir.as_deref(), asked.fetching.offline);
    let names: Vec<_> = asked.names.iter().map(|text| name_on_hub(&hub, text, "fetch")).collect::<Result<_, _>>()?;
    let wanted = Wanted { include: asked.include.clone(), again: asked.force };
    interrupt::listen();
    let mut failed = false;
    for name in &names {
        let begun = Instant::now();
        match fetching::fetch(&hub, asked.progress, |watch| hub.pull(name, &wanted, watch)) {
            Ok(pulled) => tell(&hub, &name.to_string(), &pulled, asked.json, begun)?,
            Err(error @ HubError::Cancelled) => {
                say!("{name}: {error}");
                return Ok(INTERRUPTED);
            }
            Err(error) => {
                say!("error: {error}");
                failed = true;
            }
        }
    }
    Ok(if failed { FAILED } else { 0 })
}

fn tell(hub: &Hub, name: &str, pulled: &Pulled, json: bool, begun: Instant) -> Result<(), Stop> {
    let path = pulled.path.display().to_string();
    if pulled.fetched > 0 {
        say!("{name}: fetched {} in {:.1} s", size(pulled.fetched), begun.elapsed().as_secs_f64());
    } else {
        let endpoint = &hub.settings().endpoint;
        say!("{name}: all of it is here, as it is on {endpoint} ({})", super::short(&pulled.commit));
    }
    // It is verified that it came as it is there, which may still be no model.
    if let Err(error) = model::open(&Source::Path(pulled.path.clone())) {
        say!("warning: {name} cannot be used: {error}");
    }
    if json {
        let (commit, files) = (pulled.commit.as_str(), pulled.files.as_slice());
        let model = name.to_owned();
        let fetched = Fetched { model, commit, form: pulled.form, path, files, fetched_bytes: pulled.fetched };
        let line = serde_json::to_string(&fetched).context("it cannot be written as JSON")?;
        return Ok(console::print(format_args!("{line}"))?);
    }
    Ok(console::print(format_args!("{}", console::visible(&path)))?)
}
