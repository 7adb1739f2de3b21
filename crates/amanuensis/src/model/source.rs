//! Where a model is: names, paths, and the store that Hugging Face's tools fill.

use std::path::{Component, Path, PathBuf};

use super::ModelError;
use super::hub::{Cache, Found, HubName};

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The small model inside the program.
    Demo,
    /// A folder, or a file of weights in one.
    Path(PathBuf),
}

/// Short names and the repositories they stand for.
#[rustfmt::skip]
pub static KNOWN_MODELS: [(&str, &str); 20] = [
    ("tiny", "openai/whisper-tiny"),
    ("tiny.en", "openai/whisper-tiny.en"),
    ("base", "openai/whisper-base"),
    ("base.en", "openai/whisper-base.en"),
    ("small", "openai/whisper-small"),
    ("small.en", "openai/whisper-small.en"),
    ("medium", "openai/whisper-medium"),
    ("medium.en", "openai/whisper-medium.en"),
    ("large-v1", "openai/whisper-large"),
    ("large-v2", "openai/whisper-large-v2"),
    ("large-v3", "openai/whisper-large-v3"),
    ("large", "openai/whisper-large-v3"),
    ("large-v3-turbo", "openai/whisper-large-v3-turbo"),
    ("turbo", "openai/whisper-large-v3-turbo"),
    ("whisper-1", "openai/whisper-large-v2"),
    ("distil-small.en", "distil-whisper/distil-small.en"),
    ("distil-medium.en", "distil-whisper/distil-medium.en"),
    ("distil-large-v2", "distil-whisper/distil-large-v2"),
    ("distil-large-v3", "distil-whisper/distil-large-v3"),
    ("distil-large-v3.5", "distil-whisper/distil-large-v3.5"),
];

impl Source {
    /// Finds a model by what a person calls it: `demo`; a path; a short name such as `base`; `organisation/name`, with
    /// `@revision` and `:file` if need be. Names are looked up in the cache of Hugging Face's tools; nothing is fetched.
    ///
    /// # Errors
    /// [`ModelError::NotFound`]
    pub fn resolve(name_or_path: &str) -> Result<Self, ModelError> {
        Self::resolve_in(name_or_path, &Cache::from_environment())
    }

    /// The same with a cache in another place.
    ///
    /// # Errors
    /// [`ModelError::NotFound`]
    pub fn resolve_in(name_or_path: &str, cache: &Cache) -> Result<Self, ModelError> {
        if name_or_path == DEMO {
            return Ok(Self::Demo);
        }
        let path = Path::new(name_or_path);
        if !name_or_path.is_empty() && path.exists() {
            return Ok(Self::Path(path.to_owned()));
        }
        let not_found = |looked: Option<PathBuf>, advice: String| ModelError::NotFound {
            name: name_or_path.to_owned(),
            looked: [path.to_owned()].into_iter().chain(looked).collect(),
            advice,
        };
        let Some(name) = HubName::parse(name_or_path) else {
            let advice = format!("give the path of a model's folder, organisation/name, or one of {DEMO}, {}", names());
            return Err(not_found(None, advice));
        };
        let repository = &name.repository;
        let remedy = format!(
            "`amanuensis models pull {name_or_path}` or `hf download {repository}` fetches it; or give the path of its \
             folder, or use {DEMO}, the model in the program"
        );
        match cache.find(&name) {
            Found::Whole(path) => Ok(Self::Path(path)),
            Found::Incomplete { snapshot, reason } => Err(not_found(Some(snapshot), format!("{reason}; {remedy}"))),
            Found::Absent(place) => Err(not_found(place, remedy)),
        }
    }
}

/// The model inside the program.
const DEMO: &str = "demo";

fn names() -> String {
    KNOWN_MODELS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// What a model in this folder is called: the repository where it is in the store, the folder's name elsewhere.
pub(super) fn name_of(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let parts: Vec<&str> = [folder, &full]
        .into_iter()
        .flat_map(Path::components)
        .filter_map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    let repository = parts.iter().rev().find_map(|part| part.strip_prefix("models--"));
    match repository {
        Some(repository) => repository.replace("--", "/"),
        None => parts.last().map_or_else(|| folder.display().to_string(), |part| (*part).to_owned()),
    }
}

/// What a model that is a file by itself is called: the file's name without what says its kind. A folder is called as
/// [`name_of`] does.
pub(super) fn name_of_file(path: &Path) -> String {
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some(stem) if !path.is_dir() => stem.to_owned(),
        _ => name_of(path),
    }
}
