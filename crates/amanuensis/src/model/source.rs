//! Where a model is: names, paths, and the store that Hugging Face's tools fill.

use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};

use super::ModelError;
use super::hub::Hub;

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
    /// Finds a model by what a person calls it: `demo`; a path; a short name such as `base`; `organisation/name`,
    /// with `@revision` if need be. Names are looked up in the store of Hugging Face's tools; nothing is fetched.
    pub fn resolve(name_or_path: &str) -> Result<Self, ModelError> {
        Self::resolve_in(name_or_path, &Hub::from_environment())
    }

    pub(super) fn resolve_in(name_or_path: &str, hub: &Hub) -> Result<Self, ModelError> {
        if name_or_path == "demo" {
            return Ok(Self::Demo);
        }
        let path = Path::new(name_or_path);
        if !name_or_path.is_empty() && path.exists() {
            return Ok(Self::Path(path.to_owned()));
        }
        let (name, revision) = name_or_path.split_once('@').unwrap_or((name_or_path, "main"));
        let repository = KNOWN_MODELS.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
        if !is_repository(repository) || !is_part(revision) || looks_like_path(name_or_path) {
            return Err(ModelError::NotFound {
                name: name_or_path.to_owned(),
                looked: vec![path.to_owned()],
                advice: format!("give the path of a model's folder, organisation/name, or one of demo, {}", names()),
            });
        }
        let (looked, found) = hub.find(repository, revision);
        found.map(Self::Path).ok_or_else(|| ModelError::NotFound {
            name: name_or_path.to_owned(),
            looked: [path.to_owned()].into_iter().chain(looked).collect(),
            advice: format!(
                "`hf download {repository}` fetches it; or give the path of its folder, or use demo, the model in the program"
            ),
        })
    }
}

fn names() -> String {
    KNOWN_MODELS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Whether a text can only have been meant as a path.
fn looks_like_path(text: &str) -> bool {
    text.starts_with(['.', '~', '/', '\\']) || text.ends_with(['/', '\\', MAIN_SEPARATOR]) || text.contains('\\')
}

/// `organisation/name`
fn is_repository(text: &str) -> bool {
    text.split_once('/').is_some_and(|(organisation, name)| is_part(organisation) && is_part(name))
}

/// A part of a repository's name, which becomes part of a file name and must not lead anywhere else.
fn is_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 96
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
        && !text.contains("--")
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
