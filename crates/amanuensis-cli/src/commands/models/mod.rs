//! `models`: what is kept here of models, one file for each thing that can be done with it.

mod alias;
mod bundle;
mod info;
mod list;
mod pull;
mod remove;
mod verify;

use amanuensis::model::hub::HubName;
use amanuensis_hub::{Hub, Named};
use anyhow::Context;
use serde::Serialize;

use super::Stop;
use crate::args::{Models, ModelsPart};
use crate::console;

pub(super) fn run(asked: &Models) -> Result<u8, Stop> {
    match &asked.part {
        ModelsPart::List(asked) => list::run(asked),
        ModelsPart::Pull(asked) => pull::run(asked),
        ModelsPart::Rm(asked) => remove::run(asked),
        ModelsPart::Info(asked) => info::run(asked),
        ModelsPart::Verify(asked) => verify::run(asked),
        ModelsPart::Alias(asked) => alias::run(asked),
        ModelsPart::Bundle(asked) => bundle::run(asked),
    }
}

/// The model of the hub that is called so, and what else is the case of what cannot be fetched, removed or verified.
fn name_on_hub(hub: &Hub, text: &str, verb: &str) -> Result<HubName, Stop> {
    match hub.named(text).map_err(anyhow::Error::new)? {
        Named::Hub(name) => Ok(name),
        Named::Demo => Err(Stop::Usage(format!("{text} is the model inside this program; there is nothing to {verb}"))),
        Named::Path(path) => {
            let path = path.display();
            Err(Stop::Usage(format!("{path} is here and not of the cache; there is nothing to {verb}")))
        }
    }
}

/// Whether a name says which revision is meant.
fn says_revision(text: &str, name: &HubName) -> bool {
    text.contains('@') || name.revision != "main"
}

/// Prints an object on lines of its own.
fn print_json(value: &impl Serialize) -> Result<(), Stop> {
    let json = serde_json::to_string_pretty(value).context("it cannot be written as JSON")?;
    Ok(console::print(format_args!("{json}"))?)
}

/// As many digits of a commit as a person needs.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
