//! `models rm`: removes a model, and what only it uses.

use std::io::{self, BufRead, IsTerminal, Write};

use super::{Stop, name_on_hub, says_revision};
use crate::args::ModelsRm;
use crate::commands::FAILED;
use crate::console::{self, say};
use crate::fetching::{self, size};

pub(super) fn run(asked: &ModelsRm) -> Result<u8, Stop> {
    let hub = fetching::hub(asked.model_dir.as_deref(), true);
    let name = name_on_hub(&hub, &asked.name, "remove")?;
    let removal = hub.removal(&name, says_revision(&asked.name, &name)).map_err(anyhow::Error::new)?;
    let (bytes, paths) = (removal.bytes, removal.paths.clone());
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if !asked.yes {
        if !io::stdin().is_terminal() {
            let message = format!("nobody can be asked whether to remove {}; --yes says so", shown.join(", "));
            return Err(Stop::Usage(message));
        }
        if !is_wanted(&format!("remove {} ({})?", shown.join(", "), size(bytes)))? {
            say!("nothing was removed");
            return Ok(FAILED);
        }
    }
    removal.perform().map_err(anyhow::Error::new)?;
    say!("removed {} ({})", shown.join(", "), size(bytes));
    Ok(0)
}

/// Asks on the terminal; anything but yes is no.
fn is_wanted(question: &str) -> Result<bool, Stop> {
    let mut line = String::new();
    let asked = write!(io::stderr(), "{} [y/N] ", console::visible(question));
    asked.and_then(|()| io::stdin().lock().read_line(&mut line)).map_err(anyhow::Error::new)?;
    Ok(["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str()))
}
