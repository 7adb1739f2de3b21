//! The store into which Hugging Face's tools download: `models--organisation--name` with a `snapshots` folder that
//! has a folder for each commit, and `refs` that name commits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The store. It is only read.
#[derive(Debug)]
pub(super) struct Hub {
    folder: Option<PathBuf>,
}

/// A commit is written with forty digits; a reference holds nothing else.
const LONGEST_REFERENCE: u64 = 256;

impl Hub {
    pub(super) fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The first of the variables that is set says where the store is.
    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| path("HF_HOME").map(|home| home.join("hub")))
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")))
            .or_else(|| path("HOME").or_else(|| path("USERPROFILE")).map(|home| home.join(".cache/huggingface/hub")));
        Self { folder }
    }

    /// The places that were searched for a repository, and the folder of the revision if it is there.
    pub(super) fn find(&self, repository: &str, revision: &str) -> (Vec<PathBuf>, Option<PathBuf>) {
        let Some(folder) = &self.folder else { return (Vec::new(), None) };
        let repository = folder.join(format!("models--{}", repository.replace('/', "--")));
        let reference = repository.join("refs").join(revision);
        let snapshots = repository.join("snapshots");
        let commit = read_reference(&reference).unwrap_or_else(|| revision.to_owned());
        let snapshot = snapshots.join(commit);
        if snapshot.join("config.json").is_file() {
            return (vec![snapshot.clone()], Some(snapshot));
        }
        (vec![snapshot], None)
    }
}

fn read_reference(path: &Path) -> Option<String> {
    if path.metadata().ok()?.len() > LONGEST_REFERENCE {
        return None;
    }
    let commit = std::fs::read_to_string(path).ok()?;
    let commit = commit.trim();
    (!commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| commit.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KNOWN_MODELS, ModelError, Source};

    fn hub_of(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variables = variables.to_vec();
        let value = move |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Hub::from_variables(value).folder
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_store() {
        let all = [
            ("HF_HUB_CACHE", "/1"),
            ("HUGGINGFACE_HUB_CACHE", "/2"),
            ("HF_HOME", "/3"),
            ("XDG_CACHE_HOME", "/4"),
            ("HOME", "/5"),
        ];
        let expected = ["/1", "/2", "/3/hub", "/4/huggingface/hub", "/5/.cache/huggingface/hub"];
        for (skipped, expected) in expected.into_iter().enumerate() {
            assert_eq!(hub_of(&all[skipped..]), Some(PathBuf::from(expected)));
        }
        assert_eq!(hub_of(&[("HF_HOME", ""), ("HOME", "/5")]), Some("/5/.cache/huggingface/hub".into()));
        assert_eq!(hub_of(&[]), None);
    }

    fn store() -> (tempfile::TempDir, Hub) {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("models--openai--whisper-base");
        let snapshot = repository.join("snapshots/0123abc");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), "0123abc\n").unwrap();
        std::fs::write(snapshot.join("config.json"), "{}").unwrap();
        let hub = Hub { folder: Some(folder.path().to_owned()) };
        (folder, hub)
    }

    #[test]
    fn names_lead_to_snapshots() {
        let (folder, hub) = store();
        let snapshot = folder.path().join("models--openai--whisper-base/snapshots/0123abc");
        for name in ["base", "openai/whisper-base", "base@main", "openai/whisper-base@0123abc"] {
            assert_eq!(Source::resolve_in(name, &hub).unwrap(), Source::Path(snapshot.clone()), "{name}");
        }
        assert_eq!(Source::resolve_in("demo", &hub).unwrap(), Source::Demo);
        let folder = folder.path().to_str().unwrap();
        assert_eq!(Source::resolve_in(folder, &hub).unwrap(), Source::Path(folder.into()));
        assert_eq!(crate::model::source::name_of(&snapshot), "openai/whisper-base");
        assert_eq!(crate::model::source::name_of(Path::new("/no/such/model")), "model");
    }

    #[test]
    fn what_is_absent_is_said_with_the_place_and_the_remedy() {
        let (folder, hub) = store();
        let error = Source::resolve_in("turbo", &hub).unwrap_err().to_string();
        let place = folder.path().join("models--openai--whisper-large-v3-turbo/snapshots/main");
        assert!(error.contains(place.to_str().unwrap()), "{error}");
        assert!(error.contains("`hf download openai/whisper-large-v3-turbo`"), "{error}");
        let error = Source::resolve_in("bsae", &hub).unwrap_err().to_string();
        assert!(error.contains("no model \"bsae\"") && error.contains("demo, tiny, tiny.en, base"), "{error}");
        let none = Hub { folder: None };
        assert!(matches!(Source::resolve_in("base", &none), Err(ModelError::NotFound { .. })));
    }

    #[test]
    fn names_cannot_lead_out_of_the_store() {
        let (_folder, hub) = store();
        for name in
            ["", "./x", "../x", "/no/such", "a/../b", "a/b/c", "a/..", "~/m", "a\\b", "x/", "a/b@../../c", "a/b@"]
        {
            let error = Source::resolve_in(name, &hub).unwrap_err();
            let ModelError::NotFound { looked, .. } = &error else { panic!("{name}: {error}") };
            assert_eq!(looked, &[PathBuf::from(name)], "{name}");
        }
    }

    #[test]
    fn every_short_name_is_a_repository() {
        let (_folder, hub) = store();
        for (name, repository) in KNOWN_MODELS {
            if let Err(error) = Source::resolve_in(name, &hub) {
                assert!(error.to_string().contains(&format!("`hf download {repository}`")), "{error}");
            }
        }
    }
}
