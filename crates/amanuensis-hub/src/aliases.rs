//! Names of a person's own for models, in a small file among the program's settings.
//!
//! ```json
//! {"aliases": {"lectures": "Systran/faster-whisper-large-v3@main"}}
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amanuensis::model::hub::HubName;
use serde::{Deserialize, Serialize};

use crate::error::{HubError, disk};
use crate::store::write_whole;

/// What the file is called.
const FILE: &str = "aliases.json";

/// A file of aliases is small.
const LONGEST: u64 = 1 << 20;

/// A name for a model is short.
const LONGEST_NAME: usize = 64;

/// The name that always means the model inside the program.
const DEMO: &str = "demo";

/// The names and what they stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliases {
    #[serde(default)]
    aliases: BTreeMap<String, String>,
}

impl Aliases {
    /// Reads them; there are none where there is no file.
    ///
    /// # Errors
    /// [`HubError::Disk`] where the file cannot be read or is no such file.
    pub fn read(configuration: Option<&Path>) -> Result<Self, HubError> {
        let Some(path) = configuration.map(|folder| folder.join(FILE)) else { return Ok(Self::default()) };
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(disk(&path, "read it")(error)),
        };
        let wrong = |reason: String| disk(&path, "read it")(std::io::Error::other(reason));
        if !metadata.is_file() || metadata.len() > LONGEST {
            return Err(wrong(format!("it is no file of aliases, which has at most {LONGEST} bytes")));
        }
        let content = fs::read(&path).map_err(disk(&path, "read it"))?;
        serde_json::from_slice(&content).map_err(|error| wrong(format!("{error}; remove it, or put it right")))
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.aliases.get(name).map(String::as_str)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases.iter().map(|(name, target)| (name.as_str(), target.as_str()))
    }

    /// Adds or changes one. What looks like a path is kept from the root on, so that it means the same everywhere.
    ///
    /// # Errors
    /// [`HubError::Alias`]
    pub fn set(&mut self, name: &str, target: &str) -> Result<String, HubError> {
        let refused = |reason: &str| HubError::Alias { name: name.to_owned(), reason: reason.to_owned() };
        if name == DEMO {
            return Err(refused("this name always means the model inside the program"));
        }
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if name.is_empty() || name.len() > LONGEST_NAME || !letters(name) || name.starts_with(['.', '-']) {
            return Err(refused("a name has up to 64 letters, digits and ._- and begins with a letter or digit"));
        }
        if target == name && !Path::new(target).exists() {
            return Err(refused("it would stand for itself"));
        }
        let target = match target {
            DEMO => target.to_owned(),
            _ if HubName::parse(target).is_some() && !Path::new(target).exists() => target.to_owned(),
            path => match fs::canonicalize(path) {
                Ok(path) => path.to_str().map(str::to_owned).ok_or_else(|| refused("its path is not Unicode"))?,
                Err(_) if self.aliases.contains_key(path) => {
                    return Err(refused("it would stand for another alias; give what that one stands for"));
                }
                Err(_) => return Err(refused("it stands for no name of a model and no path that is here")),
            },
        };
        self.aliases.insert(name.to_owned(), target.clone());
        Ok(target)
    }

    /// Removes one; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.aliases.remove(name).is_some()
    }

    /// Writes them, and says where.
    ///
    /// # Errors
    /// [`HubError::NoPlace`], [`HubError::Disk`]
    pub fn write(&self, configuration: Option<&Path>) -> Result<PathBuf, HubError> {
        let folder = configuration.ok_or(HubError::NoPlace { what: "aliases", variable: "AMANUENSIS_CONFIG" })?;
        let path = folder.join(FILE);
        let mut text = serde_json::to_string_pretty(self).map_err(|error| disk(&path, "write it")(error.into()))?;
        text.push('\n');
        write_whole(&path, text.as_bytes())?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("deep/amanuensis");
        let mut aliases = Aliases::read(Some(&configuration)).unwrap();
        aliases.set("lectures", "Systran/faster-whisper-large-v3@main").unwrap();
        aliases.set("base", "distil-small.en").unwrap();
        let here = aliases.set("mine", folder.path().to_str().unwrap()).unwrap();
        assert!(Path::new(&here).is_absolute());
        aliases.write(Some(&configuration)).unwrap();
        let read = Aliases::read(Some(&configuration)).unwrap();
        assert_eq!(read, aliases);
        assert_eq!((read.get("base"), read.get("tiny")), (Some("distil-small.en"), None));
        assert!(aliases.remove("mine") && !aliases.remove("mine"));
        assert!(Aliases::default().write(None).unwrap_err().to_string().contains("AMANUENSIS_CONFIG"));
    }

    #[test]
    fn what_cannot_be_an_alias_is_refused() {
        let mut aliases = Aliases::default();
        aliases.set("a", "base").unwrap();
        for (name, target, word) in [
            ("demo", "base", "inside the program"),
            ("a/b", "base", "letters"),
            ("../a", "base", "letters"),
            ("", "base", "letters"),
            ("-x", "base", "letters"),
            ("b", "b", "itself"),
            ("b", "a", "another alias"),
            ("b", "nonsense", "no name of a model"),
        ] {
            let error = aliases.set(name, target).unwrap_err().to_string();
            assert!(error.contains(word), "{name} {target}: {error}");
        }
    }

    #[test]
    fn files_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = Aliases::read(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("aliases.json") && error.contains("put it right"), "{error}");
    }
}
