//! `config`: the server's settings from all their places, the later ones over the earlier: the program's own, a file, the
//! environment, the command line.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use amanuensis_server::{Key, Keys, Settings};
use anyhow::{Context, bail};
use serde::Deserialize;
use toml::{Table, Value};

use super::Stop;
use crate::args::{self, ConfigPart};
use crate::console::print;

/// What settings are called in the environment.
const PREFIX: &str = "AMANUENSIS_";
/// A key that may be used for everything.
const API_KEY: &str = "AMANUENSIS_API_KEY";

/// Settings, and where each of them comes from.
pub(super) struct Gathered {
    pub(super) settings: Settings,
    pub(super) keys: Keys,
    origins: BTreeMap<String, String>,
    table: Table,
}

pub(super) fn run(asked: &args::Config) -> Result<u8, Stop> {
    match &asked.part {
        ConfigPart::Show { settings, origin } => {
            let gathered = gather(settings)?;
            let mut lines = String::new();
            for (name, value) in &gathered.table {
                let from = gathered.origins.get(name).map_or("default", String::as_str);
                lines += &if *origin { format!("{name} = {value}  # {from}\n") } else { format!("{name} = {value}\n") };
            }
            print(format_args!("{}", lines.trim_end()))?;
        }
        ConfigPart::Check { settings } => {
            let gathered = gather(settings)?;
            gathered.settings.check(gathered.keys.len()).map_err(anyhow::Error::from)?;
            print(format_args!("fine: {} on {}", keys_in_words(gathered.keys.len()), gathered.settings.listen))?;
        }
    }
    Ok(0)
}

fn keys_in_words(count: usize) -> String {
    match count {
        0 => "no keys".to_owned(),
        1 => "1 key".to_owned(),
        count => format!("{count} keys"),
    }
}

/// All settings, from all places.
pub(super) fn gather(asked: &args::Settings) -> anyhow::Result<Gathered> {
    let mut table = Table::try_from(Settings::default()).context("the settings' defaults")?;
    // What is not set by default has no value there, and a name all the same.
    let optional = ["data", "ui", "webhook_secret", "unload_after", "models_memory", "wyoming"];
    let known: Vec<String> = table.keys().cloned().chain(optional.map(str::to_owned)).collect();
    let mut origins = BTreeMap::new();
    let mut put = |name: &str, value: Value, origin: String| -> anyhow::Result<()> {
        if !known.iter().any(|known| known == name) {
            bail!("{origin}: there is no setting {name:?}; `amanuensis config show` lists them");
        }
        table.insert(name.to_owned(), value);
        origins.insert(name.to_owned(), origin);
        Ok(())
    };
    if let Some(path) = &asked.config {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let file: Table = text.parse().with_context(|| format!("{shown} is not TOML"))?;
        for (name, value) in file {
            put(&name, value, shown.clone())?;
        }
    }
    for name in &known {
        let variable = format!("{PREFIX}{}", name.to_uppercase());
        if let Ok(value) = env::var(&variable) {
            put(name, parsed(&value), variable)?;
        }
    }
    for setting in &asked.set {
        let (name, value) = setting.split_once('=').with_context(|| format!("--set {setting}: it is NAME=VALUE"))?;
        put(name.trim(), parsed(value.trim()), "--set".to_owned())?;
    }
    let path = |path: &Path| Value::String(path.display().to_string());
    let flags = [
        ("listen", asked.listen.clone().map(Value::String)),
        ("wyoming", asked.wyoming.clone().map(Value::String)),
        ("insecure", asked.insecure.then_some(Value::Boolean(true))),
        ("data", asked.data.as_deref().map(path)),
        ("ui", asked.ui.as_deref().map(path)),
    ];
    for (name, value) in flags {
        if let Some(value) = value {
            put(name, value, format!("--{name}"))?;
        }
    }
    let settings = settings_of(&table, &origins)?;
    table.remove("webhook_secret");
    Ok(Gathered { settings, keys: keys(asked.keys.as_deref())?, origins, table })
}

fn settings_of(table: &Table, origins: &BTreeMap<String, String>) -> anyhow::Result<Settings> {
    Settings::deserialize(table.clone()).map_err(|error| {
        let message = error.message().to_owned();
        // The parser says what is wrong; who wrote it says where.
        let single = |name: &str| {
            let mut alone = Table::try_from(Settings::default()).unwrap_or_default();
            alone.insert(name.to_owned(), table.get(name).cloned().unwrap_or(Value::Boolean(false)));
            Settings::deserialize(alone).is_err()
        };
        match origins.iter().find(|(name, _)| single(name)) {
            Some((name, origin)) => anyhow::anyhow!("{origin}: {name}: {message}"),
            None => anyhow::anyhow!(message),
        }
    })
}

/// A value as TOML, or a text as it is.
fn parsed(text: &str) -> Value {
    let as_toml = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    as_toml.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    #[serde(default)]
    key: Vec<Key>,
}

/// The keys of a file, or the one of the environment.
fn keys(path: Option<&Path>) -> anyhow::Result<Keys> {
    let Some(path) = path else {
        let single = env::var(API_KEY).ok().filter(|key| !key.is_empty());
        return Ok(single.map_or_else(Keys::default, |key| Keys::single(API_KEY, &key)));
    };
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let file: KeyFile = toml::from_str(&text).with_context(|| format!("{shown} is not a file of keys"))?;
    if file.key.is_empty() {
        bail!("{shown} has no keys; each is a [[key]] with name, sha256 and scopes");
    }
    Keys::new(file.key).with_context(|| shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> args::Settings {
        args::Settings {
            listen: None,
            wyoming: None,
            keys: None,
            insecure: false,
            data: None,
            config: None,
            set: Vec::new(),
            ui: None,
        }
    }

    #[test]
    fn later_places_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        fs::write(&file, "max_duration = 60.0\nlisten = \"127.0.0.1:1\"\ntogether = 2\n").unwrap();
        let set = vec!["together=8".to_owned(), "allow_origin=[\"https://a.example\"]".to_owned()];
        let listen = Some("127.0.0.1:2".to_owned());
        let gathered = gather(&args::Settings { config: Some(file), set, listen, ..asked() }).unwrap();
        let settings = &gathered.settings;
        assert_eq!((settings.max_duration, settings.together), (60.0, 8));
        assert_eq!((settings.listen.port(), settings.allow_origin.len()), (2, 1));
        assert_eq!(gathered.origins["together"], "--set");
        assert_eq!(gathered.origins["listen"], "--listen");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = |set: &str| {
            format!("{:#}", gather(&args::Settings { set: vec![set.to_owned()], ..asked() }).err().unwrap())
        };
        assert!(wrong("colour=blue").contains("no setting \"colour\""));
        assert!(wrong("together=many").contains("--set: together"), "{}", wrong("together=many"));
        assert!(wrong("together").contains("NAME=VALUE"));
    }

    #[test]
    fn files_of_keys_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        let key = format!("[[key]]\nname = \"me\"\nsha256 = \"{}\"\nscopes = [\"jobs\"]\n", "0".repeat(64));
        fs::write(&file, key).unwrap();
        assert_eq!(keys(Some(&file)).unwrap().len(), 1);
        for wrong in ["", "[[key]]\nname = \"me\"\n", "key = 3"] {
            fs::write(&file, wrong).unwrap();
            assert!(keys(Some(&file)).is_err(), "{wrong}");
        }
    }
}
