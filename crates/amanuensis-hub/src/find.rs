//! From what a person calls a model to where it is, without any connection.

use std::path::{Path, PathBuf};

use amanuensis::model::hub::{Found, HubName};
use amanuensis::model::{KNOWN_MODELS, Source};

use crate::aliases::Aliases;
use crate::error::HubError;
use crate::settings::Settings;

/// The name of the model inside the program.
const DEMO: &str = "demo";

/// What a person means by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The model inside the program.
    Demo,
    /// A folder or a file that is here.
    Path(PathBuf),
    /// A model of the hub, here or not.
    Hub(HubName),
}

/// `demo`, a path that is here, an alias, a name of the hub: the first that fits.
pub(crate) fn named(settings: &Settings, text: &str) -> Result<Named, HubError> {
    if let Some(path) = path(text) {
        return Ok(Named::Path(path));
    }
    if text == DEMO {
        return Ok(Named::Demo);
    }
    // Aliases can only hide names that can be aliases: with paths and whole names nobody's settings are read.
    let aliases = if text.contains(['/', '\\', '@', ':']) { Aliases::default() } else { aliases(settings)? };
    let target = aliases.get(text).unwrap_or(text);
    if target == DEMO {
        return Ok(Named::Demo);
    }
    if target != text
        && let Some(path) = path(target)
    {
        return Ok(Named::Path(path));
    }
    HubName::parse(target).map(Named::Hub).ok_or_else(|| no_name(text, target, &aliases))
}

fn aliases(settings: &Settings) -> Result<Aliases, HubError> {
    Aliases::read(settings.configuration.as_deref())
}

fn path(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    (!text.is_empty() && text != DEMO && path.exists()).then(|| path.to_owned())
}

fn no_name(text: &str, target: &str, aliases: &Aliases) -> HubError {
    let own = aliases.iter().map(|(name, _)| name);
    let known = KNOWN_MODELS.iter().map(|(name, _)| *name);
    let names: Vec<&str> = [DEMO].into_iter().chain(own).chain(known).collect();
    let nearest = names.iter().map(|name| (distance(text, name), *name)).min();
    let advice = match nearest {
        _ if target != text => format!("it is an alias of {target}, which is not here"),
        Some((1..=2, name)) => format!("did you mean {name}?"),
        _ => format!(
            "no such path is here; give one, organisation/name of a model on the hub, or one of {}",
            names.join(", ")
        ),
    };
    HubError::NoName { name: text.to_owned(), advice }
}

/// The model where it is here; otherwise what was looked for.
pub(crate) fn here(settings: &Settings, named: &Named) -> Result<Source, String> {
    let name = match named {
        Named::Demo => return Ok(Source::Demo),
        Named::Path(path) => return Ok(Source::Path(path.clone())),
        Named::Hub(name) => name,
    };
    match settings.cache.find(name) {
        Found::Whole(path) => Ok(Source::Path(path)),
        Found::Incomplete { snapshot, reason } => Err(format!("{}: {reason}", snapshot.display())),
        Found::Absent(Some(place)) => Err(format!("no {}", place.display())),
        Found::Absent(None) => Err("there is no cache".to_owned()),
    }
}

/// How many letters have to be changed, added, left out or swapped with the next to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(64).collect(), other.chars().take(64).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (place, letter) in one.iter().enumerate() {
        let mut row = vec![place + 1];
        for (at, known) in other.iter().enumerate() {
            let above = |back: usize, left: usize| {
                rows.get(rows.len() - back).and_then(|row| row.get(at + 1 - left)).copied().unwrap_or(usize::MAX - 1)
            };
            let left = row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (above(1, 0) + 1).min(left + 1).min(above(1, 1) + usize::from(letter != known));
            let swapped = place > 0 && at > 0 && one.get(place - 1) == Some(known) && other.get(at - 1) == Some(letter);
            if swapped && let Some(before) = rows.get(place - 1).and_then(|row| row.get(at - 1)) {
                best = best.min(before + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn settings(home: &Path) -> Settings {
        let home: OsString = home.into();
        Settings::from_variables(&move |name| (name == "HOME").then(|| home.clone()))
    }

    #[test]
    fn paths_come_before_aliases_and_aliases_before_names() {
        let home = tempfile::tempdir().unwrap();
        let settings = settings(home.path());
        let mut aliases = Aliases::default();
        aliases.set("base", "Systran/faster-whisper-base").unwrap();
        aliases.set("mine", home.path().to_str().unwrap()).unwrap();
        aliases.set("small-thing", "demo").unwrap();
        aliases.write(settings.configuration.as_deref()).unwrap();
        let hub = |text: &str| Named::Hub(HubName::parse(text).unwrap());
        let named = |text: &str| super::named(&settings, text).unwrap();
        assert_eq!(named("demo"), Named::Demo);
        assert_eq!(named("small-thing"), Named::Demo);
        assert_eq!(named("base"), hub("Systran/faster-whisper-base"));
        assert_eq!(named("base@main"), hub("openai/whisper-base"));
        assert_eq!(named("tiny"), hub("openai/whisper-tiny"));
        assert!(matches!(named("mine"), Named::Path(_)));
        assert!(matches!(named(home.path().to_str().unwrap()), Named::Path(_)));
        assert!(here(&settings, &named("tiny")).unwrap_err().contains("models--openai--whisper-tiny"));
    }

    #[test]
    fn what_is_no_name_is_answered_with_the_nearest() {
        let home = tempfile::tempdir().unwrap();
        let error = |text: &str| named(&settings(home.path()), text).unwrap_err().to_string();
        assert!(error("bsae").contains("did you mean base?"), "{}", error("bsae"));
        assert!(error("large-v3-trubo").contains("did you mean large-v3-turbo?"));
        assert!(error("something else").contains("one of demo, tiny"), "{}", error("something else"));
        assert!(error("./no/such/model").contains("no such path"));
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("abcd", "acbd")), (3, 0, 1));
    }
}
