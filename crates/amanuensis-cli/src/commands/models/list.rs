//! `models list`: what is in the cache.

use std::collections::BTreeMap;

use amanuensis::model::KNOWN_MODELS;
use amanuensis::model::hub::HubName;
use amanuensis_hub::{Hub, StoredRepository, StoredSnapshot};
use serde::Serialize;

use super::{Stop, print_json, short};
use crate::args::ModelsList;
use crate::console::{self, say};
use crate::fetching::{self, size};
use crate::table;

/// The cache, as programs read it.
#[derive(Serialize)]
struct Report {
    cache: Option<String>,
    models: Vec<StoredRepository>,
    aliases: BTreeMap<String, String>,
}

pub(super) fn run(asked: &ModelsList) -> Result<u8, Stop> {
    let hub = fetching::hub(asked.model_dir.as_deref(), true);
    let mut models = hub.list();
    let all = models.len();
    if !asked.all {
        models.retain(|model| model.whisper);
    }
    let hidden = all - models.len();
    let aliases = hub.aliases().map_err(anyhow::Error::new)?;
    let aliases = aliases.iter().map(|(name, target)| (name.to_owned(), target.to_owned())).collect();
    let cache = hub.settings().cache.folder().map(|folder| folder.display().to_string());
    let report = Report { cache, models, aliases };
    if asked.json {
        print_json(&report)?;
        return Ok(0);
    }
    for line in table::aligned(&rows(&hub, &report)) {
        console::print(format_args!("{}", console::visible(&line)))?;
    }
    if hidden > 0 {
        say!("{hidden} more that are no Whisper models; --all lists them");
    }
    Ok(0)
}

/// The heading, the model in the program, and a row for each commit that is here.
fn rows(hub: &Hub, report: &Report) -> Vec<Vec<String>> {
    let row = |cells: [&str; 6]| cells.map(str::to_owned).to_vec();
    let mut rows = vec![row(["model", "also called", "revision", "form", "size", "state"])];
    rows.push(row(["demo", "", "", "in the program", "", "usable"]));
    for model in &report.models {
        let called = also_called(hub, report, &model.repository);
        for snapshot in &model.snapshots {
            let form = snapshot.form.map_or_else(String::new, |form| form.to_string());
            rows.push(vec![
                model.repository.clone(),
                called.clone(),
                revision(snapshot),
                form,
                size(snapshot.bytes),
                state(model, snapshot),
            ]);
        }
        if model.snapshots.is_empty() {
            let partial = format!("{} of it fetched", size(model.partial_bytes));
            rows.push(row([&model.repository, &called, "", "", &size(model.bytes), &partial]));
        }
    }
    rows
}

/// Short names and aliases that mean the repository.
fn also_called(hub: &Hub, report: &Report, repository: &str) -> String {
    let short = KNOWN_MODELS.iter().filter(|(name, long)| *long == repository && !report.aliases.contains_key(*name));
    let own = report.aliases.iter().filter(|(_, target)| {
        HubName::parse(target).is_some_and(|name| name.repository == repository) && hub.named(target).is_ok()
    });
    let names: Vec<&str> = short.map(|(name, _)| *name).chain(own.map(|(name, _)| name.as_str())).collect();
    names.join(", ")
}

fn revision(snapshot: &StoredSnapshot) -> String {
    match snapshot.revisions.as_slice() {
        [] => short(&snapshot.commit).to_owned(),
        names => format!("{} ({})", names.join(", "), short(&snapshot.commit)),
    }
}

fn state(model: &StoredRepository, snapshot: &StoredSnapshot) -> String {
    match &snapshot.missing {
        None => "usable".to_owned(),
        Some(_) if model.partial_bytes > 0 => format!("incomplete, {} more half fetched", size(model.partial_bytes)),
        Some(reason) => {
            let reason = reason.split([';', '(']).next().unwrap_or_default().trim();
            format!("incomplete: {reason}")
        }
    }
}
