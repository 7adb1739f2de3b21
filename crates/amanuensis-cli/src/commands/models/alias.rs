//! `models alias`: names of a person's own.

use std::collections::BTreeMap;

use amanuensis::model::KNOWN_MODELS;

use super::{Stop, print_json};
use crate::args::ModelsAlias;
use crate::commands::FAILED;
use crate::console::{self, say};
use crate::fetching;

pub(super) fn run(asked: &ModelsAlias) -> Result<u8, Stop> {
    let hub = fetching::hub(None, true);
    let configuration = hub.settings().configuration.as_deref();
    let mut aliases = hub.aliases().map_err(anyhow::Error::new)?;
    match (&asked.name, &asked.target) {
        (Some(name), _) if asked.remove => {
            if !aliases.remove(name) {
                say!("error: there is no alias {name}");
                return Ok(FAILED);
            }
            aliases.write(configuration).map_err(anyhow::Error::new)?;
            say!("{name} is no alias any more");
        }
        (Some(name), Some(target)) => {
            let target = aliases.set(name, target).map_err(anyhow::Error::new)?;
            let path = aliases.write(configuration).map_err(anyhow::Error::new)?;
            if let Some((_, usual)) = KNOWN_MODELS.iter().find(|(known, _)| known == name) {
                say!("note: without the alias, {name} is {usual}");
            }
            say!("{name} is {target} from here on (kept in {})", path.display());
        }
        (name, None) => {
            let chosen: BTreeMap<&str, &str> =
                aliases.iter().filter(|(known, _)| name.as_deref().is_none_or(|name| name == *known)).collect();
            if let (Some(name), true) = (name, chosen.is_empty()) {
                say!("error: there is no alias {name}; `models alias {name} MODEL` makes one");
                return Ok(FAILED);
            }
            if asked.json {
                print_json(&chosen)?;
                return Ok(0);
            }
            for (name, target) in chosen {
                console::print(format_args!("{name}  {}", console::visible(target)))?;
            }
        }
        // clap has refused a target without a name: it is the second word.
        (None, Some(_)) => {}
    }
    Ok(0)
}
