//! The cache into which Hugging Face's tools download. It is only read here.
//!
//! ```text
//! models--organisation--name/
//!   refs/main                        the commit that this revision was last seen at
//!   blobs/<hash>                     the content of files, once for all commits that have it
//!   snapshots/<commit>/config.json   -> ../../blobs/<hash>
//! ```

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::choice::{self, Choice, Form, NoChoice};
use super::name::HubName;

/// The cache, if there is a place for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: Option<PathBuf>,
}

/// What is here of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All of it: the folder of the snapshot, or the one file that is the model.
    Whole(PathBuf),
    /// Not all files of it.
    Incomplete {
        /// The folder of the snapshot.
        snapshot: PathBuf,
        /// What is missing.
        reason: NoChoice,
    },
    /// Nothing. This is where it would be.
    Absent(Option<PathBuf>),
}

/// A commit is written with forty digits; a reference holds nothing else.
const LONGEST_REFERENCE: u64 = 256;

/// The largest index of weights that is read. Real ones have some hundred kilobytes.
const LARGEST_INDEX: u64 = 16 << 20;

/// More files than any repository of a model has.
const MOST_FILES: usize = 10_000;

/// Repositories have their files in folders of folders at most.
const DEEPEST: usize = 4;

impl Cache {
    /// The cache that Hugging Face's tools would use.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The same with variables from elsewhere. The first of them that is set says where the cache is.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| path("HF_HOME").map(|home| home.join("hub")))
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")))
            .or_else(|| path("HOME").or_else(|| path("USERPROFILE")).map(|home| home.join(".cache/huggingface/hub")));
        Self { folder }
    }

    /// The cache in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    /// The folder; none where no variable names one and there is no home.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The folder of a repository in it.
    pub fn repository(&self, repository: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(repository_folder(repository)))
    }

    /// Looks for a model.
    pub fn find(&self, name: &HubName) -> Found {
        let Some(repository) = self.repository(&name.repository) else { return Found::Absent(None) };
        let commit = commit_named(&repository, &name.revision);
        let snapshot = repository.join("snapshots").join(commit.as_deref().unwrap_or(&name.revision));
        if !snapshot.is_dir() {
            return Found::Absent(Some(snapshot));
        }
        if let Some(file) = &name.file {
            let path = snapshot.join(file);
            return match path.is_file() {
                true => Found::Whole(path),
                false => Found::Incomplete { snapshot, reason: NoChoice::NoFile { wanted: file.clone() } },
            };
        }
        match choose_in(&snapshot) {
            Ok(Choice { form: Form::Ggml | Form::Gguf, weights, .. }) => {
                Found::Whole(weights.first().map_or_else(|| snapshot.clone(), |file| snapshot.join(file)))
            }
            Ok(_) => Found::Whole(snapshot),
            Err(reason) => Found::Incomplete { snapshot, reason },
        }
    }
}

/// What a repository's folder is called.
pub fn repository_folder(repository: &str) -> String {
    format!("models--{}", repository.replace('/', "--"))
}

/// The commit that a revision was last seen at.
pub fn commit_named(repository: &Path, revision: &str) -> Option<String> {
    let path = repository.join("refs").join(revision);
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST_REFERENCE {
        return None;
    }
    let commit = fs::read_to_string(path).ok()?;
    let commit = commit.trim();
    (!commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| commit.to_owned())
}

/// Chooses the files that make a model among those in a folder; all of them are there.
///
/// # Errors
/// [`NoChoice`]: what is missing.
pub fn choose_in(folder: &Path) -> Result<Choice, NoChoice> {
    let names = files_in(folder);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut choice = choice::choose(&names)?;
    if let Some(index) = &choice.index {
        let path = folder.join(index);
        let refused = |reason: String| NoChoice::Index { file: index.clone(), reason };
        let size = path.metadata().map_err(|error| refused(error.to_string()))?.len();
        if size > LARGEST_INDEX {
            return Err(refused(format!("{size} bytes, more than the limit of {LARGEST_INDEX}")));
        }
        let content = fs::read(&path).map_err(|error| refused(error.to_string()))?;
        choice.weights = choice::shards(index, &content, &names)?;
    }
    Ok(choice)
}

/// The names of the files below a folder, with `/` between their parts. Links that lead nowhere are not files.
pub fn files_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    collect(folder, "", DEEPEST, &mut names);
    names.sort_unstable();
    names
}

fn collect(folder: &Path, before: &str, depth: usize, names: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if names.len() >= MOST_FILES {
            return;
        }
        // Files are links into the blobs. A folder is never a link: one could lead round in circles.
        if path.is_file() {
            names.push(format!("{before}{name}"));
        } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, &format!("{before}{name}/"), depth - 1, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KNOWN_MODELS, ModelError, Source};

    fn folder_of(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variables = variables.to_vec();
        let value = move |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Cache::from_variables(value).folder
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
            assert_eq!(folder_of(&all[skipped..]), Some(PathBuf::from(expected)));
        }
        assert_eq!(folder_of(&[("HF_HOME", ""), ("HOME", "/5")]), Some("/5/.cache/huggingface/hub".into()));
        assert_eq!(folder_of(&[]), None);
    }

    fn store() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let add = |repository: &str, commit: &str, files: &[&str]| {
            let repository = folder.path().join(repository);
            let snapshot = repository.join("snapshots").join(commit);
            fs::create_dir_all(&snapshot).unwrap();
            fs::create_dir_all(repository.join("refs")).unwrap();
            fs::write(repository.join("refs/main"), format!("{commit}\n")).unwrap();
            for file in files {
                fs::write(snapshot.join(file), "{}").unwrap();
            }
        };
        add("models--openai--whisper-base", "0123abc", &["config.json", "tokenizer.json", "model.safetensors"]);
        add("models--openai--whisper-tiny", "4567def", &["config.json", "tokenizer.json"]);
        add("models--ggerganov--whisper.cpp", "89abcde", &["ggml-base.bin"]);
        let cache = Cache::at(folder.path().to_owned());
        (folder, cache)
    }

    #[test]
    fn names_lead_to_snapshots() {
        let (folder, cache) = store();
        let snapshot = folder.path().join("models--openai--whisper-base/snapshots/0123abc");
        for name in ["base", "openai/whisper-base", "base@main", "openai/whisper-base@0123abc"] {
            assert_eq!(Source::resolve_in(name, &cache).unwrap(), Source::Path(snapshot.clone()), "{name}");
        }
        assert_eq!(Source::resolve_in("demo", &cache).unwrap(), Source::Demo);
        let folder = folder.path().to_str().unwrap();
        assert_eq!(Source::resolve_in(folder, &cache).unwrap(), Source::Path(folder.into()));
        assert_eq!(crate::model::source::name_of(&snapshot), "openai/whisper-base");
        assert_eq!(crate::model::source::name_of(Path::new("/no/such/model")), "model");
    }

    #[test]
    fn a_file_that_is_a_model_is_found_with_and_without_its_name() {
        let (folder, cache) = store();
        let file = folder.path().join("models--ggerganov--whisper.cpp/snapshots/89abcde/ggml-base.bin");
        for name in ["ggerganov/whisper.cpp", "ggerganov/whisper.cpp:ggml-base.bin"] {
            assert_eq!(Source::resolve_in(name, &cache).unwrap(), Source::Path(file.clone()), "{name}");
        }
        fs::write(file.with_file_name("ggml-tiny.bin"), "").unwrap();
        let error = Source::resolve_in("ggerganov/whisper.cpp", &cache).unwrap_err().to_string();
        assert!(error.contains("name one: ggml-base.bin, ggml-tiny.bin"), "{error}");
        let error = Source::resolve_in("ggerganov/whisper.cpp:ggml-small.bin", &cache).unwrap_err().to_string();
        assert!(error.contains("no file ggml-small.bin"), "{error}");
    }

    #[test]
    fn what_is_absent_is_said_with_the_place_and_the_remedy() {
        let (folder, cache) = store();
        let error = Source::resolve_in("turbo", &cache).unwrap_err().to_string();
        let place = folder.path().join("models--openai--whisper-large-v3-turbo/snapshots/main");
        assert!(error.contains(place.to_str().unwrap()), "{error}");
        assert!(error.contains("`hf download openai/whisper-large-v3-turbo`"), "{error}");
        let error = Source::resolve_in("tiny", &cache).unwrap_err().to_string();
        assert!(error.contains("4567def") && error.contains("no weights in a form that is read"), "{error}");
        let error = Source::resolve_in("bsae", &cache).unwrap_err().to_string();
        assert!(error.contains("no model \"bsae\"") && error.contains("demo, tiny, tiny.en, base"), "{error}");
        let none = Cache { folder: None };
        assert!(matches!(Source::resolve_in("base", &none), Err(ModelError::NotFound { .. })));
    }

    #[test]
    fn names_cannot_lead_out_of_the_store() {
        let (_folder, cache) = store();
        for name in
            ["", "./x", "../x", "/no/such", "a/../b", "a/b/c", "a/..", "~/m", "a\\b", "x/", "a/b@../../c", "a/b@"]
        {
            let error = Source::resolve_in(name, &cache).unwrap_err();
            let ModelError::NotFound { looked, .. } = &error else { panic!("{name}: {error}") };
            assert_eq!(looked, &[PathBuf::from(name)], "{name}");
        }
    }

    #[test]
    fn every_short_name_is_a_repository() {
        let (_folder, cache) = store();
        for (name, repository) in KNOWN_MODELS {
            if let Err(error) = Source::resolve_in(name, &cache) {
                assert!(error.to_string().contains(&format!("`hf download {repository}`")), "{error}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_or_round_in_circles_are_not_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("onnx")).unwrap();
        fs::write(folder.path().join("onnx/a.onnx"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("onnx/up")).unwrap();
        assert_eq!(files_in(folder.path()), ["onnx/a.onnx"]);
    }
}
