//! What is in the cache.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use amanuensis::model::hub::{Cache, Form, choose_in, commit_named, files_in};
use serde::Serialize;
use serde_json::Value;

use super::{INCOMPLETE, Repository};

/// A config.json that is longer is not a model's.
const LONGEST_CONFIG: u64 = 4 << 20;

/// A repository in the cache.
#[derive(Debug, Clone, Serialize)]
pub struct StoredRepository {
    /// `organisation/name`
    pub repository: String,
    /// Its commits that are here.
    pub snapshots: Vec<StoredSnapshot>,
    /// What has come so far of files that are not whole, in bytes.
    pub partial_bytes: u64,
    /// Everything together, in bytes. What several commits share counts once.
    pub bytes: u64,
    /// Whether it seems to be a Whisper model.
    pub whisper: bool,
}

/// A commit of a repository in the cache.
#[derive(Debug, Clone, Serialize)]
pub struct StoredSnapshot {
    /// The commit.
    pub commit: String,
    /// Branches and tags that were last seen at it.
    pub revisions: Vec<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// The form of the weights that would be used.
    pub form: Option<Form>,
    /// Whether all files of a model are here.
    pub usable: bool,
    /// Why not.
    pub missing: Option<String>,
    /// How many files it has here.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// All repositories of models in the cache, in the order of their names.
pub(crate) fn scan(cache: &Cache) -> Vec<StoredRepository> {
    let Some(folder) = cache.folder() else { return Vec::new() };
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("models--"))
        .collect();
    names.sort_unstable();
    names.iter().map(|name| repository(&Repository::in_folder(folder, name), name)).collect()
}

fn repository(repository: &Repository, folder: &str) -> StoredRepository {
    let name = folder.trim_start_matches("models--").replace("--", "/");
    let revisions = revisions(repository);
    let snapshots: Vec<StoredSnapshot> = commits(repository)
        .into_iter()
        .map(|commit| {
            let of_commit = revisions.iter().filter(|(_, at)| **at == commit).map(|(name, _)| name.clone()).collect();
            snapshot(repository.snapshot(&commit), commit, of_commit)
        })
        .collect();
    let (bytes, partial_bytes) = blob_bytes(repository);
    let copies: u64 = snapshots.iter().map(|snapshot| copied_bytes(&snapshot.folder)).sum();
    let whisper = snapshots.iter().any(|snapshot| is_whisper(&snapshot.folder, snapshot.form, &name))
        || (snapshots.is_empty() && is_called_whisper(&name));
    StoredRepository { repository: name, snapshots, partial_bytes, bytes: bytes + copies, whisper }
}

fn snapshot(folder: PathBuf, commit: String, revisions: Vec<String>) -> StoredSnapshot {
    let names = files_in(&folder);
    let bytes = names.iter().filter_map(|name| folder.join(name).metadata().ok()).map(|file| file.len()).sum();
    let chosen = choose_in(&folder);
    let (form, missing) = match chosen {
        Ok(choice) => (Some(choice.form), None),
        // Several models in one repository are each used by their own names.
        Err(amanuensis::model::hub::NoChoice::Several { files }) => {
            (files.first().map(|file| if file.ends_with(".gguf") { Form::Gguf } else { Form::Ggml }), None)
        }
        Err(reason) => (None, Some(reason.to_string())),
    };
    StoredSnapshot { commit, revisions, form, usable: missing.is_none(), missing, files: names.len(), bytes, folder }
}

/// The commits that have a folder.
pub(crate) fn commits(repository: &Repository) -> Vec<String> {
    let entries = fs::read_dir(repository.snapshots()).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Branches and tags with the commits that they were last seen at.
pub(crate) fn revisions(repository: &Repository) -> BTreeMap<String, String> {
    let names = files_in(&repository.references());
    names.into_iter().filter_map(|name| commit_named(&repository.folder, &name).map(|commit| (name, commit))).collect()
}

/// Bytes of whole blobs, and of those that are not.
fn blob_bytes(repository: &Repository) -> (u64, u64) {
    let (mut all, mut partial) = (0, 0);
    for entry in fs::read_dir(repository.blobs()).into_iter().flatten().flatten() {
        // Through links: newer versions of Python's library keep large blobs once for all repositories.
        let Ok(metadata) = entry.path().metadata() else { continue };
        all += metadata.len();
        if entry.file_name().to_string_lossy().ends_with(INCOMPLETE) {
            partial += metadata.len();
        }
    }
    (all, partial)
}

/// Bytes of files that are not links, where there can be none. A second name of a blob counts with the blob.
fn copied_bytes(snapshot: &Path) -> u64 {
    let files = files_in(snapshot).into_iter().filter_map(|name| snapshot.join(name).symlink_metadata().ok());
    files.filter(|file| file.is_file() && !has_other_names(file)).map(|file| file.len()).sum()
}

#[cfg(unix)]
fn has_other_names(file: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(file) > 1
}

#[cfg(not(unix))]
fn has_other_names(_file: &fs::Metadata) -> bool {
    false
}

/// Whether the files are a Whisper model's, as far as can be told without reading the weights.
fn is_whisper(snapshot: &Path, form: Option<Form>, name: &str) -> bool {
    let Some(config) = config(&snapshot.join("config.json")) else {
        return form == Some(Form::Ggml) || is_called_whisper(name);
    };
    match config.get("model_type").and_then(Value::as_str) {
        Some(kind) => kind == "whisper",
        // CTranslate2's has no kind, but what only Whisper has.
        None => ["suppress_ids_begin", "lang_ids", "alignment_heads"].iter().any(|key| config.get(key).is_some()),
    }
}

fn is_called_whisper(name: &str) -> bool {
    name.to_ascii_lowercase().contains("whisper")
}

fn config(path: &Path) -> Option<Value> {
    let mut content = Vec::new();
    File::open(path).ok()?.take(LONGEST_CONFIG).read_to_end(&mut content).ok()?;
    serde_json::from_slice(&content).ok()
}
