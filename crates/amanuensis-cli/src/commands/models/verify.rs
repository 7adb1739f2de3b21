//! `models verify`: every file against its checksum.

use amanuensis_hub::{Health, Verified};
use serde::Serialize;

use super::{Stop, name_on_hub, print_json, says_revision};
use crate::args::ModelsVerify;
use crate::commands::FAILED;
use crate::console::{self, say};
use crate::fetching::{self, size};
use crate::interrupt;

/// What was found, as programs read it.
#[derive(Serialize)]
struct Report<'a> {
    model: String,
    sound: bool,
    files: &'a [Verified],
    removed: Vec<String>,
}

pub(super) fn run(asked: &ModelsVerify) -> Result<u8, Stop> {
    let hub = fetching::hub(asked.model_dir.as_deref(), true);
    let name = name_on_hub(&hub, &asked.name, "verify")?;
    let whole = !says_revision(&asked.name, &name);
    interrupt::listen();
    let files = fetching::fetch(&hub, asked.progress, |watch| hub.verify(&name, whole, watch));
    let files = files.map_err(anyhow::Error::new)?;
    let removed = if asked.clean { hub.clean(&name, &files).map_err(anyhow::Error::new)? } else { Vec::new() };
    let removed: Vec<String> = removed.iter().map(|path| path.display().to_string()).collect();
    let bad = files.iter().filter(|file| file.health.is_bad()).count();
    if asked.json {
        print_json(&Report { model: name.to_string(), sound: bad == 0, files: &files, removed })?;
    } else {
        for file in &files {
            let line = format!("{:10} {}  {}", state(&file.health), file.file, detail(file));
            console::print(format_args!("{}", console::visible(line.trim_end())))?;
        }
        for path in &removed {
            say!("removed {path}");
        }
    }
    if bad > 0 {
        let remedy = if asked.clean { "" } else { &format!("`models verify --clean {}` removes them, ", asked.name) };
        say!("{bad} of {} files cannot be used; {remedy}`models pull {}` fetches them anew", files.len(), asked.name);
        return Ok(FAILED);
    }
    Ok(0)
}

fn state(health: &Health) -> &'static str {
    match health {
        Health::Sound => "sound",
        Health::Unproven => "unproven",
        Health::Damaged { .. } => "damaged",
        Health::Broken => "broken",
        Health::Partial => "partial",
        Health::Unreadable { .. } => "unreadable",
        _ => "unknown",
    }
}

fn detail(file: &Verified) -> String {
    match &file.health {
        Health::Sound | Health::Partial => size(file.bytes),
        Health::Unproven => format!("{}: a copy, and nothing here says its checksum", size(file.bytes)),
        Health::Damaged { expected, found } => format!("has {found}, not {expected}"),
        Health::Broken => "leads to no file".to_owned(),
        Health::Unreadable { reason } => reason.clone(),
        _ => String::new(),
    }
}
