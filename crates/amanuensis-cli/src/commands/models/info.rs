//! `models info`: what a model is, here and on the hub.

use amanuensis::model::hub::HubName;
use amanuensis::model::{self, Source, inspect};
use amanuensis_hub::{Hub, HubError, Named, Remote, StoredSnapshot};
use serde::Serialize;

use super::{Stop, print_json, short};
use crate::args::{ModelsInfo, ProgressStyle};
use crate::commands::FAILED;
use crate::console;
use crate::fetching::{self, size};
use crate::interrupt;

/// A model, as programs read it.
#[derive(Serialize)]
struct Report {
    model: String,
    here: Option<Here>,
    hub: Option<Remote>,
    /// Why the hub says nothing.
    hub_error: Option<String>,
}

/// What is here of it.
#[derive(Serialize)]
struct Here {
    path: Option<String>,
    snapshot: Option<StoredSnapshot>,
    description: Option<String>,
    format: Option<String>,
    parameters: Option<u64>,
    /// Why it cannot be used.
    unusable: Option<String>,
}

pub(super) fn run(asked: &ModelsInfo) -> Result<u8, Stop> {
    let hub = fetching::hub(asked.fetching.model_dir.as_deref(), asked.fetching.offline);
    let named = hub.named(&asked.name).map_err(anyhow::Error::new)?;
    interrupt::listen();
    let here = here(&hub, &asked.name, &named)?;
    let (remote, hub_error) = match &named {
        Named::Hub(_) if hub.settings().offline => (None, Some("not asked while offline".to_owned())),
        Named::Hub(name) => match fetching::fetch(&hub, ProgressStyle::Off, |watch| hub.remote(name, watch)) {
            Ok(remote) => (Some(remote), None),
            Err(error @ HubError::Cancelled) => return Err(anyhow::Error::new(error).into()),
            Err(error) => (None, Some(error.to_string())),
        },
        _ => (None, None),
    };
    let report = Report { model: asked.name.clone(), here, hub: remote, hub_error };
    let known = report.here.is_some() || report.hub.is_some();
    if asked.json {
        print_json(&report)?;
    } else {
        for (name, value) in facts(&report, &named) {
            console::print(format_args!("{name:11} {}", console::visible(&value)))?;
        }
    }
    Ok(if known { 0 } else { FAILED })
}

fn here(hub: &Hub, text: &str, named: &Named) -> Result<Option<Here>, Stop> {
    let snapshot = match named {
        Named::Hub(name) => stored(hub, name),
        _ => None,
    };
    let Some(source) = hub.find(text).map_err(anyhow::Error::new)? else {
        let unusable = snapshot.as_ref().and_then(|snapshot| snapshot.missing.clone());
        let none = Here { path: None, description: None, format: None, parameters: None, unusable, snapshot };
        return Ok(none.snapshot.is_some().then_some(none));
    };
    let path = match &source {
        Source::Demo => None,
        Source::Path(path) => Some(path.display().to_string()),
    };
    let unopened = Here { path, snapshot, description: None, format: None, parameters: None, unusable: None };
    Ok(Some(match model::open(&source) {
        Ok(file) => {
            let summary = inspect::summary(&file);
            Here {
                description: Some(summary.description),
                format: Some(file.format.to_string()),
                parameters: Some(summary.parameters),
                ..unopened
            }
        }
        Err(error) => Here { unusable: Some(error.to_string()), ..unopened },
    }))
}

/// The snapshot that a name means.
fn stored(hub: &Hub, name: &HubName) -> Option<StoredSnapshot> {
    let repository = hub.list().into_iter().find(|model| model.repository == name.repository)?;
    repository
        .snapshots
        .into_iter()
        .find(|snapshot| snapshot.commit == name.revision || snapshot.revisions.contains(&name.revision))
}

fn facts(report: &Report, named: &Named) -> Vec<(&'static str, String)> {
    let mut facts = vec![("model", report.model.clone())];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    if let Named::Hub(name) = named {
        add("repository", Some(name.to_string()));
    }
    match &report.here {
        None => add("here", Some("no".to_owned())),
        Some(here) => {
            add("here", here.path.clone());
            add("is", here.description.clone());
            add("format", here.format.clone());
            add("commit", here.snapshot.as_ref().map(|snapshot| snapshot.commit.clone()));
            add(
                "size",
                here.snapshot.as_ref().map(|snapshot| format!("{} in {} files", size(snapshot.bytes), snapshot.files)),
            );
            add("unusable", here.unusable.clone());
        }
    }
    if let Some(remote) = &report.hub {
        add("hub", Some(remote.endpoint.clone()));
        add("commit", Some(commit(remote, report.here.as_ref())));
        add("changed", remote.modified.clone());
        add("licence", remote.license.clone());
        add("access", access(remote));
        let form = remote.form.map(|form| form.to_string());
        let bytes = remote.bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
        add("fetches", form.map(|form| format!("{form}, {} files{bytes}", remote.files.len())));
        for file in &remote.files {
            let bytes = file.bytes.map_or_else(String::new, |bytes| format!("  {}", size(bytes)));
            add("", Some(format!("{}{bytes}", file.name)));
        }
        add("unusable", remote.unusable.clone());
    }
    add("hub", report.hub_error.clone());
    facts
}

/// The commit of the hub, and whether it is the one that is here.
fn commit(remote: &Remote, here: Option<&Here>) -> String {
    let known = here.and_then(|here| here.snapshot.as_ref()).map(|snapshot| snapshot.commit.as_str());
    match known {
        Some(known) if known == remote.commit => format!("{} (the one that is here)", short(&remote.commit)),
        Some(_) => format!("{} (newer than what is here; `models pull` fetches it)", short(&remote.commit)),
        None => remote.commit.clone(),
    }
}

fn access(remote: &Remote) -> Option<String> {
    match (remote.private, remote.gated) {
        (true, _) => Some("private".to_owned()),
        (false, true) => Some("gated: its terms have to be accepted".to_owned()),
        (false, false) => None,
    }
}
